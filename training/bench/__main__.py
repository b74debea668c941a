"""Measure the factory against its budgets: `python -m training.bench merge --size 1B`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

application = typer.Typer(no_args_is_help=True, add_completion=False)


@application.callback()
def _commands() -> None:
    """Measure the factory against its budgets, on random checkpoints of real shapes."""


@application.command()
def merge(
    size: Annotated[str, typer.Option(help="0.5B, 1B or 7B.")] = "1B",
    mergekit: Annotated[
        Path | None,
        typer.Option(help="Python of an environment with mergekit, to measure it beside."),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Where the checkpoints go for the time (default: /tmp).")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the checkpoints in FOLDER for the next run.")
    ] = False,
    methods: Annotated[str, typer.Option(help="Which to measure.")] = "linear,task-arithmetic,ties",
    repeats: Annotated[int, typer.Option(min=1, help="Best of so many runs.")] = 2,
) -> None:
    """Memory and time of a merge, beside copying the same bytes and beside mergekit.

    Example: python -m training.bench merge --size 1B --mergekit /tmp/mk/bin/python
    """
    from training.bench.merge import measure

    measure(
        size,
        methods=methods.split(","),
        mergekit=mergekit,
        folder=folder,
        keep=keep,
        repeats=repeats,
    )


@application.command()
def export(
    size: Annotated[str, typer.Option(help="0.5B, 3B or 7B.")] = "3B",
    sources: Annotated[
        Path | None,
        typer.Option(
            envvar="VISCODEX_LLAMA_SOURCES",
            help="llama.cpp's sources, to measure its converter and quantizer beside.",
        ),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Where the checkpoint goes for the time (default: /tmp).")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the checkpoints in FOLDER for the next run.")
    ] = False,
    quants: Annotated[str, typer.Option(help="Types, each measured alone.")] = "BF16,Q8_0,Q4_K_M",
    repeats: Annotated[int, typer.Option(min=1, help="Best of so many runs.")] = 1,
) -> None:
    """Memory and time of an export, beside copying the same bytes and beside llama.cpp's converter.

    Example: python -m training.bench export --size 7B --sources vendor/llama.cpp
    """
    from training.bench.export import measure

    measure(
        size,
        quants=quants.split(","),
        sources=sources,
        folder=folder,
        keep=keep,
        repeats=repeats,
    )


@application.command()
def sft(
    model: Annotated[
        Path | None, typer.Option(help="A checkpoint (default: a tiny model of random weights).")
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Best of so many runs.")] = 3,
    side: Annotated[int, typer.Option(min=56, help="Least width of the pictures.")] = 112,
) -> None:
    """Time of a step of fine-tuning, beside TRL's plain way with the same settings.

    Example: python -m training.bench sft
    """
    from training.bench.sft import measure

    measure(model, repeats=repeats, side=side)


@application.command()
def data(
    items: Annotated[int, typer.Option(min=1, help="Items of each source.")] = 2000,
    pages: Annotated[Path | None, typer.Option(help="Folder of HTML pages to measure too.")] = None,
    charts: Annotated[
        Path | None, typer.Option(help="Folder of matplotlib scripts to measure too.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes (default: two a core).")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Where the data goes for the time (default: /tmp).")
    ] = None,
) -> None:
    """Records a second of a data build, with the load of the machine.

    Example: python -m training.bench data --items 500 --pages /usr/share/doc
    """
    from training.bench.data import measure

    measure(items, pages=pages, charts=charts, workers=workers, folder=folder)


if __name__ == "__main__":
    application()
