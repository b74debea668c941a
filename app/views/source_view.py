"""The source picture: zoom, pan, a part marked by a rubber band, lines of text to click."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, QSizeF, Qt, Signal
from PySide6.QtGui import (
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.i18n import _
from app.incoming import Region
from app.theme import Theme
from app.views.source_marks import line_key, paint_line, paint_region
from app.views.zoom import Zoom

if TYPE_CHECKING:
    from engine.hints import TextLine

PAN_STEP = 40  # widget pixels
SMALLEST_PART = 8  # pixels of the picture
DRAG = 4  # widget pixels that make a press a drag
Key = Qt.Key


class SourceView(QWidget):
    """Shows one picture with what is known of it.

    `zoomed(percent)`, `region_changed(region or None)`, `line_clicked(text)`, and `full_wanted()`
    when the picture is looked at so closely that the small copy does not do.
    """

    zoomed = Signal(int)
    region_changed = Signal(object)
    line_clicked = Signal(str)
    full_wanted = Signal()

    def __init__(self, name: str, theme: Theme) -> None:
        super().__init__()
        self.setObjectName("canvas")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(120, 48)
        self.setMouseTracking(True)
        self._theme = theme
        theme.changed.connect(self.update)
        self.zoom = Zoom()
        self.region: Region | None = None
        self.lines: Sequence[TextLine] = ()
        self.boxes_shown = True
        self._missing: frozenset[str] = frozenset()
        self._hovered = -1
        self._marking = False
        self._pressed: QPointF | None = None
        self._from: QPointF | None = None  # where a rubber band began, in the picture
        self._panned = False
        self._image = QImage()
        self._full = QImage()
        self._scaled: QPixmap | None = None

    def sizeHint(self) -> QSize:
        return QSize(320, 320)

    # What is shown ----------------------------------------------------------

    @property
    def image(self) -> QImage:
        return self._image

    def set_image(self, image: QImage, size: QSize | None = None) -> None:
        """Show `image`, a copy of a picture of `size` pixels (default: its own size).

        A null image clears the area.
        """
        self._image, self._full, self._scaled = image, QImage(), None
        self.zoom.picture = QSizeF(size or image.size())
        self.zoom.fit()
        self._changed()

    def set_full(self, image: QImage) -> None:
        """The picture with all its pixels, asked for by `full_wanted`."""
        self._full = image
        self.update()

    def set_lines(self, lines: Sequence[TextLine]) -> None:
        """Lines of text with boxes in pixels of the picture."""
        self.lines = tuple(lines)
        self._missing = frozenset()
        self._hovered = -1
        self.update()

    def mark_missing(self, lines: Sequence[TextLine]) -> None:
        """Mark lines that what was drawn lacks; an empty list takes the marks away."""
        self._missing = frozenset(line_key(line) for line in lines)
        self.update()

    @property
    def missing(self) -> list[TextLine]:
        """The lines marked as missing."""
        return [line for line in self.lines if line_key(line) in self._missing]

    def show_boxes(self, shown: bool) -> None:
        """Whether the lines of text are framed and can be clicked."""
        self.boxes_shown = shown
        self._hovered = -1
        self.update()

    # Zoom -------------------------------------------------------------------

    def zoom_by(self, steps: float, at: QPointF | None = None) -> None:
        if not self.zoom.empty:
            self.zoom.step(steps, at)
            self._changed()

    def zoom_fit(self) -> None:
        self.zoom.fit()
        self._changed()

    def zoom_full(self) -> None:
        """100 %."""
        if not self.zoom.empty:
            self.zoom.full()
            self._changed()

    def _pan(self, across: float, down: float) -> None:
        self.zoom.pan(across, down)
        self.update()

    def _changed(self) -> None:
        self._scaled = None
        small = self._image.width() < self.zoom.picture.width()
        if small and self._full.isNull() and self.zoom.factor is not None:
            shown = self.zoom.scale * self.zoom.ratio * self.zoom.picture.width()
            if shown > self._image.width():
                self.full_wanted.emit()
        self.zoomed.emit(0 if self.zoom.empty else self.zoom.percent)
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.zoom.area = QSizeF(self.size())
        self.zoom.ratio = self.devicePixelRatioF()
        self._changed()

    def wheelEvent(self, event: QWheelEvent) -> None:
        turn = event.angleDelta()
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.zoom_by(turn.y() / 120, event.position())
        elif self.zoom.pans():
            self._pan(turn.x() / 2, turn.y() / 2)
        event.accept()

    # Marking a part ---------------------------------------------------------

    @property
    def marking(self) -> bool:
        return self._marking

    def start_marking(self, on: bool = True) -> None:
        """The next drag marks a part; by keyboard the middle of the picture is the beginning."""
        self._marking = on and not self.zoom.empty
        self._set_cursor()
        self.update()

    def set_region(self, region: Region | None) -> None:
        """Mark a part, or none."""
        self.region = region
        self.region_changed.emit(region)
        self.update()

    def mark_middle(self) -> None:
        """Mark the middle half, for people without a mouse: arrows move it from there."""
        width, height = int(self.zoom.picture.width()), int(self.zoom.picture.height())
        if width >= SMALLEST_PART and height >= SMALLEST_PART:
            self.set_region((width // 4, height // 4, width - width // 4, height - height // 4))

    def _move_region(self, across: int, down: int, resize: bool) -> None:
        assert self.region is not None
        x0, y0, x1, y1 = self.region
        width, height = int(self.zoom.picture.width()), int(self.zoom.picture.height())
        if resize:
            x1 = min(max(x1 + across, x0 + SMALLEST_PART), width)
            y1 = min(max(y1 + down, y0 + SMALLEST_PART), height)
        else:
            across = min(max(across, -x0), width - x1)
            down = min(max(down, -y0), height - y1)
            x0, y0, x1, y1 = x0 + across, y0 + down, x1 + across, y1 + down
        self.set_region((x0, y0, x1, y1))

    def _band(self, start: QPointF, end: QPointF) -> Region | None:
        """The part between two points of the picture; None where it is too small."""
        width, height = self.zoom.picture.width(), self.zoom.picture.height()
        across = sorted(min(max(x, 0.0), width) for x in (start.x(), end.x()))
        down = sorted(min(max(y, 0.0), height) for y in (start.y(), end.y()))
        box = (round(across[0]), round(down[0]), round(across[1]), round(down[1]))
        large = box[2] - box[0] >= SMALLEST_PART and box[3] - box[1] >= SMALLEST_PART
        return box if large else None

    # Mouse ------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() not in (Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton):
            return
        self._pressed = event.position()
        self._panned = False
        if self._marking and event.button() == Qt.MouseButton.LeftButton:
            self._from = self.zoom.to_picture(event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._pressed is None:
            self._hover(self._line_at(event.position()))
        elif self._from is not None:
            self.set_region(self._band(self._from, self.zoom.to_picture(event.position())))
        else:
            step = event.position() - self._pressed
            if self._panned or step.manhattanLength() > DRAG:
                self._panned = True
                self._pressed = event.position()
                self._pan(step.x(), step.y())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        pressed, self._pressed = self._pressed, None
        if self._from is not None:
            self._from = None
            if self.region is not None:
                self._marking = False
        elif pressed is not None and not self._panned:
            self._click(self._line_at(event.position()))
        self._set_cursor()

    def leaveEvent(self, event: QEvent) -> None:
        self._hover(-1)

    def _line_at(self, point: QPointF) -> int:
        if not self.boxes_shown or self._marking:
            return -1
        return next(
            (n for n, line in enumerate(self.lines) if self._frame(line).contains(point)), -1
        )

    def _hover(self, number: int) -> None:
        if number != self._hovered:
            self._hovered = number
            self.setToolTip(
                _("Copy: {text}").format(text=self.lines[number].text) if number >= 0 else ""
            )
            self._set_cursor()
            self.update()

    def _click(self, number: int) -> None:
        if number >= 0:
            self.line_clicked.emit(self.lines[number].text)

    def _set_cursor(self) -> None:
        shape = Qt.CursorShape.ArrowCursor
        if self._marking:
            shape = Qt.CursorShape.CrossCursor
        elif self._hovered >= 0:
            shape = Qt.CursorShape.PointingHandCursor
        elif self.zoom.pans():
            shape = Qt.CursorShape.OpenHandCursor
        self.setCursor(shape)

    # Keyboard ---------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Key(event.key())
        plain: Mapping[Key, Callable[[], object]] = {
            Key.Key_Plus: lambda: self.zoom_by(1),
            Key.Key_Equal: lambda: self.zoom_by(1),
            Key.Key_Minus: lambda: self.zoom_by(-1),
            Key.Key_0: self.zoom_fit,
            Key.Key_1: self.zoom_full,
            Key.Key_M: self.mark_middle,
            Key.Key_PageDown: lambda: self._step_line(1),
            Key.Key_PageUp: lambda: self._step_line(-1),
        }
        if key in _ARROWS:
            self._arrow(*_ARROWS[key], event.modifiers())
        elif key in plain:
            plain[key]()
        elif key in (Key.Key_Return, Key.Key_Enter) and self._hovered >= 0:
            self._click(self._hovered)
        elif key == Key.Key_Escape and (self.region is not None or self._marking):
            self.start_marking(False)
            self.set_region(None)
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        # Esc is the shortcut of Cancel: while a part is marked it belongs to this view.
        escape = (
            event.type() == QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and event.key() == Key.Key_Escape
            and (self.region is not None or self._marking)
        )
        if escape:
            event.accept()
            return True
        return super().event(event)

    def _arrow(self, across: int, down: int, keys: Qt.KeyboardModifier) -> None:
        if self.region is None:
            self._pan(-across * PAN_STEP, -down * PAN_STEP)
            return
        step = 10 if keys & Qt.KeyboardModifier.ControlModifier else 1
        resize = bool(keys & Qt.KeyboardModifier.ShiftModifier)
        self._move_region(across * step, down * step, resize)

    def _step_line(self, step: int) -> None:
        if self.lines and self.boxes_shown:
            self._hover((self._hovered + step) % len(self.lines))
            line = self.lines[self._hovered]
            self.zoom.reveal(line.box)
            self.setAccessibleDescription(line.text)
            self.update()

    # Painting ---------------------------------------------------------------

    def _frame(self, line: TextLine) -> QRectF:
        return self.zoom.to_widget(line.box).adjusted(-2, -2, 2, 2)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        if not self._image.isNull() and not self.zoom.empty:
            self._paint_all(painter)
        if self.hasFocus():
            painter.setPen(QPen(self._theme.colour("accent"), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(self.rect().adjusted(1, 1, -1, -1))
        painter.end()

    def _paint_all(self, painter: QPainter) -> None:
        """The picture with what is marked in it."""
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        rect = self.zoom.rect()
        self._paint_picture(painter, rect)
        painter.setPen(QPen(self._theme.colour("line"), 1))
        painter.drawRect(rect.adjusted(-1, -1, 0, 0))
        if self.boxes_shown:
            for number, line in enumerate(self.lines):
                missing = line_key(line) in self._missing
                paint_line(
                    painter, self._frame(line), self._theme, missing, number == self._hovered
                )
        if self.region is not None:
            paint_region(painter, self.zoom.to_widget(self.region), rect, self._theme)

    def _paint_picture(self, painter: QPainter, rect: QRectF) -> None:
        """Shrunk pictures from a smooth copy that is kept, enlarged ones from their pixels."""
        ratio = self.devicePixelRatioF()
        wanted = QSize(round(rect.width() * ratio), round(rect.height() * ratio))
        if wanted.width() <= self._image.width():
            if self._scaled is None:
                self._scaled = QPixmap.fromImage(
                    self._image.scaled(
                        wanted,
                        Qt.AspectRatioMode.IgnoreAspectRatio,
                        Qt.TransformationMode.SmoothTransformation,
                    )
                )
            painter.drawPixmap(rect, self._scaled, QRectF(self._scaled.rect()))
            return
        source = self._image if self._full.isNull() else self._full
        seen = rect.intersected(QRectF(self.rect()))
        share = source.width() / rect.width()
        part = QRectF((seen.topLeft() - rect.topLeft()) * share, seen.size() * share)
        painter.setRenderHint(
            QPainter.RenderHint.SmoothPixmapTransform, wanted.width() < 3 * source.width()
        )
        painter.drawImage(seen, source, part)


_ARROWS: Mapping[Key, tuple[int, int]] = {
    Key.Key_Left: (-1, 0),
    Key.Key_Right: (1, 0),
    Key.Key_Up: (0, -1),
    Key.Key_Down: (0, 1),
}
