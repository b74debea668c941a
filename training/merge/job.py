"""A merge from recipe to finished folder, and a sweep over weights, as told on the terminal."""

from __future__ import annotations

import json
import math
import shlex
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from engine.errors import ErrorCode, VisCodexError
from training.hub import find_checkpoint
from training.merge.plan import Plan, Step, make_plan
from training.merge.recipe import MergeRecipe
from training.merge.report import PLOT, REPORT
from training.merge.run import prepare, run_plan
from training.recipe import check_recipe
from training.tensors import write_beside

SWEEP = "sweep.json"


def merge(
    recipe: MergeRecipe,
    out: Path | None,
    *,
    dry_run: bool = False,
    resume: bool = False,
    part: tuple[int, int] = (0, 1),
    threads: int | None = None,
    report: Callable[[str], None] = print,
) -> None:
    """Plan and run one merge; `dry_run` prints the plan alone. VisCodexError says what is wrong."""
    plan = make_plan(recipe, _folders(recipe))
    if dry_run:
        print_plan(plan)
        return
    assert out is not None
    if part == (0, 1):
        for note in plan.notes:
            report(note)
    report(_run(plan, out, resume=resume, part=part, threads=threads))


def _folders(recipe: MergeRecipe) -> dict[str, Path]:
    named = {"vlm": recipe.vlm, "coder": recipe.coder, "base": recipe.base}
    return {role: find_checkpoint(model) for role, model in named.items() if model is not None}


def _run(plan: Plan, out: Path, *, resume: bool, part: tuple[int, int], threads: int | None) -> str:
    if prepare(plan, out, resume=resume):
        return f"{out} is finished already."
    mine = plan.shards[part[0] :: part[1]]
    with _bar(sum(shard.size for shard in mine)) as progress:
        complete = run_plan(plan, out, part=part, threads=threads, progress=progress)
    if not complete:
        return f"Part {part[0]}/{part[1]} is written; the other parts are not finished yet."
    return f"{out} ({decimal(plan.size)}), {REPORT}, {PLOT}"


@contextmanager
def _bar(total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar of bytes on stderr; silent where nobody watches."""
    columns = (
        TextColumn("merging"), BarColumn(), DownloadColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=total)
        yield lambda count: progress.advance(task, count)


def print_plan(plan: Plan) -> None:
    """What will become of every tensor, those of the layers together, and of what size."""
    table = Table("tensors", "number", "action", "weight", "read", "written")
    groups: dict[tuple[str, str, str], list[Step]] = {}
    for step in plan.steps:
        weight = "" if step.setting is None else f"{step.setting.vlm:g}"
        groups.setdefault((_group(step), step.action, weight), []).append(step)
    for (name, action, weight), steps in groups.items():
        read = decimal(sum(step.read_bytes for step in steps))
        written = decimal(sum(step.out.size for step in steps))
        table.add_row(name, str(len(steps)), action, weight, read, written)
    for dropped in plan.dropped:
        size = f"({decimal(dropped.stored.size)})"
        table.add_row(f"{dropped.model}: {dropped.stored.name}", "1", "drop", "", "", size)
    console = Console(width=None if Console().is_terminal else 120)
    console.print(table)
    for note in (*plan.notes, *sorted({f"dropped: {d.reason}" for d in plan.dropped})):
        console.print(note, highlight=False)
    console.print(
        f"{plan.recipe.method}, {len(plan.shards)} file(s), {decimal(plan.size)}",
        highlight=False,
    )


def _group(step: Step) -> str:
    parts = step.canonical.split(".")
    if step.place.isdigit():
        return ".".join(["language.layers", *parts[3:]])
    return parts[0] if parts[0] != "language" else step.canonical


def parse_weights(text: str) -> list[float]:
    """Read "0.5,0.6"; VisCodexError(bad_input) for no numbers, or one that is there twice."""
    try:
        weights = [float(part) for part in text.split(",")]
    except ValueError:
        weights = []
    if not weights or len(set(weights)) < len(weights) or not all(map(math.isfinite, weights)):
        raise VisCodexError(
            ErrorCode.bad_input, f"'{text}' is no list of weights.", "Write it like 0.5,0.6,0.7."
        )
    return weights


def sweep(
    recipe: MergeRecipe,
    weights: list[float],
    out: Path,
    *,
    evaluate: str | None = None,
    resume: bool = False,
    threads: int | None = None,
) -> None:
    """A folder `weight-W` in `out` for each weight. `evaluate` is run on each ({} stands for the
    folder); the last line it prints is the score, of which more is better. Scores go into
    sweep.json; a candidate that has one is not measured again on --resume.
    """
    if recipe.layers:
        raise VisCodexError(
            ErrorCode.bad_input, "--sweep and --layers exclude each other.", "Leave one out."
        )
    if evaluate is not None and "{}" not in evaluate:
        raise VisCodexError(
            ErrorCode.bad_input,
            "The evaluation command does not say where the folder goes.",
            'Write {} in its place, such as "python measure.py {}".',
        )
    recipes = [
        check_recipe(recipe.model_dump() | {"weight": weight}, MergeRecipe) for weight in weights
    ]
    folders = _folders(recipe)
    plans = [make_plan(one, folders) for one in recipes]  # what is wrong is told before the work
    old = json.loads((out / SWEEP).read_text()) if resume and (out / SWEEP).exists() else {}
    scores: dict[str, float] = {}
    for weight, plan in zip(weights, plans, strict=True):
        folder = out / f"weight-{weight:g}"
        print(_run(plan, folder, resume=resume, part=(0, 1), threads=threads))
        if evaluate is None:
            continue
        known = old.get("command") == evaluate and old.get("plans", {}).get(f"{weight:g}")
        score = old["scores"][f"{weight:g}"] if known == plan.hash else _score(evaluate, folder)
        scores[f"{weight:g}"] = score
        print(f"weight {weight:g}: {score:g}", flush=True)
        best = max(scores, key=lambda name: scores[name])
        hashes = {f"{w:g}": p.hash for w, p in zip(weights, plans, strict=True)}
        content = {
            "command": evaluate,
            "scores": scores,
            "best": best,
            "plans": {name: hashes[name] for name in scores},
        }
        write_beside(out / SWEEP, json.dumps(content, indent=2) + "\n")
    if scores:
        best = max(scores, key=lambda name: scores[name])
        print(f"best: {out / f'weight-{best}'} ({scores[best]:g})")


def _score(command: str, folder: Path) -> float:
    parts = [part.replace("{}", str(folder)) for part in shlex.split(command)]
    try:
        done = subprocess.run(parts, stdout=subprocess.PIPE, text=True, check=False)
    except OSError as error:
        raise VisCodexError(
            ErrorCode.bad_input, f"'{parts[0]}' cannot be run ({error}).", "Check the command."
        ) from None
    lines = done.stdout.split()
    try:
        if done.returncode:
            raise ValueError
        score = float(done.stdout.strip().splitlines()[-1])
        if not math.isfinite(score):
            raise ValueError
    except (ValueError, IndexError):
        said = f"it ended with {done.returncode}" if done.returncode else "its last line is none"
        raise VisCodexError(
            ErrorCode.internal,
            f"The evaluation of '{folder.name}' gave no score: {said}"
            + (f" ('{lines[-1][:80]}')." if lines and not done.returncode else "."),
            "The candidates stay; mend the command and go on with --resume.",
        ) from None
    return score
