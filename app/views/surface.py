"""Keeps a window from blinking when its web view arrives.

A web view is drawn by the graphics card, and Qt makes a window anew when the first such child comes
to it: it vanishes and returns. A helper of the same kind that is there from the start avoids that.
"""

from __future__ import annotations

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QRhiWidget, QWidget


def prepare(window: QWidget) -> QWidget | None:
    """Call before the window is shown; None on platforms without a graphics card."""
    if QGuiApplication.platformName() in {"offscreen", "minimal", "vnc"}:
        return None
    helper = QRhiWidget(window)
    helper.setFixedSize(1, 1)
    helper.move(-4, -4)
    return helper
