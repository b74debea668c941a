"""Who merges the tensors of a shard: threads, or processes where there is much to do.

Threads share what they have read and start at once, but wait for Python's lock some twenty times a
block: on two cores two processes take three fifths of the time of threads.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import wait
from typing import Any, Protocol

from engine.errors import ErrorCode, VisCodexError
from training.merge.plan import Plan, Step
from training.merge.tensor import TensorMerger, one_thread_each
from training.shards import ShardFile

LARGE = 1_000_000_000  # bytes of a result from which on processes pay: each takes seconds to start
Note = dict[str, Any] | None


class Crew(Protocol):
    """Merges tensors into a file; what is to be noted of each comes in the order given."""

    def merge(self, steps: Sequence[Step], part: ShardFile) -> Iterator[Note]: ...


@contextmanager
def crew_for(plan: Plan, workers: int | None) -> Iterator[Crew]:
    """As many workers as told, of the kind that suits the size of the plan: by default a process
    for each processor, or a thread more, so that some wait for the disk while others compute."""
    method = plan.recipe.method
    processors = os.cpu_count() or 1
    if plan.size < LARGE or workers == 1:
        threads = workers or min(16, processors + 1)
        with one_thread_each(), TensorMerger(method, threads) as merger:
            yield Threads(merger)
        return
    # A fork would take over locks that threads of torch hold.
    spawn = multiprocessing.get_context("spawn")
    count = workers or min(16, processors)
    with ProcessPoolExecutor(count, mp_context=spawn, initializer=_end_with_parent) as pool:
        try:
            yield Processes(method, pool)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


class Threads:
    """One tensor at a time, its blocks by all threads."""

    def __init__(self, merger: TensorMerger) -> None:
        self._merger = merger

    def merge(self, steps: Sequence[Step], part: ShardFile) -> Iterator[Note]:
        for step in steps:
            yield self._merger.run(step, part)


class Processes:
    """One tensor for each process."""

    def __init__(self, method: str, pool: ProcessPoolExecutor) -> None:
        self._method, self._pool = method, pool

    def merge(self, steps: Sequence[Step], part: ShardFile) -> Iterator[Note]:
        """Raises VisCodexError(out_of_memory) where the system ended a process."""
        try:
            yield from self._pool.map(partial(_merge_one, self._method, part), steps)
        except BrokenProcessPool:
            raise VisCodexError(
                ErrorCode.out_of_memory,
                "A process of the merge was ended by the system.",
                "Close other programs, and go on with --resume --threads 1.",
            ) from None


def _merge_one(method: str, part: ShardFile, step: Step) -> Note:
    with one_thread_each(), TensorMerger(method, 0) as merger, part:
        return merger.run(step, part)


def _end_with_parent() -> None:
    """A process whose parent was killed would wait for ever for work."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
