"""The overlay of one screen: its frozen picture, dimmed, and a selection to drag or nudge."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import (
    QCursor,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPixmap,
    QResizeEvent,
)
from PySide6.QtWidgets import QWidget

from app.capture import geometry
from app.capture.geometry import NativeRect, Size
from app.capture.models import Shot
from app.capture.selection import Selection
from app.i18n import N_, _
from app.views.dress import announce
from app.views.overlay_paint import OverlayColours, OverlayPainter

__all__ = ["Overlay", "OverlayColours"]

HINT = N_("Drag to select, or click a window  ·  Enter takes it  ·  A whole screen  ·  Esc leaves")
HINT_WITHOUT_WINDOWS = N_("Drag to select  ·  Enter takes it  ·  A whole screen  ·  Esc leaves")
TOO_SMALL = N_("Too small: select at least {side} × {side} pixels")
NO_WINDOWS = N_("This system does not tell where its windows are")
_ARROWS = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
}


class Overlay(QWidget):
    """A frameless window over one screen. Emits the selected part in native pixels.

    `accepted(image, screen name, NativeRect)`; the others carry this overlay.
    """

    accepted = Signal(QImage, str, object)
    left = Signal()
    next_screen = Signal(object, int)
    started = Signal(object)
    last_wanted = Signal(object)

    def __init__(self, shot: Shot, colours: OverlayColours) -> None:
        super().__init__(
            None,
            Qt.WindowType.Window
            | Qt.WindowType.FramelessWindowHint
            | Qt.WindowType.WindowStaysOnTopHint,
        )
        self._hint = _(HINT if shot.windows else HINT_WITHOUT_WINDOWS)
        self.setWindowTitle(_("VisCodex: select a part of the screen"))
        self.setAccessibleName(_("Select a part of the screen"))
        self.setAccessibleDescription(self._hint)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMouseTracking(True)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._shot = shot
        self.selection = Selection(Size(shot.image.width(), shot.image.height()), shot.windows)
        self._painter = OverlayPainter(QPixmap.fromImage(shot.image), colours, self.font())
        self._message = ""
        self.setGeometry(shot.screen.geometry())
        self._fit()

    def place(self) -> None:
        """Show the overlay over exactly its own screen."""
        self.setScreen(self._shot.screen)
        self.setGeometry(self._shot.screen.geometry())
        self.showFullScreen()

    def under_pointer(self) -> bool:
        """Whether the mouse pointer is on this screen."""
        return self._shot.screen.geometry().contains(QCursor.pos())

    @property
    def screen_name(self) -> str:
        return self._shot.screen.name()

    def clear(self) -> None:
        """Drop the selection."""
        self.selection.clear()
        self.tell("")

    def take(self, region: NativeRect) -> None:
        """Select a region of this screen."""
        self.selection.take(region)
        self._selected()

    def tell(self, text: str) -> None:
        """Show `text` in the place of the hint; "" for the hint again."""
        self._message = text
        if text:
            announce(self, text)
        self.update()

    @property
    def native_selection(self) -> NativeRect | None:
        """The selection in pixels of the frozen picture."""
        return self.selection.native

    def _fit(self) -> None:
        if self.width() > 0 and self.height() > 0:
            kept = self.selection.native
            self.selection.widget = Size(self.width(), self.height())
            if kept is not None:
                self.selection.take(kept)

    def _accept(self) -> None:
        native = self.selection.native
        if native is None or not native.large_enough:
            self.tell(_(TOO_SMALL).format(side=geometry.MIN_NATIVE_SIDE))
            return
        image = self._shot.image.copy(native.x, native.y, native.width, native.height)
        self.accepted.emit(image, self.screen_name, native)

    def _selected(self) -> None:
        """A selection was made by keys: the other screens lose theirs, readers hear of it."""
        self._message = ""
        self.started.emit(self)
        native = self.selection.native
        if native is not None:
            announce(
                self,
                _("{width} × {height} pixels").format(width=native.width, height=native.height),
            )
        self.update()

    # Mouse ------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.RightButton:
            self.left.emit()
        elif event.button() == Qt.MouseButton.LeftButton:
            self.selection.press(event.position().x(), event.position().y())
            self._message = ""
            self.started.emit(self)
            self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self.selection.move(event.position().x(), event.position().y())
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        if self.selection.release(event.position().x(), event.position().y()):
            self._accept()

    def leaveEvent(self, event: QEvent) -> None:
        self.selection.leave()
        self.update()

    # Keys -------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        if key in _ARROWS:
            self._nudge(*_ARROWS[key], event.modifiers())
        elif key in _KEYS:
            _KEYS[key](self)
        elif key == Qt.Key.Key_W:
            back = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
            self._next_window(-1 if back else 1)
        self.update()

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self.selection.moving = False

    def focusNextPrevChild(self, next: bool) -> bool:
        """Tab goes to the next screen: an overlay has no children to focus."""
        self.next_screen.emit(self, 1 if next else -1)
        return True

    def _nudge(self, dx: int, dy: int, modifiers: Qt.KeyboardModifier) -> None:
        """Move or resize by picture pixels, whatever the scale of the screen is."""
        step = 10 if modifiers & Qt.KeyboardModifier.ControlModifier else 1
        grow = bool(modifiers & Qt.KeyboardModifier.ShiftModifier)
        self.selection.nudge(dx * step, dy * step, grow)
        self._selected()

    def _next_window(self, step: int) -> None:
        if self.selection.take_window(step):
            self._selected()
        else:
            self.tell(_(NO_WINDOWS))

    def _take_all(self) -> None:
        self.selection.take_all()
        self._selected()

    def _begin_moving(self) -> None:
        self.selection.moving = self.selection.anchor is not None

    # Painting ---------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        self._painter.paint(painter, self.selection, self._hint, self._message)
        painter.end()


_KEYS: Mapping[Qt.Key, Callable[[Overlay], None]] = {
    Qt.Key.Key_Escape: lambda overlay: overlay.left.emit(),
    Qt.Key.Key_Return: Overlay._accept,
    Qt.Key.Key_Enter: Overlay._accept,
    Qt.Key.Key_A: Overlay._take_all,
    Qt.Key.Key_L: lambda overlay: overlay.last_wanted.emit(overlay),
    Qt.Key.Key_Space: Overlay._begin_moving,
}
"""Keys of the overlay, as `app.actions.OVERLAY_KEYS` tells them; arrows and W take modifiers."""
