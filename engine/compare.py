"""How alike two pictures are, in numbers a person would agree with.

Everything is 0 to 1 and symmetric; a picture compared with itself gives exactly 1. Pictures of
different sizes are laid on a common canvas, top left on top left, each continued in its own
ground colour: nothing is stretched, so a page that is too long or too wide loses by what it shows
there.

layout   Where something is drawn, whatever its colour. Edge pixels (a step of more than
         EDGE_STEP levels in some channel to the right or lower neighbour) are counted in cells
         of 1/40 of the longer side; the counts a and b, smoothed over 3 x 3 cells, agree by
         sum(min(a, b)) / sum(max(a, b)).
colour   Mean colour of the cells in CIELAB (D65): exp(-dE / DELTA_E_SCALE) with dE the Euclidean
         distance (CIE 1976), averaged half over the whole area and half over what is not ground
         in either picture, so that a wide empty margin does not hide a wrong button.
pixels   After SSIM (Wang et al. 2004), on grey pictures of half size and at most SSIM_SIDE px a
         side, in 7 x 7 uniform windows: its contrast-structure term times exp(-dM / GREY_SCALE), dM
         the difference of the means (its own luminance term calls mid grey and white 0.8 alike).
         Averaged with the weight max(standard deviation in either window, dM): the empty area
         both share says nothing.
text     Words of the lines read from both (case and outer punctuation ignored): 2 * matched /
         (words in a + words in b), where a matched pair counts 1 at the same place and falls to
         0.5 at a quarter of the diagonal.
total    0.4 layout + 0.25 colour + 0.35 pixels; with text, 0.7 of that + 0.3 text. Where neither
         picture shows an edge, layout is left out and the others share its weight.
"""

from __future__ import annotations

import math
import string
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

if TYPE_CHECKING:
    from engine.hints import TextLine

Array = npt.NDArray[Any]
Size = tuple[int, int]
Places = dict[str, list[tuple[float, float]]]

CELLS = 40
EDGE_STEP = 20
DELTA_E_SCALE = 25.0
SSIM_SIDE = 192
SSIM_WINDOW = 7
GREY_SCALE = 40.0
FAR = 0.25
WEIGHTS = {"layout": 0.4, "colour": 0.25, "pixels": 0.35}
TEXT_WEIGHT = 0.3
DELTA_E_FULL = 40.0
RED = (214, 34, 34)


@dataclass(frozen=True)
class Similarity:
    """All figures 0 to 1, 1 for equal pictures; `text` is None where no words were given."""

    total: float
    layout: float
    colour: float
    pixels: float
    text: float | None = None


class Reference:
    """A picture (any mode) that others are compared with, and the lines read from it.

    What is worked out of it is kept and used for each of them, as long as they are of one size.

    Raises:
        ValueError: the picture has no pixels.
    """

    def __init__(self, picture: Image.Image, texts: Sequence[TextLine] | None = None) -> None:
        self._picture = _with_pixels(picture)
        self._words = None if texts is None else _words(texts)
        self._kept: tuple[Size, _Features] | None = None

    def compare(self, other: Image.Image, texts: Sequence[TextLine] | None = None) -> Similarity:
        """Compare with `other`, and the lines of both where both are given.

        Raises:
            ValueError: `other` has no pixels.
        """
        mine, size = self._picture.size, _with_pixels(other).size
        size = (max(mine[0], size[0]), max(mine[1], size[1]))
        if self._kept is None or self._kept[0] != size:
            self._kept = (size, _features(self._picture, size))
        left, right = self._kept[1], _features(other, size)
        layout = _layout(left.edges, right.edges)
        figures = {"colour": _colour(left, right), "pixels": _pixels(left, right)}
        if layout is not None:
            figures["layout"] = layout
        weight = sum(WEIGHTS[name] for name in figures)
        total = sum(WEIGHTS[name] * figure for name, figure in figures.items()) / weight
        text = None
        if self._words is not None and texts is not None:
            text = _text(self._words, _words(texts), math.hypot(*size))
        if text is not None:
            total = (1.0 - TEXT_WEIGHT) * total + TEXT_WEIGHT * text
        return Similarity(
            total=_unit(total),
            layout=_unit(1.0 if layout is None else layout),
            colour=_unit(figures["colour"]),
            pixels=_unit(figures["pixels"]),
            text=None if text is None else _unit(text),
        )


def similarity(
    a: Image.Image,
    b: Image.Image,
    texts_a: Sequence[TextLine] | None = None,
    texts_b: Sequence[TextLine] | None = None,
) -> Similarity:
    """Compare two pictures (any mode), and the lines read from them where both are given.

    Raises:
        ValueError: one of the pictures has no pixels.
    """
    return Reference(a, texts_a).compare(b, texts_b)


