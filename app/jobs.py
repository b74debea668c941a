"""Long work on models, each job on a thread of its own: downloads, checks, copies.

No widgets: windows may be closed and opened while it goes on. `close` stops all of it at once;
what has arrived of a download stays on the disk and is gone on with another time.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal

from app.controller import failure_of
from app.session import Failure
from engine.models.control import Control
from engine.models.progress import Checking, Listener, Progress, Report

_LOG = logging.getLogger(__name__)
INTERVAL = 0.1  # seconds between two steps that only tell of progress
Work = Callable[[Control, Listener], Any]


class JobState(Enum):
    """How far a job is."""

    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(eq=False)
class Job:
    """One piece of work on the model `name`; `kind` is "pull", "verify" or "add"."""

    name: str
    kind: str
    title: str
    control: Control = field(default_factory=Control)
    report: Report | None = None
    result: Any = None
    failure: Failure | None = None
    over: bool = False

    @property
    def state(self) -> JobState:
        if not self.over:
            return JobState.PAUSED if self.control.paused else JobState.RUNNING
        if self.failure is None:
            return JobState.DONE
        return JobState.CANCELLED if self.failure.code == "cancelled" else JobState.FAILED


class Jobs(QObject):
    """At most one job for each name. `changed(Job)` after each step, `ended(Job)` at its end."""

    changed = Signal(object)
    ended = Signal(object)
    _stepped = Signal(object)
    _over = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs: dict[str, Job] = {}
        self._threads: dict[str, threading.Thread] = {}
        self._closed = False
        self._stepped.connect(self._tell, Qt.ConnectionType.QueuedConnection)
        self._over.connect(self._end, Qt.ConnectionType.QueuedConnection)

    def of(self, name: str) -> Job | None:
        """The last job of a name, running or not."""
        return self._jobs.get(name)

    def all(self) -> list[Job]:
        """Every name's last job, oldest first."""
        return list(self._jobs.values())

    def start(self, name: str, kind: str, title: str, work: Work) -> Job:
        """Begin `work(control, report)`; where a job of this name runs, that one is returned."""
        present = self._jobs.get(name)
        if present is not None and not present.over:
            return present
        job = Job(name, kind, title)
        self._jobs.pop(name, None)
        self._jobs[name] = job
        thread = threading.Thread(
            target=self._run, args=(job, work), name=f"model-{kind}", daemon=True
        )
        self._threads[name] = thread
        thread.start()
        self.changed.emit(job)
        return job

    def pause(self, name: str) -> None:
        self._switch(name, Control.pause)

    def resume(self, name: str) -> None:
        self._switch(name, Control.resume)

    def cancel(self, name: str) -> None:
        self._switch(name, Control.cancel)

    def forget(self, name: str) -> None:
        """Take a job that is over out of the list."""
        job = self._jobs.get(name)
        if job is not None and job.over:
            del self._jobs[name]
            self.changed.emit(job)

    def close(self, patience: float = 2.0) -> None:
        """Stop everything and tell nothing more; waits `patience` seconds at most."""
        self._closed = True
        for job in self._jobs.values():
            job.control.cancel()
        deadline = time.monotonic() + patience
        for thread in self._threads.values():
            thread.join(max(0.0, deadline - time.monotonic()))

    def _switch(self, name: str, how: Callable[[Control], None]) -> None:
        job = self._jobs.get(name)
        if job is not None and not job.over:
            how(job.control)
            self.changed.emit(job)

    # On the thread of the job ---------------------------------------------------------------------

    def _run(self, job: Job, work: Work) -> None:
        told = 0.0

        def report(step: Report) -> None:
            nonlocal told
            job.report = step
            now = time.monotonic()
            if not isinstance(step, Progress | Checking) or now - told >= INTERVAL:
                told = now
                self._send(self._stepped, job)

        try:
            job.result = work(job.control, report)
        except Exception as error:  # whatever it is, people are told of it
            job.failure = failure_of(error)
            _LOG.info("%s ended: %s", job.kind, job.failure.code)
        job.over = True
        self._send(self._over, job)

    def _send(self, signal: Any, job: Job) -> None:
        if not self._closed:
            try:
                signal.emit(job)
            except RuntimeError:  # the window and all went meanwhile
                _LOG.debug("a job outlived its window")

    # On the thread of the windows -----------------------------------------------------------------

    def _tell(self, job: Job) -> None:
        if not self._closed:
            self.changed.emit(job)

    def _end(self, job: Job) -> None:
        if not self._closed:
            self.changed.emit(job)
            self.ended.emit(job)


def watched(control: Control, report: Listener) -> Callable[[str, int, int], None]:
    """What reading a file is told to: it reports, rests while paused, and stops when cancelled."""

    def watch(name: str, done: int, total: int) -> None:
        control.check()
        report(Checking(name, done, total))

    return watch
