"""The overlay of one screen: its frozen picture, dimmed, and a selection to drag or nudge."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSizeF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QCursor,
    QFontMetricsF,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
)
from PySide6.QtWidgets import QWidget

from app.capture import geometry
from app.capture.geometry import NativeRect, Rect, Size
from app.capture.models import Shot

HINT = "Drag to select  ·  Enter takes it  ·  A whole screen  ·  Esc leaves"
TOO_SMALL = "Too small: select at least {side} × {side} pixels"
_ARROWS = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
}


@dataclass(frozen=True)
class OverlayColours:
    """Colours of the overlay; `dim` carries the alpha of the veil."""

    dim: QColor
    line: QColor
    label: QColor
    label_text: QColor


class Overlay(QWidget):
    """A frameless window over one screen. Emits the selected part in native pixels."""

    accepted = Signal(QImage)
    left = Signal()
    next_screen = Signal(object)
    started = Signal(object)

    def __init__(self, shot: Shot, colours: OverlayColours) -> None:
        super().__init__(
            None,
            Qt.WindowType.Window
            | Qt.WindowType.FramelessWindowHint
            | Qt.WindowType.WindowStaysOnTopHint,
        )
        self.setWindowTitle("VisCodex: select a part of the screen")
        self.setAccessibleName("Select a part of the screen")
        self.setAccessibleDescription(HINT)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMouseTracking(True)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._shot = shot
        self._picture = QPixmap.fromImage(shot.image)
        self._colours = colours
        self._selection: Rect | None = None
        self._anchor: QPointF | None = None
        self._pointer: QPointF | None = None
        self._moving = False
        self._message = ""
        self.setGeometry(shot.screen.geometry())

    def place(self) -> None:
        """Show the overlay over exactly its own screen."""
        self.setScreen(self._shot.screen)
        self.setGeometry(self._shot.screen.geometry())
        self.showFullScreen()

    def under_pointer(self) -> bool:
        """Whether the mouse pointer is on this screen."""
        return self._shot.screen.geometry().contains(QCursor.pos())

    def clear(self) -> None:
        """Drop the selection."""
        self._selection = self._anchor = None
        self._message = ""
        self.update()

    @property
    def native_selection(self) -> NativeRect | None:
        """The selection in pixels of the frozen picture."""
        if self._selection is None:
            return None
        return geometry.to_native(self._selection, self._bounds(), self._picture_size())

    def _bounds(self) -> Size:
        return Size(self.width(), self.height())

    def _picture_size(self) -> Size:
        return Size(self._shot.image.width(), self._shot.image.height())

    def _accept(self) -> None:
        native = self.native_selection
        if native is None or not native.large_enough:
            self._message = TOO_SMALL.format(side=geometry.MIN_NATIVE_SIDE)
            self.update()
            return
        self.accepted.emit(self._shot.image.copy(native.x, native.y, native.width, native.height))

    # Mouse ------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.RightButton:
            self.left.emit()
        elif event.button() == Qt.MouseButton.LeftButton:
            self._anchor = event.position()
            self._selection = None
            self._message = ""
            self.started.emit(self)
            self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        before, self._pointer = self._pointer, event.position()
        if self._anchor is not None:
            if self._moving and before is not None and self._selection is not None:
                shift = self._pointer - before
                shifted = geometry.moved(self._selection, shift.x(), shift.y(), self._bounds())
                self._anchor += QPointF(
                    shifted.x - self._selection.x, shifted.y - self._selection.y
                )
                self._selection = shifted
            else:
                self._select_to(self._pointer)
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton or self._anchor is None:
            return
        if not self._moving:
            self._select_to(event.position())
        self._anchor = None
        self._accept()

    def leaveEvent(self, event: QEvent) -> None:
        self._pointer = None
        self.update()

    def _select_to(self, corner: QPointF) -> None:
        assert self._anchor is not None
        rect = geometry.from_corners(self._anchor.x(), self._anchor.y(), corner.x(), corner.y())
        self._selection = geometry.clamp(rect, self._bounds())

    # Keys -------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        if key == Qt.Key.Key_Escape:
            self.left.emit()
        elif key in {Qt.Key.Key_Return, Qt.Key.Key_Enter}:
            self._accept()
        elif key == Qt.Key.Key_A:
            self._selection = Rect(0, 0, self.width(), self.height())
            self._message = ""
            self.started.emit(self)
        elif key == Qt.Key.Key_Space:
            self._moving = self._anchor is not None
        elif key in _ARROWS:
            self._nudge(key, event.modifiers())
        self.update()

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self._moving = False

    def focusNextPrevChild(self, next: bool) -> bool:
        """Tab goes to the next screen: an overlay has no children to focus."""
        self.next_screen.emit(self)
        return True

    def _nudge(self, key: Qt.Key, modifiers: Qt.KeyboardModifier) -> None:
        """Move or resize by picture pixels, whatever the scale of the screen is."""
        sx, sy = geometry.scale_between(self._bounds(), self._picture_size())
        step = 10 if modifiers & Qt.KeyboardModifier.ControlModifier else 1
        dx, dy = _ARROWS[key][0] * step / sx, _ARROWS[key][1] * step / sy
        if self._selection is None:
            side = geometry.MIN_NATIVE_SIDE * 4
            width, height = side / sx, side / sy
            self._selection = geometry.clamp(
                Rect((self.width() - width) / 2, (self.height() - height) / 2, width, height),
                self._bounds(),
            )
            self.started.emit(self)
        else:
            change = (
                geometry.resized
                if modifiers & Qt.KeyboardModifier.ShiftModifier
                else geometry.moved
            )
            start = geometry.snapped(self._selection, self._bounds(), self._picture_size())
            self._selection = change(start, dx, dy, self._bounds())
        self._message = ""

    # Painting ---------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        whole = QRectF(self.rect())
        # The picture always fills the window, whatever ratio the window reports.
        painter.drawPixmap(whole, self._picture, QRectF(self._picture.rect()))
        painter.fillRect(whole, self._colours.dim)
        selection = self._selection
        if selection is not None and selection.width > 0 and selection.height > 0:
            self._paint_selection(painter, selection)
        elif self._pointer is not None:
            painter.setPen(QPen(self._colours.line, 1, Qt.PenStyle.DotLine))
            x, y = round(self._pointer.x()), round(self._pointer.y())
            painter.drawLine(QPoint(x, 0), QPoint(x, self.height()))
            painter.drawLine(QPoint(0, y), QPoint(self.width(), y))
        self._paint_label(painter, self._message or HINT, None)
        painter.end()

    def _paint_selection(self, painter: QPainter, selection: Rect) -> None:
        target = QRectF(selection.x, selection.y, selection.width, selection.height)
        native = geometry.to_native(selection, self._bounds(), self._picture_size())
        source = QRectF(native.x, native.y, native.width, native.height)
        painter.drawPixmap(target, self._picture, source)
        painter.setPen(QPen(self._colours.line, 1))
        painter.drawRect(target.adjusted(-0.5, -0.5, 0.5, 0.5))
        self._paint_label(painter, f"{native.width} × {native.height} px", selection)

    def _paint_label(self, painter: QPainter, text: str, selection: Rect | None) -> None:
        """A label beside the selection, or the hint line at the top of the screen."""
        metrics = QFontMetricsF(self.font())
        size = QSizeF(metrics.horizontalAdvance(text) + 20, metrics.height() + 10)
        if selection is None:
            x, y = (self.width() - size.width()) / 2, 24.0
        else:
            x, y = geometry.label_position(
                selection, Size(size.width(), size.height()), self._bounds()
            )
        box = QRectF(QPointF(x, y), size)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._colours.label)
        painter.drawRoundedRect(box, 6, 6)
        painter.setPen(self._colours.label_text)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
