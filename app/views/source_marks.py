"""How lines of text and a marked part are painted over the source picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter, QPen

from app.theme import Theme

if TYPE_CHECKING:
    from engine.hints import TextLine


def line_key(line: TextLine) -> str:
    """What tells a line from others, whoever read it: its text and where it stands."""
    return f"{line.text}@{[round(value) for value in line.box]}"


def paint_line(
    painter: QPainter, frame: QRectF, theme: Theme, missing: bool, hovered: bool
) -> None:
    """A thin frame; a stronger one under the pointer, a dashed one for what the render lacks."""
    colour, ground = (theme.colour("warn" if missing else "accent") for _ in range(2))
    ground.setAlphaF(0.28 if hovered else 0.14 if missing else 0.0)
    colour.setAlphaF(1.0 if hovered or missing else 0.45)
    style = Qt.PenStyle.DashLine if missing else Qt.PenStyle.SolidLine
    painter.setPen(QPen(colour, 2 if hovered or missing else 1, style))
    painter.setBrush(ground)
    painter.drawRoundedRect(frame, 3, 3)


def paint_region(painter: QPainter, region: QRectF, whole: QRectF, theme: Theme) -> None:
    """The marked part bright, what lies around it dimmed."""
    shade = theme.colour("window")
    shade.setAlphaF(0.6)
    for part in (
        QRectF(whole.left(), whole.top(), whole.width(), region.top() - whole.top()),
        QRectF(whole.left(), region.bottom(), whole.width(), whole.bottom() - region.bottom()),
        QRectF(whole.left(), region.top(), region.left() - whole.left(), region.height()),
        QRectF(region.right(), region.top(), whole.right() - region.right(), region.height()),
    ):
        painter.fillRect(part, shade)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(theme.colour("accent"), 2))
    painter.drawRect(region)
