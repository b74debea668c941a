"""Merges one tensor: its blocks stream from the inputs through the method into the result."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, fields
from typing import Any, TypeVar

import torch

from training.merge.methods import METHODS, Block, Likeness, likeness
from training.merge.plan import Step
from training.tensors import Reader, ShardFile, Stored, broken

# Values: all steps on a block stay in a cache of 2 MiB; twice as many took twice the time a value.
BLOCK = 1 << 16
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Blocks are spread over threads of ours; torch would only add its own to each of them."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class TensorMerger:
    """The threads and open files of merging by a method. With `threads` 0 all is done in this
    one."""

    def __init__(self, method: str, threads: int) -> None:
        self._method = METHODS[method]
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads) if threads else None
        self._reader = Reader()

    def __enter__(self) -> TensorMerger:
        return self

    def __exit__(self, *ignored: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        self._reader.__exit__()

    def _each(self, work: Callable[[_Item], _Result], items: Iterable[_Item]) -> Iterator[_Result]:
        """Results in the order of the items; a few are under way at any time."""
        if self._pool is None:
            yield from map(work, items)
            return
        waiting: deque[Future[_Result]] = deque()
        for item in items:
            waiting.append(self._pool.submit(work, item))
            if len(waiting) > 2 * self._threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def run(self, step: Step, part: ShardFile) -> dict[str, Any] | None:
        """Write one tensor; returns the sums for the report where it was merged."""
        rest = _between(step.runs, step.sources["vlm"].count)
        for _ in self._each(lambda span: self._take(step, part, *span), _spans(rest)):
            pass
        return self._merge(step, part) if step.action == "merge" else None

    def _take(self, step: Step, part: ShardFile, _: int, start: int, stop: int) -> None:
        stored = step.sources["vlm"]
        values = self._reader.read(stored, start, stop)
        as_float = _finite(values.float(), stored, "vlm")
        if values.dtype != step.out.dtype:
            values = as_float.to(step.out.dtype)
        part.write(step.out, start, values)

    def _merge(self, step: Step, part: ShardFile) -> dict[str, Any]:
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
            part.write(step.out, block.start, result.to(step.out.dtype))
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
