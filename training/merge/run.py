"""Runs a plan: blocks stream from the inputs through the method into shards, on several threads."""

from __future__ import annotations

import math
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

import torch

from engine.errors import ErrorCode, VisCodexError
from training.merge.methods import METHODS, Block, Likeness, likeness
from training.merge.plan import Plan, Step
from training.merge.report import REPORT, write_report
from training.space import check_room
from training.tensors import (
    INDEX,
    Reader,
    ShardWriter,
    Stored,
    broken,
    index_of,
    read_json,
    read_notes,
    write_beside,
)

# Values: all steps on a block stay in a cache of 2 MiB; twice as many took twice the time a value.
BLOCK = 1 << 16
STATE = ".merge"  # folder of a merge that is not finished
Progress = Callable[[int], None]
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def default_threads() -> int:
    """One more than there are processors, so that some wait for the disk while others compute."""
    return min(16, (os.cpu_count() or 1) + 1)


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
    with _one_thread_each(), _Merger(plan, threads or default_threads()) as merger:
        for shard in plan.shards[part[0] :: part[1]]:
            writer = ShardWriter(out, out / STATE, shard)
            try:
                for tensor in shard.tensors:
                    if not writer.finished and tensor.name not in writer.notes:
                        writer.note(tensor, merger.run(steps[tensor.name], writer))
                    progress(tensor.size)
                if not writer.finished:
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


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Blocks are spread over threads of ours; torch would only add its own to each of them."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Merger:
    """The threads and open files of a run."""

    def __init__(self, plan: Plan, threads: int) -> None:
        self._method = METHODS[plan.recipe.method]
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads)
        self._reader = Reader()

    def __enter__(self) -> _Merger:
        return self

    def __exit__(self, *ignored: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._reader.__exit__()

    def _each(self, work: Callable[[_Item], _Result], items: Iterable[_Item]) -> Iterator[_Result]:
        """Results in the order of the items; a few are under way at any time."""
        waiting: deque[Future[_Result]] = deque()
        for item in items:
            waiting.append(self._pool.submit(work, item))
            if len(waiting) > 2 * self._threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def run(self, step: Step, writer: ShardWriter) -> dict[str, Any] | None:
        """Write one tensor; returns the sums for the report where it was merged."""
        rest = _between(step.runs, step.sources["vlm"].count)
        for _ in self._each(lambda span: self._take(step, writer, *span), _spans(rest)):
            pass
        return self._merge(step, writer) if step.action == "merge" else None

    def _take(self, step: Step, writer: ShardWriter, _: int, start: int, stop: int) -> None:
        stored = step.sources["vlm"]
        values = self._reader.read(stored, start, stop)
        as_float = _finite(values.float(), stored, "vlm")
        if values.dtype != step.out.dtype:
            values = as_float.to(step.out.dtype)
        writer.write(step.out, start, values)

    def _merge(self, step: Step, writer: ShardWriter) -> dict[str, Any]:
        setting = step.setting
        assert setting is not None
        spans = list(_spans(step.runs))

        def measured(work: Callable[[Block], Any]) -> Iterator[Any]:
            return self._each(lambda span: work(_checked(self._block(step, *span), step)), spans)

        state = self._method.measure(measured, setting, step.merged_values)
        largest = torch.finfo(step.out.dtype).max

        def blend(span: tuple[int, int, int]) -> Likeness:
            block = self._block(step, *span)
            figures = likeness(block)
            if not figures.finite:
                _checked(block, step)
            result = self._method.blend(block, setting, state)
            low, high = torch.aminmax(result)
            if not (-largest <= float(low) and float(high) <= largest):
                raise broken(
                    f"The merged tensor '{step.out.name}' holds values too large for "
                    f"{step.out.dtype}.",
                    "Use smaller weights or a larger density.",
                )
            writer.write(step.out, block.start, result.to(step.out.dtype))
            return figures

        return asdict(_sum(list(self._each(blend, spans))))

    def _block(self, step: Step, number: int, start: int, stop: int) -> Block:
        parts = {
            role: self._reader.read(stored, start, stop).float()
            for role, stored in step.sources.items()
        }
        return Block(number, start, parts["vlm"], parts["coder"], parts.get("base"))


def _checked(block: Block, step: Step) -> Block:
    """The block. Raises VisCodexError(model_broken) that names a tensor with NaN or infinity."""
    for role, values in (("vlm", block.vlm), ("coder", block.coder), ("base", block.base)):
        if values is not None:
            _finite(values, step.sources[role], role)
    return block


def _finite(values: torch.Tensor, stored: Stored, role: str) -> torch.Tensor:
    low, high = torch.aminmax(values)  # NaN and infinity come through, at a tenth of the time
    if not (math.isfinite(float(low)) and math.isfinite(float(high))):
        raise broken(
            f"The tensor '{stored.name}' of the {role} holds NaN or infinity.",
            "Get an undamaged checkpoint.",
        )
    return values


def _spans(runs: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int, int]]:
    """Number, start and stop of the blocks that runs of values are cut into."""
    number = 0
    for first, stop in runs:
        for start in range(first, stop, BLOCK):
            yield number, start, min(start + BLOCK, stop)
            number += 1


def _between(runs: Iterable[tuple[int, int]], count: int) -> tuple[tuple[int, int], ...]:
    """What runs of values leave of a tensor."""
    gaps, place = [], 0
    for start, stop in runs:
        gaps.append((place, start))
        place = stop
    gaps.append((place, count))
    return tuple(gap for gap in gaps if gap[0] < gap[1])


def _sum(parts: list[Likeness]) -> Likeness:
    sums: dict[str, Any] = {
        field.name: math.fsum(getattr(part, field.name) for part in parts)
        for field in fields(Likeness)
    }
    return Likeness(**sums)
