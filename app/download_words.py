"""What a download tells, in words; for the terminal and the window alike."""

from __future__ import annotations

from functools import singledispatch

from app.i18n import _
from app.phrases import translated
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
def _progress(report: Progress) -> str:
    share = report.all_done / report.all_total if report.all_total else 1.0
    text = _("{file}: {share} of {total}").format(
        file=report.file, share=f"{share:.0%}", total=size(report.all_total)
    )
    return ", ".join((text, *rate_words(report)))


@words.register
def _checking(report: Checking) -> str:
    share = report.done / report.total if report.total else 1.0
    return _("{file}: checking, {share}").format(file=report.file, share=f"{share:.0%}")


@words.register
def _waiting(report: Waiting) -> str:
    return _("{file}: {reason} Next try in {time}.").format(
        file=report.file, reason=translated(report.reason), time=span(report.seconds)
    )


@words.register
def _restarted(report: Restarted) -> str:
    return _("{file}: begun anew, {reason}").format(
        file=report.file, reason=translated(report.reason)
    )


@words.register
def _paused(report: Paused) -> str:
    return _("{file}: paused").format(file=report.file)


@words.register
def _finished(report: Finished) -> str:
    return _("{file}: whole, its SHA-256 is right").format(file=report.file)


def rate_words(report: Progress) -> list[str]:
    """Speed and time left, as far as they are known."""
    parts = []
    if report.rate is not None:
        # L10N: bytes a second, as in 3 MB/s.
        parts.append(_("{size}/s").format(size=size(report.rate)))
    if report.remaining is not None:
        parts.append(_("{time} left").format(time=span(report.remaining)))
    return parts


def size(count: float) -> str:
    """Bytes for people: 1.2 GB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.0f} {unit}" if unit in ("B", "kB") else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError


def span(seconds: float) -> str:
    """A time for people: 3 min."""
    if seconds >= 1.5 * 3600:
        return _("{number} h").format(number=f"{seconds / 3600:.0f}")
    if seconds >= 1.5 * 60:
        return _("{number} min").format(number=f"{seconds / 60:.0f}")
    return _("{number} s").format(number=f"{seconds:.0f}")