def difference(a: Image.Image, b: Image.Image) -> Image.Image:
    """Where two pictures differ: the first one pale and grey, the redder the farther apart.

    As large as both together need. The distance is that of `colour`, full red at DELTA_E_FULL.
    """
    size = (max(a.width, b.width), max(a.height, b.height))
    (left, _), (right, _) = _on_canvas(a, size), _on_canvas(b, size)
    apart = np.linalg.norm(to_lab(left) - to_lab(right), axis=-1)
    share = np.clip(apart / DELTA_E_FULL, 0.0, 1.0)[..., None]
    grey = np.asarray(Image.fromarray(left).convert("L"), float)[..., None]
    pale = np.repeat(255.0 - 0.25 * (255.0 - grey), 3, axis=2)
    mixed = pale * (1.0 - share) + np.array(RED, float) * share
    return Image.fromarray(np.round(mixed).astype(np.uint8))


def _with_pixels(image: Image.Image) -> Image.Image:
    if 0 in image.size:
        raise ValueError("a picture without pixels cannot be compared")
    return image


def _unit(value: float) -> float:
    """Clip to 0..1 and drop the noise of floating point, so that equal is exactly 1."""
    return round(min(max(float(value), 0.0), 1.0), 6)


def _on_canvas(image: Image.Image, size: Size) -> tuple[Array, Array]:
    """The picture as (height, width, 3) uint8 on a canvas of its ground colour, and that colour."""
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layered = image.convert("RGBA")
        image = Image.new("RGBA", layered.size, "white")
        image.alpha_composite(layered)
    pixels = np.asarray(image.convert("RGB"))
    ground = _ground(pixels)
    if image.size == size:
        return pixels, ground
    canvas = np.empty((size[1], size[0], 3), np.uint8)
    canvas[:] = ground
    canvas[: pixels.shape[0], : pixels.shape[1]] = pixels
    return canvas, ground


def _ground(pixels: Array) -> Array:
    """The most frequent colour along the border: the mean of the fullest of 16 x 16 x 16 bins.

    Not of the whole area: a white card on a grey page would then be continued in white.
    """
    flat = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    bins = (flat >> 4).astype(np.int32) @ np.array([256, 16, 1], np.int32)
    fullest = int(np.bincount(bins, minlength=4096).argmax())
    return np.asarray(np.round(flat[bins == fullest].mean(axis=0)), np.uint8)


@dataclass(frozen=True)
class _Features:
    """All that the figures need to know of one picture on its canvas."""

    edges: Array  # share of edge pixels in each cell, smoothed
    lab: Array  # mean colour of each cell
    figure: Array  # how far that is from the picture's ground
    grey: Array
    mean: Array  # of `grey` in each window
    variance: Array


def _features(image: Image.Image, size: Size) -> _Features:
    canvas, ground = _on_canvas(image, size)
    lab, grey = to_lab(_cell_means(canvas)), _grey(canvas)
    mean = _window_means(grey)
    return _Features(
        edges=_smooth(_cell_means(_edges(canvas))),
        lab=lab,
        figure=np.linalg.norm(lab - to_lab(ground), axis=-1),
        grey=grey,
        mean=mean,
        variance=np.maximum(_window_means(grey * grey) - mean**2, 0.0),
    )


def _cell_means(values: Array) -> Array:
    """Means over square cells, CELLS of them along the longer side; the last ones may be cut.

    values (height, width[, channels]) uint8 -> (rows, columns[, channels]) float64.
    """
    height, width = values.shape[:2]
    side = max(max(height, width) / CELLS, 1.0)
    rows = np.unique(np.arange(0, height, side).astype(int))
    columns = np.unique(np.arange(0, width, side).astype(int))
    spans = zip(rows, np.append(rows[1:], height), strict=True)
    # Bands one by one: reduceat goes through the rows four times slower.
    sums = np.stack([values[a:b].sum(axis=0, dtype=np.uint32) for a, b in spans])
    sums = np.add.reduceat(sums, columns, axis=1)
    heights = np.diff(np.append(rows, height))
    widths = np.diff(np.append(columns, width))
    areas = np.outer(heights, widths)
    return np.asarray(sums / (areas if values.ndim == 2 else areas[..., None]))


