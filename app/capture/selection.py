"""The selection on one screen, without any widget: what the mouse and the keys make of it."""

from __future__ import annotations

from collections.abc import Sequence

from app.capture import geometry
from app.capture.geometry import NativeRect, Rect, Size

CLICK_WIDGET_PX = 4.0
"""A press and a release closer than this are a click, not a drag."""


class Selection:
    """A rectangle on the frozen picture of one screen.

    Mouse positions are in pixels of the widget (`widget`), steps of the keys and the result in
    pixels of the picture. `windows` are the windows on this screen in picture pixels, the topmost
    first: a click takes the one under the pointer.
    """

    def __init__(self, picture: Size, windows: Sequence[NativeRect] = ()) -> None:
        self.picture = picture
        self.widget = picture
        self.rect: Rect | None = None
        self.anchor: tuple[float, float] | None = None
        self.pointer: tuple[float, float] | None = None
        self.moving = False
        clipped = (geometry.within(one, picture) for one in windows)
        self.windows = [one for one in clipped if one.large_enough]
        self._window = -1
        self._pressed: tuple[float, float] | None = None

    @property
    def native(self) -> NativeRect | None:
        """The selection in pixels of the picture."""
        if self.rect is None:
            return None
        return geometry.to_native(self.rect, self.widget, self.picture)

    @property
    def hovered(self) -> NativeRect | None:
        """The window a click would take: only while nothing is selected."""
        if self.pointer is None or self.rect is not None:
            return None
        return self._window_at(*self.pointer)

    def clear(self) -> None:
        self.rect = self.anchor = self._pressed = None
        self.moving = False

    # Mouse ------------------------------------------------------------------

    def press(self, x: float, y: float) -> None:
        self.rect = None
        self.anchor = self._pressed = self.pointer = (x, y)

    def move(self, x: float, y: float) -> None:
        """The pointer goes to (x, y); with a button down it drags a corner or the whole."""
        before, self.pointer = self.pointer, (x, y)
        if self.anchor is None:
            return
        if self.moving and before is not None and self.rect is not None:
            shifted = geometry.moved(self.rect, x - before[0], y - before[1], self.widget)
            self.anchor = (
                self.anchor[0] + shifted.x - self.rect.x,
                self.anchor[1] + shifted.y - self.rect.y,
            )
            self.rect = shifted
        else:
            self._reach(x, y)

    def release(self, x: float, y: float) -> bool:
        """End of a drag; False if there was none. A click selects the window under it."""
        if self.anchor is None or self._pressed is None:
            return False
        if not self.moving:
            self._reach(x, y)
        far = max(abs(x - self._pressed[0]), abs(y - self._pressed[1]))
        self.anchor = self._pressed = None
        self.moving = False
        window = self._window_at(x, y) if far < CLICK_WIDGET_PX else None
        if window is not None:
            self.take(window)
        return True

    def leave(self) -> None:
        """The pointer has left the screen."""
        self.pointer = None

    def _reach(self, x: float, y: float) -> None:
        assert self.anchor is not None
        rect = geometry.from_corners(*self.anchor, x, y)
        self.rect = geometry.clamp(rect, self.widget)

    def _window_at(self, x: float, y: float) -> NativeRect | None:
        sx, sy = geometry.scale_between(self.widget, self.picture)
        nx, ny = x * sx, y * sy
        return next(
            (
                one
                for one in self.windows
                if one.x <= nx < one.x + one.width and one.y <= ny < one.y + one.height
            ),
            None,
        )

    # Keys -------------------------------------------------------------------

    def take(self, native: NativeRect) -> None:
        """Select these pixels, as far as they are on the picture."""
        inside = geometry.within(native, self.picture)
        self.rect = geometry.to_widget(inside, self.widget, self.picture)

    def take_all(self) -> None:
        """Select the whole screen."""
        self.rect = Rect(0, 0, self.widget.width, self.widget.height)

    def take_window(self, step: int) -> bool:
        """Select the next window (or with -1 the one before); False where none is known."""
        if not self.windows:
            return False
        first = 0 if step > 0 else -1
        self._window = first if self._window < 0 else self._window + step
        self._window %= len(self.windows)
        self.take(self.windows[self._window])
        return True

    def nudge(self, dx: int, dy: int, grow: bool) -> None:
        """Move the selection by picture pixels, or its lower right corner. Starts one if needed."""
        sx, sy = geometry.scale_between(self.widget, self.picture)
        if self.rect is None:
            side = geometry.MIN_NATIVE_SIDE * 4
            x, y = self.pointer or (self.widget.width / 2, self.widget.height / 2)
            wanted = Rect(x - side / sx / 2, y - side / sy / 2, side / sx, side / sy)
            self.rect = geometry.moved(wanted, 0, 0, self.widget)
            return
        change = geometry.resized if grow else geometry.moved
        start = geometry.snapped(self.rect, self.widget, self.picture)
        self.rect = change(start, dx / sx, dy / sy, self.widget)
