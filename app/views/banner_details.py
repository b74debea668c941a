"""What stands behind an error: a text that a button unfolds, to be read and copied."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from app.i18n import _
from app.theme import code_font
from app.views.dress import Dresser, announce
from app.views.fields import button

LEAST, HEIGHT = 44, 130  # of the text, in pixels


def learn_button(call: Callable[[], object]) -> QPushButton:
    """The button that opens the page on an error."""
    # L10N: opens a page of help, which is in English: say so.
    return button(_("Learn more"), call, "link")


class BannerDetails(QWidget):
    """Folded until its button is pressed; the text is made only then."""

    def __init__(self, dresser: Dresser) -> None:
        super().__init__()
        self._make: Callable[[], str] | None = None
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
        self.learn = learn_button(self._learn)
        self._open: Callable[[], object] | None = None
        row = QHBoxLayout()
        row.addWidget(self.copy)
        row.addWidget(self.learn)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(32, 0, 6, 2)
        column.setSpacing(6)
        column.addWidget(self.text)
        column.addLayout(row)
        self.hide()

    def offer(
        self, make: Callable[[], str] | None, learn: Callable[[], object] | None = None
    ) -> None:
        """Fold up; from now on the text is that of `make`, and `learn` tells more."""
        self._make, self._open = make, learn
        self.learn.setVisible(learn is not None)
        self.hide()

    def make_button(self) -> QPushButton:
        """The button that unfolds the text and folds it again."""
        made = QPushButton(_("Details"))
        made.setCheckable(True)
        made.setAutoDefault(False)
        made.setAccessibleName(_("Details"))
        made.toggled.connect(self._unfold)
        return made

    def _unfold(self, on: bool) -> None:
        if on and self._make is not None:
            self.text.setPlainText(self._make())
        self.setVisible(on)
        if on:
            self.text.setFocus()

    def _learn(self) -> None:
        if self._open is not None:
            self._open()

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.text.toPlainText())
        announce(self, _("The details are on the clipboard."))
