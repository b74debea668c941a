"""From what a renderer knows to the lines a reader would see and the regions a tower should see."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image

from engine.hints import TextLine, column_gap, measure_colours, reading_order, tighten
from training.nano.records import Region


def true_lines(picture: Image.Image, texts: Sequence[Mapping[str, Any]]) -> list[TextLine]:
    """Lines of text as a perfect reader would give them, in reading order.

    `texts` are a renderer's (text, box); texts without visible ink or outside the picture are left
    out, and close neighbours on one height become one line.
    """
    found: list[TextLine] = []
    for item in texts:
        box = tuple(float(v) for v in item["box"])
        text = " ".join(str(item["text"]).split())
        if not text or box[0] >= picture.width or box[1] >= picture.height:
            continue
        ink, ground = measure_colours(picture, (box[0], box[1], box[2], box[3]))
        tight = tighten(TextLine(text, (box[0], box[1], box[2], box[3]), 1.0, ink, ground), picture)
        if tight is not None and tight.box[3] - tight.box[1] >= 2:
            found.append(tight)
    merged: list[TextLine] = []
    for line in reading_order(found):
        last = merged[-1] if merged else None
        if last is not None and _one_line(last, line):
            box = (
                min(last.box[0], line.box[0]),
                min(last.box[1], line.box[1]),
                max(last.box[2], line.box[2]),
                max(last.box[3], line.box[3]),
            )
            merged[-1] = TextLine(f"{last.text} {line.text}", box, 1.0, last.ink, last.ground)
        else:
            merged.append(line)
    return merged


def _one_line(left: TextLine, right: TextLine) -> bool:
    low, high = max(left.box[1], right.box[1]), min(left.box[3], right.box[3])
    heights = (left.box[3] - left.box[1], right.box[3] - right.box[1])
    character = (left.box[2] - left.box[0]) / len(left.text)
    near = -2 <= right.box[0] - left.box[2] < column_gap(max(heights), character)
    same = sum(abs(a - b) for a, b in zip(left.ground, right.ground, strict=True)) < 24
    return near and same and high - low > 0.5 * min(heights)


_RGBA = re.compile(r"rgba?\(([^)]*)\)")


def _alpha(colour: str) -> float:
    match = _RGBA.match(colour)
    parts = [float(v) for v in match.group(1).split(",")] if match else []
    return parts[3] if len(parts) == 4 else float(bool(parts))


def page_regions(elements: Sequence[Mapping[str, Any]]) -> list[Region]:
    """Regions of a page in painting order, from the elements that show something of themselves."""
    regions = []
    for element in elements:
        x0, y0, x1, y1 = (float(v) for v in element["box"])
        filled = _alpha(str(element["background"])) > 0.05
        bordered = float(element["border"]) > 0
        ruled = float(element["border_bottom"]) > 0 and not bordered
        tag, classes = str(element["tag"]), str(element["cls"])
        radius = float(element["radius"])
        if tag == "input" and element["type"] in ("checkbox", "radio"):
            kind = "check"
        elif tag in ("input", "textarea", "select"):
            kind = "input"
        elif tag == "button" or "button" in classes or "btn" in classes:
            kind = "button"
        elif not (filled or bordered or ruled) or tag == "body":
            continue
        elif tag == "img" or "image" in classes:
            kind = "image"
        elif radius >= 0.4 * min(x1 - x0, y1 - y0) and filled:
            kind = "round"
        elif (ruled and not filled) or y1 - y0 <= 4:
            kind = "rule"
        else:
            kind = "box"
        if ruled and not filled:
            y0 = y1 - 2
        regions.append(Region(kind, (x0, y0, x1, y1), radius, filled or bordered))
    return regions


CHART_KINDS = {"box": "boxplot"}


def chart_regions(marks: Sequence[Mapping[str, Any]]) -> list[Region]:
    """Regions of a chart: the axes first, then its marks in drawing order."""
    regions = []
    for mark in sorted(marks, key=lambda m: m["kind"] != "axes"):
        kind = CHART_KINDS.get(str(mark["kind"]), str(mark["kind"]))
        x0, y0, x1, y1 = (float(v) for v in mark["box"])
        edged = kind in ("axes", "bar", "cell", "legend", "boxplot")
        regions.append(Region(kind, (x0, y0, x1, y1), 0.0, edged))
    return regions
