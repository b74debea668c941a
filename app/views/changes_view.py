"""What differs between two versions of the code, line by line: "+" is new, "-" is gone."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtGui import (
    QColor,
    QFont,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
)
from PySide6.QtWidgets import QLabel, QPlainTextDocumentLayout, QPlainTextEdit, QVBoxLayout, QWidget

from app.changes import ADDED, GAP, REMOVED, Row, counts
from app.i18n import _, ngettext
from app.theme import Theme

GROUNDS: Mapping[str, str] = {ADDED: "good_soft", REMOVED: "bad_soft", GAP: "raised"}
"""Kind of row -> colour of its ground; the symbol before the line says the same."""


class ChangesView(QWidget):
    """Shows rows of `app.changes`. Plain text with symbols, so that it can be read and copied."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._rows: list[Row] = []
        self._document: QTextDocument | None = None
        self.summary = QLabel()
        self.summary.setObjectName("changesSummary")
        self.summary.setAccessibleName(_("Number of changes"))
        self.text = QPlainTextEdit()
        self.text.setObjectName("changes")
        self.text.setAccessibleName(_("Changes"))
        self.text.setReadOnly(True)
        self.text.setTabChangesFocus(True)
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.summary)
        layout.addWidget(self.text, 1)
        self.setFocusProxy(self.text)
        theme.changed.connect(self._fill)

    def show_rows(self, rows: list[Row], against: str) -> None:
        """Show the difference to the version that people know as `against`."""
        self._rows = rows
        added, removed = counts(rows)
        # L10N: before is "the version before" or "the code as it came".
        words = _("+{added} \N{MINUS SIGN}{removed} lines against {before}")
        if not rows:
            words = _("No change against {before}")
        self.summary.setText(words.format(added=added, removed=removed, before=against))
        self._fill()

    def take_font(self, font: QFont) -> None:
        """Look like the editor."""
        self.text.setFont(font)
        self.text.setTabStopDistance(4 * self.text.fontMetrics().horizontalAdvance(" "))

    def _fill(self) -> None:
        bar = self.text.verticalScrollBar()
        place = bar.value()
        # A document that is made before it is shown is laid out once and not for every row.
        document = QTextDocument(self.text)
        document.setDocumentLayout(QPlainTextDocumentLayout(document))
        document.setDefaultFont(self.text.font())
        document.setDocumentMargin(8)
        cursor = QTextCursor(document)
        cursor.beginEditBlock()
        width = max((len(str(max(row.before, row.after))) for row in self._rows), default=1)
        for number, row in enumerate(self._rows):
            ground = GROUNDS.get(row.kind)
            look, words = QTextBlockFormat(), QTextCharFormat()
            if ground is not None:
                look.setBackground(self._theme.colour(ground))
            words.setForeground(self._ink(row.kind))
            if number:
                cursor.insertBlock(look, words)
            else:
                cursor.setBlockFormat(look)
                cursor.setBlockCharFormat(words)
            cursor.insertText(row_text(row, width), words)
        cursor.endEditBlock()
        self.text.setDocument(document)
        if self._document is not None:
            self._document.deleteLater()
        self._document = document
        self.text.setTabStopDistance(4 * self.text.fontMetrics().horizontalAdvance(" "))
        bar.setValue(place)

    def _ink(self, kind: str) -> QColor:
        return self._theme.colour("muted" if kind == GAP else "text")


def row_text(row: Row, width: int) -> str:
    """A row as it is read: symbol, number of the line (the new one where there is one), line."""
    if row.kind == GAP:
        words = ngettext("{count} line unchanged", "{count} lines unchanged", row.hidden)
        return f"{GAP} {words.format(count=row.hidden)}"
    return f"{row.kind} {row.after or row.before:>{width}}  {row.text}"
