"""Grabbing by Qt itself: the fallback, and what works on Qt's offscreen platform."""

from __future__ import annotations

import os
import sys

from PySide6.QtGui import QGuiApplication

from app.capture.models import Availability, CaptureError, Shot


class QtScreenHandler:
    """Asks each QScreen for its picture."""

    name = "qt"

    def available(self) -> Availability:
        platform = QGuiApplication.platformName()
        wayland = platform == "wayland" or bool(os.environ.get("WAYLAND_DISPLAY"))
        if wayland and platform != "offscreen" and sys.platform not in {"win32", "darwin"}:
            return Availability(False, "snipping on Wayland is not supported yet")
        if not QGuiApplication.screens():
            return Availability(False, "there is no screen")
        return Availability(True)

    def grab(self) -> list[Shot]:
        shots = []
        for screen in QGuiApplication.screens():
            image = screen.grabWindow(0).toImage()
            if not image.isNull():
                image.setDevicePixelRatio(1.0)
                shots.append(Shot(screen, image))
        if not shots:
            raise CaptureError("The screen gave no picture.")
        return shots
