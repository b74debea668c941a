"""Rectangles of a selection: from widget coordinates to pixels of the frozen picture.

Every screen has its own picture and its own overlay, so all coordinates here are local to one
screen: nothing assumes where the virtual desktop starts or that screens share a scale. The factor
between a widget and its picture is always measured (picture px / widget px), never asked for:
the pixel ratio that a widget reports may differ from that of its screen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

MIN_NATIVE_SIDE = 24
"""Selections below this many picture pixels a side are refused as slips of the hand."""


@dataclass(frozen=True)
class Size:
    """Width and height; widget px or picture px, as the name of the variable says."""

    width: float
    height: float


@dataclass(frozen=True)
class Rect:
    """A rectangle with its origin at the top left; `width` and `height` are never negative."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height


@dataclass(frozen=True)
class NativeRect:
    """A rectangle in whole pixels of a screen's own picture."""

    x: int
    y: int
    width: int
    height: int

    @property
    def large_enough(self) -> bool:
        """Whether this can have been meant as a selection."""
        return self.width >= MIN_NATIVE_SIDE and self.height >= MIN_NATIVE_SIDE


def from_corners(x0: float, y0: float, x1: float, y1: float) -> Rect:
    """The rectangle between two corners given in any order."""
    return Rect(min(x0, x1), min(y0, y1), abs(x1 - x0), abs(y1 - y0))


def clamp(rect: Rect, bounds: Size) -> Rect:
    """`rect` cut to the area (0, 0) .. `bounds`."""
    left = min(max(rect.x, 0.0), bounds.width)
    top = min(max(rect.y, 0.0), bounds.height)
    right = min(max(rect.right, 0.0), bounds.width)
    bottom = min(max(rect.bottom, 0.0), bounds.height)
    return Rect(left, top, right - left, bottom - top)


def moved(rect: Rect, dx: float, dy: float, bounds: Size) -> Rect:
    """`rect` shifted by (dx, dy) and kept whole inside `bounds`."""
    x = min(max(rect.x + dx, 0.0), max(0.0, bounds.width - rect.width))
    y = min(max(rect.y + dy, 0.0), max(0.0, bounds.height - rect.height))
    return replace(rect, x=x, y=y)


def resized(rect: Rect, dx: float, dy: float, bounds: Size, least: float = 1.0) -> Rect:
    """`rect` with its lower right corner shifted by (dx, dy), at least `least` a side."""
    width = min(max(rect.width + dx, least), bounds.width - rect.x)
    height = min(max(rect.height + dy, least), bounds.height - rect.y)
    return replace(rect, width=width, height=height)


def scale_between(widget: Size, picture: Size) -> tuple[float, float]:
    """Picture pixels for one widget pixel, along x and y. Raises ValueError for an empty widget."""
    if widget.width <= 0 or widget.height <= 0:
        raise ValueError("the widget has no area")
    return picture.width / widget.width, picture.height / widget.height


def to_native(rect: Rect, widget: Size, picture: Size) -> NativeRect:
    """The picture pixels covered by `rect`, which is given in pixels of the widget.

    Both edges are rounded on their own, so neighbouring selections neither overlap nor leave a
    gap, and the result never reaches beyond the picture.
    """
    sx, sy = scale_between(widget, picture)
    inside = clamp(rect, widget)
    left, top = _round(inside.x * sx), _round(inside.y * sy)
    right = min(_round(inside.right * sx), int(picture.width))
    bottom = min(_round(inside.bottom * sy), int(picture.height))
    return NativeRect(left, top, max(0, right - left), max(0, bottom - top))


def snapped(rect: Rect, widget: Size, picture: Size) -> Rect:
    """`rect` with its edges moved onto picture pixels, in widget pixels as before.

    Steps by whole picture pixels start from here: on edges half-way between two pixels the
    rounding would turn one step into none or two.
    """
    return to_widget(to_native(rect, widget, picture), widget, picture)


def overlaps(a: Rect, b: Rect) -> bool:
    """Whether two rectangles share any area."""
    return a.x < b.right and b.x < a.right and a.y < b.bottom and b.y < a.bottom


def label_position(
    rect: Rect, label: Size, bounds: Size, avoid: Rect | None = None, gap: float = 6.0
) -> tuple[float, float]:
    """Where to put the size label of the selection `rect`: always whole on screen.

    Above the selection, else inside its top, below it, inside its bottom, past the magnifier
    `avoid`: the first place that fits and does not lie on that.
    """
    x = min(max(rect.x, 0.0), max(0.0, bounds.width - label.width))
    lowest = max(0.0, bounds.height - label.height)
    above, below = -label.height - gap, gap
    places = [rect.y + above, rect.y + below, rect.bottom + below, rect.bottom + above]
    if avoid is not None:
        places += [avoid.y + above, avoid.bottom + below]
    inside = [y for y in places if 0 <= y <= lowest]
    free = [
        y
        for y in inside
        if avoid is None or not overlaps(Rect(x, y, label.width, label.height), avoid)
    ]
    y = next(iter(free or inside), places[0])
    return x, min(max(y, 0.0), lowest)


