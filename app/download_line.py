"""A download on stderr: a line that is written over where somebody watches, else a few lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from rich.console import Console

from app.download_words import words
from engine.models.progress import Checking, Progress, Report

QUIET = 10.0  # seconds between two lines where nobody watches


class DownloadLine:
    """Shows what a download tells; a context manager."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = Console(stderr=True)
        self._status = self._console.status("") if self._console.is_terminal else None
        self._clock = clock
        self._last = float("-inf")

    def __enter__(self) -> DownloadLine:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(self, *ignored: object) -> None:
        if self._status is not None:
            self._status.stop()

    def show(self, report: Report) -> None:
        """One report of `engine.models.download`."""
        passing = isinstance(report, Progress | Checking)
        if self._status is not None and passing:
            self._status.update(words(report))
            return
        now = self._clock()
        if passing and now - self._last < QUIET:
            return
        self._last = now if passing else self._last
        print(words(report), file=sys.stderr, flush=True)

    def check(self, file: str, done: int, total: int) -> None:
        """A file on this machine is read."""
        self.show(Checking(file, done, total))
