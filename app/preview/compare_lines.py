"""Which lines of text of the snip do not stand in what the code draws."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

from engine.hints import TextLine, reading_order

ALIKE = 0.8
"""Share of matching letters from which a line counts as there: readers confuse l, I and 1."""
SHORT = 4
"""Letters up to which a line has to be there as it is: a price or a number is wrong or right."""


def missing_lines(snip: Sequence[TextLine], drawn: Sequence[TextLine]) -> list[int]:
    """Indices of the lines of `snip` that `drawn` lacks.

    Only letters and digits count. A line may be part of a longer one, or broken into several.
    """
    there = [letters for line in reading_order(drawn) if (letters := _letters(line.text))]
    whole = set(there)
    running = "".join(there)
    missing = []
    for index, line in enumerate(snip):
        letters = _letters(line.text)
        if not letters or letters in whole:
            continue
        if len(letters) > SHORT:
            if letters in running or any(_alike(letters, other) for other in there):
                continue
        elif any(letters in _words(other.text) for other in drawn):
            continue
        missing.append(index)
    return missing


def _letters(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def _words(text: str) -> set[str]:
    return {_letters(word) for word in text.split()}


def _alike(a: str, b: str) -> bool:
    if min(len(a), len(b)) < ALIKE * max(len(a), len(b)) / (2 - ALIKE):
        return False  # by their lengths alone the ratio cannot reach ALIKE
    match = SequenceMatcher(None, a, b, autojunk=False)
    return match.quick_ratio() >= ALIKE and match.ratio() >= ALIKE
