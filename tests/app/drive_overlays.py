"""Run by test_geometry in its own process: drags on one overlay for each screen, prints JSON.

The pictures are made here, at the native size of each screen, with the position of each pixel
as its colour: so a crop tells where it was taken.
"""

from __future__ import annotations

import json
import sys
from dataclasses import astuple

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QGuiApplication, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.capture.geometry import NativeRect
from app.capture.models import Shot
from app.capture.snip import Snip
from app.theme import OVERLAY
from app.views.overlay import Overlay, OverlayColours


def numbered(width: int, height: int) -> QImage:
    """A picture whose pixel at (x, y) has the colour (x % 256, y % 256, 7), made row by row."""
    row = bytes(value for x in range(width) for value in (7, 0, x % 256, 255))
    data = bytearray()
    for y in range(height):
        line = bytearray(row)
        line[1::4] = bytes([y % 256]) * width
        data += line
    return QImage(bytes(data), width, height, width * 4, QImage.Format.Format_RGB32).copy()


def drag(overlay: Overlay, start: QPoint, end: QPoint) -> None:
    QTest.mousePress(overlay, Qt.MouseButton.LeftButton, pos=start)
    QTest.mouseMove(overlay, (start + end) / 2)
    QTest.mouseMove(overlay, end)
    QTest.mouseRelease(overlay, Qt.MouseButton.LeftButton, pos=end)


def main() -> None:
    application = QApplication(["overlays"])
    colours = OverlayColours(**{name: QColor(value) for name, value in OVERLAY.items()})
    shots = []
    for screen in QGuiApplication.screens():
        size = screen.geometry().size() * screen.devicePixelRatio()
        windows = (NativeRect(size.width() - 200, 30, 300, 90),)
        shots.append(Shot(screen, numbered(size.width(), size.height()), windows))
    facts: dict[str, dict[str, object]] = {}
    for number, shot in enumerate(shots):
        snip = Snip(shots, colours, last=("quarter", NativeRect(30, 40, 500, 600)))
        snip.show()
        application.processEvents()
        overlay = snip.overlays[number]
        others = [one for one in snip.overlays if one is not overlay]
        # A selection made by keyboard elsewhere has to go when this screen gets one.
        QTest.keyClick(others[0], Qt.Key.Key_A)
        drag(overlay, QPoint(50, 50), QPoint(53, 53))
        tiny_refused = bool(snip.overlays)
        cleared = all(one.native_selection is None for one in others)

        QTest.keyClick(overlay, Qt.Key.Key_Right)  # starts from the tiny selection: moves it
        before = overlay.native_selection
        QTest.keyClick(overlay, Qt.Key.Key_Right)
        QTest.keyClick(overlay, Qt.Key.Key_Down, Qt.KeyboardModifier.ControlModifier)
        after = overlay.native_selection
        QTest.keyClick(overlay, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
        grown = overlay.native_selection
        assert before is not None
        assert after is not None
        assert grown is not None

        QTest.keyClick(overlay, Qt.Key.Key_W)
        window = overlay.native_selection
        QTest.keyClick(overlay, Qt.Key.Key_L)
        last = [one.native_selection for one in snip.overlays]

        taken: list[QImage] = []
        snip.taken.connect(taken.append)
        drag(overlay, QPoint(10, 20), QPoint(110, 70))
        native = overlay.native_selection
        assert native is not None
        rect = [native.x, native.y, native.width, native.height]
        image = taken[0]
        corner = image.pixelColor(0, 0)
        facts[shot.screen.name()] = {
            "native": rect,
            "image": [image.width(), image.height()],
            "corner": [corner.red(), corner.green()],
            "wanted_corner": rect[:2],
            "window": None if window is None else [window.x, window.width, window.height],
            "window_wanted": [shot.image.width() - 200, 200, 90],
            "last": [None if one is None else astuple(one) for one in last],
            "region": snip.region is not None and [snip.region[0], *astuple(snip.region[1])],
            "others_cleared": cleared,
            "tiny_refused": tiny_refused,
            "nudged": [after.x - before.x, after.y - before.y],
            "grown": [grown.width - after.width, grown.height - after.height],
        }
        application.processEvents()
    json.dump(facts, sys.stdout)


if __name__ == "__main__":
    main()