def _edges(canvas: Array) -> Array:
    """1 where the colour steps to the right or lower neighbour, (height, width) uint8."""
    edges = np.zeros(canvas.shape[:2], bool)
    for plane in np.ascontiguousarray(canvas.transpose(2, 0, 1)):  # bytes in a row: much faster
        edges[:, :-1] |= _apart(plane[:, 1:], plane[:, :-1]) > EDGE_STEP
        edges[:-1] |= _apart(plane[1:], plane[:-1]) > EDGE_STEP
    return edges.view(np.uint8)


def _apart(a: Array, b: Array) -> Array:
    """|a - b| of bytes, in bytes."""
    return np.asarray(np.maximum(a, b) - np.minimum(a, b))


def _smooth(cells: Array) -> Array:
    """3 x 3 mean, the border counted as zero."""
    padded = np.pad(cells, 1)
    height, width = cells.shape
    shifted = (padded[y : y + height, x : x + width] for y in range(3) for x in range(3))
    return np.asarray(sum(shifted) / 9.0)


def _layout(a: Array, b: Array) -> float | None:
    either = np.maximum(a, b).sum()
    return float(np.minimum(a, b).sum() / either) if either > 0 else None


def to_lab(colours: Array) -> Array:
    """sRGB (…, 3) in 0..255 to CIELAB under D65 (IEC 61966-2-1, CIE 15)."""
    values = np.asarray(colours, float) / 255.0
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    matrix = np.array(
        [
            [0.4124564, 0.3575761, 0.1804375],
            [0.2126729, 0.7151522, 0.0721750],
            [0.0193339, 0.1191920, 0.9503041],
        ]
    )
    xyz = linear @ matrix.T / matrix.sum(axis=1)
    cube = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = cube[..., 0], cube[..., 1], cube[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def _colour(left: _Features, right: _Features) -> float:
    near = np.exp(-np.linalg.norm(left.lab - right.lab, axis=-1) / DELTA_E_SCALE)
    figure = np.maximum(left.figure, right.figure)
    if figure.sum() <= 1e-6:
        return float(near.mean())
    return float(0.5 * near.mean() + 0.5 * (near * figure).sum() / figure.sum())


def _grey(canvas: Array) -> Array:
    image = Image.fromarray(canvas).convert("L")
    scale = min(0.5, SSIM_SIDE / max(image.size))
    size = (max(round(image.width * scale), 1), max(round(image.height * scale), 1))
    return np.asarray(image.resize(size, Image.Resampling.BOX), np.float64)


def _window_means(values: Array) -> Array:
    """Means over all SSIM_WINDOW x SSIM_WINDOW windows that lie inside (smaller in thin ones)."""
    height, width = (min(SSIM_WINDOW, side) for side in values.shape)
    sums = np.pad(values, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    total = (
        sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width]
        + sums[:-height, :-width]
    )  # fmt: skip
    return np.asarray(total / (height * width))


def _pixels(left: _Features, right: _Features) -> float:
    covariance = _window_means(left.grey * right.grey) - left.mean * right.mean
    constant = (0.03 * 255) ** 2
    structure = (2 * covariance + constant) / (left.variance + right.variance + constant)
    step = np.abs(left.mean - right.mean)
    alike = np.clip(structure, 0.0, 1.0) * np.exp(-step / GREY_SCALE)
    weight = np.maximum(np.sqrt(np.maximum(left.variance, right.variance)), step)
    if weight.sum() <= 1e-6:
        return 1.0
    return float((alike * weight).sum() / weight.sum())


def _words(lines: Sequence[TextLine]) -> Places:
    """Word -> centres of its occurrences in pixels; a line's width is shared out by letters."""
    places: Places = defaultdict(list)
    for line in lines:
        x0, y0, x1, y1 = line.box
        step = (x1 - x0) / max(len(line.text), 1)
        start = 0
        for part in line.text.split():
            start = line.text.index(part, start)
            word = part.casefold().strip(string.punctuation) or part
            places[word].append((x0 + step * (start + len(part) / 2), (y0 + y1) / 2))
            start += len(part)
    return places


def _text(left: Places, right: Places, diagonal: float) -> float | None:
    count = sum(len(places) for words in (left, right) for places in words.values())
    if count == 0:
        return None
    matched = 0.0
    for word in left.keys() & right.keys():
        pairs = sorted(
            (math.dist(p, q), i, j)
            for i, p in enumerate(left[word])
            for j, q in enumerate(right[word])
        )
        used_left: set[int] = set()
        used_right: set[int] = set()
        for distance, i, j in pairs:
            if i not in used_left and j not in used_right:
                used_left.add(i)
                used_right.add(j)
                matched += 1.0 - 0.5 * min(distance / (FAR * diagonal), 1.0)
    return 2.0 * matched / count