def beside_pointer(
    pointer: tuple[float, float],
    box: Size,
    bounds: Size,
    anchor: tuple[float, float] | None = None,
    gap: float = 18.0,
) -> Rect:
    """A box beside the pointer, never under it and always whole on screen.

    Right below the pointer; while something is dragged from `anchor`, on the side away from it, so
    that the box does not cover the selection. Where there is no room it changes the side.
    """
    x, y = pointer
    right = anchor is None or x >= anchor[0]
    down = anchor is None or y >= anchor[1]
    return Rect(
        _beside(x, box.width, bounds.width, right, gap),
        _beside(y, box.height, bounds.height, down, gap),
        box.width,
        box.height,
    )


def _beside(at: float, length: float, limit: float, after: bool, gap: float) -> float:
    wanted, other = at + gap, at - gap - length
    if not after:
        wanted, other = other, wanted
    place = wanted if 0 <= wanted <= limit - length else other
    return min(max(place, 0.0), max(0.0, limit - length))


def within(rect: NativeRect, picture: Size) -> NativeRect:
    """The part of `rect` that lies on a picture of this size; may be empty."""
    left, top = max(rect.x, 0), max(rect.y, 0)
    right = min(rect.x + rect.width, int(picture.width))
    bottom = min(rect.y + rect.height, int(picture.height))
    return NativeRect(left, top, max(0, right - left), max(0, bottom - top))


def to_widget(native: NativeRect, widget: Size, picture: Size) -> Rect:
    """A rectangle of picture pixels in pixels of the widget."""
    sx, sy = scale_between(widget, picture)
    return Rect(native.x / sx, native.y / sy, native.width / sx, native.height / sy)


@dataclass(frozen=True)
class ScreenPlace:
    """A screen as one system lists it: origin and size in native pixels."""

    x: float
    y: float
    width: float
    height: float


def native_place(x: float, y: float, width: float, height: float, ratio: float) -> ScreenPlace:
    """A Qt screen in native pixels: Qt scales the size of a screen but not its position."""
    return ScreenPlace(x, y, width * ratio, height * ratio)


def match_screens(wanted: Sequence[ScreenPlace], listed: Sequence[ScreenPlace]) -> list[int | None]:
    """For each screen in `wanted` the index of the same screen in `listed`, else None.

    Two systems number the same screens differently, so they are matched by origin and size
    (within 2 px, for rounded fractional scales); each listed screen is used once.
    """
    free = set(range(len(listed)))
    found: list[int | None] = []
    for place in wanted:
        best = min(free, key=lambda i: _distance(place, listed[i]), default=None)
        if best is not None and _distance(place, listed[best]) <= 2.0:
            free.discard(best)
            found.append(best)
        else:
            found.append(None)
    return found


def split_desktop(
    logical: Sequence[Rect], ratios: Sequence[float], picture: Size
) -> list[NativeRect]:
    """Where each screen lies in one picture of the whole desktop.

    `logical` are the screens as Qt lists them (on Wayland their places are scaled like their
    sizes), `ratios` their pixel ratios. A compositor draws the desktop either at one scale for
    all screens, which is measured here, or each screen at its own native size. Raises ValueError
    where the picture fits neither.
    """
    for places in (
        list(logical),
        [Rect(r.x, r.y, r.width * k, r.height * k) for r, k in zip(logical, ratios, strict=True)],
    ):
        left, top = min(r.x for r in places), min(r.y for r in places)
        whole = Size(max(r.right for r in places) - left, max(r.bottom for r in places) - top)
        sx, sy = scale_between(whole, picture)
        # One pixel of rounding at either end is no other shape.
        if abs(whole.width * sy - picture.width) <= 2 * max(1.0, sx):
            return [
                to_native(Rect(r.x - left, r.y - top, r.width, r.height), whole, picture)
                for r in places
            ]
    raise ValueError("the picture has another shape than the screens")


def _distance(a: ScreenPlace, b: ScreenPlace) -> float:
    return max(abs(a.x - b.x), abs(a.y - b.y), abs(a.width - b.width), abs(a.height - b.height))


def _round(value: float) -> int:
    """Round half up: Python's round() would send 0.5 and 1.5 into different directions."""
    return math.floor(value + 0.5)
