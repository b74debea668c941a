"""The strip beside the code: line numbers, and a sign at the line in error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QRect, QSize, Qt
from PySide6.QtGui import QHelpEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QToolTip, QWidget

from app import icons

if TYPE_CHECKING:
    from app.views.code_edit import CodeEdit

PADDING = 12
SIGN = 14
"""Side of the sign, in pixels; it stands left of the numbers."""


class Gutter(QWidget):
    """Paints the numbers of the visible lines of its editor."""

    def __init__(self, edit: CodeEdit) -> None:
        super().__init__(edit)
        self._edit = edit

    def sizeHint(self) -> QSize:
        return QSize(self.wanted_width(), 0)

    def wanted_width(self) -> int:
        """Width for the present number of lines, in pixels."""
        digits = max(2, len(str(self._edit.blockCount())))
        return self._edit.fontMetrics().horizontalAdvance("9") * digits + 2 * PADDING + SIGN // 2

    def follow(self, rect: QRect, dy: int) -> None:
        """Move with the text, or paint again what changed beside it."""
        if dy:
            self.scroll(0, dy)
        else:
            self.update(0, rect.y(), self.width(), rect.height())

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            text = self._edit.tip_at(event.pos().y())
            QToolTip.showText(event.globalPos(), text, self)
            return True
        return super().event(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        edit = self._edit
        painter = QPainter(self)
        painter.fillRect(event.rect(), edit.theme.colour("surface"))
        if edit.document().isEmpty():
            return
        painter.setFont(edit.font())
        error, present = edit.error[0], edit.textCursor().blockNumber() + 1
        height = edit.fontMetrics().height()
        for number, top in edit.visible_lines():
            token = "bad" if number == error else "text" if number == present else "code_comment"
            painter.setPen(edit.theme.colour(token))
            box = QRect(0, top, self.width() - PADDING, height)
            painter.drawText(box, Qt.AlignmentFlag.AlignRight, str(number))
            if number == error:
                sign = icons.icon("error", edit.theme.colour("bad"))
                sign.paint(painter, QRect(3, top + (height - SIGN) // 2, SIGN, SIGN))
