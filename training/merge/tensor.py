"""Merges one tensor: its blocks stream from the inputs through the method into the result."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, fields
from typing import Any, TypeVar

import torch

from training.merge.block import Block, Room
from training.merge.likeness import Likeness, likeness, row_dots
from training.merge.methods import METHODS
from training.merge.plan import Step
from training.shards import ShardFile
from training.tensors import Reader, Stored, broken

# Values: all steps on a block stay in a cache of 2 MiB; twice as many took twice the time a value.
BLOCK = 1 << 16
AHEAD = 32  # blocks of each model that the disk fetches while those before are merged
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
        self._local = threading.local()

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

    def _room(self, count: int, *, with_base: bool) -> Room:
        """That of this thread."""
        room: Room | None = getattr(self._local, "room", None)
        if room is None or room.count != count or room.with_base != with_base:
            room = self._local.room = Room(count, with_base=with_base)
        return room

    def _read(self, stored: Stored, room: Room, number: int, start: int, stop: int) -> torch.Tensor:
        if number % AHEAD == 0:
            far = start + AHEAD * BLOCK
            self._reader.ahead(stored, far if number else start, far + AHEAD * BLOCK)
        return self._reader.read(stored, start, stop, room.stored(stored.dtype))

    def _take(self, step: Step, part: ShardFile, number: int, start: int, stop: int) -> None:
        stored, room = step.sources["vlm"], self._room(stop - start, with_base=False)
        values = self._read(stored, room, number, start, stop)
        as_float = _finite(room.vlm.copy_(values), stored, "vlm")
        if values.dtype != step.out.dtype:
            values = _as(step.out.dtype, as_float, room)
        part.write(step.out, start, values)

    def _merge(self, step: Step, part: ShardFile) -> dict[str, Any]:
        setting = step.setting
        assert setting is not None
        spans = list(_spans(step.runs))

        def measured(work: Callable[[Block], Any]) -> Iterator[Any]:
            return self._each(lambda span: work(_checked(self._block(step, *span), step)), spans)

        state = self._method.measure(measured, setting, step.merged_values)
        sure = self._method.stays_within(setting) and _holds(step)

        def blend(span: tuple[int, int, int]) -> Likeness:
            block = self._block(step, *span)
            result = self._method.blend(block, setting, state)
            if not (sure or _fits(result, step.out.dtype)):
                _checked(block, step)
                raise broken(
                    f"The merged tensor '{step.out.name}' holds values too large for "
                    f"{step.out.dtype}.",
                    "Use smaller weights or a larger density.",
                )
            part.write(step.out, block.start, _as(step.out.dtype, result, block.room))
            figures = likeness(block)  # last, as the values are in the cache until it begins
            if not figures.finite:
                _checked(block, step)  # what was written is not noted, so it is none of the result
            return figures

        return asdict(_sum(list(self._each(blend, spans))))

    def _block(self, step: Step, number: int, start: int, stop: int) -> Block:
        room = self._room(stop - start, with_base="base" in step.sources)
        for role, values in _models(room):
            values.copy_(self._read(step.sources[role], room, number, start, stop))
        return Block(number, start, room)


def _models(room: Room) -> Iterator[tuple[str, torch.Tensor]]:
    yield "vlm", room.vlm
    yield "coder", room.coder
    if room.base is not None:
        yield "base", room.base


def _as(dtype: torch.dtype, values: torch.Tensor, room: Room) -> torch.Tensor:
    """The values in a type; themselves where it is theirs."""
    return values if values.dtype == dtype else room.stored(dtype).copy_(values)


def _holds(step: Step) -> bool:
    """Whether the type of the result holds what a mean of the inputs can come to: the largest
    number of their types and a few roundings of float32."""
    largest = max(torch.finfo(stored.dtype).max for stored in step.sources.values())
    mean = torch.tensor(largest, dtype=torch.float64) * (1 + 2**-21)
    return bool(mean.float().to(step.out.dtype).isfinite())


def _checked(block: Block, step: Step) -> Block:
    """The block. Raises VisCodexError(model_broken) that names a tensor with NaN or infinity."""
    for role, values in _models(block.room):
        _finite(values, step.sources[role], role)
    return block


def _finite(values: torch.Tensor, stored: Stored, role: str) -> torch.Tensor:
    array = values.numpy().reshape(1, -1)
    # A finite sum of squares is told soonest; that of large values is infinite as well.
    if math.isfinite(*row_dots(array, array)) or math.isfinite(sum(_ends(values))):
        return values
    raise broken(
        f"The tensor '{stored.name}' of the {role} holds NaN or infinity.",
        "Get an undamaged checkpoint.",
    )


def _fits(values: torch.Tensor, dtype: torch.dtype) -> bool:
    largest = torch.finfo(dtype).max
    low, high = _ends(values)
    return -largest <= low and high <= largest


def _ends(values: torch.Tensor) -> tuple[float, float]:
    """The least and the largest value; NaN where there is one. (numpy is twice as fast in it.)"""
    array = values.numpy()
    return float(array.min()), float(array.max())


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
