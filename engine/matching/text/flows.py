"""Texts as they are drawn, ready to be paired with lines: words, and where they stand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from engine.hints import Box, TextLine
from engine.matching.letters import letters
from engine.matching.text.passages import Passage

# Texts of one row with less between them (in heights of the row) are words of one line: a space is
# about a quarter of it, and from a half on a reader takes them for two columns.
WORD_SPACE = 0.4
GLUED = 0.05  # heights between two texts, at most, where there is no space


@dataclass(frozen=True)
class Slot:
    """A word that is drawn, and which word of which passage it is.

    `glued`: the next word, of another passage, follows without a space.
    """

    text: str
    passage: Passage | None
    index: int
    glued: bool = False


@dataclass(frozen=True, eq=False)
class Flow:
    """Words that run on as one text over one or several rows; boxes in pixels of the picture."""

    slots: tuple[Slot, ...]
    rows: tuple[Box, ...]

    @cached_property
    def text(self) -> str:
        """The words, one space between them."""
        return " ".join(slot.text for slot in self.slots)

    @cached_property
    def key(self) -> str:
        """What must be the same in equal texts."""
        return letters(self.text)

    @cached_property
    def box(self) -> Box:
        """Around all rows."""
        return around(self.rows)

    @property
    def passage(self) -> Passage | None:
        """The passage, where all words are of one."""
        first = self.slots[0].passage
        return first if all(slot.passage is first for slot in self.slots) else None


def around(boxes: Iterable[Box]) -> Box:
    """The smallest box that holds all."""
    x0, y0, x1, y1 = zip(*boxes, strict=True)
    return min(x0), min(y0), max(x1), max(y1)


def flows_of(
    bound: Sequence[tuple[Passage | None, list[TextLine]]], scale: tuple[float, float]
) -> list[Flow]:
    """Drawn texts as flows; `scale` brings their boxes to pixels of the picture.

    Passages with nothing but inline tags between are one flow where they are drawn as one line, or
    wrap from one to the next.
    """
    flows: list[Flow] = []
    for passage, lines in bound:
        words = [word for line in lines for word in line.text.split()]
        slots = tuple(Slot(word, passage, n) for n, word in enumerate(words))
        if not slots:
            continue
        flow = Flow(slots, tuple(_scaled(line.box, scale) for line in lines))
        if flows and passage is not None and passage.flows and _run_on(flows[-1], flow):
            flows[-1] = merged([flows[-1], flow])
        else:
            flows.append(flow)
    return flows


def merged(flows: Sequence[Flow]) -> Flow:
    """One flow of several; rows that lie side by side become one."""
    rows: list[Box] = []
    slots: list[Slot] = []
    for flow in flows:
        first = flow.rows[0]
        if rows and _same_row(rows[-1], first):
            if first[0] - rows[-1][2] < GLUED * (first[3] - first[1]):
                slots[-1] = replace(slots[-1], glued=True)
            rows[-1] = around([rows[-1], first])
        else:
            rows.append(first)
        rows.extend(flow.rows[1:])
        slots.extend(flow.slots)
    return Flow(tuple(slots), tuple(rows))


def _scaled(box: Box, scale: tuple[float, float]) -> Box:
    return box[0] * scale[0], box[1] * scale[1], box[2] * scale[0], box[3] * scale[1]


def _same_row(left: Box, right: Box) -> bool:
    middle = (right[1] + right[3]) / 2
    return left[1] <= middle <= left[3]


def _run_on(before: Flow, after: Flow) -> bool:
    last, first = before.rows[-1], after.rows[0]
    height = last[3] - last[1]
    if _same_row(last, first):
        return -1 <= first[0] - last[2] < WORD_SPACE * height
    # Links below each other are inline in the source too: only a text that wraps, or has gone on
    # from another one in its row, is believed to go on in the next row.
    wraps = len(before.rows) > 1 or before.passage is None or len(after.rows) > 1
    below = 0 <= first[1] - last[1] < 2.5 * height
    return wraps and below and first[0] < last[2] and abs(first[0] - before.box[0]) < height
