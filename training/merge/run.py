"""Runs a plan: shard by shard, a tensor after the other, each of them by several workers."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.errors import ErrorCode, VisCodexError
from training.merge.crew import crew_for
from training.merge.likeness import Likeness
from training.merge.plan import Plan
from training.merge.report import REPORT, write_report
from training.shards import ShardWriter, index_of, read_notes
from training.space import check_room
from training.tensors import INDEX, broken, read_json, write_beside

STATE = ".merge"  # folder of a merge that is not finished
Progress = Callable[[int], None]


def prepare(plan: Plan, out: Path, *, resume: bool) -> bool:
    """Make the folder of the result; returns whether it is finished already.

    `resume` goes on with what an earlier run, or another process of the same merge, has begun.
    Raises VisCodexError(bad_input) where something else is in the way or the disk is too small.
    """
    state = out / STATE
    # Listed first: a process that has begun in the meantime has written its plan before all else.
    others = out.exists() and any(path.name != STATE for path in out.iterdir())
    begun = (state / "plan").read_text() if (state / "plan").exists() else None
    if begun is None and resume and (out / REPORT).exists():
        begun = read_json(out / REPORT).get("plan_sha256")
    if begun is not None and (begun != plan.hash or not resume):
        raise VisCodexError(
            ErrorCode.bad_input,
            f"'{out}' holds a merge that was begun"
            + (" with other models or settings." if begun != plan.hash else "."),
            "Go on with --resume, or choose another folder."
            if begun == plan.hash
            else "Choose another folder, or delete it.",
        )
    if begun is None and others:
        raise VisCodexError(
            ErrorCode.bad_input, f"The folder '{out}' is not empty.", "Choose another."
        )
    if (out / REPORT).exists():
        return True
    if begun is None:
        check_room(plan.size, out)
    state.mkdir(parents=True, exist_ok=True)
    write_beside(state / "plan", plan.hash)
    return False


def run_plan(
    plan: Plan,
    out: Path,
    *,
    part: tuple[int, int] = (0, 1),
    threads: int | None = None,
    progress: Progress = lambda count: None,
) -> bool:
    """Write the shards that fall to this process (`part` i of n), and complete the checkpoint if
    they were the last; returns whether it is complete. `prepare` comes first.

    `progress` is told bytes written. Raises VisCodexError(model_broken) for NaN or infinity.
    """
    steps = {step.out.name: step for step in plan.steps}
    with crew_for(plan, threads) as crew:
        for shard in plan.shards[part[0] :: part[1]]:
            writer = ShardWriter(out, out / STATE, shard)
            try:
                lacking = [
                    steps[tensor.name]
                    for tensor in shard.tensors
                    if not writer.finished and tensor.name not in writer.notes
                ]
                progress(shard.size - sum(step.out.size for step in lacking))
                if not writer.finished:
                    # In the order of the shard, whoever is done first.
                    for step, note in zip(lacking, crew.merge(lacking, writer.part), strict=True):
                        writer.note(step.out, note)
                        progress(step.out.size)
                    writer.finish()
            finally:
                writer.close()
    return _complete(plan, out)


def _complete(plan: Plan, out: Path) -> bool:
    if not all((out / shard.file).exists() for shard in plan.shards):
        return False
    state = out / STATE
    notes: dict[str, Any] = {}
    for shard in plan.shards:
        notes |= read_notes(state / f"{shard.file}.jsonl")
    try:
        if not (out / REPORT).exists():
            figures = {step.out.name: notes[step.out.name] for step in plan.steps}
            write_beside(out / INDEX, index_of(plan.shards), state)
            merged = {name: Likeness(**note) for name, note in figures.items() if note}
            write_report(plan, out, merged, state)
    except (KeyError, FileNotFoundError):
        if not (out / REPORT).exists():  # else another process has just completed it
            raise broken(
                f"The state of the merge in '{out}' was damaged.", "Delete it and merge again."
            ) from None
    shutil.rmtree(state, ignore_errors=True)
    return True
