"""Chooses the way to grab the screens."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from app.capture.handlers.mss_grab import MssHandler
from app.capture.handlers.portal import PortalHandler
from app.capture.handlers.qt_screen import QtScreenHandler
from app.capture.models import Availability, CaptureError, CaptureHandler, ScreenInfo, Shot
from app.i18n import N_, _

_LOG = logging.getLogger(__name__)
NO_WAY = N_("there is no way to grab the screen")


def default_handlers() -> tuple[CaptureHandler, ...]:
    """All ways, the preferred one first; on each system the others say why they do not fit."""
    return (MssHandler(), PortalHandler(), QtScreenHandler())


def availability(handlers: Sequence[CaptureHandler]) -> Availability:
    """Whether any way works; else the most telling reason."""
    answers = [handler.available() for handler in handlers]
    for answer in answers:
        if answer.ok:
            return answer
    return _most_telling(answers)


def usable(handlers: Sequence[CaptureHandler]) -> list[CaptureHandler]:
    """The handlers that work here, in order. Raises CaptureError where there is none."""
    answers = [(handler, handler.available()) for handler in handlers]
    working = [handler for handler, answer in answers if answer.ok]
    if not working:
        answer = _most_telling([answer for _, answer in answers])
        raise CaptureError(answer.reason, answer.code)
    return working


def grab(handlers: Sequence[CaptureHandler], screens: Sequence[ScreenInfo]) -> list[Shot]:
    """Grab all screens by the first of `handlers` that succeeds.

    Raises CaptureError with the first reason, CaptureLeft as soon as the user says no.
    """
    first: CaptureError | None = None
    for handler in handlers:
        try:
            return handler.grab(screens)
        except CaptureError as error:
            _LOG.warning("grabbing by %s failed: %s", handler.name, error)
            first = first or error
    raise first or CaptureError(_(NO_WAY))


def _most_telling(answers: Sequence[Availability]) -> Availability:
    """A reason that is not just "another handler is for that" wins."""
    telling = [answer for answer in answers if answer.reason]
    return next(iter(telling), Availability(False, _(NO_WAY)))
