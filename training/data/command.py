"""The `data` commands of `viscodex-train`: build, stats, inspect."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.errors import ErrorCode, VisCodexError

if TYPE_CHECKING:
    from training.data.build import Progress
    from training.data.record import Record

data = typer.Typer(no_args_is_help=True, add_completion=False, help="Make and look at data sets.")
Folder = Annotated[Path, typer.Argument(help="Folder that `data build` wrote.", metavar="DIR")]


@data.command()
def build(
    recipe: Annotated[
        Path, typer.Argument(help="A recipe, such as training/recipes/data-mcd.yaml.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for parts, pictures and shards.")],
    shard: Annotated[
        str | None,
        typer.Option(help="Do part i of n beside other machines, such as 0/2.", metavar="I/N"),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes (default: two a core).")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Stop after this long; the next run goes on from there.")
    ] = None,
    unwalled: Annotated[
        bool, typer.Option("--unwalled", help="Run scripts even where no sandbox holds them.")
    ] = False,
    ray: Annotated[
        str | None,
        typer.Option(
            help="Do it on a Ray cluster that shares DIR: local, auto or an address.",
            metavar="ADDRESS",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what there is.")] = False,
) -> None:
    """Build a data set. Can be stopped and started at any time; machines that share DIR share the
    work with --shard, or as a Ray cluster.

    Example: viscodex-train data build training/recipes/data-docs.yaml --out runs/data
    """
    from training.data import build as building
    from training.data.recipe import DataRecipe
    from training.merge.command import read_part
    from training.recipe import read_section_as

    plan = read_section_as(recipe, "data", DataRecipe)
    part = read_part(shard, "data build")
    if dry_run:
        for name, count in building.count_items(plan).items():
            print(f"{name}: {count:,} items")
        return
    for source in plan.sources:
        source.inputs()  # what is missing is told before anything begins
    if ray is not None and (shard or minutes):
        raise VisCodexError(
            ErrorCode.bad_input,
            "--ray shares the work itself: --shard and --minutes do not go with it.",
            "Leave them out.",
        )
    deadline = None if minutes is None else time.time() + 60 * minutes
    with _bars() as progress:
        if ray is not None:
            from training.data.ray_build import build_on_ray

            outcome = build_on_ray(
                plan, out, ray, workers=workers, unwalled=unwalled, progress=progress
            )
        else:
            outcome = building.build(
                plan,
                out,
                part=part,
                workers=workers,
                unwalled=unwalled,
                deadline=deadline,
                progress=progress,
            )
    if outcome.report is None:
        names = ", ".join(outcome.missing)
        print(f"Stopped with parts of {names} missing; run again (all shards) to go on.")
        return
    for split, kept in outcome.report["kept"].items():
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in kept["kinds"].items())
        print(f"{split}: {kept['records']:,} records{f' ({kinds})' if kinds else ''}")
    print(f"Written: {out}. What was left out and why: {out / building.REPORT}")


@data.command()
def stats(
    folder: Folder,
    out: Annotated[
        Path | None, typer.Option(help="Page to write (default: DIR/statistics.html).")
    ] = None,
    samples: Annotated[int, typer.Option(min=0, help="Thumbnails a kind.")] = 12,
) -> None:
    """Write a page of statistics: counts, what was left out, lengths, licences, samples.

    Example: viscodex-train data stats runs/data
    """
    from training.data.stats import write_page

    page = write_page(folder, out or folder / "statistics.html", samples)
    print(f"Written: {page}")


@data.command()
def inspect(
    folder: Folder,
    id: Annotated[str | None, typer.Option("--id", help="The record of this id.")] = None,
    kind: Annotated[str | None, typer.Option(help="html, chart, qa or algorithm.")] = None,
    source: Annotated[str | None, typer.Option(help="Name of a source.")] = None,
    split: Annotated[str, typer.Option(help="train or validation.")] = "train",
    count: Annotated[int, typer.Option(min=1, help="How many.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Rows as they are.")] = False,
) -> None:
    """Print records as they are trained on.

    Example: viscodex-train data inspect runs/data --kind chart --count 3
    """
    from itertools import islice

    from training.data.stats import card

    wanted = {"id": id, "kind": kind, "source": source}
    given = {name: value for name, value in wanted.items() if value is not None}
    found = list(islice(_matching(folder, split, given), count))
    if not found:
        told = ", ".join(f"{name} {value}" for name, value in given.items())
        raise VisCodexError(
            ErrorCode.bad_input, f"'{folder}' has no record with {told}.", "See data stats."
        )
    for record in found:
        print(card(record, folder, as_json=as_json))


def _matching(folder: Path, split: str, given: dict[str, str]) -> Iterator[Record]:
    from training.data.record import read_records

    for record in read_records(folder, split):
        if all(getattr(record, name) == value for name, value in given.items()):
            yield record


@contextmanager
def _bars() -> Iterator[Callable[[Progress], None]]:
    """Progress on stderr, a line a source: items gone through, and how many a second."""
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TextColumn("{task.completed:,.0f} items, {task.fields[rate]:.1f}/s"),
        TimeElapsedColumn(),
    )
    began = time.monotonic()
    tasks: dict[str, tuple[TaskID, float]] = {}
    counts: Counter[str] = Counter()
    with Bars(*columns, console=Console(stderr=True)) as bars:

        def tell(news: Progress) -> None:
            name = news.source
            if name not in tasks:
                tasks[name] = (bars.add_task(name, total=None, rate=0.0), time.monotonic() - began)
            task, start = tasks[name]
            counts[name] += news.items
            seconds = time.monotonic() - began - (0.0 if len(tasks) == 1 else start)
            bars.update(task, completed=counts[name], rate=counts[name] / max(seconds, 1e-3))

        yield tell
