"""What stands behind an error: a text that a button unfolds, to be read and copied."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from app.i18n import _
from app.theme import code_font
from app.views.dress import Dresser, announce

LEAST, HEIGHT = 44, 130  # of the text, in pixels


class BannerDetails(QWidget):
    """Folded until its button is pressed; the text is made only then."""

    def __init__(self, dresser: Dresser) -> None:
        super().__init__()
        self._make: Callable[[], str] | None = None
        self._button: QPushButton | None = None
        self.text = QPlainTextEdit()
        self.text.setObjectName("log")
        self.text.setReadOnly(True)
        self.text.setTabChangesFocus(True)
        self.text.setAccessibleName(_("Details"))
        self.text.setFont(code_font())
        self.text.setMinimumHeight(LEAST)
        self.text.setMaximumHeight(HEIGHT)
        self.copy = QPushButton(_("Copy the details"))
        self.copy.setAccessibleName(_("Copy the details"))
        self.copy.setAutoDefault(False)
        self.copy.clicked.connect(self._copy)
        dresser.icon(self.copy, "copy")
        row = QHBoxLayout()
        row.addWidget(self.copy)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(32, 0, 6, 2)
        column.setSpacing(6)
        column.addWidget(self.text)
        column.addLayout(row)
        self.hide()

    def offer(self, make: Callable[[], str] | None) -> None:
        """Fold up; from now on the text is that of `make`."""
        self._make, self._button = make, None
        self.hide()

    def make_button(self) -> QPushButton:
        """The button that unfolds the text and folds it again."""
        button = QPushButton(_("Details"))
        button.setCheckable(True)
        button.setAutoDefault(False)
        button.setAccessibleName(_("Details"))
        button.toggled.connect(self._unfold)
        self._button = button
        return button

    def _unfold(self, on: bool) -> None:
        if on and self._make is not None:
            self.text.setPlainText(self._make())
        self.setVisible(on)
        if on:
            self.text.setFocus()

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.text.toPlainText())
        announce(self, _("The details are on the clipboard."))
