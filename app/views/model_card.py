"""A card of the model manager: shows a `Content` and tells which of its buttons was pressed."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout, QWidget

from app.i18n import _
from app.views.dress import Chip, announce
from app.views.fields import button, text_label
from app.views.model_content import Content


class ModelCard(QFrame):
    """Changes only what is different, so that the focus stays where it is."""

    pressed = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("box")
        self._content = Content("")
        self._title = text_label("", "boxTitle")
        self._chips: list[Chip] = []
        self._head = QHBoxLayout()
        self._head.setSpacing(8)
        self._head.addWidget(self._title, 1)
        self._lines = text_label("", "muted")
        self.status = text_label("", "status")
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setRange(0, 1000)
        self._row = QWidget()
        self._buttons = QHBoxLayout(self._row)
        self._buttons.setContentsMargins(0, 4, 0, 0)
        self._buttons.setSpacing(8)
        self._buttons.setAlignment(Qt.AlignmentFlag.AlignLeft)
        self.buttons: dict[str, QPushButton] = {}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 10, 14, 10)
        layout.setSpacing(4)
        layout.addLayout(self._head)
        for widget in (self._lines, self.status, self.progress, self._row):
            layout.addWidget(widget)
        for widget in (self.status, self.progress, self._row):
            widget.hide()

    def show_content(self, content: Content) -> None:
        """Show what is true now; good and bad ends are spoken."""
        before, self._content = self._content, content
        if content == before:
            return
        self._title.setText(content.title)
        self._lines.setText("\n".join(content.lines))
        self._lines.setVisible(bool(content.lines))
        self.progress.setAccessibleName(_("Progress of {title}").format(title=content.title))
        if content.chips != before.chips:
            self._show_chips(content.chips)
        if content.tone != before.tone:
            self.status.setProperty("tone", content.tone)
            self.status.style().unpolish(self.status)
            self.status.style().polish(self.status)
        self.status.setText(content.status)
        self.status.setVisible(bool(content.status))
        if content.tone and content.status != before.status and before.title:
            announce(self, f"{content.title}: {content.status}", urgent=content.tone == "bad")
        self._show_progress(content.progress)
        if content.buttons != before.buttons or content.title != before.title:
            self._show_buttons(content)

    def _show_progress(self, progress: float | None) -> None:
        self.progress.setVisible(progress is not None)
        if progress is not None:
            self.progress.setRange(0, 0 if progress < 0 else 1000)
            self.progress.setValue(round(1000 * progress))

    def _show_chips(self, chips: tuple[str, ...]) -> None:
        for chip in self._chips:
            self._head.removeWidget(chip)
            chip.hide()
            chip.deleteLater()
        self._chips = [Chip(text) for text in chips]
        for chip, text in zip(self._chips, chips, strict=True):
            self._head.addWidget(chip)
            chip.show_text(text)

    def _show_buttons(self, content: Content) -> None:
        had_focus = any(one.hasFocus() for one in self.buttons.values())
        for one in self.buttons.values():
            self._buttons.removeWidget(one)
            one.hide()
            one.deleteLater()
        self.buttons = {}
        for key, text, kind in content.buttons:
            made = button(text, self._teller(key), kind, f"{text.rstrip('…')}: {content.title}")
            self.buttons[key] = made
            self._buttons.addWidget(made)
        self._row.setVisible(bool(self.buttons))
        if had_focus and self.buttons:
            # Of a question the careful answer is preselected.
            last = "remove_no" if "remove_no" in self.buttons else next(iter(self.buttons))
            self.buttons[last].setFocus()

    def _teller(self, key: str) -> Callable[[], None]:
        return lambda: self.pressed.emit(key)
