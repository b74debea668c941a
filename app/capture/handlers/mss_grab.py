"""Grabbing by mss: X11, Windows and macOS. Never on Wayland, where it gets black pictures."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

from PySide6.QtGui import QGuiApplication, QImage

from app.capture.geometry import ScreenPlace, match_screens, native_place
from app.capture.models import Availability, CaptureError, Shot


class MssHandler:
    """Grabs each screen of its own, matched to Qt's screens by place and native size."""

    name = "mss"

    def available(self) -> Availability:
        platform = QGuiApplication.platformName()
        if platform in {"offscreen", "minimal"}:
            return Availability(False, "there is no screen")
        if sys.platform in {"win32", "darwin"}:
            return Availability(True)
        if platform == "wayland" or os.environ.get("WAYLAND_DISPLAY"):
            return Availability(False, "snipping on Wayland is not supported yet")
        if not os.environ.get("DISPLAY"):
            return Availability(False, "there is no X display")
        return Availability(True)

    def grab(self) -> list[Shot]:
        # Imported late: this costs start-up time, and only a machine with a screen can use it.
        import mss
        from mss.exception import ScreenShotError

        if sys.platform == "darwin":
            # Without this the picture has half the pixels of a Retina screen.
            importlib.import_module("mss.darwin").IMAGE_OPTIONS = 0
        screens = QGuiApplication.screens()
        try:
            with mss.MSS() as grabber:
                monitors: list[dict[str, Any]] = list(grabber.monitors[1:])
                order = match_screens(
                    [
                        native_place(
                            screen.geometry().x(),
                            screen.geometry().y(),
                            screen.geometry().width(),
                            screen.geometry().height(),
                            screen.devicePixelRatio(),
                        )
                        for screen in screens
                    ],
                    [
                        ScreenPlace(one["left"], one["top"], one["width"], one["height"])
                        for one in monitors
                    ],
                )
                shots = [
                    Shot(screen, _image(grabber.grab(monitors[index])))
                    for screen, index in zip(screens, order, strict=True)
                    if index is not None
                ]
        except (ScreenShotError, OSError) as error:
            raise CaptureError(f"The screen could not be grabbed: {error}") from error
        if not shots:
            raise CaptureError("No screen of this display could be matched.")
        return shots


def _image(grabbed: Any) -> QImage:
    """A QImage with its own copy of the pixels (mss gives BGRA with an undefined alpha)."""
    width, height = grabbed.width, grabbed.height
    return QImage(bytes(grabbed.raw), width, height, width * 4, QImage.Format.Format_RGB32).copy()
