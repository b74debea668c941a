"""The `run` command of `viscodex-train`: a whole recipe, from its models to a model folder."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.errors import ErrorCode, VisCodexError

NANO_WORK = Path("runs/nano")


def run(
    recipe: Annotated[Path, typer.Argument(help="A recipe, such as training/recipes/8b.yaml.")],
    work: Annotated[
        Path | None,
        typer.Option("--work", help="Folder of all results (default: runs/NAME).", metavar="DIR"),
    ] = None,
    first: Annotated[
        str | None,
        typer.Option(
            "--from", help="Begin here; leave earlier stages as they are.", metavar="STAGE"
        ),
    ] = None,
    only: Annotated[
        str | None, typer.Option(help="Look at this stage alone.", metavar="STAGE")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Run stages anew even where nothing has changed.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only print which stages would run, and why.")
    ] = False,
    minutes: Annotated[
        float | None,
        typer.Option(help="Recipes with `stages`: stop after this long; the next run goes on."),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Processor threads (default: all).")
    ] = None,
) -> None:
    """Run a recipe: merge, data, fine-tuning, export, verification, measuring, card. Stages whose
    inputs are unchanged are skipped; what was stopped goes on.

    A recipe with `stages`, such as nano.yaml, makes a model from nothing instead.

    Example: viscodex-train run training/recipes/8b.yaml --dry-run
    """
    from training.pipeline.recipe import default_folder, load_pipeline
    from training.recipe import read_yaml

    values = read_yaml(recipe)
    if first and only:
        raise _wrong("--from and --only exclude each other.")
    if "stages" in values:
        if first or only or force or dry_run:
            raise _wrong("--from, --only, --force and --dry-run are not for recipes with `stages`.")
        _run_from_nothing(recipe, work or NANO_WORK, minutes, threads)
        return
    if minutes is not None:
        raise _wrong("--minutes is for recipes with `stages`; this one can be stopped anyhow.")
    folder = work or default_folder(values)
    plan = load_pipeline(recipe, folder)

    from training.pipeline import run as running
    from training.pipeline.plan import Choice

    choice = Choice(first, only, force)
    if dry_run:
        running.dry_run(plan, folder, choice, print)
        return
    _prepare(threads)
    model = running.run(plan, folder, choice, threads=threads, report=_say)
    if (model / "README.md").exists():
        print(f"{model}: try it with viscodex convert PICTURE --model {model}")


def _run_from_nothing(recipe: Path, work: Path, minutes: float | None, threads: Any) -> None:
    import torch

    from training.config import load_recipe
    from training.nano.plot import plot_losses
    from training.nano.stages import run_recipe

    plan = load_recipe(recipe)
    if threads:
        torch.set_num_threads(threads)
    deadline = None if minutes is None else time.time() + 60 * minutes
    finished = run_recipe(plan, work, deadline=deadline, report=_say)
    plot_losses(work / "metrics.jsonl", work / "losses.png")
    print("All stages are done." if finished else "Stopped; run again to go on.")


def _prepare(threads: int | None) -> None:
    from training.sft.command import quiet

    quiet()
    if threads:
        import torch

        torch.set_num_threads(threads)


def _say(text: str) -> None:
    print(text, flush=True)


def _wrong(message: str) -> VisCodexError:
    return VisCodexError(ErrorCode.bad_input, message, "See viscodex-train run --help.")
