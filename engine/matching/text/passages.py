"""Texts as they stand in code: words with their offsets, and how other words are written there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

_WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class Word:
    """A word of a text, and code[start:end] that spells it (entities and escapes undone)."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, eq=False)
class Passage:
    """A text in code: its words, and `write`, which spells a text for this place.

    `write` returns None for what cannot stand there. `flows` says that the text goes on from the
    passage before it, with nothing but inline tags between; `free` that it may be spelled in
    another way without a second place to follow. `others` are other places that spell
    the same text and change with it.
    """

    words: tuple[Word, ...]
    write: Callable[[str], str | None]
    flows: bool = False
    free: bool = False
    others: tuple[tuple[Word, ...], ...] = ()

    @property
    def text(self) -> str:
        """The words, one space between them."""
        return " ".join(word.text for word in self.words)


@dataclass(frozen=True)
class Edit:
    """Words first:last of a passage become `text`: "" takes them out, first == last adds."""

    first: int
    last: int
    text: str


def words_in(pieces: Iterable[tuple[int, int, str]]) -> tuple[Word, ...]:
    """The words of a spelled text, given as (start, end, what code[start:end] stands for)."""
    letters: list[str] = []
    spans: list[tuple[int, int]] = []
    for start, end, meaning in pieces:
        for letter in meaning:
            letters.append(letter)
            spans.append((start, end))
    found = _WORD.finditer("".join(letters))
    return tuple(Word(one[0], spans[one.start()][0], spans[one.end() - 1][1]) for one in found)


def rewritten(code: str, edits: Mapping[Passage, Sequence[Edit]]) -> str:
    """The code with words edited. What cannot be written is left as it is."""
    spans: list[tuple[int, int, str]] = []
    for passage, changes in edits.items():
        written = [passage.write(edit.text) for edit in changes]
        if None in written or _emptied(passage, changes):
            continue
        for words in (passage.words, *passage.others):
            for edit, text in zip(changes, written, strict=True):
                spans.append(_span(words, edit, text or ""))
    for start, end, text in sorted(spans, reverse=True):
        code = code[:start] + text + code[end:]
    return code


def _emptied(passage: Passage, changes: Sequence[Edit]) -> bool:
    gone = sum(edit.last - edit.first for edit in changes if not edit.text)
    return gone >= len(passage.words)


def _span(words: Sequence[Word], edit: Edit, text: str) -> tuple[int, int, str]:
    """Which code[start:end] becomes what. White space goes with the words taken out."""
    first, last = edit.first, edit.last
    if first == last:
        if first:
            return words[first - 1].end, words[first - 1].end, f" {text}"
        return words[0].start, words[0].start, f"{text} "
    if text:
        return words[first].start, words[last - 1].end, text
    if first:
        return words[first - 1].end, words[last - 1].end, ""
    return words[0].start, words[last].start, ""
