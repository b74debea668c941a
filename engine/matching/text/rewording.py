"""Which words of a text change for what was read, and which the reader itself has wrong.

A reader drops and adds spaces and punctuation, loses accents and takes signs for others that look
the same. Where letters and digits agree, the code has it right.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence, Set
from dataclasses import dataclass
from difflib import SequenceMatcher

from engine.hints import TextLine
from engine.matching.letters import letters
from engine.matching.text.flows import Flow, Slot
from engine.matching.text.passages import Edit, Passage

SURE = 0.9  # confidence of a line whose letters are believed
ALIKE = 0.5  # likeness of words from which one is the other misspelled
# Signs of different kinds that readers take for each other.
LOOKALIKES = str.maketrans("1I|!058", "llllosb")
SAME_SHAPE = frozenset("cosuvwxzkp")  # letters whose capitals differ in size alone
MARKER = re.compile(r"\(?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]+)[.)]|[•◦▪·‣*-]")  # that a list draws itself
BRACKETS = (("(", ")"), ("[", "]"), ("{", "}"))
_RIM = re.compile(r"^(\W*)(.*?)(\W*)$", re.DOTALL)
Edits = dict[Passage, list[Edit]]
_Group = list[Slot]


@dataclass(frozen=True)
class _Read:
    text: str
    sure: bool


def reworded(
    flow: Flow,
    lines: Sequence[TextLine],
    *,
    case: bool,
    spare: Set[str] = frozenset(),
    loose: Set[str] = frozenset(),
) -> Edits:
    """The edits that make a flow say what was read in `lines`.

    `case` False leaves capitals alone. `spare` are words (their letters) that were read elsewhere
    and belong to no text yet: those are not taken out; `loose` are words drawn elsewhere that were
    not found: those are not added. Where it is not clear to which passage words belong, none of
    these is edited.
    """
    if _cut(" ".join(line.text for line in lines)) and not _cut(flow.text):
        return {}
    read = [_Read(word, line.confidence >= SURE) for line in lines for word in line.text.split()]
    if MARKER.fullmatch(read[0].text) and not MARKER.fullmatch(flow.slots[0].text):
        read = read[1:]
    # Signs alone (arrows, dots, dashes) are misread or missed more often than not.
    read = [word for word in read if _lettered(word.text)]
    drawn = [word for word in _words(flow.slots) if _lettered(_text(word))]
    edits: Edits = defaultdict(list)
    ours = [letters(_text(word)) for word in drawn]
    theirs = [letters(word.text) for word in read]
    matcher = SequenceMatcher(None, ours, theirs, autojunk=False)
    for _, i, i_end, j, j_end in matcher.get_opcodes():
        if i_end - i > j_end - j and not spare.isdisjoint(ours[i:i_end]):
            continue
        if i == i_end and not loose.isdisjoint(theirs[j:j_end]):
            continue
        if j == j_end:
            if all(word.sure for word in read):
                _drop(edits, drawn[i:i_end])
        elif all(word.sure for word in read[j:j_end]):
            _block(edits, drawn, (i, i_end), read[j:j_end], case)
    return edits


def _words(slots: Sequence[Slot]) -> list[_Group]:
    """Words as a reader sees them: those of several passages without a space between are one."""
    words: list[_Group] = []
    glued = False
    for slot in slots:
        if glued:
            words[-1].append(slot)
        else:
            words.append([slot])
        glued = slot.glued
    return words


def _text(word: _Group) -> str:
    return "".join(slot.text for slot in word)


def replaced(flow: Flow, text: str) -> Edits:
    """The edit that makes another text of a flow that is one passage."""
    passage = flow.passage
    if passage is None or _cut(text) or not (_lettered(flow.text) and _lettered(text)):
        return {}
    return {passage: [Edit(0, len(flow.slots), text)]}


def _lettered(text: str) -> bool:
    return any(letter.isalnum() for letter in text)


def _cut(text: str) -> bool:
    """Whether a bracket is missing: a reader that loses one has lost or mistaken more."""
    return any(text.count(a) != text.count(b) for a, b in BRACKETS)


def _block(
    edits: Edits, drawn: Sequence[_Group], span: tuple[int, int], read: Sequence[_Read], case: bool
) -> None:
    first, last = span
    block = drawn[first:last]
    if not block:
        _add(edits, drawn, first, read)
    elif len(block) == len(read):
        for ours, theirs in zip(block, read, strict=True):
            if len(ours) == 1:
                _put(edits, ours[0], ours[0], _word(ours[0].text, theirs.text, case))
            elif not _same(_text(ours), theirs.text):
                _respaced(edits, ours, theirs.text)
    else:
        old, new = " ".join(_text(word) for word in block), " ".join(word.text for word in read)
        slots = [slot for word in block for slot in word]
        if not _same(old, new) and not _respaced(edits, slots, new):
            _put(edits, slots[0], slots[-1], new)


def _add(edits: Edits, drawn: Sequence[_Group], at: int, read: Sequence[_Read]) -> None:
    """Words between two words of one passage, or at an end of the flow."""
    near = [slot for word in drawn[max(0, at - 1) : at + 1] for slot in word]
    passage = near[0].passage if near else None
    if passage is None or any(slot.passage is not passage for slot in near):
        return
    index = near[0].index + 1 if at else near[0].index
    edits[passage].append(Edit(index, index, " ".join(word.text for word in read)))


def _drop(edits: Edits, block: Sequence[_Group]) -> None:
    """Words that the picture lacks."""
    for slot in (slot for word in block for slot in word):
        if slot.passage is not None:
            edits[slot.passage].append(Edit(slot.index, slot.index + 1, ""))


def _put(edits: Edits, first: Slot, last: Slot, text: str) -> None:
    passage = first.passage
    if passage is not None and passage is last.passage and text != first.text:
        edits[passage].append(Edit(first.index, last.index + 1, text))


def _respaced(edits: Edits, block: Sequence[Slot], new: str) -> bool:
    """Edit word by word where a reader joined or parted words; False where words differ more."""
    old = "".join(slot.text for slot in block)
    squeezed = new.replace(" ", "")
    matcher = SequenceMatcher(None, old.casefold(), squeezed.casefold(), autojunk=False)
    if matcher.ratio() < 0.75:
        return False
    ends, at = [], 0
    for slot in block:
        at += len(slot.text)
        ends.append(at)
    parts = [""] * len(block)
    for tag, i, i_end, j, j_end in matcher.get_opcodes():
        if tag == "equal":
            for offset in range(i_end - i):
                parts[_part(ends, i + offset)] += squeezed[j + offset]
            continue
        # What is added between two elements belongs to the first (an ending before a full stop);
        # between two words it may be that these are one.
        if i == i_end and i in ends[:-1] and not block[ends.index(i)].glued:
            return False
        changed = _part(ends, i if i < i_end else max(0, i - 1))
        if i_end > ends[changed]:
            return False
        parts[changed] += squeezed[j:j_end]
    spelled = list(zip(block, parts, strict=True))
    if any(_unlike(slot.text, part) for slot, part in spelled):
        return False
    for slot, part in spelled:
        _put(edits, slot, slot, _word(slot.text, part, case=False))
    return True


def _unlike(old: str, new: str) -> bool:
    """Whether one word is not the other misspelled."""
    return SequenceMatcher(None, letters(old), letters(new), autojunk=False).ratio() < ALIKE


def _part(ends: Sequence[int], at: int) -> int:
    return next((n for n, end in enumerate(ends) if at < end), len(ends) - 1)


def _same(old: str, new: str) -> bool:
    """Whether letters and digits agree, or would if one sign were not taken for another."""
    return letters(old) == letters(new) or _shape(old) == _shape(new)


def _shape(text: str) -> str:
    return letters(text.translate(LOOKALIKES)).replace("rn", "m")


def _word(old: str, new: str, case: bool) -> str:
    """What one word becomes: signs at its rim stay where the reader has none there."""
    if _numeral(old, new):
        return new
    if _same(old, new):
        return _cased(old, new) if case else old
    before, _, after = _RIM.match(old).groups()  # type: ignore[union-attr]
    front, middle, back = _RIM.match(new).groups()  # type: ignore[union-attr]
    if not middle:
        return old
    return (front or before) + middle + (back or after)


def _numeral(old: str, new: str) -> bool:
    """Whether two numbers of the same digits differ by their currency, or one got a separator."""
    if letters(old) != letters(new) or not any(letter.isdigit() for letter in new):
        return False
    marks = [[c for c in text if c in "$€£¥%"] for text in (old, new)]
    inner = [re.findall(r"(?<=\d)[.,:](?=\d)", text) for text in (old, new)]
    return (marks[1] != marks[0] and len(marks[1]) >= len(marks[0])) or (
        len(inner[1]) > len(inner[0])
    )


def _cased(old: str, new: str) -> str:
    """`old` with the capitals of `new`, where they differ in more than size."""
    plain = [n for n, letter in enumerate(old) if letter.isalpha()]
    read = [letter for letter in new if letter.isalpha()]
    if len(plain) != len(read):
        return old
    pairs = [(old[n], letter) for n, letter in zip(plain, read, strict=True)]
    if any(a.casefold() != b.casefold() for a, b in pairs):
        return old
    if all(a == b or a.casefold() in SAME_SHAPE for a, b in pairs):
        return old
    found = list(old)
    for n, letter in zip(plain, read, strict=True):
        found[n] = letter
    return "".join(found)
