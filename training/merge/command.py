"""The `merge` command of `viscodex-train`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.errors import ErrorCode, VisCodexError


def merge(
    recipe: Annotated[
        Path | None, typer.Argument(help="A recipe, such as training/recipes/8b.yaml.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write (not needed for --dry-run).")
    ] = None,
    vlm: Annotated[
        str | None, typer.Option(help="Vision-language model: folder or Hub id.", metavar="MODEL")
    ] = None,
    coder: Annotated[str | None, typer.Option(help="Code model.", metavar="MODEL")] = None,
    base: Annotated[
        str | None, typer.Option(help="What both were trained from.", metavar="MODEL")
    ] = None,
    method: Annotated[
        str | None, typer.Option(help="task-arithmetic, linear, ties, dare, dare-ties or slerp.")
    ] = None,
    weight: Annotated[float | None, typer.Option(help="Weight of the VLM (default: 0.7).")] = None,
    coder_weight: Annotated[
        float | None, typer.Option(help="Weight of the code model (default: 1 - weight).")
    ] = None,
    density: Annotated[
        float | None,
        typer.Option(help="Share of each task vector that TIES and DARE keep (default: 0.5)."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of DARE's random drops (default: 0).")] = None,
    layers: Annotated[
        str | None, typer.Option(help="Weights of layers, such as 0:14=0.8,14:28=0.6.")
    ] = None,
    embeddings: Annotated[
        str | None, typer.Option(help="vlm keeps the VLM's, merge merges shared tokens.")
    ] = None,
    out_dtype: Annotated[str | None, typer.Option(help="bfloat16 or float32.")] = None,
    shard_size: Annotated[
        float | None, typer.Option(help="Largest file, in GB (default: 4).")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print the plan.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with what a stopped merge has begun.")
    ] = False,
    shard: Annotated[
        str | None,
        typer.Option(help="Do part i of n beside other processes, such as 0/2.", metavar="I/N"),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads, or processes for a large model.")
    ] = None,
    sweep: Annotated[
        str | None, typer.Option(help="Several weights, such as 0.5,0.6,0.7: a folder each.")
    ] = None,
    evaluate: Annotated[
        str | None,
        typer.Option(
            help="With --sweep: a command whose last line of output is the score of the folder {}."
        ),
    ] = None,
) -> None:
    """Merge the language model of a VLM with a code model. Vision tower and projector stay as they
    are. Options go before what a recipe says.

    Example: viscodex-train merge --vlm Qwen/Qwen2.5-VL-7B-Instruct --coder
    nvidia/OpenCodeReasoning-Nemotron-1.1-7B --weight 0.7 --out runs/merged
    """
    options = {
        "vlm": vlm,
        "coder": coder,
        "base": base,
        "method": method,
        "weight": weight,
        "coder_weight": coder_weight,
        "density": density,
        "seed": seed,
        "layers": layers,
        "embeddings": embeddings,
        "out_dtype": out_dtype,
        "shard_size": shard_size,
    }
    given = _read(recipe, {name: value for name, value in options.items() if value is not None})
    part = read_part(shard, "merge")
    if out is None and not dry_run:
        raise _wrong("Say where to write with --out DIR.")
    if evaluate is not None and sweep is None:
        raise _wrong("--evaluate belongs to --sweep.")
    if sweep is not None and part != (0, 1):
        raise _wrong("--shard and --sweep exclude each other.")

    from training.merge import job

    if sweep is not None and not dry_run:
        assert out is not None
        job.sweep(
            given, job.parse_weights(sweep), out, evaluate=evaluate, resume=resume, threads=threads
        )
    else:
        job.merge(
            given, out, dry_run=dry_run, resume=resume or shard is not None, part=part,
            threads=threads,
        )  # fmt: skip


def _read(recipe: Path | None, options: Mapping[str, Any]) -> Any:
    from training.merge.recipe import MergeRecipe
    from training.recipe import check_recipe, read_section

    values = ({} if recipe is None else read_section(recipe, "merge")) | dict(options)
    lacking = [name for name in ("vlm", "coder") if name not in values]
    if lacking:
        raise _wrong(f"Say which {lacking[0]} to merge with --{lacking[0]} MODEL, or in a recipe.")
    return check_recipe(values, MergeRecipe, recipe)


def read_part(text: str | None, command: str) -> tuple[int, int]:
    """ "1/2" as (1, 2); (0, 1) for None. VisCodexError(bad_input) for anything else."""
    if text is None:
        return 0, 1
    first, _, count = text.partition("/")
    if not (first.isdecimal() and count.isdecimal() and int(first) < int(count)):
        raise _wrong(f"'{text}' is no part such as 0/2 or 1/2.", command)
    return int(first), int(count)


def _wrong(message: str, command: str = "merge") -> VisCodexError:
    return VisCodexError(ErrorCode.bad_input, message, f"See viscodex-train {command} --help.")
