"""What tests of the main window share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtGui import QTextCursor

from app.session import State
from app.views.main_window import MainWindow

Make = Callable[..., MainWindow]


def request(picture: Any, target: str, **wishes: Any) -> Any:
    """What a scripted client remembers of a request."""
    return (picture, target, wishes) if wishes else (picture, target)


def state(window: MainWindow) -> State:
    return window.controller.session.state


def load(window: MainWindow, qtbot: Any, picture: Path) -> None:
    before = window.controller.session.picture
    window.controller.offer_path(picture)
    qtbot.waitUntil(lambda: window.controller.session.picture is not before)
    qtbot.waitUntil(lambda: not window.source.view.image.isNull())


def convert(window: MainWindow, qtbot: Any) -> None:
    """Start a conversion and wait until it is done."""
    window.controller.generate()
    wait_done(window, qtbot)


def wait_done(window: MainWindow, qtbot: Any, seconds: int = 10) -> None:
    """Wait for the end of the conversion that runs."""
    session = window.controller.session
    qtbot.waitUntil(lambda: not session.busy, timeout=1000 * seconds)
    assert session.state is State.DONE, session.failure


def trigger(window: MainWindow, name: str) -> None:
    """Do what an action does; it has to be possible."""
    action = window.actions_by_name[name]
    assert action.isEnabled(), name
    action.trigger()


def type_at_end(window: MainWindow, qtbot: Any, text: str) -> None:
    """Type one line at the end of the code."""
    window.code.focus_pane()
    window.code.edit.moveCursor(QTextCursor.MoveOperation.End)
    qtbot.keyClicks(window.code.edit, text)
