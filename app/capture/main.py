"""Chooses the way to grab the screens."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from app.capture.handlers.mss_grab import MssHandler
from app.capture.handlers.qt_screen import QtScreenHandler
from app.capture.models import Availability, CaptureError, CaptureHandler, Shot

_LOG = logging.getLogger(__name__)


def default_handlers() -> tuple[CaptureHandler, ...]:
    """All ways, the preferred one first."""
    return (MssHandler(), QtScreenHandler())


def availability(handlers: Sequence[CaptureHandler]) -> Availability:
    """Whether any way works; else the reason of the preferred one."""
    answers = [handler.available() for handler in handlers]
    for answer in answers:
        if answer.ok:
            return answer
    return answers[0] if answers else Availability(False, "there is no way to grab the screen")


def grab(handlers: Sequence[CaptureHandler]) -> list[Shot]:
    """Grab all screens by the first way that works. Raises CaptureError with the first reason."""
    problems: list[str] = []
    for handler in handlers:
        answer = handler.available()
        if not answer.ok:
            problems.append(answer.reason)
            continue
        try:
            return handler.grab()
        except CaptureError as error:
            _LOG.warning("grabbing by %s failed: %s", handler.name, error)
            problems.append(str(error))
    raise CaptureError(problems[0] if problems else "there is no way to grab the screen")
