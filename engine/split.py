"""Pictures beyond a model's reach: cut along blank bands, converted in parts, put together again.

A model sees a picture of more pixels than its budget reduced, and small print is lost. Interfaces
are made of blocks with air between them: cut there, each block is seen at its own size. Whether
the page put together is better than the one written in one go is for `engine.improve` to measure.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.errors import ErrorCode, VisCodexError
from engine.hints import measure_colours
from engine.images import MIN_SIDE, ImageLimits, grid_size

SAME = 6  # levels by which the pixels of a blank line may differ
LEAST_BAND = 8  # pixels of air that part two blocks
MOST_PARTS = 12


class Part(NamedTuple):
    """A block of a picture, in its pixels."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.x1 - self.x0, self.y1 - self.y0


def within_reach(size: tuple[int, int], limits: ImageLimits) -> bool:
    """Whether a model sees a picture of this size without reducing it."""
    across, down = grid_size(*size, limits)
    return across >= size[0] - limits.factor and down >= size[1] - limits.factor


def parts(picture: Image.Image, limits: ImageLimits) -> list[Part]:
    """Blocks that cover an RGB picture, in reading order; one alone where it needs no cutting or
    cannot be cut."""
    pixels = np.asarray(picture, np.int16)
    found = _cut(pixels, Part(0, 0, picture.width, picture.height), limits, 0)
    return found if len(found) <= MOST_PARTS else [Part(0, 0, picture.width, picture.height)]


def _cut(pixels: NDArray[np.int16], part: Part, limits: ImageLimits, depth: int) -> list[Part]:
    if within_reach(part.size, limits) or depth > 6:
        return [part]
    region = pixels[part.y0 : part.y1, part.x0 : part.x1]
    rows, columns = (_best_cut(region, axis) for axis in (0, 1))
    if rows is None and columns is None:
        return [part]
    # Across first: pages are read from the top, and a column beside another is cut out below.
    if rows is not None:
        halves = (part._replace(y1=part.y0 + rows), part._replace(y0=part.y0 + rows))
    else:
        assert columns is not None
        halves = (part._replace(x1=part.x0 + columns), part._replace(x0=part.x0 + columns))
    return [piece for half in halves for piece in _cut(pixels, half, limits, depth + 1)]


def _best_cut(region: NDArray[np.int16], axis: int) -> int | None:
    """Where to cut a region (height, width, 3) across an axis: in a wide band near the middle."""
    lines = region.max(1 - axis) - region.min(1 - axis)
    blank = lines.max(-1) <= SAME
    length = len(blank)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], blank.astype(np.int8), [0]])))
    best, place = 0.0, None
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        middle = int(start + end) // 2
        if end - start < LEAST_BAND or not MIN_SIDE <= middle <= length - MIN_SIDE:
            continue
        if start == 0 or end == length:  # the margin of the region parts nothing
            continue
        centred = 1.0 - abs(2 * middle / length - 1.0)
        worth = float(end - start) ** 0.5 * centred
        if worth > best:
            best, place = worth, middle
    return place


def convert_parts(
    picture: Image.Image, limits: ImageLimits, ask: Callable[[bytes], str]
) -> str | None:
    """A page put together from what `ask` makes of each part's PNG; None where there is one part.

    A part that gives no code stays empty. Raises VisCodexError for what else `ask` meets.
    """
    found = parts(picture, limits)
    if len(found) == 1:
        return None
    pieces = []
    for part in found:
        out = io.BytesIO()
        picture.crop(part).save(out, "PNG")
        try:
            pieces.append((part, ask(out.getvalue())))
        except VisCodexError as error:
            if error.code is not ErrorCode.no_code:
                raise
    _, (red, green, blue) = measure_colours(picture, (0, 0, *picture.size))
    return assemble(pieces, picture.size, f"#{red:02x}{green:02x}{blue:02x}")


_STYLE = re.compile(r"<style[^>]*>(.*?)</style>", re.DOTALL | re.IGNORECASE)
_BODY = re.compile(r"<body[^>]*>(.*?)(?:</body>|\Z)", re.DOTALL | re.IGNORECASE)
_HEAD = re.compile(r"<!DOCTYPE[^>]*>|</?html[^>]*>|<head.*?</head>", re.DOTALL | re.IGNORECASE)
_ROOT = re.compile(r"(^\s*|[,}]\s*)(?:html|body|:root)(?=\s*[,{.:\[ >+~])", re.MULTILINE)
_UNSCOPED = re.compile(r"@(?:import|charset|font-face|keyframes)", re.IGNORECASE)


def assemble(pieces: Sequence[tuple[Part, str]], size: tuple[int, int], ground: str) -> str:
    """One page from the pages of its parts, each at its place, its rules for itself alone.

    `ground` is the CSS colour between the parts.
    """
    rules, elements = [], []
    for number, (part, code) in enumerate(pieces, 1):
        name = f"part-{number}"
        width, height = part.size
        place = f"left: {part.x0}px; top: {part.y0}px; width: {width}px; height: {height}px"
        # A grid as high as its place would spread its rows over it.
        fixed = f"position: absolute; {place}; box-sizing: border-box; align-content: start;"
        rules.append(f"#{name} {{ {fixed} }}")
        css = "\n".join(_STYLE.findall(code)).strip()
        if css and not _UNSCOPED.search(css):
            own = _indented(_ROOT.sub(r"\1&", css))
            rules.append(f"#{name} {{\n{own}\n}}")
        body = _BODY.search(code)
        inner = body.group(1) if body else _STYLE.sub("", _HEAD.sub("", code))
        elements.append(f'<section id="{name}">\n{_indented(inner.strip())}\n</section>')
    width, height = size
    frame = f"position: relative; width: {width}px; height: {height}px; background: {ground};"
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            "<style>",
            f"body {{ margin: 0; {frame} }}",
            *rules,
            "</style>",
            "</head>",
            "<body>",
            *elements,
            "</body>",
            "</html>",
            "",
        ]
    )


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" if line.strip() else "" for line in text.splitlines())
