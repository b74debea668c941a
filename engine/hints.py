"""The words in a picture: read with boxes and colours, and written down for a prompt.

Reading is rapidocr's (PP-OCRv6 weights in its wheel). A hint is a line

    12,30,192,52#222#fff>Sign in</

with the box in pixels of the picture as the model sees it, ink and ground colour, and the text
between the same `>` and `</` as in HTML, so that it falls into the same tokens there.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

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
    x0, y0 = max(0, int(box[0])), max(0, int(box[1]))
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


def read(picture: Image.Image) -> list[TextLine]:
    """Read the text of an RGB picture, in reading order. An empty list where there is none."""
    from engine.reader import read_boxes

    lines = []
    for text, box, confidence in read_boxes(picture):
        ink, ground = measure_colours(picture, box)
        lines.append(TextLine(text, box, confidence, ink, ground))
    return reading_order(lines)
