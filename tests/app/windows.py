"""What tests of the main window share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtGui import QTextCursor

from app.session import State
from app.views.main_window import MainWindow

Make = Callable[..., MainWindow]


def request(picture: Any, target: str) -> Any:
    return (picture, target)


def state(window: MainWindow) -> State:
    return window.controller.session.state


def load(window: MainWindow, qtbot: Any, picture: Path) -> None:
    before = window.controller.session.picture
    window.controller.offer_path(picture)
    qtbot.waitUntil(lambda: window.controller.session.picture is not before)
    qtbot.waitUntil(lambda: not window.source.view.image.isNull())


def convert(window: MainWindow, qtbot: Any) -> None:
    window.controller.generate()
    qtbot.waitUntil(lambda: state(window) is State.DONE)


def type_at_end(window: MainWindow, qtbot: Any, text: str) -> None:
    """Type one line at the end of the code."""
    window.code.focus_pane()
    window.code.edit.moveCursor(QTextCursor.MoveOperation.End)
    qtbot.keyClicks(window.code.edit, text)
