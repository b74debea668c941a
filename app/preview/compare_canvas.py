"""Paints the snip and what the code draws: over each other, beside each other, or their difference.

Both are laid top left on top left on a common canvas, as `engine.compare` does.
"""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt, Signal
from PySide6.QtGui import QImage, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.i18n import N_, _

SNIP, DRAWN = N_("Snip"), N_("Code")
GAP = 12
GRIP = 9


class CompareCanvas(QWidget):
    """`moved(share)` tells where the line of the slider was dragged to, 0 to 1."""

    moved = Signal(float)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("canvas")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName(_("Comparison of the snip and the code's picture"))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(120, 80)
        self._images: dict[str, QImage] = {}
        self._scaled: dict[str, QPixmap] = {}
        self._mode = "slider"
        self._share = 0.5

    def show_images(self, snip: QImage, drawn: QImage, heat: QImage) -> None:
        """The pictures; null ones clear the area."""
        self._images = {"snip": snip, "drawn": drawn, "heat": heat}
        self._scaled.clear()
        self.update()

    def set_mode(self, mode: str) -> None:
        self._mode = mode
        self._scaled.clear()
        self.update()

    def set_share(self, share: float) -> None:
        """Where the line stands, or how much of the code's picture is seen, 0 to 1."""
        self._share = min(max(share, 0.0), 1.0)
        self.update()

    # Geometry ---------------------------------------------------------------

    def _whole(self) -> QSizeF:
        snip, drawn = self._images["snip"], self._images["drawn"]
        return QSizeF(max(snip.width(), drawn.width()), max(snip.height(), drawn.height()))

    def frames(self) -> list[QRectF]:
        """Where the common canvas is painted: one place, or two beside or above each other."""
        if not self._images or self._images["snip"].isNull():
            return []
        whole = self._whole()
        room = QRectF(self.rect()).adjusted(GAP, GAP, -GAP, -GAP)
        if self._mode != "beside":
            return [self._fitted(whole, room)]
        across = QRectF(room.left(), room.top(), (room.width() - GAP) / 2, room.height())
        down = QRectF(room.left(), room.top(), room.width(), (room.height() - GAP) / 2)
        beside = self._fitted(whole, across).width() >= self._fitted(whole, down).width()
        first = across if beside else down
        step = QPointF(first.width() + GAP, 0) if beside else QPointF(0, first.height() + GAP)
        return [self._fitted(whole, first), self._fitted(whole, first.translated(step))]

    @staticmethod
    def _fitted(size: QSizeF, room: QRectF) -> QRectF:
        factor = min(1.0, room.width() / size.width(), room.height() / size.height())
        rect = QRectF(QPointF(), size * max(factor, 0.01))
        rect.moveCenter(room.center())
        return QRectF(round(rect.x()), round(rect.y()), rect.width(), rect.height())

    def _pixmap(self, name: str, factor: float) -> QPixmap:
        """The picture made smaller once for many paintings."""
        found = self._scaled.get(name)
        if found is None:
            image, ratio = self._images[name], self.devicePixelRatioF()
            width = max(1, round(image.width() * factor * ratio))
            if width < image.width():
                image = image.scaledToWidth(width, Qt.TransformationMode.SmoothTransformation)
            found = self._scaled[name] = QPixmap.fromImage(image)
        return found

    # Painting ---------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._scaled.clear()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        frames = self.frames()
        if not frames:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        getattr(self, f"_paint_{self._mode}")(painter, frames)
        painter.setClipping(False)
        painter.setPen(QPen(self.palette().dark().color(), 1))
        for frame in frames:
            painter.drawRect(frame.adjusted(-1, -1, 0, 0))
        painter.end()

    def _draw(self, painter: QPainter, name: str, frame: QRectF) -> None:
        factor = frame.width() / self._whole().width()
        size = QSizeF(self._images[name].size()) * factor
        pixmap = self._pixmap(name, factor)
        painter.drawPixmap(QRectF(frame.topLeft(), size), pixmap, QRectF(pixmap.rect()))

    def _paint_slider(self, painter: QPainter, frames: list[QRectF]) -> None:
        frame = frames[0]
        line = frame.left() + self._share * frame.width()
        painter.setClipRect(QRectF(frame.left(), frame.top(), line - frame.left(), frame.height()))
        self._draw(painter, "snip", frame)
        painter.setClipRect(QRectF(line, frame.top(), frame.right() - line, frame.height()))
        self._draw(painter, "drawn", frame)
        painter.setClipping(False)
        self._tag(painter, _(SNIP), frame, right=False)
        self._tag(painter, _(DRAWN), frame, right=True)
        highlight = self.palette().highlight().color()
        painter.setPen(QPen(highlight, 2))
        painter.drawLine(QPointF(line, frame.top()), QPointF(line, frame.bottom()))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(highlight)
        painter.setPen(QPen(self.palette().highlightedText().color(), 2))
        painter.drawEllipse(QPointF(line, frame.center().y()), GRIP, GRIP)
        painter.setBrush(Qt.BrushStyle.NoBrush)

    def _paint_beside(self, painter: QPainter, frames: list[QRectF]) -> None:
        for name, words, frame in zip(("snip", "drawn"), (SNIP, DRAWN), frames, strict=True):
            self._draw(painter, name, frame)
            self._tag(painter, _(words), frame, right=False)

    def _paint_onion(self, painter: QPainter, frames: list[QRectF]) -> None:
        self._draw(painter, "snip", frames[0])
        painter.setOpacity(self._share)
        self._draw(painter, "drawn", frames[0])
        painter.setOpacity(1.0)

    def _paint_heat(self, painter: QPainter, frames: list[QRectF]) -> None:
        heat = self._images["heat"]
        pixmap = self._pixmap("heat", frames[0].width() / heat.width())
        painter.drawPixmap(frames[0], pixmap, QRectF(pixmap.rect()))

    def _tag(self, painter: QPainter, words: str, frame: QRectF, right: bool) -> None:
        metrics = painter.fontMetrics()
        box = QRectF(0, 0, metrics.horizontalAdvance(words) + 12, metrics.height() + 4)
        if frame.width() < 2.5 * box.width():
            return
        corner = frame.right() - box.width() - 6 if right else frame.left() + 6
        box.moveTopLeft(QPointF(corner, frame.bottom() - box.height() - 6))
        ground = self.palette().base().color()
        ground.setAlpha(235)
        painter.fillRect(box, ground)
        painter.setPen(self.palette().text().color())
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, words)

    # Mouse ------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._drag(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._drag(event)

    def _drag(self, event: QMouseEvent) -> None:
        frames = self.frames()
        if self._mode == "slider" and frames and event.buttons() & Qt.MouseButton.LeftButton:
            share = (event.position().x() - frames[0].left()) / frames[0].width()
            self.moved.emit(min(max(share, 0.0), 1.0))
