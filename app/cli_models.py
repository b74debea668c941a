"""`viscodex models`: those that are here, those that can be had, and how to come by them."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli_parts import EPILOG, JsonOption, bad_input, print_json

if TYPE_CHECKING:
    from engine.models.store import ModelFiles

models = typer.Typer(help="The models on this machine.", invoke_without_command=True)


@models.callback()
def list_by_default(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_models()


@models.command("list")
def list_models(
    as_json: JsonOption = False,
    available: Annotated[
        bool, typer.Option("--available", help="Those that can be downloaded, and what fits here.")
    ] = False,
    server: Annotated[
        str | None, typer.Option(metavar="URL", help="Those of an OpenAI-compatible server.")
    ] = None,
) -> None:
    """Name the models found here, and where they lie; or those of a server."""
    if server is not None:
        if available:
            raise bad_input("--available is not asked of a server", "Leave out one of the two.")
        _list_remote(server, as_json)
        return
    if available:
        _list_available(as_json)
        return
    from engine.models import store

    found = store.list_models()
    if as_json:
        rows = [{"folder": str(files.model.parent), **files.card.to_json()} for files in found]
        print_json(rows)
        return
    if not found:
        print("no model here; `viscodex models pull NAME` gets one", file=sys.stderr)
    for files in found:
        size = sum(path.stat().st_size for path in (files.model, files.mmproj)) / 1e6
        targets = ", ".join(files.card.targets)
        print(f"{files.name:20} {size:8.1f} MB  {targets:18}  {files.model.parent}")


def _list_available(as_json: bool) -> None:
    from engine.devices import list_devices
    from engine.models.catalogue import fit_of, load_catalogue
    from engine.models.store import user_folder

    devices = list_devices()
    rows = [(entry, fit_of(entry, devices)) for entry in load_catalogue()]
    here = {entry.name for entry, _ in rows if (user_folder() / entry.name).is_dir()}
    if as_json:
        print_json(
            [
                {
                    "name": entry.name,
                    "repo": entry.repo,
                    "bytes": entry.bytes,
                    "memory": entry.memory,
                    "context": entry.context,
                    "licence": entry.licence,
                    "quality": entry.quality,
                    "fit": fit.verdict,
                    "here": entry.name in here,
                }
                for entry, fit in rows
            ]
        )
        return
    for entry, fit in rows:
        mark = "here" if entry.name in here else ""
        print(f"{entry.name:16} {entry.bytes / 1e9:5.1f} GB  {mark:4}  {fit.words}")
        print(f"{'':16} {entry.quality} ({entry.licence})")


def _list_remote(url: str, as_json: bool) -> None:
    from engine.remote.client import probe
    from engine.remote.server import Server, find_key

    server = Server.at(url, find_key(url))
    facts = probe(server)
    if server.notice:
        print(f"viscodex: warning: {server.notice}", file=sys.stderr)
    if as_json:
        print_json({"server": server.base, **asdict(facts)})
        return
    for name, context in zip(facts.models, facts.contexts, strict=True):
        print(f"{name:40} {f'{context} tokens' if context else ''}".rstrip())
    print(f"{server.host} answered in {1000 * facts.seconds:.0f} ms", file=sys.stderr)


@models.command("pull", epilog=f"Example: viscodex models pull qwen3-vl-4b. {EPILOG}")
def pull_model(
    name: Annotated[str, typer.Argument(help="As `viscodex models list --available` has it.")],
) -> None:
    """Download a model of the catalogue; after Ctrl-C the same command goes on with it."""
    from app.download_line import DownloadLine
    from engine.models.catalogue import find_entry
    from engine.models.control import Control
    from engine.models.pull import pull

    entry = find_entry(name)
    if entry.licence != "Apache-2.0":
        licence = f"{entry.licence}, {entry.licence_url}"
        print(f"viscodex: note: the licence of {entry.title} is: {licence}", file=sys.stderr)
    with DownloadLine() as line:
        files = pull(entry, control=Control(), report=line.show)
    _tell(files)


@models.command("add", epilog=f"Example: viscodex models add my-model.gguf --name mine. {EPILOG}")
def add_model(
    model: Annotated[Path, typer.Argument(metavar="MODEL.gguf", help="The language model.")],
    mmproj: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Its vision file.", show_default="the one beside it"),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="What to call it.", show_default="as the file")
    ] = None,
) -> None:
    """Take over a model of your own; the files stay where they are."""
    from app.download_line import DownloadLine
    from engine.models.install import add_local

    with DownloadLine() as line:
        files = add_local(model, mmproj, name or model.stem, line.check)
    _tell(files)


@models.command("remove", epilog=f"Example: viscodex models remove qwen3-vl-4b. {EPILOG}")
def remove_model(name: Annotated[str, typer.Argument(help="A model of your own folder.")]) -> None:
    """Remove a model that was pulled or added, or what has arrived of it."""
    from engine.models.install import remove

    print(f"removed: {remove(name)}", file=sys.stderr)


@models.command("verify")
def verify_model(
    model: Annotated[str | None, typer.Argument(help="One of them; all without it.")] = None,
) -> None:
    """Check headers and checksums; exit status 1 if a file is not as its card says."""
    from engine.models import store

    wrong = 0
    for files in store.list_models() if model is None else [store.find_model(model)]:
        for path, problem in store.verify(files):
            print(f"{'ok' if problem is None else 'BROKEN':8} {path}  {problem or ''}".rstrip())
            wrong += problem is not None
    if wrong:
        raise typer.Exit(1)


def _tell(files: ModelFiles) -> None:
    print(f"model:   {files.name} in {files.model.parent}", file=sys.stderr)
