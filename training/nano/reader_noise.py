"""Makes true lines of text as imperfect as the reader's.

The rates come from comparing reader and renderer on generated pictures:
`viscodex-train reader-rates` measures them again (these: 60 pictures, 480 lines).
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from engine.hints import Colour, TextLine

LOOKALIKES: Mapping[str, tuple[str, ...]] = {
    "l": ("1", "I"),
    "I": ("l", "1"),
    "1": ("l", "I"),
    "O": ("0",),
    "0": ("O", "o"),
    "o": ("0",),
    "S": ("5", "s"),
    "5": ("S",),
    "B": ("8",),
    "8": ("B",),
    "g": ("9", "q"),
    "m": ("rn",),
    "i": ("l", ""),
    "f": ("",),
    "T": ("π", "7"),
    "c": ("C",),
    "w": ("W",),
    "v": ("V",),
    "x": ("×",),
    ".": (",", ""),
    ",": (".",),
    "-": ("–", ""),
    "'": ("",),
    "é": ("e",),
}


@dataclass(frozen=True)
class ReaderNoise:
    """Chances, a line each unless told otherwise; `jitter` is a chance for each side of a box."""

    drop: float = 0.02
    confuse: float = 0.02
    lose_space: float = 0.005
    merge: float = 0.02
    split: float = 0.03
    bullet: float = 0.02
    jitter: float = 0.05
    colour: float = 0.02

    def apply(self, lines: Sequence[TextLine], rng: random.Random) -> list[TextLine]:
        """The lines as the reader might have seen them. Drawn from `rng` alone."""
        seen: list[TextLine] = []
        for line in lines:
            if rng.random() < self.drop:
                continue
            last = seen[-1] if seen else None
            if last is not None and rng.random() < self.merge and _side_by_side(last, line):
                seen[-1] = _joined(last, line)
                continue
            seen += self._spoil(line, rng)
        return seen

    def _spoil(self, line: TextLine, rng: random.Random) -> list[TextLine]:
        text = line.text
        if rng.random() < self.confuse:
            text = _confuse(text, rng)
        if " " in text and rng.random() < self.lose_space:
            spaces = [i for i, c in enumerate(text) if c == " "]
            at = rng.choice(spaces)
            text = text[:at] + text[at + 1 :]
        if rng.random() < self.bullet:
            text = "• " + text
        x0, y0, x1, y1 = (
            v + (rng.choice((-1, 1)) if rng.random() < self.jitter else 0) for v in line.box
        )
        ink = line.ink
        if rng.random() < self.colour:
            ink = _shifted(ink, rng)
        line = replace(line, text=text, box=(x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)), ink=ink)
        if " " in text and rng.random() < self.split:
            return _split(line, rng)
        return [line]


def _side_by_side(left: TextLine, right: TextLine) -> bool:
    middle = (right.box[1] + right.box[3]) / 2
    gap = right.box[0] - left.box[2]
    return left.box[1] <= middle <= left.box[3] and 0 <= gap < 3 * (left.box[3] - left.box[1])


def _joined(left: TextLine, right: TextLine) -> TextLine:
    box = (
        left.box[0],
        min(left.box[1], right.box[1]),
        right.box[2],
        max(left.box[3], right.box[3]),
    )
    return replace(left, text=f"{left.text} {right.text}", box=box)


def _split(line: TextLine, rng: random.Random) -> list[TextLine]:
    at = rng.choice([i for i, c in enumerate(line.text) if c == " "])
    x0, y0, x1, y1 = line.box
    cut = x0 + (x1 - x0) * at / len(line.text)
    parts = ((line.text[:at], (x0, y0, cut, y1)), (line.text[at + 1 :], (cut + 3, y0, x1, y1)))
    return [replace(line, text=text, box=box) for text, box in parts if text.strip()]


def _confuse(text: str, rng: random.Random) -> str:
    places = [i for i, c in enumerate(text) if c in LOOKALIKES]
    if not places:
        return text
    at = rng.choice(places)
    return text[:at] + rng.choice(LOOKALIKES[text[at]]) + text[at + 1 :]


def _shifted(colour: Colour, rng: random.Random) -> Colour:
    red, green, blue = (max(0, min(255, c + rng.randint(-12, 12))) for c in colour)
    return red, green, blue
