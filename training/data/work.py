"""Parts over all cores: worker processes that are fed one part after another.

The parent goes through the items and hands them out, so sources are read once and lazily. A
worker that dies (out of memory, a crash in a library) is replaced and its part tried once more.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

from engine.errors import ErrorCode, VisCodexError
from engine.render.plot_limits import die_with_parent
from training.data.parts import PartMaker
from training.data.recipe import DataRecipe
from training.data.rewrite import Rewriter
from training.data.sources.base import SourcePlan

TRIES = 2
PATIENCE = 20.0  # seconds that workers get to finish their part when all is stopped


@dataclass(frozen=True)
class Job:
    """A part to make: `place` is its source's folder inside the data folder."""

    plan: SourcePlan
    place: str
    number: int
    items: list[Any]


@dataclass(frozen=True)
class Setting:
    """What all workers share; `spent` are requests and tokens asked of a rewriting server."""

    folder: Path
    recipe: DataRecipe
    unwalled: bool
    key: str
    spent: tuple[Synchronized[int], Synchronized[int]]


def run_jobs(
    jobs: Iterator[Job],
    setting: Setting,
    *,
    workers: int,
    deadline: float | None = None,
    done: Callable[[Job], None] = lambda job: None,
) -> bool:
    """Make all parts; returns False where the deadline (`time.time`) came first.

    Raises VisCodexError as the workers do, worker_died for a part that ends its worker twice.
    """
    pool = [_Worker(setting) for _ in range(workers)]
    again: list[tuple[Job, int]] = []
    in_time = True
    try:
        while True:
            in_time = in_time and (deadline is None or time.time() < deadline)
            for worker in pool:
                if worker.job is None and in_time:
                    following = again.pop() if again else _first_try(jobs)
                    if following is None:
                        break
                    worker.give(*following)
            busy = [worker for worker in pool if worker.job is not None]
            if not busy:
                return in_time
            ready = wait([worker.connection for worker in busy])
            for worker in (worker for worker in busy if worker.connection in ready):
                job = worker.job
                assert job is not None
                try:
                    error = worker.answer()
                except (EOFError, OSError):
                    if worker.tries >= TRIES:
                        raise VisCodexError(
                            ErrorCode.worker_died,
                            f"Part {job.number} of {job.plan.name} ended its process twice.",
                            "Is there enough memory? Fewer --workers need less.",
                        ) from None
                    again.append((job, worker.tries + 1))
                    worker.restart()
                    continue
                if error is not None:
                    raise error
                done(job)
    finally:
        _end(pool)


def _first_try(jobs: Iterator[Job]) -> tuple[Job, int] | None:
    job = next(jobs, None)
    return None if job is None else (job, 1)


class _Worker:
    """A process and the part it is at; started with its first part."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._process: BaseProcess | None = None
        self.connection: Connection
        self.job: Job | None = None
        self.tries = 0

    def give(self, job: Job, tries: int) -> None:
        if self._process is None:
            context = multiprocessing.get_context("spawn")
            self.connection, theirs = context.Pipe()
            self._process = context.Process(target=_serve, args=(theirs, self._setting))
            self._process.start()
            theirs.close()
        self.job, self.tries = job, tries
        with contextlib.suppress(OSError):  # a process that is gone is met when it should answer
            self.connection.send((job.plan, job.place, job.number, job.items))

    def answer(self) -> VisCodexError | None:
        told = self.connection.recv()
        self.job = None
        return None if told is None else VisCodexError(*told)

    def restart(self) -> None:
        """Leave the dead process; the next part starts another."""
        assert self._process is not None
        self.connection.close()
        self._process.join()
        self._process, self.job = None, None

    def let_go(self) -> None:
        if self._process is not None:
            self.connection.close()

    def join(self, seconds: float) -> None:
        if self._process is not None:
            self._process.join(seconds)
            if self._process.is_alive():
                self._process.terminate()
                self._process.join()


def _end(pool: list[_Worker]) -> None:
    for worker in pool:
        worker.let_go()
    limit = time.monotonic() + PATIENCE
    for worker in pool:
        worker.join(max(0.1, limit - time.monotonic()))


def _serve(connection: Connection, setting: Setting) -> None:
    """What a worker does: parts until the parent closes the connection."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what a Ctrl-C means
    die_with_parent()  # the next run may make the same part
    plan = setting.recipe.rewrite
    cache = setting.folder / "rewritten"
    rewriter = None if plan is None else Rewriter(plan, cache, setting.key, setting.spent)
    with PartMaker(setting.folder, setting.recipe, rewriter, setting.unwalled) as maker:
        while True:
            try:
                job = connection.recv()
            except EOFError:
                return
            try:
                maker.make(*job)
            except VisCodexError as error:
                _send(connection, error)
                continue
            _send(connection, None)


def _send(connection: Connection, error: VisCodexError | None) -> None:
    told = None if error is None else (error.code, error.message, error.advice)
    with contextlib.suppress(OSError):  # the parent has gone; the part is on disk
        connection.send(told)
