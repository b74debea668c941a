"""The difference of two versions of the code, as rows to show. No Qt."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher

CONTEXT = 3
SAME, ADDED, REMOVED, GAP = " ", "+", "-", "…"
"""Kinds of rows; the first three are the symbols that stand before a line, too."""


@dataclass(frozen=True)
class Row:
    """One row: its kind, numbers of the line before and after (0: not in that version), its text.

    In a GAP `text` is empty and `before`/`after` are those of the first line left out.
    """

    kind: str
    before: int
    after: int
    text: str
    hidden: int = 0  # lines left out by a gap


def compare_lines(before: str, after: str, context: int = CONTEXT) -> list[Row]:
    """Rows of a unified difference with `context` lines around each change; [] if none."""
    old, new = before.splitlines(), after.splitlines()
    rows: list[Row] = []
    blocks = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    if all(kind == "equal" for kind, *_ in blocks):
        return []
    for number, (kind, a, a_end, b, b_end) in enumerate(blocks):
        if kind == "equal":
            head = 0 if number == 0 else context
            tail = 0 if number == len(blocks) - 1 else context
            size = a_end - a
            if size <= head + tail + 1:  # a gap of one line would hide nothing
                head, tail = size, 0
            rows += [Row(SAME, a + i + 1, b + i + 1, old[a + i]) for i in range(head)]
            if size > head + tail:
                rows.append(Row(GAP, a + head + 1, b + head + 1, "", size - head - tail))
            rows += [Row(SAME, a + i + 1, b + i + 1, old[a + i]) for i in range(size - tail, size)]
        else:
            rows += [Row(REMOVED, a + i + 1, 0, old[a + i]) for i in range(a_end - a)]
            rows += [Row(ADDED, 0, b + i + 1, new[b + i]) for i in range(b_end - b)]
    return rows


def counts(rows: list[Row]) -> tuple[int, int]:
    """How many lines were added and how many removed."""
    kinds = [row.kind for row in rows]
    return kinds.count(ADDED), kinds.count(REMOVED)
