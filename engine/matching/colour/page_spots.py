"""The colours of a page: in style blocks, style attributes and attributes that are colours.

Colours in gradients, shadows and fallbacks of var() are left out, and those with alpha: what is
seen of them is not what they say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from engine.matching.colour.spot import HEX, NAMES, Kind, Spot, colour_of

_PARTS = re.compile(
    r"""<!--.*?(?:-->|\Z)
    |<(?P<raw>script|title)\b[^>]*>.*?(?:</(?P=raw)\s*>|\Z)
    |<style\b[^>]*>(?P<sheet>.*?)(?:</style|\Z)
    |<[a-z][^\s>/]*(?P<attributes>(?:[^>"']|"[^"]*"|'[^']*')*)>""",
    re.DOTALL | re.IGNORECASE | re.VERBOSE,
)
_ATTRIBUTE = re.compile(r"""([^\s=>"'/]+)\s*=\s*("[^"]*"|'[^']*'|[^\s"'>]+)""")
_HIDDEN = re.compile(
    r"""/\*.*?(?:\*/|\Z)|"[^"\n]*"|'[^'\n]*'
    |(?!rgba?\(|hsl\()(?<![\w-])[a-z-][\w-]*\((?:[^()]|\([^()]*\))*\)""",
    re.DOTALL | re.IGNORECASE | re.VERBOSE,
)
# A selector looks like one up to the brace that ends it: `a:hover {`.
_DECLARATION = re.compile(
    r"(?:^|(?<=[{};]))\s*(?P<name>-{0,2}[a-zA-Z][\w-]*)\s*:(?P<value>[^{};]*)(?=[;}]|\Z)"
)
_COLOUR = re.compile(
    rf"""{HEX}
    |rgba?\(\s*\d{{1,3}}\s*[\s,]\s*\d{{1,3}}\s*[\s,]\s*\d{{1,3}}\s*(?:[,/]\s*1(?:\.0*)?\s*)?\)
    |hsl\(\s*\d+\s*,\s*\d+%\s*,\s*\d+%\s*\)
    |(?<![\w\#-])(?:{"|".join(NAMES)})(?![\w(-])""",
    re.IGNORECASE | re.VERBOSE,
)
_PROPERTIES: tuple[tuple[str, Kind], ...] = (
    (r"color|-webkit-text-fill-color|text-decoration(-color)?", "text"),
    (r"background(-color)?", "area"),
    (r"(border|outline|column-rule)(-[a-z]+)*", "line"),
    (r"fill|stroke|accent-color|caret-color", "any"),
)
_ATTRIBUTES: tuple[tuple[str, Kind], ...] = (
    (r"color|text|link", "text"),
    (r"bgcolor", "area"),
    (r"bordercolor", "line"),
    (r"fill|stroke", "any"),
)


def page_spots(code: str) -> list[Spot]:
    """The colours of a page, in order. Never raises."""
    found: list[Spot] = []
    for part in _PARTS.finditer(code):
        if part["sheet"] is not None:
            found += _sheet(part["sheet"], part.start("sheet"))
        for attribute in _ATTRIBUTE.finditer(part["attributes"] or ""):
            found += _attribute(attribute, part.start("attributes"))
    return found


def _attribute(attribute: re.Match[str], start: int) -> Iterator[Spot]:
    name, value, start = attribute[1].lower(), attribute[2], start + attribute.start(2)
    if value[0] in "\"'":
        value, start = value[1:-1], start + 1
    if name == "style":
        yield from _sheet(value, start)
    elif (kind := _kind(name, _ATTRIBUTES)) is not None:
        yield from _whole(value, start, kind)


def _sheet(css: str, start: int) -> Iterator[Spot]:
    css = _HIDDEN.sub(lambda hidden: " " * len(hidden[0]), css)
    for declaration in _DECLARATION.finditer(css):
        name, value = declaration["name"].lower(), declaration["value"]
        place = start + declaration.start("value")
        if name.startswith("--"):
            yield from _whole(value, place, "any")
        elif (kind := _kind(name, _PROPERTIES)) is not None:
            for colour in _COLOUR.finditer(value):
                yield from _spot(colour, place, kind)


def _kind(name: str, table: tuple[tuple[str, Kind], ...]) -> Kind | None:
    return next((kind for pattern, kind in table if re.fullmatch(pattern, name)), None)


def _whole(value: str, start: int, kind: Kind) -> Iterator[Spot]:
    """The spot where the value is a colour and nothing else."""
    blank = len(value) - len(value.lstrip())
    if colour := _COLOUR.fullmatch(value, blank, len(value.rstrip())):
        yield from _spot(colour, start, kind)


def _spot(colour: re.Match[str], start: int, kind: Kind) -> Iterator[Spot]:
    spelling = colour[0]
    if spelling.lower().startswith("rgb"):
        red, green, blue = (int(number) for number in re.findall(r"\d+", spelling)[:3])
        said = (red, green, blue)
    else:
        said = colour_of(spelling)
    if max(said) <= 255:
        yield Spot(start + colour.start(), start + colour.end(), said, kind)
