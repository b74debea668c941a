"""The seconds before a delayed snip, small and out of the way."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QCursor,
    QGuiApplication,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QWidget

from app.i18n import _, ngettext
from app.views.dress import announce
from app.views.overlay import OverlayColours

SIDE, MARGIN = 76, 24


class Countdown(QWidget):
    """Counts seconds in a corner of the screen under the pointer, then emits `over`.

    It never takes the focus, so that a menu opened meanwhile stays open. A click on it emits
    `left`.
    """

    over = Signal()
    left = Signal()

    def __init__(self, seconds: int, colours: OverlayColours) -> None:
        super().__init__(
            None,
            Qt.WindowType.ToolTip
            | Qt.WindowType.FramelessWindowHint
            | Qt.WindowType.WindowStaysOnTopHint
            | Qt.WindowType.WindowDoesNotAcceptFocus,
        )
        self.setAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating)
        self.setAccessibleName(_("Seconds until the snip"))
        self.setToolTip(_("Click to cancel"))
        self.seconds = seconds
        self._colours = colours
        self._timer = QTimer(self)
        self._timer.setInterval(1000)
        self._timer.timeout.connect(self._count)

    def start(self) -> None:
        """Show the first number."""
        screen = QGuiApplication.screenAt(QCursor.pos()) or QGuiApplication.primaryScreen()
        free = screen.availableGeometry()
        self.setGeometry(free.right() - SIDE - MARGIN, free.top() + MARGIN, SIDE, SIDE)
        self.show()
        self._timer.start()
        words = ngettext("Snip in {seconds} second", "Snip in {seconds} seconds", self.seconds)
        announce(self, words.format(seconds=self.seconds))

    def stop(self) -> None:
        """Take it down; nothing is emitted any more."""
        self._timer.stop()
        self.hide()
        self.deleteLater()

    def _count(self) -> None:
        self.seconds -= 1
        if self.seconds > 0:
            self.update()
            return
        self.stop()
        self.over.emit()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.stop()
        self.left.emit()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        # Square and opaque: without a compositor corners and veils would be black.
        box = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        ground = QColor(self._colours.label)
        ground.setAlpha(255)
        painter.setPen(QPen(self._colours.line, 2))
        painter.setBrush(ground)
        painter.drawRect(box)
        painter.setPen(self._colours.label_text)
        font = self.font()
        font.setPixelSize(SIDE // 2)
        font.setBold(True)
        painter.setFont(font)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, str(self.seconds))
        painter.end()
