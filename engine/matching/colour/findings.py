"""What colour the picture shows where a spot of the code draws."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from engine.hints import Colour, TextLine
from engine.matching.colour.anchors import Anchors
from engine.matching.colour.probes import DrawnText, Probed, Trace, frame_of
from engine.matching.colour.shades import Array, Tally, apart, chroma
from engine.matching.colour.spot import Spot

LEAST_PIXELS = 6
RING = 4  # pixels around a thin line in which it is looked for
LINE_PIXELS = 500
STANDS_OUT = 3.0  # CIELAB, from what lies around
LEAST_SHARE = 0.2  # of its pixels, for a colour to be a finding
LEAST_LINE = {"html": 0.5, "matplotlib": 0.15}  # the same for lines found beside their place
SURE_SHARE = 0.7  # of a line's own pixels: it lies just there
WIDER = {"html": 1.6, "matplotlib": 4.0}  # times the line drawn: such width is no line
VISIBLE = 20.0  # CIELAB, from the paper of a chart
PALE = 12.0  # chroma up to which the most frequent colour of a chart is its paper
SAME_GROUND = 5.0  # CIELAB: the ground of a line of text is a mean
SAME_INK = 12.0  # CIELAB
LEAST_COVER = 0.6  # of print; fainter print is not reckoned up further
SAME_SIZE = 0.8  # ratio of heights from which on print is of one size
FIXED = 0.002  # share of what no spot draws: grid, axes, ground
BY_PLACE = 0.3  # what a line is worth that lies where the text is drawn but says something else


@dataclass(frozen=True)
class Finding:
    """A colour of the picture for a spot. `weight`: pixels that speak of it. `share`: how
    many of those asked agree, 0..1. `exact`: read from pixels, not worked out of thin print."""

    colour: Colour
    weight: float
    share: float
    exact: bool


def findings(
    spots: Sequence[Spot],
    probed: Probed,
    picture: Image.Image,
    lines: Sequence[TextLine],
    target: str,
) -> list[Finding | None]:
    """One entry a spot; None where the picture says nothing of it."""
    looker = _Looker(probed, picture, lines, target)
    return [looker.look(number, spot, probed) for number, spot in enumerate(spots)]


class _Looker:
    def __init__(
        self, probed: Probed, picture: Image.Image, lines: Sequence[TextLine], target: str
    ) -> None:
        self._pixels = np.asarray(picture)
        scale = (picture.width / probed.size[0], picture.height / probed.size[1])
        self._anchors = Anchors([text.line for text in probed.texts], lines, scale)
        self._printed = np.zeros(self._pixels.shape[:2], bool)
        for line in lines:
            x0, y0, x1, y1 = (max(0, round(side)) for side in line.box)
            self._printed[max(0, y0 - 1) : y1 + 1, max(0, x0 - 1) : x1 + 1] = True
        self._least, self._wider = LEAST_LINE[target], WIDER[target]
        self._side = 2 * RING + 1
        reach = range(-RING, RING + 1)
        self._ring = np.array([(down, across) for down in reach for across in reach])
        self._frame = Tally.of(frame_of(self._pixels))
        # A mark of a chart is never of the colour that marks lie on; an area of a page may be.
        self._papers: list[Colour] = []
        self._fixed: list[Colour] = []
        if target == "matplotlib":
            self._papers = self._paper_colours()
            self._fixed = _frequent(probed.rest, FIXED)

    def look(self, number: int, spot: Spot, probed: Probed) -> Finding | None:
        trace = probed.traces[number]
        inked = [text for text in probed.texts if text.ink == number]
        by_pixels = spot.kind != "text" and trace.count >= LEAST_PIXELS
        if by_pixels and trace.solid:
            upon = [text for text in probed.texts if text.ground == number]
            return self._area(trace, spot, upon)
        if inked and (found := self._print(inked)) is not None:
            return found
        return self._line(trace, spot) if by_pixels and not inked else None

    def _paper_colours(self) -> list[Colour]:
        """What lies under a chart: the colour of its edge, and the pale one within its axes."""
        found = [
            top[0]
            for tally in (self._frame, Tally.of(_sample(self._pixels)))
            if (top := tally.top())
        ]
        return [found[0], *(colour for colour in found[1:] if chroma(colour) < PALE)]

    def _marks(self, tally: Tally, spot: Spot) -> Tally:
        """Without what a mark must not be: hardly seen, where it is seen well now."""
        if not self._papers or spot.kind == "area":
            return tally
        seen = min(apart(spot.colour, ground) for ground in self._papers)
        return tally.without(self._papers, max(min(VISIBLE, seen), STANDS_OUT))

    def _area(self, trace: Trace, spot: Spot, upon: Sequence[DrawnText]) -> Finding | None:
        """The most frequent colour where the area lies, behind the words that lie on it, and on
        the edge of the picture where the area makes that of the drawing."""
        votes: dict[Colour, float] = defaultdict(float)
        rows, columns = self._inside(*self._anchors.moved(trace.rows, trace.columns))
        tally = self._marks(Tally.of(self._pixels[rows, columns]), spot)
        found = _shares(tally.top(), len(trace.rows))
        found += self._behind(upon)
        if trace.frames:
            found += _shares(self._frame.top(), self._frame.total)
        for colour, share in found:
            like = next((known for known in votes if apart(known, colour) < SAME_GROUND), colour)
            votes[like] += share
        if not votes:
            return None
        colour = max(votes, key=lambda one: votes[one])
        asked = 1 + bool(upon) + trace.frames
        return Finding(colour, float(trace.count), votes[colour] / asked, True)

    def _behind(self, upon: Sequence[DrawnText]) -> list[tuple[Colour, float]]:
        """The grounds of the lines that texts stand for, with their shares of the letters."""
        letters = sum(len(text.line.text) for text in upon)
        found = []
        for text in upon:
            line = self._anchors.line_of(text.line)
            if line is not None and line[1]:
                found.append((line[0].ground, len(text.line.text) / letters))
        return found

    def _line(self, trace: Trace, spot: Spot) -> Finding | None:
        """What stands out from what lies around the line, be it some pixels beside it."""
        step = -(-len(trace.rows) // LINE_PIXELS)
        rows, columns = self._anchors.moved(trace.rows[::step], trace.columns[::step])
        width = len(rows) * self._side * trace.thickness  # what it would have in all the squares
        areas: list[Colour] = []
        rest = self._around(rows, columns)
        while (top := rest.top()) and (not areas or top[1] > self._wider * width):
            areas.append(top[0])
            rest = rest.without([top[0]], STANDS_OUT)
        there = Tally.of(self._pixels[self._inside(rows, columns)])
        if areas and any(apart(areas[0], paper) < VISIBLE for paper in self._papers):
            there, rest = self._marks(there, spot), self._marks(rest, spot)
        top = there.top()
        # A border of the colour of its own area is seen as the edge of that area.
        edge = len(areas) > 1
        if top and top[1] >= SURE_SHARE * len(rows) and (edge or _differs(top[0], areas)):
            return _finding(top, len(rows), trace)
        seen = rest.without(self._fixed, STANDS_OUT).top()
        return _finding(seen, width, trace, self._least)

    def _around(self, rows: Array, columns: Array) -> Tally:
        near = np.stack([rows, columns], axis=-1)[:, None] + self._ring
        rows, columns = self._inside(near[..., 0].reshape(-1), near[..., 1].reshape(-1))
        bare = ~self._printed[rows, columns]
        return Tally.of(self._pixels[rows[bare], columns[bare]])

    def _inside(self, rows: Array, columns: Array) -> tuple[Array, Array]:
        height, width = self._pixels.shape[:2]
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        return rows[inside], columns[inside]

    def _print(self, texts: Sequence[DrawnText]) -> Finding | None:
        """The ink of the lines that the texts stand for; the votes are their letters."""
        votes: list[tuple[float, float, Colour]] = []  # how plainly it is seen, weight, ink
        for text in texts:
            if (found := self._anchors.line_of(text.line)) is not None:
                line, said = found
                worth = len(text.line.text) * (1.0 if said else BY_PLACE)
                votes.append((_height(text.line) * text.cover, worth, _ink(line, text)))
        votes.sort(reverse=True)
        camps: list[tuple[Colour, float]] = []
        for _, worth, ink in votes:
            for number, (leader, weight) in enumerate(camps):
                if apart(leader, ink) < SAME_INK:
                    camps[number] = leader, weight + worth
                    break
            else:
                camps.append((ink, worth))
        if not camps:
            return None
        colour, weight = max(camps, key=lambda camp: camp[1])
        return Finding(colour, weight, weight / sum(len(text.line.text) for text in texts), False)


def _finding(
    top: tuple[Colour, int] | None, asked: float, trace: Trace, least: float = LEAST_SHARE
) -> Finding | None:
    if top is None or top[1] < least * asked:
        return None
    return Finding(top[0], float(trace.count), min(top[1] / asked, 1.0), True)


def _differs(colour: Colour, others: Sequence[Colour]) -> bool:
    return all(apart(colour, other) > STANDS_OUT for other in others)


def _shares(top: tuple[Colour, int] | None, asked: int) -> list[tuple[Colour, float]]:
    return [] if top is None or top[1] < LEAST_SHARE * asked else [(top[0], top[1] / asked)]


def _sample(pixels: Array) -> Array:
    return pixels[::4, ::4].reshape(-1, 3)


def _frequent(pixels: Array, share: float) -> list[Colour]:
    """The colours that so many of the pixels have, in cells of 8 levels."""
    tally = Tally.of(pixels | 7)
    many = tally.colours[tally.counts > share * len(pixels)]
    return [(int(red), int(green), int(blue)) for red, green, blue in many]


def _ink(line: TextLine, text: DrawnText) -> Colour:
    """The colour of a line's ink, as far as its print covers the ground.

    Thin print is paler than its colour. How much is known of the drawing, and holds for the
    picture where the print is of one size.
    """
    sizes = sorted((_height(line), _height(text.line)))
    cover = max(text.cover, LEAST_COVER) if sizes[0] > SAME_SIZE * sizes[1] else 1.0
    red, green, blue = (
        min(max(round(ground + (ink - ground) / cover), 0), 255)
        for ink, ground in zip(line.ink, line.ground, strict=True)
    )
    return red, green, blue


def _height(line: TextLine) -> float:
    return line.box[3] - line.box[1]
