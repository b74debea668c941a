"""Zoom and place of a picture in an area: numbers only, so that they can be tested as such."""

from __future__ import annotations

from dataclasses import dataclass, field

from PySide6.QtCore import QPointF, QRectF, QSizeF

MARGIN = 16.0
STEP = 1.25
LARGEST = 16.0
SMALLEST = 0.02


@dataclass
class Zoom:
    """Where a picture of `picture` pixels lies in an area of `area` widget pixels.

    `factor` is widget pixels for one of the picture, None to fit; `ratio` the screen's device
    pixel ratio, at which 100 % is 1 / ratio. `middle` is the point of the picture in the middle.
    """

    picture: QSizeF = field(default_factory=lambda: QSizeF(0, 0))
    area: QSizeF = field(default_factory=lambda: QSizeF(0, 0))
    ratio: float = 1.0
    factor: float | None = None
    middle: QPointF = field(default_factory=lambda: QPointF(0, 0))

    @property
    def empty(self) -> bool:
        return self.picture.width() < 1 or self.picture.height() < 1

    @property
    def scale(self) -> float:
        """Widget pixels for a pixel of the picture, also while it fits; never enlarged then."""
        if self.factor is not None or self.empty:
            return self.factor or 1.0
        across = (self.area.width() - 2 * MARGIN) / self.picture.width()
        down = (self.area.height() - 2 * MARGIN) / self.picture.height()
        return max(min(across, down, 1.0), 1e-4)

    @property
    def percent(self) -> int:
        """The zoom as people read it: 100 is one pixel of the screen for one of the picture."""
        return round(100 * self.scale * self.ratio)

    def rect(self) -> QRectF:
        """Where the picture lies, in widget pixels."""
        scale = self.scale
        width, height = self.picture.width() * scale, self.picture.height() * scale
        return QRectF(
            self._start(self.area.width(), width, self.middle.x() * scale),
            self._start(self.area.height(), height, self.middle.y() * scale),
            width,
            height,
        )

    def to_picture(self, point: QPointF) -> QPointF:
        """The pixel of the picture under a point of the widget; may lie outside."""
        return (point - self.rect().topLeft()) / self.scale

    def to_widget(self, box: tuple[float, float, float, float]) -> QRectF:
        """A box of the picture (x0, y0, x1, y1) in widget pixels."""
        scale, origin = self.scale, self.rect().topLeft()
        x0, y0, x1, y1 = (value * scale for value in box)
        return QRectF(x0 + origin.x(), y0 + origin.y(), x1 - x0, y1 - y0)

    def fit(self) -> None:
        self.factor = None

    def full(self) -> None:
        """100 %."""
        self.set_factor(1.0 / self.ratio)

    def set_factor(self, factor: float, at: QPointF | None = None) -> None:
        """Zoom so that the picture stays where it is under the point `at` (default: the middle)."""
        anchor = at or QPointF(self.area.width() / 2, self.area.height() / 2)
        pixel = self.to_picture(anchor)
        self.factor = min(max(factor, SMALLEST), LARGEST)
        away = anchor - QPointF(self.area.width() / 2, self.area.height() / 2)
        self.middle = pixel - away / self.factor
        self._keep_inside()

    def step(self, steps: float, at: QPointF | None = None) -> None:
        """Nearer or farther by some steps."""
        self.set_factor(self.scale * STEP**steps, at)

    def pan(self, across: float, down: float) -> None:
        """Move the picture by widget pixels."""
        self.middle = self.middle - QPointF(across, down) / self.scale
        self._keep_inside()

    def pans(self) -> bool:
        """Whether the picture is larger than its area."""
        rect = self.rect()
        return rect.width() > self.area.width() or rect.height() > self.area.height()

    def reveal(self, box: tuple[float, float, float, float]) -> None:
        """Bring a box of the picture into sight."""
        if not QRectF(QPointF(0, 0), self.area).contains(self.to_widget(box)):
            self.middle = QPointF((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
            self._keep_inside()

    def _start(self, room: float, size: float, middle: float) -> float:
        if size <= room:
            return (room - size) / 2
        return min(max(room / 2 - middle, room - size - MARGIN), MARGIN)

    def _keep_inside(self) -> None:
        """What cannot be seen cannot be panned to either, so that the way back is not longer."""
        rect, scale = self.rect(), self.scale
        self.middle = QPointF(
            (self.area.width() / 2 - rect.x()) / scale, (self.area.height() / 2 - rect.y()) / scale
        )
