"""Which lines of text of the snip do not stand in what the code draws."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

from engine.hints import TextLine, reading_order

ALIKE = 0.8
"""Share of matching letters from which a line counts as there: readers confuse l, I and 1."""
SHORT = 4
"""Letters up to which a line has to be there as it is: a price or a number is wrong or right."""
_TAKEN = "\0"


class _Drawn:
    """The letters drawn, in reading order; each stands for one line of the snip at most."""

    def __init__(self, lines: Sequence[TextLine]) -> None:
        self.letters = ""
        self.texts: list[tuple[int, int]] = []
        self._starts: set[int] = set()
        self._ends: set[int] = set()
        for line in reading_order(lines):
            begin = len(self.letters)
            for word in line.text.split():
                self._starts.add(len(self.letters))
                self.letters += _letters(word)
                self._ends.add(len(self.letters))
            self.texts.append((begin, len(self.letters)))

    def take(self, wanted: str) -> bool:
        """Whether whole words that nobody has taken make up `wanted`; takes them."""
        at = self.letters.find(wanted)
        while at >= 0:
            if at in self._starts and at + len(wanted) in self._ends:
                self._mark(at, at + len(wanted))
                return True
            at = self.letters.find(wanted, at + 1)
        return False

    def take_alike(self, wanted: str) -> bool:
        """Whether what is left of a text is nearly `wanted`; takes it."""
        for begin, end in self.texts:
            if _alike(wanted, self.letters[begin:end].replace(_TAKEN, "")):
                self._mark(begin, end)
                return True
        return False

    def _mark(self, begin: int, end: int) -> None:
        self.letters = self.letters[:begin] + _TAKEN * (end - begin) + self.letters[end:]


def missing_lines(snip: Sequence[TextLine], drawn: Sequence[TextLine]) -> list[int]:
    """Indices of the lines of `snip` that `drawn` lacks.

    Only letters and digits count. A line may be part of a longer one, or broken into several. The
    longest lines choose first, so that a button "Sign in" is not found in "Sign in to your diary".
    """
    there = _Drawn(drawn)
    wanted = [(_letters(line.text), index) for index, line in enumerate(snip)]
    left = [pair for pair in sorted(wanted, key=lambda pair: -len(pair[0])) if pair[0]]
    left = [pair for pair in left if not there.take(pair[0])]
    return sorted(
        index for letters, index in left if len(letters) <= SHORT or not there.take_alike(letters)
    )


def _letters(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def _alike(a: str, b: str) -> bool:
    if min(len(a), len(b)) < ALIKE * max(len(a), len(b)) / (2 - ALIKE):
        return False  # by their lengths alone the ratio cannot reach ALIKE
    match = SequenceMatcher(None, a, b, autojunk=False)
    return match.quick_ratio() >= ALIKE and match.ratio() >= ALIKE
