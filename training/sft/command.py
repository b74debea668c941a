"""The `sft` and `launch` commands of `viscodex-train`."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.errors import ErrorCode, VisCodexError

BY_HAND = ("torchrun", "accelerate")  # are started on every machine
HEAD = "FIRST-MACHINE"  # stands for an address that is not known yet
RecipeFile = Annotated[Path, typer.Argument(help="A recipe, such as training/recipes/8b-sft.yaml.")]
Out = Annotated[
    Path | None,
    typer.Option(help="Folder for states, logs and the model (default: runs/NAME)."),
]


def sft(
    recipe: RecipeFile,
    out: Out = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last state in the folder, if any.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print the plan.")] = False,
    threads: Annotated[int | None, typer.Option(min=1, help="Processor threads.")] = None,
) -> None:
    """Fine-tune a checkpoint on pictures and code: its whole language model, or adapters.

    Example: viscodex-train sft training/recipes/8b-sft.yaml --dry-run
    """
    plan = _read(recipe)
    folder = out or Path("runs") / plan.name
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

    import torch

    from training.sft.run import open_base
    from training.sft.run import sft as train

    quiet()
    if threads:
        torch.set_num_threads(threads)
    if not dry_run:
        train(plan, folder, resume=resume, report=lambda text: print(text, flush=True))
        return
    from training.sft.plan import dry_run as lines_of

    way = "torchrun" if plan.machines.world > 1 else "local"
    begun = open_base(plan)
    command = shlex.join(_launch(recipe, plan, folder, way).command)
    for line in lines_of(begun, command):
        print(line)


def launch(
    recipe: RecipeFile,
    on: Annotated[
        str, typer.Option(help="local, torchrun, accelerate, slurm, ray or sky.", metavar="WAY")
    ],
    out: Out = None,
    head: Annotated[
        str | None, typer.Option(help="Address of the first machine (torchrun, accelerate).")
    ] = None,
    rank: Annotated[int, typer.Option(min=0, help="Number of this machine (accelerate).")] = 0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only print the command and its files.")
    ] = False,
) -> None:
    """Start a fine-tuning on the machines that its recipe names, or hand it to a scheduler.

    Example: viscodex-train launch training/recipes/33b-sft.yaml --on slurm --dry-run
    """
    plan = _read(recipe)
    folder = out or Path("runs") / plan.name
    made = _launch(recipe, plan, folder, on, head, rank)
    place = folder.with_name(f"{folder.name}.launch")
    command = made.placed(place)
    if dry_run:
        for name, text in made.files.items():
            print(f"# {place / name}\n{text}")
        print(shlex.join(command))
        return
    if head is None and plan.machines.nodes > 1 and on in BY_HAND:
        raise VisCodexError(
            ErrorCode.bad_input,
            "The recipe names several machines.",
            "Say with --head ADDRESS which is the first.",
        )
    from training.launch import ready

    done = subprocess.run(ready(made, place), check=False)
    if done.returncode:
        raise VisCodexError(
            ErrorCode.internal, f"'{command[0]}' ended with {done.returncode}.", "See its output."
        )


def quiet() -> None:
    """Silence what the libraries say of their own future and of every file they load."""
    import warnings

    from transformers.utils import logging

    warnings.filterwarnings("ignore", category=FutureWarning, module=r"(transformers|trl)\.")
    logging.disable_progress_bar()


def _read(path: Path) -> Any:
    from training.recipe import read_section_as
    from training.sft.recipe import SftRecipe

    return read_section_as(path, "sft", SftRecipe)


def _launch(
    file: Path, plan: Any, out: Path, way: str, head: str | None = None, rank: int = 0
) -> Any:
    from training.launch import WAYS, Job

    if way not in WAYS:
        raise VisCodexError(
            ErrorCode.bad_input, f"There is no way '{way}'.", f"Known: {', '.join(WAYS)}."
        )
    return WAYS[way](Job(file, plan, out, head or HEAD, rank))
