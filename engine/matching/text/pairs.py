"""Which drawn text is which line: equal ones first, then alike ones, then those at one place.

Each line is used once. An assignment by descending score, where nearness breaks ties: texts are
either alike or not, so that a costlier optimum would hardly ever choose otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

import numpy as np
import numpy.typing as npt

from engine.hints import Box, TextLine
from engine.matching.letters import letters
from engine.matching.text.flows import Flow, merged
from engine.matching.text.runs import Run, apart, in_place, runs_of

BINS = 512  # pairs of letters are counted in so many cells
TRIED = 4  # runs that are compared letter by letter with each text
LEAST_SHARE = 0.25  # of pairs of letters (cosine), to be among them
LONGEST = 400  # letters; longer texts are compared by their pairs of letters alone
ALIKE = 0.7  # likeness of texts that are the same, wherever they stand
ALIKE_HERE = 0.5  # and where the place agrees
FEW = 5  # letters: shorter texts (numbers above all) are the same only at the same place
LONG = 3  # letters of a word that says something of the text it is in
FAR = 0.25  # of the diagonal: a text as far off counts as elsewhere
PLACE = 0.3  # what that costs, of a likeness of 1


@dataclass(frozen=True)
class Pair:
    """A drawn text and what it was read as."""

    flow: Flow
    run: Run

    @property
    def certain(self) -> bool:
        """Whether the words alone say that it is the same text."""
        return _likeness(self.flow.key, self.run.key) >= ALIKE


@dataclass(frozen=True)
class Pairs:
    """`same`: alike or equal. `other`: another text at the place of a drawn one. `moved`: texts
    that stand at each other's places. `spare` and `loose`: the words (their
    letters) of lines and of drawn texts without a partner."""

    same: list[Pair]
    other: list[Pair]
    moved: list[list[Pair]]
    spare: frozenset[str]
    loose: frozenset[str]


def pair(flows: Sequence[Flow], lines: Sequence[TextLine], size: tuple[int, int]) -> Pairs:
    """Pair drawn texts with lines; `size` is that of the picture, in pixels."""
    return _Pairing(flows, lines, math.hypot(*size)).pairs()


class _Pairing:
    def __init__(self, flows: Sequence[Flow], lines: Sequence[TextLine], diagonal: float) -> None:
        self._flows = list(flows)
        self._runs = runs_of(lines)
        self._singles = self._runs[: len(lines)]
        self._diagonal = diagonal
        self._used: set[int] = set()  # numbers of lines
        self._done: dict[Flow, Run] = {}

    def pairs(self) -> Pairs:
        self._equal()
        moved = self._moved()
        self._covered()
        self._alike()
        free = [run for run in self._singles if self._free(run)]
        spare = _long(word for run in free for word in run.text.split())
        same = [Pair(flow, run) for flow, run in self._done.items()]
        loose = _long(slot.text for flow in self._left() for slot in flow.slots)
        return Pairs(same, self._others(free, spare), moved, spare, loose)

    def _free(self, run: Run) -> bool:
        return self._used.isdisjoint(run.numbers)

    def _take(self, scored: list[tuple[float, Flow, Run]]) -> None:
        for _, flow, run in sorted(scored, key=lambda one: -one[0]):
            if flow not in self._done and self._free(run):
                self._done[flow] = run
                self._used.update(run.numbers)

    def _distance(self, flow: Flow, run: Run) -> float:
        return apart(flow.box, run.box) / self._diagonal

    def _equal(self) -> None:
        by_key: dict[str, list[Run]] = {}
        for run in self._runs:
            by_key.setdefault(run.key, []).append(run)
        # Several lines that make one text come before one of them that makes another.
        self._take(
            [
                (len(run.numbers) - self._distance(flow, run), flow, run)
                for flow in self._flows
                for run in by_key.get(flow.key, ())
            ]
        )

    def _moved(self) -> list[list[Pair]]:
        """Texts that were read, but each at the place of another of them."""
        owners = {run.numbers[0]: flow for flow, run in self._done.items() if len(run.numbers) == 1}
        wanted: dict[Flow, Run] = {}
        for flow, run in self._done.items():
            if len(run.numbers) > 1 or in_place(flow.box, run.box):
                continue
            here = [one for one in self._singles if in_place(flow.box, one.box)]
            if len(here) == 1 and here[0].numbers[0] in owners:
                wanted[flow] = here[0]
        owner = {flow: owners[run.numbers[0]] for flow, run in wanted.items()}
        circles: list[list[Pair]] = []
        seen: set[Flow] = set()
        for start in wanted:
            circle = [start]
            while (after := owner[circle[-1]]) in wanted and after not in circle:
                circle.append(after)
            if after is start and len(circle) > 1 and seen.isdisjoint(circle):
                circles.append([Pair(flow, wanted[flow]) for flow in circle])
            seen.update(circle)
        return circles

    def _covered(self) -> None:
        """Lines that cover several drawn texts of a row: those become one text."""
        for run in [one for one in self._singles if self._free(one)]:
            left = [flow for flow in self._left() if len(flow.rows) == 1]
            row = [flow for flow in left if _within(flow.box, run.box)]
            if len(row) < 2:
                continue
            row.sort(key=lambda one: one.box[0])
            whole = merged(row)
            if whole.key == run.key or _likeness(whole.key, run.key) >= ALIKE:
                self._flows = [flow for flow in self._flows if flow not in row] + [whole]
                self._done[whole] = run
                self._used.update(run.numbers)

    def _left(self) -> list[Flow]:
        return [flow for flow in self._flows if flow not in self._done]

    def _alike(self) -> None:
        flows = [flow for flow in self._left() if flow.key]
        runs = [run for run in self._runs if self._free(run)]
        if not flows or not runs:
            return
        shares = _letter_pairs([f.key for f in flows]) @ _letter_pairs([r.key for r in runs]).T
        scored = []
        for flow, row in zip(flows, shares, strict=True):
            for n in np.argsort(-row, kind="stable")[:TRIED]:
                if row[n] < LEAST_SHARE:
                    break
                found = self._score(flow, runs[n], float(row[n]))
                if found is not None:
                    scored.append((found, flow, runs[n]))
        self._take(scored)

    def _score(self, flow: Flow, run: Run, share: float) -> float | None:
        """How well an alike text fits; None where it is another."""
        here = in_place(flow.rows[0], run.lines[0].box)
        long = max(len(flow.key), len(run.key)) > LONGEST
        alike = share if long else _likeness(flow.key, run.key)
        if alike < (ALIKE_HERE if here else ALIKE):
            return None
        if not here and min(len(flow.key), len(run.key)) < FEW:
            return None
        return alike - PLACE * min(self._distance(flow, run) / FAR, 1.0)

    def _others(self, free: Sequence[Run], spare: frozenset[str]) -> list[Pair]:
        """Texts of which no word was read, where a line without a partner stands alone.

        Only where most texts that have a partner are drawn at its place: of a page that is built
        in another way a place says nothing.
        """
        placed = [in_place(one.rows[0], run.lines[0].box) for one, run in self._done.items()]
        if 2 * sum(placed) < len(placed):
            return []
        left = [flow for flow in self._left() if flow.passage and len(flow.rows) == 1]
        found = []
        for flow in left:
            here = [run for run in free if in_place(flow.box, run.box)]
            alone = len(here) == 1 and sum(in_place(one.box, here[0].box) for one in left) == 1
            if alone and spare.isdisjoint(letters(slot.text) for slot in flow.slots):
                found.append(Pair(flow, here[0]))
        return found


def _long(words: Iterable[str]) -> frozenset[str]:
    return frozenset(key for word in words if len(key := letters(word)) >= LONG)


def _within(inner: Box, outer: Box) -> bool:
    """Whether a drawn text lies in the row of a line, its middle between the ends."""
    level = abs(inner[1] + inner[3] - outer[1] - outer[3]) < inner[3] - inner[1]
    return level and outer[0] <= (inner[0] + inner[2]) / 2 <= outer[2]


def _likeness(a: str, b: str) -> float:
    matcher = SequenceMatcher(None, a, b, autojunk=False)
    return matcher.ratio() if matcher.real_quick_ratio() >= ALIKE_HERE else 0.0


def _letter_pairs(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Counts of neighbouring letters, (texts, BINS), each row of length 1."""
    counts = np.zeros((len(texts), BINS), np.float32)
    for row, text in enumerate(texts):
        codes = np.frombuffer(f" {text} ".encode("utf-32-le"), np.uint32).astype(np.int64)
        counts[row] = np.bincount((codes[:-1] * 31 + codes[1:]) % BINS, minlength=BINS)
    return np.asarray(counts / np.maximum(np.linalg.norm(counts, axis=1, keepdims=True), 1e-9))
