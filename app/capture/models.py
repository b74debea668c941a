"""What a way to grab the screens offers, and what it returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from PySide6.QtGui import QImage, QScreen


@dataclass(frozen=True)
class Shot:
    """The frozen picture of one screen, in that screen's native pixels."""

    screen: QScreen
    image: QImage


@dataclass(frozen=True)
class Availability:
    """Whether something works here; if not, a reason people can read."""

    ok: bool
    reason: str = ""


class CaptureError(Exception):
    """The screens could not be grabbed. The text is for people."""


class CaptureHandler(Protocol):
    """One way to grab all screens."""

    name: str

    def available(self) -> Availability:
        """Cheap check without grabbing anything."""
        ...

    def grab(self) -> list[Shot]:
        """One shot for each screen of the application. Raises CaptureError."""
        ...
