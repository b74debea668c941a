"""A short text in the middle of a pane, with the buttons that help."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget


class Card(QWidget):
    """Says why there is nothing else to see, and what can be done about it."""

    def __init__(self) -> None:
        super().__init__()
        self._label = QLabel()
        self._label.setObjectName("muted")
        self._label.setWordWrap(True)
        self._label.setMargin(24)
        self._label.setTextFormat(Qt.TextFormat.PlainText)  # may quote foreign text
        self._label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._buttons = QVBoxLayout()
        self._buttons.setSpacing(8)
        middle = QHBoxLayout()
        middle.addStretch(1)
        middle.addLayout(self._buttons)
        middle.addStretch(1)
        layout = QVBoxLayout(self)
        layout.addStretch(1)
        layout.addWidget(self._label)
        layout.addLayout(middle)
        layout.addStretch(1)

    @property
    def text(self) -> str:
        return self._label.text()

    @property
    def buttons(self) -> list[QPushButton]:
        """The buttons shown at present."""
        items = (self._buttons.itemAt(i) for i in range(self._buttons.count()))
        widgets = (item.widget() for item in items if item is not None)
        return [widget for widget in widgets if isinstance(widget, QPushButton)]

    def show_text(
        self, text: str, buttons: Sequence[tuple[str, Callable[[], object]]] = ()
    ) -> None:
        """Show `text` and a button for each pair of words and callable."""
        self._label.setText(text)
        for old in self.buttons:
            self._buttons.removeWidget(old)
            old.hide()
            old.deleteLater()
        for words, call in buttons:
            button = QPushButton(words)
            button.setAutoDefault(False)
            button.setAccessibleName(words)
            button.clicked.connect(lambda *_, call=call: call())
            self._buttons.addWidget(button)
