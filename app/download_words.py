"""What a download tells, in words; for the terminal and the window alike."""

from __future__ import annotations

from functools import singledispatch

from engine.models.progress import (
    Checking,
    Finished,
    Paused,
    Progress,
    Restarted,
    Waiting,
)


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
