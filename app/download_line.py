"""A download on stderr: a line that is written over where somebody watches, else a few lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import singledispatch

from rich.console import Console

from engine.models.progress import (
    Checking,
    Finished,
    Paused,
    Progress,
    Report,
    Restarted,
    Waiting,
)

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


@singledispatch
def words(report: object) -> str:
    """A report in one line."""
    raise TypeError(type(report).__name__)


@words.register
def _(report: Progress) -> str:
    speed = "" if report.rate is None else f", {size(report.rate)}/s"
    left = "" if report.remaining is None else f", {span(report.remaining)} left"
    share = report.all_done / report.all_total if report.all_total else 1.0
    return f"{report.file}: {share:.0%} of {size(report.all_total)}{speed}{left}"


@words.register
def _(report: Checking) -> str:
    share = report.done / report.total if report.total else 1.0
    return f"{report.file}: checking, {share:.0%}"


@words.register
def _(report: Waiting) -> str:
    return f"{report.file}: {report.reason} Next try in {span(report.seconds)}."


@words.register
def _(report: Restarted) -> str:
    return f"{report.file}: begun anew, {report.reason}"


@words.register
def _(report: Paused) -> str:
    return f"{report.file}: paused"


@words.register
def _(report: Finished) -> str:
    return f"{report.file}: whole, its SHA-256 is right"


def size(count: float) -> str:
    """Bytes for people: 1.2 GB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.0f} {unit}" if unit in ("B", "kB") else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError


def span(seconds: float) -> str:
    """A time for people: 3 min."""
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
