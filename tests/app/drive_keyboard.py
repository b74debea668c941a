"""Run by test_keyboard_walk on two offscreen screens: from the snip to the copied code by keys.

Argument: the picture that fills the second screen. Prints one JSON object.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QImage, QPixmap
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel

from app.session import State
from tests.app.walker import User, walk

Key, NONE = Qt.Key, Qt.KeyboardModifier.NoModifier
CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


def key(user: User, which: Qt.Key, modifiers: Qt.KeyboardModifier = NONE) -> None:
    """Press a key wherever the focus is, as the window system delivers it."""

    def press() -> None:
        window = QGuiApplication.focusWindow()
        assert window is not None, "no window has the keyboard"
        QTest.keyClick(window, which, modifiers)

    user.look(press)


def page_on(number: int, picture: str) -> QLabel:
    """A window of somebody else's that fills a screen; on the thread of the window."""
    label = QLabel()
    label.setPixmap(QPixmap(picture))
    label.setGeometry(QGuiApplication.screens()[number].geometry())
    label.setWindowFlag(Qt.WindowType.WindowDoesNotAcceptFocus)
    label.setAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating)
    label.show()
    return label


def steps(user: User, picture: str) -> dict[str, Any]:
    window, session = user.window, user.window.controller.session
    shown = user.look(lambda: page_on(1, picture))
    user.until(shown.isVisible, "the page")
    user.look(window.activateWindow)
    user.until(window.isActiveWindow, "the window in front")
    key(user, Key.Key_N, CONTROL)
    flow = window.flow
    user.until(lambda: flow.snip is not None and len(flow.snip.overlays) == 2, "the overlays")
    assert flow.snip is not None
    overlays = list(flow.snip.overlays)
    user.until(lambda: any(one.isActiveWindow() for one in overlays), "an overlay in front")
    facts: dict[str, Any] = {"screens": [one.screen_name for one in overlays]}
    active = [user.look(lambda: [one.isActiveWindow() for one in overlays])]
    for _ in range(2):
        key(user, Key.Key_Tab)
        active.append(user.look(lambda: [one.isActiveWindow() for one in overlays]))
    facts["active"] = active
    if not active[-1][1]:
        key(user, Key.Key_Tab)
    key(user, Key.Key_A)
    key(user, Key.Key_Return)
    user.until(lambda: session.picture is not None, "the snip")
    assert session.picture is not None
    image, wanted = QImage.fromData(session.picture.png), QImage(picture)
    facts["same"] = image.convertToFormat(QImage.Format.Format_RGB32) == wanted.convertToFormat(
        QImage.Format.Format_RGB32
    )
    user.until(lambda: not session.busy and session.state is not State.READY, "the code", 180)
    facts["state"] = session.state.value
    facts["code"] = user.look(lambda: window.code.edit.code)
    key(user, Key.Key_C, CONTROL | SHIFT)
    facts["clipboard"] = user.look(lambda: QGuiApplication.clipboard().text())
    user.look(shown.close)
    key(user, Key.Key_Q, CONTROL)
    return facts


if __name__ == "__main__":
    walk(lambda user: print(json.dumps(steps(user, sys.argv[1])), flush=True))
