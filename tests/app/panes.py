"""The preview by itself, shown with its web view, for the tests that look into it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.actions import make_actions
from app.theme import Theme
from app.views.dress import Dresser
from app.views.preview_pane import PreviewPane


def web_pane(theme: Theme, make_runner: Any, qtbot: Any) -> Iterator[PreviewPane]:
    """For a fixture: the pane, which is taken down after the test."""
    made = PreviewPane(make_actions(theme), Dresser(theme), make_runner, True)
    made.resize(500, 400)
    made.show()
    made.create_web()
    yield made
    made.shut()
    made.close()
    made.deleteLater()
    qtbot.wait(50)
