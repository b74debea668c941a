"""Guesses how an answer goes on, so that several tokens can be computed in one pass.

An edit writes most of the old code again, and code repeats itself. A guess costs little where it
is wrong and never changes the answer: every token is still drawn from the model's own logits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

KEY = 3  # tokens that must agree before the place behind them is followed
SHORTEST, LONGEST = 4, 32  # tokens of one guess


class Draft:
    """Follows an answer through the old code, and through what the answer has said before."""

    def __init__(self, old: Sequence[int] = ()) -> None:
        self._known = list(old)  # the old code, then the answer as far as it is written
        self._edge = len(old)
        self._behind: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
        for end in range(KEY, len(old)):
            self._behind[tuple(old[end - KEY : end])].append(end)
        self._cursor: int | None = 0 if old else None
        self._near = 0  # where the old code was left
        self._hits = 0  # tokens foreseen without a miss

    def take(self, token: int) -> None:
        """The answer went on with `token`."""
        known, cursor = self._known, self._cursor
        foreseen = cursor is not None and cursor != self._edge and known[cursor] == token
        known.append(token)
        if foreseen and cursor is not None:
            self._cursor, self._hits = cursor + 1, self._hits + 1
        else:
            self._hits = 0
            self._cursor = self._find()
        if len(known) - self._edge > KEY:  # the key before this token now has something behind it
            self._behind[tuple(known[-KEY - 1 : -1])].append(len(known) - 1)

    def _find(self) -> int | None:
        """Behind the last place that read like the end of the answer; in the old code if it can."""
        if self._cursor is not None and self._cursor <= self._edge:
            self._near = self._cursor
        if len(self._known) - self._edge < KEY:
            return None
        places = self._behind.get(tuple(self._known[-KEY:]))
        if not places:
            return None
        old = [place for place in places if place < self._edge]
        return min(old, key=lambda place: abs(place - self._near)) if old else places[-1]

    def guess(self, most: int) -> list[int]:
        """At most `most` tokens that may come next; the longer, the better it went lately."""
        if self._cursor is None:
            return []
        end = self._edge if self._cursor < self._edge else len(self._known)
        length = min(most, max(SHORTEST, min(LONGEST, 2 * self._hits)))
        return self._known[self._cursor : min(end, self._cursor + length)]
