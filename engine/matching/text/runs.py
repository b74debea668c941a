"""Lines that were read, one by one and joined: what one text may have been read as."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.hints import Box, TextLine
from engine.matching.letters import letters
from engine.matching.text.flows import around

Array = npt.NDArray[Any]

Follower = list[int | None]

MOST_LINES = 12  # of one text
MOST_RUNS = 2000  # of a picture: short ones come first
ROW_GAP = 1.6  # heights of the print between two rows of one text, at most
BESIDE = 2.5  # the same between two parts of a row
_COUNTED = re.compile(r"(?:\d{1,3}|\w)[.)] ")


@dataclass(frozen=True, eq=False)
class Run:
    """Lines (their numbers) that may be one text, in reading order."""

    lines: tuple[TextLine, ...]
    numbers: tuple[int, ...]

    @cached_property
    def text(self) -> str:
        """The lines joined by spaces."""
        return " ".join(line.text for line in self.lines)

    @cached_property
    def key(self) -> str:
        """What must be the same in equal texts."""
        return letters(self.text)

    @cached_property
    def box(self) -> Box:
        """Around all lines."""
        return around(line.box for line in self.lines)

    @property
    def confidence(self) -> float:
        """That of the worst line."""
        return min(line.confidence for line in self.lines)


def runs_of(lines: Sequence[TextLine]) -> list[Run]:
    """Every line, and rows below or parts beside each other that may belong together."""
    runs = [Run((line,), (n,)) for n, line in enumerate(lines)]
    if not runs:
        return runs
    hanging = np.array([bool(_COUNTED.match(line.text)) for line in lines])
    boxes = np.array([line.box for line in lines], float)
    below, beside = _nearest(boxes, _below(boxes, hanging)), _nearest(boxes, _beside(boxes))
    chains = {
        chain[:end]
        for start in range(len(lines))
        for chain in (
            _chain(start, below, None),
            _chain(start, None, beside),
            _chain(start, below, beside),
        )
        for end in range(2, len(chain) + 1)
    }
    longer = sorted(chains, key=lambda chain: (len(chain), chain))
    runs += [Run(tuple(lines[n] for n in chain), chain) for chain in longer]
    return runs[: max(MOST_RUNS, len(lines))]


def _chain(start: int, below: Follower | None, beside: Follower | None) -> tuple[int, ...]:
    """Lines as they are read on from one: to the end of its row, then the row below."""
    chain = [start]
    row: int | None = start
    while len(chain) < MOST_LINES:
        after = beside[chain[-1]] if beside else None
        if after is None and below and row is not None:
            after = row = below[row]
        if after is None or after in chain:
            break
        chain.append(after)
    return tuple(chain)


def _nearest(boxes: Array, which: Array) -> Follower:
    """For each line the one of those that may follow it whose corner is nearest."""
    corners = boxes[:, :2]
    steps = np.linalg.norm(corners[:, None] - corners[None], axis=-1)
    steps[~which] = np.inf
    best = steps.argmin(axis=1)
    return [int(n) if steps[row, n] < np.inf else None for row, n in enumerate(best)]


def _below(boxes: Array, hanging: Array) -> Array:
    """Whether [upper, lower] are rows of about the same print that begin or are centred alike.

    `hanging` are those that begin with the number of a list: the next row may begin after it.
    """
    x0, y0, x1, y1 = boxes.T
    height = y1 - y0
    tall = np.maximum(height[:, None], height[None])
    alike = np.minimum(height[:, None], height[None]) >= 0.55 * tall
    gap = y0[None] - y1[:, None] + 0.35 * tall
    left = x0[None] - x0[:, None]
    centred = np.abs((x0 + x1)[None] - (x0 + x1)[:, None]) / 2
    starts = np.minimum(np.abs(left), centred) < 0.8 * tall
    starts |= hanging[:, None] & (left > 0) & (left < 2.5 * tall)
    lying = (x1 - x0 >= height)[:, None]
    return np.asarray(alike & lying & starts & (gap > 0) & (gap < ROW_GAP * tall))


def _beside(boxes: Array) -> Array:
    """Whether [left, right] are parts of one row, the right one soon after the left one."""
    x0, y0, x1, y1 = boxes.T
    height = np.maximum((y1 - y0)[:, None], (y1 - y0)[None])
    level = np.abs((y0 + y1)[None] - (y0 + y1)[:, None]) / 2 < 0.35 * height
    gap = x0[None] - x1[:, None]
    return np.asarray(level & (gap >= -1) & (gap < BESIDE * height))


def apart(drawn: Box, read: Box) -> float:
    """How far apart two texts begin, are centred or end (whichever is nearest), in pixels."""
    across = (
        abs(drawn[0] - read[0]),
        abs(drawn[0] + drawn[2] - read[0] - read[2]) / 2,
        abs(drawn[2] - read[2]),
    )
    return math.hypot(min(across), abs(drawn[1] + drawn[3] - read[1] - read[3]) / 2)


def in_place(drawn: Box, read: Box) -> bool:
    """Whether a line was read where a text is drawn: in its row, with an end or the middle."""
    if _upright(drawn) and _upright(read):
        drawn, read = _turned(drawn), _turned(read)
    height, print_height = drawn[3] - drawn[1], read[3] - read[1]
    if not 0.3 * height <= print_height <= 1.5 * height:
        return False
    shared = min(drawn[2], read[2]) - max(drawn[0], read[0])
    narrow = min(drawn[2] - drawn[0], read[2] - read[0])
    return shared >= 0.5 * narrow and apart(drawn, read) <= 0.6 * height


def _upright(box: Box) -> bool:
    return box[3] - box[1] > 1.5 * (box[2] - box[0])


def _turned(box: Box) -> Box:
    return box[1], box[0], box[3], box[2]
