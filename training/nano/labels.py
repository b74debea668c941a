"""What the vision stage learns from: labels for every patch of 14 px, from what the renderer knows.

Kinds and edges come from the regions of a sample, colours from the pixels themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from engine.hints import TextLine
from training.nano.records import Region

PATCH = 14
KINDS = (
    "none",
    "box",
    "button",
    "input",
    "check",
    "image",
    "round",
    "rule",
    "bar",
    "line",
    "point",
    "wedge",
    "area",
    "boxplot",
    "cell",
    "legend",
    "axes",
)
KIND_NUMBERS = {kind: number for number, kind in enumerate(KINDS)}
CORNERS = (0.0, 3.0, 9.0, 14.0)  # upper limits of radius classes 1.. ; 0 is no corner here


@dataclass(frozen=True)
class PatchLabels:
    """Labels of a picture, patches in row order: all arrays have rows * columns entries first.

    `kind` class of the topmost region; `text` whether a line of text crosses; `ground` and `ink`
    RGB 0..1; `contrast` how far the two are apart (0..1), the weight of the ink term; `edges`
    whether a region's left, top, right, bottom edge runs through; `corner` class of the radius.
    """

    kind: np.ndarray
    text: np.ndarray
    ground: np.ndarray
    ink: np.ndarray
    contrast: np.ndarray
    edges: np.ndarray
    corner: np.ndarray


def _patch_range(low: float, high: float, count: int) -> slice:
    """Patches that the span [low, high) px covers by at least a half, or its middle's patch."""
    first = int(np.floor(low / PATCH + 0.5))
    last = int(np.ceil(high / PATCH - 0.5))
    if last <= first:  # a thin thing still marks the patch its middle lies in
        first = int((low + high) / 2 // PATCH)
        last = first + 1
    return slice(max(0, min(first, count - 1)), max(1, min(last, count)))


def _colours(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ground, ink and contrast per patch. `pixels` (n, 196, 3) uint8."""
    codes = (pixels >> 4).astype(np.int32)
    codes = (codes[..., 0] << 8) | (codes[..., 1] << 4) | codes[..., 2]
    ordered = np.sort(codes, axis=1)
    # The most frequent code per row: the longest run in the sorted row.
    starts = np.concatenate(
        [np.ones((len(codes), 1), bool), ordered[:, 1:] != ordered[:, :-1]], axis=1
    )
    index = np.where(starts, np.arange(ordered.shape[1])[None], 0)
    begun = np.maximum.accumulate(index, axis=1)
    run = np.arange(ordered.shape[1])[None] - begun
    best = np.take_along_axis(ordered, run.argmax(1)[:, None], 1)
    mask = codes == best
    ground = (pixels * mask[..., None]).sum(1) / mask.sum(1)[:, None]
    distance = np.abs(pixels.astype(np.float32) - ground[:, None]).sum(2)
    far = distance.argmax(1)
    ink = np.take_along_axis(pixels, far[:, None, None], 1)[:, 0]
    contrast = distance.max(1) / 765
    return ground / 255, ink / 255, contrast


def patch_labels(
    picture: Image.Image,
    regions: list[Region],
    lines: list[TextLine],
    scale: tuple[float, float],
) -> PatchLabels:
    """Labels for `picture`, already on the grid; regions and lines in unscaled pixels."""
    columns, rows = picture.width // PATCH, picture.height // PATCH
    across, down = scale
    kind = np.zeros((rows, columns), np.int64)
    text = np.zeros((rows, columns), np.float32)
    edges = np.zeros((rows, columns, 4), np.float32)
    corner = np.zeros((rows, columns), np.int64)

    def place(value: float, count: int) -> int:
        return int(max(0, min(count - 1, value // PATCH)))

    for region in regions:
        x0, y0, x1, y1 = (v * s for v, s in zip(region.box, (across, down) * 2, strict=True))
        if x1 <= 0 or y1 <= 0 or x0 >= picture.width or y0 >= picture.height:
            continue
        here = _patch_range(y0, y1, rows), _patch_range(x0, x1, columns)
        kind[here] = KIND_NUMBERS[region.kind]
        if not region.border:
            continue
        ys = slice(place(y0, rows), place(y1 - 1, rows) + 1)
        xs = slice(place(x0, columns), place(x1 - 1, columns) + 1)
        sides = ((x0, ys, 0), (y0, xs, 1), (x1 - 1, ys, 2), (y1 - 1, xs, 3))
        for value, span, side in sides:
            if side % 2 == 0:
                edges[span, place(value, columns), side] = 1
            else:
                edges[place(value, rows), span, side] = 1
        size = 1 + sum(region.radius > limit for limit in CORNERS)
        for y in (y0, y1 - 1):
            for x in (x0, x1 - 1):
                corner[place(y, rows), place(x, columns)] = min(size, len(CORNERS))
    for line in lines:
        x0, y0, x1, y1 = (v * s for v, s in zip(line.box, (across, down) * 2, strict=True))
        text[_patch_range(y0, y1, rows), _patch_range(x0, x1, columns)] = 1
    pixels = np.asarray(picture).reshape(rows, PATCH, columns, PATCH, 3).transpose(0, 2, 1, 3, 4)
    ground, ink, contrast = _colours(pixels.reshape(rows * columns, PATCH * PATCH, 3))
    return PatchLabels(
        kind.reshape(-1),
        text.reshape(-1),
        ground.astype(np.float32),
        ink.astype(np.float32),
        contrast.astype(np.float32),
        edges.reshape(-1, 4),
        corner.reshape(-1),
    )
