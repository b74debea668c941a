"""Faint print made strong before it is looked for: a stretch of contrast, place by place.

Line detectors pass over print that hardly differs from its ground (grey hints in a form, a dim
footer on black). A picture is seldom faint as a whole, so the stretch is measured in cells.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

Array = npt.NDArray[Any]

CELL = 8  # pixels
REACH = 5  # cells: print and its ground are found within this square around a cell
ENOUGH = 128.0  # range of levels, of 255, that needs no help
NOISE = 12.0  # range up to which a place counts as plain: shadows, dithering, JPEG blocks
MOST = 6.0  # times


def strengthen(picture: Image.Image) -> Image.Image:
    """An RGB picture with its faint places stretched; the same object where there are none.

    Every pixel keeps its place. In each cell the levels are multiplied about the middle of their
    range, alike in all channels; between cells the factors are interpolated.
    """
    pixels = np.asarray(picture)
    height, width = pixels.shape[:2]
    padded = np.pad(pixels, ((0, -height % CELL), (0, -width % CELL), (0, 0)), mode="edge")
    rows, columns = padded.shape[0] // CELL, padded.shape[1] // CELL
    bands = padded.reshape(rows, CELL, -1)  # first down, then across: rows lie together in memory
    low = bands.min(1).reshape(rows, columns, CELL, 3).min(2)
    high = bands.max(1).reshape(rows, columns, CELL, 3).max(2)
    low = _around(low, ImageFilter.MinFilter(REACH))
    high = _around(high, ImageFilter.MaxFilter(REACH))
    wide = (high - low).max(2)
    gain = np.where(wide > NOISE, np.clip(ENOUGH / np.maximum(wide, 1.0), 1.0, MOST), 1.0)
    if gain.max() == 1.0:
        return picture
    half = (high - low) / 2 * gain[..., None]
    middle = (high + low) / 2
    offset = np.clip(middle, half, np.maximum(half, 255.0 - half)) - middle * gain[..., None]
    factor = _spread(gain)[:height, :width]
    stretched = np.empty_like(pixels)
    for channel in range(3):
        levels = pixels[..., channel] * factor
        levels += _spread(offset[..., channel])[:height, :width] + 0.5  # rounds, as bytes cut off
        stretched[..., channel] = np.clip(levels, 0, 255, out=levels)
    return Image.fromarray(stretched)


def _around(cells: Array, extreme: ImageFilter.Filter) -> Array:
    return np.asarray(Image.fromarray(cells).filter(extreme), np.float32)


def _spread(values: Array) -> Array:
    """From cells to pixels, linear between their middles."""
    rows, columns = values.shape
    cells = Image.fromarray(values.astype(np.float32))
    return np.asarray(cells.resize((columns * CELL, rows * CELL), Image.Resampling.BILINEAR))
