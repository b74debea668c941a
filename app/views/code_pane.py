"""The code: editor, language, copy and save."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QAction

from app.messages import TARGET_NAMES
from app.theme import Theme
from app.views.code_edit import CodeEdit
from app.views.dress import Chip, Pane, flat_button

LANGUAGES = {"html": "html", "matplotlib": "python"}


class CodePane(Pane):
    """`edited` tells that the user typed; streaming code does not count."""

    edited = Signal()

    def __init__(self, actions: Mapping[str, QAction], theme: Theme) -> None:
        super().__init__("Code")
        self.busy = False
        self.target = Chip("Kind of code")
        self.note = Chip("Note")
        self.edit = CodeEdit(theme)
        self.header.addWidget(self.target)
        self.header.addStretch(1)
        self.header.addWidget(self.note)
        self.header.addWidget(flat_button(actions["copy"]))
        self.header.addWidget(flat_button(actions["save"]))
        self.body.addWidget(self.edit)
        self._filling = False
        self._note_timer = QTimer(self)
        self._note_timer.setSingleShot(True)
        self._note_timer.setInterval(1500)
        self._note_timer.timeout.connect(lambda: self.note.show_text(""))
        self.edit.textChanged.connect(self._text_changed)

    def show_code(self, code: str, target: str) -> None:
        """Bring the editor to `code`, by inserting what is new."""
        self._filling = True
        try:
            self.edit.highlighter.set_language(LANGUAGES.get(target, "html"))
            self.edit.stream(code)
        finally:
            self._filling = False

    def show_target(self, target: str) -> None:
        self.target.show_text(TARGET_NAMES.get(target, ""))

    def tell_copied(self) -> None:
        """Say for a moment that the code was copied."""
        self.note.show_text("Copied")
        self._note_timer.start()

    def focus_pane(self) -> None:
        self.edit.setFocus()

    def _text_changed(self) -> None:
        if not self._filling and not self.busy:
            self.edited.emit()
