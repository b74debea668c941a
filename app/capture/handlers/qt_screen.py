"""Grabbing by Qt itself: the fallback, and what works on Qt's offscreen platform."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtGui import QGuiApplication

from app.capture.models import Availability, CaptureError, ScreenInfo, Shot
from app.capture.session_kind import SessionKind, session_kind
from app.i18n import _


class QtScreenHandler:
    """Asks each QScreen for its picture."""

    name = "qt"
    waits = False

    def available(self) -> Availability:
        if session_kind() is SessionKind.WAYLAND:
            return Availability(False)  # a black picture; the portal handler tells the reason
        if not QGuiApplication.screens():
            return Availability(False, _("there is no screen"))
        return Availability(True)

    def grab(self, screens: Sequence[ScreenInfo]) -> list[Shot]:
        shots = []
        for one in screens:
            image = one.screen.grabWindow(0).toImage()
            if not image.isNull():
                image.setDevicePixelRatio(1.0)
                shots.append(Shot(one.screen, image))
        if not shots:
            raise CaptureError(_("the screen gave no picture"))
        return shots
