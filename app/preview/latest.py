"""A thread with room for one waiting job: a newer job replaces the one that waits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Job = TypeVar("Job")


class Latest(Generic[Job]):
    """Hands the newest job to `work` on a thread of its own, started with the first job.

    `end` is called on that thread when it closes. `work` has to catch what may go wrong in it.
    """

    def __init__(self, name: str, work: Callable[[Job], None], end: Callable[[], None]) -> None:
        self._name = name
        self._work = work
        self._end = end
        self._wake = threading.Condition()
        self._next: Job | None = None
        self._closing = False
        self._thread: threading.Thread | None = None

    @property
    def closing(self) -> bool:
        """Whether nobody waits for results any more."""
        return self._closing

    def submit(self, job: Job) -> None:
        """Do `job` as soon as the running one is done."""
        with self._wake:
            self._next = job
            self._wake.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()

    def drop(self) -> None:
        """Forget the job that waits."""
        with self._wake:
            self._next = None

    def close(self) -> None:
        """End the thread; waits for the running job only a moment."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(3.0)

    def _run(self) -> None:
        while True:
            with self._wake:
                while self._next is None and not self._closing:
                    self._wake.wait()
                if self._closing:
                    break
                job, self._next = self._next, None
            assert job is not None
            self._work(job)
        self._end()
