"""The words in a picture: read with boxes and colours, and written down for a prompt.

Reading is rapidocr's (PP-OCRv6 weights in its wheel). A hint is a line

    12,30,192,52#222#fff>Sign in</

with the box in pixels of the picture as the model sees it, ink and ground colour, and the text
between the same `>` and `</` as in HTML, so that it falls into the same tokens there.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SMALL_PRINT = 16.0  # pixels of line height, as the model sees it, under which hints pay

Box = tuple[float, float, float, float]
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class TextLine:
    """A line of text: box as x0, y0, x1, y1 in pixels, confidence 0..1, colours as RGB 0..255."""

    text: str
    box: Box
    confidence: float
    ink: Colour
    ground: Colour


def measure_colours(picture: Image.Image, box: Box) -> tuple[Colour, Colour]:
    """Ink and ground colour in a box of an RGB picture.

    Ground is the most frequent colour (in cells of 16 levels). Ink is the mean of the pixels that
    lie farthest from it: strokes are thin, and their rims are blends of both.
    """
    x0 = min(max(0, int(box[0])), picture.width - 1)
    y0 = min(max(0, int(box[1])), picture.height - 1)
    x1, y1 = max(x0 + 1, round(box[2])), max(y0 + 1, round(box[3]))
    crop = np.asarray(picture.crop((x0, y0, min(x1, picture.width), min(y1, picture.height))))
    pixels = crop.reshape(-1, 3)
    if not len(pixels):
        return (0, 0, 0), (255, 255, 255)
    codes = (pixels >> 4).astype(np.int64) @ np.array([256, 16, 1])
    values, counts = np.unique(codes, return_counts=True)
    ground = pixels[codes == values[counts.argmax()]].mean(0)
    distance = np.abs(pixels - ground).sum(1)
    far = float(np.percentile(distance, 99))
    if far < 24:
        return _colour(ground), _colour(ground)
    return _colour(pixels[distance >= 0.9 * far].mean(0)), _colour(ground)


def _colour(values: NDArray[np.floating]) -> Colour:
    red, green, blue = (round(float(v)) for v in values)
    return red, green, blue


def reading_order(lines: Iterable[TextLine]) -> list[TextLine]:
    """Lines by rows from the top, within a row from the left.

    A line belongs to a row where its middle lies within the row's first line.
    """
    rows: list[list[TextLine]] = []
    for line in sorted(lines, key=lambda item: (item.box[1] + item.box[3], item.box[0])):
        middle = (line.box[1] + line.box[3]) / 2
        for row in rows[-3:]:
            if row[0].box[1] <= middle <= row[0].box[3]:
                row.append(line)
                break
        else:
            rows.append([line])
    rows.sort(key=lambda row: row[0].box[1] + row[0].box[3])
    return [line for row in rows for line in sorted(row, key=lambda item: item.box[0])]


def short_hex(colour: Sequence[int]) -> str:
    """Three hexadecimal digits, each channel rounded to the nearest of 16 levels."""
    return "#" + "".join(f"{min(15, round(channel / 17)):x}" for channel in colour)


_NOT_TEXT = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def format_hints(
    lines: Sequence[TextLine], scale: tuple[float, float], limit: int | None = None
) -> str:
    """The hints of a prompt, one line a text, each ended by a newline; at most `limit` lines.

    `scale` brings boxes from pixels of the picture to pixels as the model sees it (across, down).
    The text is data: it is escaped as in HTML, and the caller tokenizes it without special tokens.
    """
    rows = []
    for line in lines:
        text = _NOT_TEXT.sub(" ", line.text).strip()
        if not text:
            continue
        box = ",".join(
            str(max(0, round(value * factor)))
            for value, factor in zip(line.box, (*scale, *scale), strict=True)
        )
        colours = short_hex(line.ink) + short_hex(line.ground)
        rows.append(f"{box}{colours}>{html.escape(text, quote=False)}</\n")
    return "".join(rows[:limit])


def worth_giving(lines: Sequence[TextLine], modes: Iterable[str], scale: float) -> bool:
    """Whether a prompt should hold these lines: where any of `modes` says always, or print is
    small. `scale` brings heights from pixels of the picture to pixels as the model sees it.
    """
    if not lines or "always" in modes:
        return bool(lines)
    return median(line.box[3] - line.box[1] for line in lines) * scale < SMALL_PRINT


def ink_mask(picture: Image.Image, box: Box, ink: Colour, ground: Colour) -> NDArray[np.bool_]:
    """Which pixels of the box (rounded outwards) lie nearer to ink than to ground, roughly."""
    x0, y0, x1, y1 = math.floor(box[0]), math.floor(box[1]), math.ceil(box[2]), math.ceil(box[3])
    pixels = np.asarray(picture.crop((x0, y0, x1, y1)), np.int32)
    apart = sum(abs(a - b) for a, b in zip(ink, ground, strict=True))
    return np.asarray(np.abs(pixels - np.asarray(ground)).sum(2) > max(24.0, 0.35 * apart))


def tighten(line: TextLine, picture: Image.Image) -> TextLine | None:
    """The line with its box drawn closely around its ink; None where the box holds no ink."""
    box = (
        max(0.0, line.box[0]),
        max(0.0, line.box[1]),
        min(float(picture.width), line.box[2]),
        min(float(picture.height), line.box[3]),
    )
    if box[2] - box[0] < 1 or box[3] - box[1] < 1:
        return None
    mask = ink_mask(picture, box, line.ink, line.ground)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows) or line.ink == line.ground:
        return None
    x, y = math.floor(box[0]), math.floor(box[1])
    tight = (x + columns[0], y + rows[0], x + columns[-1] + 1, y + rows[-1] + 1)
    return replace(line, box=(float(tight[0]), float(tight[1]), float(tight[2]), float(tight[3])))


def column_gap(height: float, character: float) -> float:
    """How wide a gap in a line must be to part two texts, in pixels.

    Wider than a space of the same print: `height` is that of its ink, `character` the mean width
    of its characters (in fixed-width print a space is as wide as a letter).
    """
    return max(0.7 * height, 1.4 * character)


def split_columns(
    line: TextLine, words: Sequence[tuple[str, Box]], picture: Image.Image
) -> list[TextLine]:
    """Part a line where readers take neighbouring columns (menu entries, table cells) for one."""
    if len(words) < 2:
        return [line]
    mask = ink_mask(picture, line.box, line.ink, line.ground)
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    if not len(columns):
        return [line]
    width, height = columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1
    least = column_gap(float(height), width / max(1, len(line.text)))
    left = math.floor(line.box[0])
    steps = np.flatnonzero(np.diff(columns) - 1 >= least)
    cuts = [left + (columns[i] + columns[i + 1] + 1) / 2 for i in steps]
    groups: list[list[str]] = [[] for _ in range(len(cuts) + 1)]
    for text, box in words:
        middle = (box[0] + box[2]) / 2
        groups[sum(middle > cut for cut in cuts)].append(text)
    if any(not group for group in groups):
        return [line]
    edges = [line.box[0], *cuts, line.box[2]]
    return [
        replace(line, text=" ".join(group), box=(edges[i], line.box[1], edges[i + 1], line.box[3]))
        for i, group in enumerate(groups)
    ]


def read(picture: Image.Image) -> list[TextLine]:
    """Read the text of an RGB picture, in reading order. An empty list where there is none."""
    from engine.reader import read_boxes

    lines = []
    for found in read_boxes(picture):
        ink, ground = measure_colours(picture, found.box)
        whole = TextLine(found.text, found.box, found.confidence, ink, ground)
        for part in split_columns(whole, found.words, picture):
            ink, ground = measure_colours(picture, part.box)
            part = replace(part, ink=ink, ground=ground)
            lines.append(tighten(part, picture) or part)
    return reading_order(lines)
