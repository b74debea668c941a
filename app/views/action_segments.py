"""A row of exclusive icons, one for each of some checkable actions."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QWidget

from app.views.dress import flat_button


class ActionSegments(QWidget):
    """`chosen(key)` tells what the user picked, by mouse or by shortcut."""

    chosen = Signal(str)

    def __init__(self, name: str, actions: Mapping[str, QAction]) -> None:
        """`actions` by their keys; the first one is chosen."""
        super().__init__()
        self.setObjectName("segments")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName(name)
        self._actions = actions
        self.buttons: dict[str, QToolButton] = {}
        row = QHBoxLayout(self)
        row.setContentsMargins(2, 2, 2, 2)
        row.setSpacing(0)
        for key, action in actions.items():
            button = flat_button(action, f"{name}: {action.text()}")
            button.setObjectName("segment")
            action.triggered.connect(lambda *_, key=key: self._pick(key))
            self.buttons[key] = button
            row.addWidget(button)
        self.choice = next(iter(actions))
        self.set_choice(self.choice)

    def set_choice(self, key: str) -> None:
        """Show `key` as chosen without telling anybody; one that is unknown means the first."""
        self.choice = key if key in self._actions else next(iter(self._actions))
        for name, action in self._actions.items():
            action.setChecked(name == self.choice)

    def _pick(self, key: str) -> None:
        self.set_choice(key)
        self.chosen.emit(key)
