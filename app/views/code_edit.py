"""The code editor: line numbers, highlighting, text that streams in without moving the reader."""

from __future__ import annotations

from PySide6.QtCore import QMimeData, QRect, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QTextCursor,
    QTextFormat,
)
from PySide6.QtWidgets import QPlainTextEdit, QTextEdit, QWidget

from app.highlight import Highlighter
from app.theme import Theme, code_font

_PADDING = 12


class _Numbers(QWidget):
    """The strip with the line numbers; the editor paints it."""

    def __init__(self, edit: CodeEdit) -> None:
        super().__init__(edit)
        self._edit = edit

    def sizeHint(self) -> QSize:
        return QSize(self._edit.numbers_width(), 0)

    def paintEvent(self, event: QPaintEvent) -> None:
        self._edit.paint_numbers(event)


class CodeEdit(QPlainTextEdit):
    """Read-only while code arrives, a plain editor afterwards.

    `picture_pasted(mime)` tells that what was pasted here is a picture and no text.
    """

    picture_pasted = Signal(object)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setObjectName("code")
        self.setAccessibleName("Code")
        self.setPlaceholderText("The code appears here.")
        self.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.setFont(code_font())
        self.setTabStopDistance(4 * self.fontMetrics().horizontalAdvance(" "))
        self.setTabChangesFocus(True)
        self.setReadOnly(True)
        self.setAcceptDrops(False)  # drops belong to the window
        # The text can be selected by keyboard while it is read-only, too.
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.document().setDocumentMargin(8)
        self._theme = theme
        self._error_line = 0
        self._numbers = _Numbers(self)
        self.highlighter = Highlighter(self.document())
        self.blockCountChanged.connect(self._make_room)
        self.updateRequest.connect(self._scroll_numbers)
        self.textChanged.connect(self.highlighter.schedule)
        theme.changed.connect(self._dress)
        self._dress()
        self._make_room()

    @property
    def code(self) -> str:
        return self.toPlainText()

    def stream(self, code: str) -> None:
        """Make the text `code`; where it only grows, only the new part is inserted.

        A reader at the end stays at the end, a reader elsewhere is not moved.
        """
        present = self.toPlainText()
        if code == present:
            return
        bar, sideways = self.verticalScrollBar(), self.horizontalScrollBar()
        at_end = bar.value() >= bar.maximum() - 1
        position, aside = bar.value(), sideways.value()
        if code.startswith(present):
            cursor = QTextCursor(self.document())
            cursor.movePosition(QTextCursor.MoveOperation.End)
            cursor.insertText(code[len(present) :])
        else:
            self.setPlainText(code)
        bar.setValue(bar.maximum() if at_end else position)
        sideways.setValue(aside)

    def set_streaming(self, streaming: bool) -> None:
        """While code arrives the user cannot type, and no undo steps pile up."""
        self.setUndoRedoEnabled(not streaming)
        self.setReadOnly(streaming)
        if streaming:
            self.setTextInteractionFlags(
                Qt.TextInteractionFlag.TextSelectableByMouse
                | Qt.TextInteractionFlag.TextSelectableByKeyboard
            )

    def canInsertFromMimeData(self, source: QMimeData) -> bool:
        return source.hasText() or source.hasImage() or source.hasUrls()

    def insertFromMimeData(self, source: QMimeData) -> None:
        if source.hasImage() or source.hasUrls():
            self.picture_pasted.emit(source)
        else:
            self.insertPlainText(source.text())

    def mark_error(self, line: int) -> None:
        """Mark the line with the number `line` (from 1); 0 takes the mark away."""
        self._error_line = line
        self._mark()
        self._numbers.update()

    def _mark(self) -> None:
        block = self.document().findBlockByNumber(self._error_line - 1)
        if self._error_line < 1 or not block.isValid():
            self.setExtraSelections([])
            return
        selection = QTextEdit.ExtraSelection()
        selection.format.setBackground(self._theme.colour("bad_soft"))
        selection.format.setProperty(QTextFormat.Property.FullWidthSelection, True)
        selection.cursor = QTextCursor(block)
        self.setExtraSelections([selection])

    def _dress(self) -> None:
        tokens = (
            "code_keyword code_string code_number code_comment code_name code_attribute "
            "code_punctuation"
        )
        self.highlighter.set_colours({name: self._theme.colour(name) for name in tokens.split()})
        self._mark()
        self._numbers.update()

    # Line numbers -----------------------------------------------------------

    def numbers_width(self) -> int:
        """Width of the strip for the present number of lines."""
        digits = max(2, len(str(self.blockCount())))
        return self.fontMetrics().horizontalAdvance("9") * digits + 2 * _PADDING

    def _make_room(self) -> None:
        self.setViewportMargins(self.numbers_width(), 0, 0, 0)

    def _scroll_numbers(self, rect: QRect, dy: int) -> None:
        if dy:
            self._numbers.scroll(0, dy)
        else:
            self._numbers.update(0, rect.y(), self._numbers.width(), rect.height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        area = self.contentsRect()
        self._numbers.setGeometry(area.left(), area.top(), self.numbers_width(), area.height())

    def paint_numbers(self, event: QPaintEvent) -> None:
        """Paint the visible numbers; the line in error in the colour of errors."""
        painter = QPainter(self._numbers)
        painter.fillRect(event.rect(), self._theme.colour("surface"))
        painter.setFont(self.font())
        muted, bad = self._theme.colour("code_comment"), self._theme.colour("bad")
        block = self.firstVisibleBlock()
        top = self.blockBoundingGeometry(block).translated(self.contentOffset()).top()
        height = self.fontMetrics().height()
        if self.document().isEmpty():
            painter.end()
            return
        while block.isValid() and top <= event.rect().bottom():
            bottom = top + self.blockBoundingRect(block).height()
            if block.isVisible() and bottom >= event.rect().top():
                number = block.blockNumber() + 1
                colour: QColor = bad if number == self._error_line else muted
                painter.setPen(colour)
                width = self._numbers.width() - _PADDING
                box = QRect(0, round(top), width, height)
                painter.drawText(box, Qt.AlignmentFlag.AlignRight, str(number))
            block = block.next()
            top = bottom
        painter.end()
