"""How places of a drawing lead to places of the picture: by the words that both hold.

Code that is nearly right draws things some pixels off. A button still lies under its own words:
what is near a text in the drawing is looked for near the same text in the picture.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from engine.hints import Box, TextLine
from engine.matching.colour.shades import Array
from engine.matching.letters import letters

CELL = 16  # pixels; within one all goes the same way
REACH = 120.0  # pixels around a text that go its way; what is farther stays where it is
ENOUGH = 0.6  # share of the letters in common words that makes two lines the same
LEAST_OVERLAP = 0.3


class Anchors:
    """The lines of a picture, to be found again by text; `scale` brings the drawing to its size."""

    def __init__(
        self, drawn: Sequence[TextLine], lines: Sequence[TextLine], scale: tuple[float, float]
    ) -> None:
        self._lines = lines
        self._scale = scale
        self._same: dict[str, list[TextLine]] = defaultdict(list)
        self._with_word: dict[str, list[int]] = defaultdict(list)
        for number, line in enumerate(lines):
            self._same[letters(line.text)].append(line)
            for word in {letters(part) for part in line.text.split()}:
                self._with_word[word].append(number)
        boxes, shifts = [], []
        for text in drawn:
            if (same := self._twin(text)) is not None:
                boxes.append(self._scaled(text.box))
                x, y = _middle(boxes[-1])
                shifts.append((_middle(same.box)[0] - x, _middle(same.box)[1] - y))
        self._boxes, self._shifts = np.array(boxes).reshape(-1, 4), np.array(shifts).reshape(-1, 2)

    def moved(self, rows: Array, columns: Array) -> tuple[Array, Array]:
        """Where pixels of the drawing would lie in the picture; they may lie outside it."""
        x, y = columns * self._scale[0], rows * self._scale[1]
        if not len(self._boxes):
            return np.round(y).astype(int), np.round(x).astype(int)
        places = np.stack([x // CELL, y // CELL], axis=-1).astype(int)
        cells, cell_of = np.unique(places, axis=0, return_inverse=True)
        middles = (cells + 0.5) * CELL
        outside = np.maximum(self._boxes[:, :2] - middles[:, None], 0.0)
        outside = np.maximum(outside, middles[:, None] - self._boxes[:, 2:])
        distances = np.hypot(outside[..., 0], outside[..., 1])
        nearest = distances.argmin(axis=1)
        near = distances[np.arange(len(cells)), nearest] < REACH
        shifts = np.where(near[:, None], self._shifts[nearest], 0.0)[cell_of.reshape(-1)]
        return np.round(y + shifts[:, 1]).astype(int), np.round(x + shifts[:, 0]).astype(int)

    def line_of(self, drawn: TextLine) -> tuple[TextLine, bool] | None:
        """The line of the picture that a text in the drawing stands for, and whether its words
        say so; else it only lies there."""
        twin = self._twin(drawn) or self._cousin(drawn)
        if twin is not None:
            return twin, True
        here = self._scaled(drawn.box)
        there = max(self._lines, key=lambda line: _overlap(line.box, here), default=None)
        if there is None or _overlap(there.box, here) < LEAST_OVERLAP:
            return None
        return there, False

    def _twin(self, drawn: TextLine) -> TextLine | None:
        """The nearest line of the same text."""
        text = letters(drawn.text)
        return self._nearest(drawn, self._same.get(text, ())) if text else None

    def _cousin(self, drawn: TextLine) -> TextLine | None:
        """The nearest of the lines that share most of the letters in words."""
        words = [letters(word) for word in drawn.text.split()]
        shared: dict[int, int] = defaultdict(int)
        for word in words:
            for number in self._with_word.get(word, ()):
                shared[number] += len(word)
        most = max(shared.values(), default=0)
        if most < ENOUGH * sum(map(len, words)) or not most:
            return None
        return self._nearest(
            drawn, [self._lines[n] for n, count in shared.items() if count == most]
        )

    def _nearest(self, drawn: TextLine, lines: Sequence[TextLine]) -> TextLine | None:
        here = _middle(self._scaled(drawn.box))
        return min(lines, key=lambda line: math.dist(_middle(line.box), here), default=None)

    def _scaled(self, box: Box) -> Box:
        across, down = self._scale
        return box[0] * across, box[1] * down, box[2] * across, box[3] * down


def _middle(box: Box) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _overlap(one: Box, other: Box) -> float:
    """Share of the smaller box that lies in the other."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return max(width, 0.0) * max(height, 0.0) / max(smaller, 1.0)
