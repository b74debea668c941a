"""What each colour of the code draws, told by drawing once with a probe for each.

A probe is a colour that nothing else in the drawing has. Where it is found, its spot draws; where
it is mixed with what lies behind (alpha, rims), nothing is claimed.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from engine.hints import Colour, TextLine, measure_colours, tighten
from engine.matching.colour.shades import Array
from engine.matching.colour.spot import Spot, written
from engine.matching.scene import Scene

LEVELS = (28, 78, 128, 178, 228)
NEAR = 8  # levels around each of them that count as it
GRID = len(LEVELS) + 1  # a place for what lies between the levels
STRIDE = 49  # prime to the number of probes: neighbours in code get unlike ones
PRESENT = 3  # of every fourth pixel of the drawing, that make a colour no probe
NOBODY = -1
MOST_PIXELS = 3000  # looked at for a spot
MOST_TEXTS = 120
REACH = 2  # pixels around one that are looked at to tell lines from areas
SOLID = 3.5
FAINTEST = 0.45  # share of the probe in the ink measured, in thin print
STEP = 3  # pixels from an area to what it lies on
PART = 0.2  # of an area's rim, from which on a spot is what it lies on
MISFIT = 24.0  # levels that ink may lie beside the way from ground to probe


@dataclass(frozen=True)
class DrawnText:
    """A text in the drawing, its box close around the ink.

    `ink` and `ground` are indices of the spots that colour them; where there is none, the colours
    measured (with probes in place) are what is drawn. `cover`: how much of the colour of
    its ink thin print shows, 0..1.
    """

    line: TextLine
    ink: int | None
    ground: int | None
    cover: float


@dataclass(frozen=True)
class Trace:
    """What a spot draws beside print: `rows` and `columns` of a sample of its `count` pixels.

    `thickness`: that of a line, in pixels; REACH * 2 + 1 inside an area. `frames`: whether most of
    the edge of the drawing is the spot's.
    """

    rows: Array
    columns: Array
    count: int
    thickness: float
    frames: bool

    @property
    def solid(self) -> bool:
        """Whether it fills an area."""
        return self.thickness > SOLID


@dataclass(frozen=True)
class Probed:
    """A drawing with probes, `size` in pixels; `traces` has one entry a spot.

    `rest`: a sample of the pixels that no spot draws, (n, 3). `grounds` says of each area on which
    other one it lies, as pairs of spots.
    """

    size: tuple[int, int]
    traces: tuple[Trace, ...]
    texts: tuple[DrawnText, ...]
    rest: Array
    grounds: tuple[tuple[int, int], ...]


def probe(code: str, spots: Sequence[Spot], scene: Scene, png: bytes) -> Probed:
    """Draw with probes; `png` is what the code draws as it is. Raises VisCodexError as draw."""
    free = _free(_cells(_pixels(png)[::2, ::2]))
    probes = free[: len(spots)]  # further spots are left as they are
    colours = [_colour(cell) for cell in probes]
    left = [None] * (len(spots) - len(probes))
    drawing = scene.draw(written(code, spots, [*colours, *left]))
    pixels = _pixels(drawing.png)
    owners = np.full(GRID**3, NOBODY, np.int16)
    owners[probes] = np.arange(len(probes))
    owner = owners[_cells(pixels)]
    inks = [n for n, spot in enumerate(spots[: len(probes)]) if spot.kind in ("text", "any")]
    largest = sorted(drawing.texts, key=_area, reverse=True)[:MOST_TEXTS]
    reader = _Inks(Image.fromarray(pixels), colours, inks)
    texts = tuple(text for line in largest if (text := reader.read(line)) is not None)
    rest = pixels[::4, ::4][owner[::4, ::4] == NOBODY]
    size = (pixels.shape[1], pixels.shape[0])
    traces = tuple(_traces(owner, texts, len(spots)))
    areas = [n for n, (spot, trace) in enumerate(zip(spots, traces, strict=True))
             if spot.kind == "area" and trace.solid]  # fmt: skip
    return Probed(size, traces, texts, rest, tuple(_grounds(owner, areas, len(spots))))


def _pixels(png: bytes) -> Array:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def frame_of(pixels: Array) -> Array:
    """The outermost pixels of (height, width[, channels]), in a row."""
    return np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])


def _cells(pixels: Array) -> Array:
    """(height, width, 3) -> (height, width): which probe a pixel could be, as a number of base
    GRID with a digit a channel."""
    digits = np.full(256, len(LEVELS), np.uint8)
    for digit, level in enumerate(LEVELS):
        digits[level - NEAR : level + NEAR + 1] = digit
    red, green, blue = (digits[pixels[..., channel]] for channel in range(3))
    return np.asarray((red * GRID + green) * GRID + blue)


def _free(cells: Array) -> Array:
    """The cells of probes that the drawing does not hold, in the order they are given out."""
    order = np.arange(len(LEVELS) ** 3) * STRIDE % len(LEVELS) ** 3
    digits = np.stack([order // len(LEVELS) ** 2, order // len(LEVELS) % len(LEVELS), order % 5])
    grey = (digits == digits[0]).all(axis=0)
    probes = digits[:, ~grey].T @ np.array([GRID**2, GRID, 1])
    present = np.bincount(cells.reshape(-1), minlength=GRID**3)
    return np.asarray(probes[present[probes] < PRESENT])


def _colour(cell: int) -> Colour:
    red, green, blue = (LEVELS[cell // GRID**place % GRID] for place in (2, 1, 0))
    return red, green, blue


def _area(line: TextLine) -> float:
    return (line.box[2] - line.box[0]) * (line.box[3] - line.box[1])


class _Inks:
    """Tells by their probes which spots colour a text and what lies behind it."""

    def __init__(self, image: Image.Image, colours: Sequence[Colour], inks: Sequence[int]) -> None:
        self._image = image
        self._colours = np.array(colours, float).reshape(-1, 3)
        self._inks = np.array(inks, int)

    def read(self, line: TextLine) -> DrawnText | None:
        """None where no ink is seen."""
        ink, ground = measure_colours(self._image, line.box)
        tight = tighten(replace(line, ink=ink, ground=ground), self._image)
        if tight is None:
            return None
        near = np.abs(self._colours - np.array(ground)).max(axis=1) <= NEAR
        behind = int(near.argmax()) if near.any() else None
        owner, cover = self._owner(np.array(ink, float), np.array(ground, float))
        return DrawnText(tight, owner, behind, cover)

    def _owner(self, ink: Array, ground: Array) -> tuple[int | None, float]:
        """Thin print shows its colour mixed with the ground: the probe on whose way it lies."""
        if not len(self._inks):
            return None, 1.0
        ways = self._colours[self._inks] - ground
        lengths = np.maximum((ways**2).sum(axis=1), 1.0)
        covers = np.clip(ways @ (ink - ground) / lengths, 0.0, 1.0)
        misfits = np.linalg.norm(ground + covers[:, None] * ways - ink, axis=1)
        misfits[covers < FAINTEST] = np.inf
        best = int(misfits.argmin())
        if misfits[best] > MISFIT:
            return None, 1.0
        return int(self._inks[best]), float(covers[best])


def _traces(owner: Array, texts: Sequence[DrawnText], count: int) -> list[Trace]:
    """Of each spot the pixels that it draws, those of print with its ink left out."""
    owner = owner.copy()
    for text in texts:
        x0, y0, x1, y1 = (int(side) for side in text.line.box)
        if text.ink is not None:
            box = owner[max(0, y0 - 1) : y1 + 1, max(0, x0 - 1) : x1 + 1]
            box[box == text.ink] = NOBODY
    edge = frame_of(owner)
    flat = owner.reshape(-1)
    drawn = np.flatnonzero(flat != NOBODY)
    drawn = drawn[np.argsort(flat[drawn], kind="stable")]
    ends = np.searchsorted(flat[drawn], np.arange(count + 1))
    traces = []
    for spot in range(count):
        mine = drawn[ends[spot] : ends[spot + 1]]
        rows, columns = np.divmod(_sample(mine, MOST_PIXELS), owner.shape[1])
        frames = bool((edge == spot).mean() > 0.5)
        thickness = _thickness(owner, spot, rows, columns)
        traces.append(Trace(rows, columns, len(mine), thickness, frames))
    return traces


def _grounds(owner: Array, areas: Sequence[int], count: int) -> list[tuple[int, int]]:
    """Of each area the one that most of its rim lies on, if that is a spot."""
    base = count + 1
    rims = np.zeros(base * base, np.int64)
    for one, other in ((owner[:, :-STEP], owner[:, STEP:]), (owner[:-STEP], owner[STEP:])):
        unlike = one != other
        a, b = one[unlike].astype(int) + 1, other[unlike].astype(int) + 1
        rims += np.bincount(a * base + b, minlength=base * base)
        rims += np.bincount(b * base + a, minlength=base * base)
    shared = rims.reshape(base, base)[1:]  # [spot, neighbour + 1]; neighbour 0 is no spot
    found = []
    for area in areas:
        beside = [other for other in areas if other != area]
        on = max(beside, key=lambda other: int(shared[area, other + 1]), default=area)
        if shared[area, on + 1] >= PART * shared[area].sum() > 0:
            found.append((area, on))
    return found


def _sample(values: Array, most: int) -> Array:
    return values[:: max(1, -(-len(values) // most))]


def _thickness(owner: Array, spot: int, rows: Array, columns: Array) -> float:
    """How much of the square around its pixels is the spot's, as the width of a line."""
    if not len(rows):
        return 0.0
    steps = np.arange(-REACH, REACH + 1)
    down = np.clip(_sample(rows, 500)[:, None, None] + steps[:, None], 0, owner.shape[0] - 1)
    across = np.clip(_sample(columns, 500)[:, None, None] + steps, 0, owner.shape[1] - 1)
    return float((owner[down, across] == spot).mean() * len(steps))
