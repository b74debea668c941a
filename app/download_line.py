"""A download on stderr: a line that is written over where somebody watches, else a few lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from app.download_words import words
from app.status_line import StatusLine
from engine.models.progress import Checking, Progress, Report

QUIET = 10.0  # seconds between two lines where nobody watches


class DownloadLine(StatusLine):
    """Shows what a download tells; a context manager."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._last = float("-inf")

    def show(self, report: Report) -> None:
        """One report of `engine.models.download`."""
        passing = isinstance(report, Progress | Checking)
        if self.watched and passing:
            self.say(words(report))
            return
        now = self._clock()
        if passing and now - self._last < QUIET:
            return
        self._last = now if passing else self._last
        print(words(report), file=sys.stderr, flush=True)

    def check(self, file: str, done: int, total: int) -> None:
        """A file on this machine is read."""
        self.show(Checking(file, done, total))
