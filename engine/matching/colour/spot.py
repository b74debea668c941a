"""A colour in code: where it stands, and how another is written in its place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from PIL import ImageColor

from engine.hints import Colour

Kind = Literal["text", "area", "line", "any"]

HEX = r"\#(?:[0-9a-fA-F]{6}|[0-9a-fA-F]{3})(?![\w-])"
NAMES = ImageColor.colormap  # those of CSS, which are matplotlib's as well


@dataclass(frozen=True)
class Spot:
    """`code[start:end]` says `colour`; `kind` is what it draws, as far as the code tells."""

    start: int
    end: int
    colour: Colour
    kind: Kind


def colour_of(spelling: str) -> Colour:
    """What a name of CSS, three or six hexadecimal digits, rgb() or hsl() say, without alpha.

    Raises:
        ValueError: it is none of these.
    """
    red, green, blue = ImageColor.getrgb(spelling)[:3]
    return red, green, blue


def written(code: str, spots: Sequence[Spot], colours: Sequence[Colour | None]) -> str:
    """The code with another colour at each spot, spelled as the code spells; None leaves it.

    `spots` are in order and do not overlap.
    """
    spelling = _Spelling.of([code[spot.start : spot.end] for spot in spots])
    parts, end = [], 0
    for spot, colour in zip(spots, colours, strict=True):
        if colour is not None:
            parts += [code[end : spot.start], spelling.write(colour, code[spot.start : spot.end])]
            end = spot.end
    return "".join([*parts, code[end:]])


@dataclass(frozen=True)
class _Spelling:
    """How hexadecimal colours are written."""

    upper: bool
    short: bool

    @classmethod
    def of(cls, spellings: Sequence[str]) -> _Spelling:
        digits = [each[1:] for each in spellings if each.startswith("#")]
        letters = "".join(digits)
        longer = any(len(each) == 6 and each[::2] == each[1::2] for each in digits)
        return cls(
            upper=letters.upper() == letters != letters.lower(),
            short=any(len(each) == 3 for each in digits) or not longer,
        )

    def write(self, colour: Colour, old: str) -> str:
        if old.lower().startswith("rgb"):
            channels = iter(colour)
            return re.sub(r"\d+", lambda _: str(next(channels)), old, count=3)
        digits = "".join(f"{channel:02x}" for channel in colour)
        if self.short and digits[::2] == digits[1::2]:
            digits = digits[::2]
        return "#" + (digits.upper() if self.upper else digits)
