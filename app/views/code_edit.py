"""The code editor: line numbers, highlighting, text that streams in without moving the reader."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from PySide6.QtCore import QEvent, QMimeData, QRect, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QHelpEvent,
    QKeyEvent,
    QResizeEvent,
    QTextCharFormat,
    QTextCursor,
    QTextFormat,
    QWheelEvent,
)
from PySide6.QtWidgets import QPlainTextEdit, QTextEdit, QToolTip

from app import indent
from app.documents import changed_part, document_text, plain, units
from app.highlight import Highlighter
from app.i18n import _
from app.search import Match
from app.theme import Theme, code_font
from app.views.gutter import Gutter

SMALLEST, LARGEST = 6.0, 32.0
"""Limits of the font, in points."""

_SELECTABLE = (
    Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
)


class CodeEdit(QPlainTextEdit):
    """Read-only while code arrives, a plain editor afterwards.

    `code_changed()` tells that the text is another, `edited()` that the user made it so;
    `picture_pasted(mime)` that what was pasted here is a picture and no text, `zoomed()` that the
    font has another size, and `moved()` that other lines are visible.
    """

    code_changed = Signal()
    edited = Signal()
    picture_pasted = Signal(object)
    zoomed = Signal()
    moved = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setObjectName("code")
        self.setAccessibleName(_("Code"))
        self.setPlaceholderText(_("The code appears here."))
        self.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.setTabChangesFocus(True)  # but where lines are selected, see focusNextPrevChild
        self.setReadOnly(True)
        self.setAcceptDrops(False)  # drops belong to the window
        self.setTextInteractionFlags(_SELECTABLE)
        self.document().setDocumentMargin(8)
        self.theme = theme
        self.error: tuple[int, str] = (0, "")
        self._known = ""
        self._filling = False
        self._matches: Sequence[Match] = ()
        self._gutter = Gutter(self)
        self._set_size(code_font().pointSizeF())
        self.highlighter = Highlighter(self.document())
        self.blockCountChanged.connect(self._make_room)
        self.updateRequest.connect(self._gutter.follow)
        self.textChanged.connect(self._text_changed)
        self.cursorPositionChanged.connect(self._cursor_moved)
        self.verticalScrollBar().valueChanged.connect(self._scrolled)
        theme.changed.connect(self._dress)
        self._dress()
        self._make_room()

    # Text -------------------------------------------------------------------

    @property
    def code(self) -> str:
        return document_text(self.document())

    def stream(self, code: str) -> None:
        """Make the text `code`; only what differs is touched, and nothing of it can be undone.

        A reader at the end stays at the end, a reader elsewhere is not moved.
        """
        code, present = plain(code), self.code
        if code == present:
            return
        bar, sideways = self.verticalScrollBar(), self.horizontalScrollBar()
        at_end = bar.value() >= bar.maximum() - 1
        position, aside = bar.value(), sideways.value()
        undo, self._filling = self.isUndoRedoEnabled(), True
        self.setUndoRedoEnabled(False)
        try:
            self._replace(present, code)
        finally:
            self._filling = False
            self.setUndoRedoEnabled(undo)
        bar.setValue(bar.maximum() if at_end else position)
        sideways.setValue(aside)

    def replace_code(self, code: str) -> None:
        """Make the text `code` as if the user had typed it: one step that can be undone."""
        code, present = plain(code), self.code
        if code != present:
            self._replace(present, code)

    def _replace(self, present: str, code: str) -> None:
        start, end, new = changed_part(present, code)
        cursor = QTextCursor(self.document())
        cursor.setPosition(units(present[:start]))
        cursor.setPosition(units(present[:end]), QTextCursor.MoveMode.KeepAnchor)
        cursor.insertText(new)

    def set_streaming(self, streaming: bool) -> None:
        """While code arrives the user cannot type, and no undo steps pile up."""
        self.setUndoRedoEnabled(not streaming)
        self.setReadOnly(streaming)
        if streaming:
            # The text can be selected by keyboard while it is read-only, too.
            self.setTextInteractionFlags(_SELECTABLE)

    def _text_changed(self) -> None:
        # Qt tells of coloured lines, too, each by itself.
        code = self._known if self.highlighter.painting else self.code
        if code == self._known:
            return
        self._known = code
        self.highlighter.schedule()
        self.code_changed.emit()
        if not self._filling and not self.isReadOnly():
            self.mark_error(0)
            self.edited.emit()

    # Keys -------------------------------------------------------------------

    def focusNextPrevChild(self, next: bool) -> bool:
        """Tab leaves the code, unless something is selected: then it indents (see below)."""
        if self.textCursor().hasSelection() and not self.isReadOnly():
            return False
        return super().focusNextPrevChild(next)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        shift = Qt.KeyboardModifier.ShiftModifier
        key, others = event.key(), event.modifiers() & ~(shift | Qt.KeyboardModifier.KeypadModifier)
        if self.isReadOnly() or others != Qt.KeyboardModifier.NoModifier:
            super().keyPressEvent(event)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._break_line()
        elif key in (Qt.Key.Key_Tab, Qt.Key.Key_Backtab):
            if not self.textCursor().hasSelection():
                event.ignore()  # there was nowhere to go
                return
            self._indent(back=key == Qt.Key.Key_Backtab or bool(event.modifiers() & shift))
        else:
            super().keyPressEvent(event)

    def _break_line(self) -> None:
        cursor = self.textCursor()
        first = QTextCursor(cursor)
        first.setPosition(cursor.selectionStart())
        cursor.insertText("\n" + indent.leading(first.block().text()[: first.positionInBlock()]))
        self.setTextCursor(cursor)
        self.ensureCursorVisible()

    def _indent(self, back: bool) -> None:
        """Move the selected lines by one step, as one step of undo."""
        cursor, step = self.textCursor(), indent.unit(self.code)
        document = self.document()
        first = document.findBlock(cursor.selectionStart())
        last = document.findBlock(cursor.selectionEnd())
        if last != first and cursor.selectionEnd() == last.position():
            last = last.previous()  # a selection up to the beginning of a line leaves it out
        edit = QTextCursor(document)
        edit.beginEditBlock()
        for number in range(first.blockNumber(), last.blockNumber() + 1):
            line = document.findBlockByNumber(number)
            edit.setPosition(line.position())
            if back:
                width = indent.removable(line.text(), step)
                edit.setPosition(line.position() + width, QTextCursor.MoveMode.KeepAnchor)
                edit.removeSelectedText()
            elif line.text().strip():
                edit.insertText(step)
        edit.endEditBlock()

    def canInsertFromMimeData(self, source: QMimeData) -> bool:
        return source.hasText() or source.hasImage() or source.hasUrls()

    def insertFromMimeData(self, source: QMimeData) -> None:
        if source.hasImage() or source.hasUrls():
            self.picture_pasted.emit(source)
        else:
            self.insertPlainText(source.text())

    # Size -------------------------------------------------------------------

    def zoom(self, steps: int) -> None:
        """Make the font larger by `steps` points, or smaller; 0 takes the usual size."""
        size = self.font().pointSizeF() + steps if steps else code_font().pointSizeF()
        self.set_font_size(size)

    def set_font_size(self, points: float) -> None:
        """Take a font of this size, within the limits."""
        points = min(max(points, SMALLEST), LARGEST)
        if points != self.font().pointSizeF():
            self._set_size(points)
            self._make_room()
            self.zoomed.emit()

    def _set_size(self, points: float) -> None:
        font = code_font()
        font.setPointSizeF(points)
        self._wanted = font
        self.setFont(font)
        self.setTabStopDistance(4 * self.fontMetrics().horizontalAdvance(" "))

    def changeEvent(self, event: QEvent) -> None:
        """The style sheet of the application takes fonts back when it is put on."""
        super().changeEvent(event)
        if event.type() is QEvent.Type.FontChange and self.font() != self._wanted:
            self.setFont(self._wanted)

    def set_wrapped(self, on: bool) -> None:
        """Whether long lines go on in the next row."""
        mode = QPlainTextEdit.LineWrapMode
        self.setLineWrapMode(mode.WidgetWidth if on else mode.NoWrap)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if event.modifiers() == Qt.KeyboardModifier.ControlModifier:
            turned = event.angleDelta().y()
            if turned:
                self.zoom(1 if turned > 0 else -1)
            event.accept()
        else:
            super().wheelEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_gutter()
        self.moved.emit()

    def _make_room(self) -> None:
        self.setViewportMargins(self._gutter.wanted_width(), 0, 0, 0)
        self._place_gutter()

    def _place_gutter(self) -> None:
        area, width = self.contentsRect(), self._gutter.wanted_width()
        self._gutter.setGeometry(QRect(area.left(), area.top(), width, area.height()))

    # What is visible --------------------------------------------------------

    def visible_lines(self) -> Iterator[tuple[int, int]]:
        """Numbers (from 1) of the visible lines and their upper edges in pixels."""
        block = self.firstVisibleBlock()
        top = self.blockBoundingGeometry(block).translated(self.contentOffset()).top()
        while block.isValid() and top <= self.viewport().height():
            yield block.blockNumber() + 1, round(top)
            top += self.blockBoundingRect(block).height()
            block = block.next()

    def visible_range(self) -> tuple[int, int]:
        """First and last position of the visible lines."""
        first = self.firstVisibleBlock()
        last = max((number for number, _ in self.visible_lines()), default=1)
        block = self.document().findBlockByNumber(last - 1)
        return first.position(), block.position() + block.length()

    def _scrolled(self) -> None:
        self.highlighter.reader_line = self.firstVisibleBlock().blockNumber()
        self.moved.emit()

    # Marks ------------------------------------------------------------------

    def mark_error(self, line: int, message: str = "") -> None:
        """Mark the line with the number `line` (from 1), with why; 0 takes the mark away."""
        if not 1 <= line <= self.blockCount():
            line, message = 0, ""
        if (line, message) == self.error:
            return
        self.error = (line, message)
        self.setAccessibleDescription(
            _("Error in line {line}: {message}").format(line=line, message=message) if line else ""
        )
        self._mark()
        self._gutter.update()

    def go_to(self, line: int) -> None:
        """Put the cursor at the start of a line (from 1), in the middle of what is seen."""
        block = self.document().findBlockByNumber(line - 1)
        if line > 0 and block.isValid():
            self.setTextCursor(QTextCursor(block))
            self.centerCursor()

    def mark_matches(self, matches: Sequence[Match]) -> None:
        """Mark places that fit a search; give those that are visible."""
        if matches != self._matches:
            self._matches = matches
            self._mark()

    def tip_at(self, y: int) -> str:
        """What is wrong with the line at the height `y`, "" where nothing is."""
        line, message = self.error
        height = self.fontMetrics().height()
        here = any(
            number == line and top <= y < top + height for number, top in self.visible_lines()
        )
        return (
            _("Line {line}: {message}").format(line=line, message=message)
            if here and message
            else ""
        )

    def viewportEvent(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            QToolTip.showText(event.globalPos(), self.tip_at(event.pos().y()), self.viewport())
            return True
        return super().viewportEvent(event)

    def _cursor_moved(self) -> None:
        self._mark()
        self._gutter.update()

    def _mark(self) -> None:
        """Lay the marks over the text, the weakest first."""
        block = self.document().findBlockByNumber(self.error[0] - 1)
        in_error = self.error[0] > 0 and block.isValid()
        marks = []
        if not self.document().isEmpty():
            here = QTextCursor(self.textCursor().block())
            marks.append(self._band(here, "raised"))
        if in_error:
            marks.append(self._band(QTextCursor(block), "bad_soft"))
            marks.append(self._squiggle(block.position(), block.text()))
        for start, end in self._matches:
            found = QTextCharFormat()
            found.setBackground(self.theme.colour("match"))
            found.setForeground(self.theme.colour("text"))
            marks.append(self._stretch(start, end, found))
        self.setExtraSelections(marks)

    def _band(self, cursor: QTextCursor, token: str) -> QTextEdit.ExtraSelection:
        band = QTextEdit.ExtraSelection()
        band.format.setBackground(self.theme.colour(token))
        band.format.setProperty(QTextFormat.Property.FullWidthSelection, True)
        band.cursor = cursor
        return band

    def _squiggle(self, place: int, text: str) -> QTextEdit.ExtraSelection:
        wave = QTextCharFormat()
        wave.setUnderlineStyle(QTextCharFormat.UnderlineStyle.WaveUnderline)
        wave.setUnderlineColor(self.theme.colour("bad"))
        return self._stretch(place + len(indent.leading(text)), place + units(text), wave)

    def _stretch(self, start: int, end: int, look: QTextCharFormat) -> QTextEdit.ExtraSelection:
        mark = QTextEdit.ExtraSelection()
        mark.format = look
        mark.cursor = QTextCursor(self.document())
        length = self.document().characterCount() - 1
        mark.cursor.setPosition(min(start, length))
        mark.cursor.setPosition(min(end, length), QTextCursor.MoveMode.KeepAnchor)
        return mark

    def _dress(self) -> None:
        tokens = (
            "code_keyword code_string code_number code_comment code_name code_attribute "
            "code_punctuation"
        )
        colours: dict[str, QColor] = {name: self.theme.colour(name) for name in tokens.split()}
        self.highlighter.set_colours(colours)
        self._mark()
        self._gutter.update()
