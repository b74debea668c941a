"""What the overlay shows over the frozen picture: veil, frame, labels and magnifier."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QLineF, QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen, QPixmap

from app.capture import geometry
from app.capture.geometry import NativeRect, Rect, Size
from app.capture.selection import Selection
from app.i18n import _

ZOOM = 8
MAGNIFIED = 17
"""Picture pixels a side in the magnifier: odd, so that one of them is the middle."""

HINT_TOP = 24.0


@dataclass(frozen=True)
class OverlayColours:
    """Colours of the overlay; `dim` carries the alpha of the veil."""

    dim: QColor
    line: QColor
    label: QColor
    label_text: QColor


class OverlayPainter:
    """Paints the state of a `Selection` on one screen's overlay."""

    def __init__(self, picture: QPixmap, colours: OverlayColours, font: QFont) -> None:
        self._picture = picture
        self._colours = colours
        self._font = font
        self._metrics = QFontMetricsF(font)

    def paint(self, painter: QPainter, selection: Selection, hint: str, message: str) -> None:
        """The whole overlay; `message` takes the place of the hint and stays while dragging."""
        painter.setFont(self._font)
        widget = selection.widget
        whole = QRectF(0, 0, widget.width, widget.height)
        # The picture always fills the window, whatever ratio the window reports.
        painter.drawPixmap(whole, self._picture, QRectF(self._picture.rect()))
        painter.fillRect(whole, self._colours.dim)
        lens = self._lens(selection)
        native, hovered = selection.native, selection.hovered
        if selection.pointer is not None and selection.rect is None and hovered is None:
            self._crosshair(painter, selection)
        if native is not None and selection.rect is not None and native.width and native.height:
            self._clear_part(painter, selection, native)
            self._read_out(painter, selection, selection.rect, native, lens)
        elif hovered is not None and selection.anchor is None:
            self._clear_part(painter, selection, hovered)
            place = geometry.to_widget(hovered, widget, selection.picture)
            self._read_out(painter, selection, place, hovered, lens)
        text = message or (hint if selection.anchor is None else "")
        if text:
            self._paint_hint(painter, text, selection)
        if lens is not None:
            self._magnifier(painter, selection, lens)

    # Parts ------------------------------------------------------------------

    def _clear_part(self, painter: QPainter, selection: Selection, native: NativeRect) -> None:
        """The selected pixels without the veil, framed so that it shows on light and dark."""
        place = geometry.to_widget(native, selection.widget, selection.picture)
        target = QRectF(place.x, place.y, place.width, place.height)
        source = QRectF(native.x, native.y, native.width, native.height)
        painter.drawPixmap(target, self._picture, source)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for outset, colour in ((1.5, self._colours.label), (0.5, self._colours.line)):
            painter.setPen(QPen(colour, 1))
            frame = target.adjusted(-outset, -outset, outset, outset)
            # A frame at the edge of the screen would not be seen: there it goes inside.
            edge = QRectF(0, 0, selection.widget.width, selection.widget.height)
            painter.drawRect(frame.intersected(edge.adjusted(0.5, 0.5, -0.5, -0.5)))

    def _crosshair(self, painter: QPainter, selection: Selection) -> None:
        assert selection.pointer is not None
        x, y = (round(one) + 0.5 for one in selection.pointer)
        lines = (
            QLineF(x, 0, x, selection.widget.height),
            QLineF(0, y, selection.widget.width, y),
        )
        for colour, style in (
            (self._colours.label, Qt.PenStyle.SolidLine),
            (self._colours.line, Qt.PenStyle.DashLine),
        ):
            painter.setPen(QPen(colour, 1, style))
            painter.drawLines(lines)

    def _read_out(
        self,
        painter: QPainter,
        selection: Selection,
        place: Rect,
        native: NativeRect,
        lens: Rect | None,
    ) -> None:
        text = _("{width} × {height} px").format(width=native.width, height=native.height)
        size = self._label_size(text)
        x, y = geometry.label_position(place, size, selection.widget, avoid=lens)
        self._label(painter, QRectF(x, y, size.width, size.height), text)

    def _paint_hint(self, painter: QPainter, text: str, selection: Selection) -> None:
        """The line at the top of the screen; at the bottom while the pointer is up there."""
        size = self._label_size(text)
        size = Size(min(size.width, selection.widget.width - 16), size.height)
        x, y = (selection.widget.width - size.width) / 2, HINT_TOP
        if selection.pointer is not None and selection.pointer[1] < HINT_TOP + 3 * size.height:
            y = selection.widget.height - HINT_TOP - size.height
        self._label(painter, QRectF(x, y, size.width, size.height), text)

    def _label_size(self, text: str) -> Size:
        return Size(self._metrics.horizontalAdvance(text) + 20, self._metrics.height() + 10)

    def _label(self, painter: QPainter, box: QRectF, text: str) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self._colours.line, 1))  # on a dark screen the box alone is not seen
        painter.setBrush(self._colours.label)
        painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
        painter.setPen(self._colours.label_text)
        # On a very narrow screen the line is cut at its end rather than on both sides.
        shown = self._metrics.elidedText(text, Qt.TextElideMode.ElideRight, box.width() - 12)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, shown)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    # Magnifier --------------------------------------------------------------

    def _lens(self, selection: Selection) -> Rect | None:
        """Where the magnifier goes, None while the pointer is elsewhere."""
        if selection.pointer is None:
            return None
        side = float(ZOOM * MAGNIFIED)
        box = Size(side + 2, side + self._metrics.height() + 8)
        return geometry.beside_pointer(
            selection.pointer, box, selection.widget, anchor=selection.anchor
        )

    def _magnifier(self, painter: QPainter, selection: Selection, lens: Rect) -> None:
        assert selection.pointer is not None
        sx, sy = geometry.scale_between(selection.widget, selection.picture)
        width, height = int(selection.picture.width), int(selection.picture.height)
        x = min(max(int(selection.pointer[0] * sx), 0), width - 1)
        y = min(max(int(selection.pointer[1] * sy), 0), height - 1)
        box = QRectF(lens.x, lens.y, lens.width, lens.height)
        painter.fillRect(box, self._colours.label)
        glass = QRectF(box.x() + 1, box.y() + 1, box.width() - 2, box.width() - 2)
        half = MAGNIFIED // 2
        # Near an edge of the screen a part of the glass stays empty: there are no pixels.
        left, top = max(x - half, 0), max(y - half, 0)
        right, bottom = min(x + half + 1, width), min(y + half + 1, height)
        target = QRectF(
            glass.topLeft() + QPointF((left - x + half) * ZOOM, (top - y + half) * ZOOM),
            QSizeF((right - left) * ZOOM, (bottom - top) * ZOOM),
        )
        painter.drawPixmap(target, self._picture, QRectF(left, top, right - left, bottom - top))
        middle = QRectF(glass.x() + half * ZOOM, glass.y() + half * ZOOM, float(ZOOM), float(ZOOM))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for outset, colour in ((1.0, self._colours.label), (0.0, self._colours.line)):
            painter.setPen(QPen(colour, 1))
            painter.drawRect(middle.adjusted(-outset, -outset, outset, outset))
        painter.setPen(QPen(self._colours.line, 1))
        painter.drawRect(box.adjusted(0.5, 0.5, -0.5, -0.5))
        painter.setPen(self._colours.label_text)
        words = QRectF(box.x(), glass.bottom(), box.width(), box.bottom() - glass.bottom())
        painter.drawText(words, Qt.AlignmentFlag.AlignCenter, f"{x}, {y}")
