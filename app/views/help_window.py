"""The help page on errors inside the application: read, searched, nothing fetched."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtGui import QKeySequence, QShortcut, QTextBlock, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLineEdit, QTextBrowser, QVBoxLayout, QWidget

from app.error_help import sections
from app.i18n import _
from app.messages import error_text
from app.views.dress import announce
from app.views.fields import Window, button, text_label

MARGIN = 20
"""Around the text, in pixels."""


class HelpWindow(Window):
    """One section for each error, under the title that the window gives it."""

    def __init__(self, parent: QWidget, page: Path) -> None:
        super().__init__(parent, _("What errors mean"), 640, 600)
        self.setObjectName("help")
        self.codes: list[str] = []
        self.needle = QLineEdit()
        self.needle.setPlaceholderText(_("Search"))
        self.needle.setAccessibleName(_("Search"))
        self.needle.textChanged.connect(lambda: self._find(anew=True))
        self.needle.returnPressed.connect(self._find)
        self.found = text_label("", "muted")
        self.found.setAccessibleName(_("What the search found"))
        self.next = button(_("Next match"), self._find)
        QShortcut(QKeySequence.StandardKey.Find, self, self.needle.setFocus)
        self.text = QTextBrowser()
        self.text.setObjectName("help")
        self.text.setFrameShape(QFrame.Shape.NoFrame)
        self.text.setAccessibleName(_("What errors mean"))
        self.text.setOpenLinks(False)
        self.text.setTabChangesFocus(True)
        self.text.document().setDocumentMargin(MARGIN)
        row = QHBoxLayout()
        row.setContentsMargins(MARGIN, 12, MARGIN, 10)
        row.setSpacing(8)
        for widget, stretch in ((self.needle, 2), (self.next, 0), (self.found, 1)):
            row.addWidget(widget, stretch)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(row)
        layout.addWidget(self.text, 1)
        self._fill(page.read_text(encoding="utf-8"))

    def open_at(self, code: str) -> None:
        """Show the section of an error at the top, and let the keyboard read on from there."""
        self.come_up()
        self.needle.clear()
        block = self._heading(code)
        self.text.setTextCursor(QTextCursor(block))
        self.text.scrollToAnchor(code)
        self.text.setFocus()
        announce(self, block.text())

    # ----------------------------------------------------------------------------------------------

    def _fill(self, page: str) -> None:
        found = sections(page)
        self.codes = list(found)
        parts = (f"### {_(error_text(code).title)}\n\n`{code}`\n\n{found[code]}" for code in found)
        self.text.setMarkdown("\n\n".join(parts))
        for code in self.codes:
            anchor = QTextCharFormat()
            anchor.setAnchor(True)
            anchor.setAnchorNames([code])
            cursor = QTextCursor(self._heading(code))
            cursor.movePosition(
                QTextCursor.MoveOperation.EndOfBlock, QTextCursor.MoveMode.KeepAnchor
            )
            cursor.mergeCharFormat(anchor)
            apart = cursor.blockFormat()
            apart.setTopMargin(MARGIN)
            cursor.setBlockFormat(apart)
        self.text.moveCursor(QTextCursor.MoveOperation.Start)

    def _heading(self, code: str) -> QTextBlock:
        """The heading of a section: they stand in the order of the codes."""
        left = self.codes.index(code)
        block = self.text.document().begin()
        while block.isValid():
            if block.blockFormat().headingLevel():
                if not left:
                    break
                left -= 1
            block = block.next()
        return block

    def _find(self, anew: bool = False) -> None:
        """Go to the next place, after the last to the first; `anew` begins where the view is."""
        needle = self.needle.text()
        if anew:
            cursor = self.text.textCursor()
            cursor.setPosition(cursor.selectionStart())
            self.text.setTextCursor(cursor)
        there = not needle or self.text.find(needle)
        if not there:
            before = self.text.textCursor()
            self.text.moveCursor(QTextCursor.MoveOperation.Start)
            there = self.text.find(needle)
            if not there:
                self.text.setTextCursor(before)
        said = "" if there else _("No match")
        if said and said != self.found.text():
            announce(self.found, said)
        self.found.setText(said)
