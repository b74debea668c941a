"""What a way to grab the screens offers, and what it returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from PySide6.QtGui import QGuiApplication, QImage, QScreen

from app.capture.geometry import NativeRect, Rect, ScreenPlace, native_place
from app.i18n import N_, _


@dataclass(frozen=True)
class ScreenInfo:
    """A screen as Qt had it when the snip began, so that other threads need not ask Qt."""

    screen: QScreen
    name: str
    logical: Rect
    ratio: float

    @property
    def place(self) -> ScreenPlace:
        """Origin and size in native pixels."""
        one = self.logical
        return native_place(one.x, one.y, one.width, one.height, self.ratio)


def present_screens() -> list[ScreenInfo]:
    """The screens of the application. Call on the GUI thread."""
    found = []
    for screen in QGuiApplication.screens():
        place = screen.geometry()
        logical = Rect(place.x(), place.y(), place.width(), place.height())
        found.append(ScreenInfo(screen, screen.name(), logical, screen.devicePixelRatio()))
    return found


@dataclass(frozen=True)
class Shot:
    """The frozen picture of one screen, in that screen's native pixels.

    `windows` are the windows on it when it was taken, in pixels of the picture, topmost first;
    empty where the system does not tell.
    """

    screen: QScreen
    image: QImage
    windows: tuple[NativeRect, ...] = ()


UNAVAILABLE, DENIED, TIMEOUT = "capture_unavailable", "capture_denied", "capture_timeout"
"""Codes of capture errors, as in the table of error texts."""

OPEN_INSTEAD = N_("Open or paste a picture instead.")


class CaptureError(Exception):
    """The screens could not be grabbed. The text is for people, a reason without a full stop."""

    def __init__(self, message: str, code: str = UNAVAILABLE, advice: str = "") -> None:
        super().__init__(message)
        self.code, self.advice = code, advice or _(OPEN_INSTEAD)


class CaptureLeft(Exception):
    """The user said no to the system's own question: nothing went wrong, nothing is told."""


@dataclass(frozen=True)
class Availability:
    """Whether something works here; if not, a reason people can read and its code."""

    ok: bool
    reason: str = ""
    code: str = UNAVAILABLE


class CaptureHandler(Protocol):
    """One way to grab all screens."""

    name: str
    waits: bool
    """Whether a grab may take long (the system asks the user), so that it needs a thread."""

    def available(self) -> Availability:
        """Cheap check without grabbing anything."""
        ...

    def grab(self, screens: Sequence[ScreenInfo]) -> list[Shot]:
        """One shot for each screen. Raises CaptureError or CaptureLeft."""
        ...
