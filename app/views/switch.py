"""A switch: on and off are told by the place of its knob, not by colour alone."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import QCheckBox

WIDTH, HEIGHT, ROOM = 38, 22, 3  # pixels; room for the ring of the focus


class Switch(QCheckBox):
    """A check box without text that is drawn as a switch, in the colours of the palette."""

    def sizeHint(self) -> QSize:
        return QSize(WIDTH + 2 * ROOM, HEIGHT + 2 * ROOM)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def hitButton(self, pos: QPoint) -> bool:
        return self.rect().contains(pos)

    def paintEvent(self, event: QPaintEvent) -> None:
        group = QPalette.ColorGroup.Active if self.isEnabled() else QPalette.ColorGroup.Disabled
        role, palette = QPalette.ColorRole, self.palette()
        on = self.isChecked()
        track = QRectF(ROOM + 0.5, (self.height() - HEIGHT) / 2 + 0.5, WIDTH - 1, HEIGHT - 1)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        edge = palette.color(group, role.WindowText if not on else role.Highlight)
        painter.setPen(QPen(edge, 1.2))
        painter.setBrush(palette.color(group, role.Highlight if on else role.Base))
        painter.drawRoundedRect(track, HEIGHT / 2, HEIGHT / 2)
        side = HEIGHT - 10
        left = track.right() - side - 5 if on else track.left() + 5
        knob = palette.color(group, role.HighlightedText if on else role.WindowText)
        painter.setPen(QPen(knob, 0))
        painter.setBrush(knob)
        painter.drawEllipse(QRectF(left, track.top() + (track.height() - side) / 2, side, side))
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(palette.color(role.WindowText), 1.6))
            ring = track.adjusted(-ROOM + 0.5, -ROOM + 0.5, ROOM - 0.5, ROOM - 0.5)
            painter.drawRoundedRect(ring, HEIGHT / 2 + ROOM, HEIGHT / 2 + ROOM)
        painter.end()
