"""The versions of one picture's code as a tree: conversion, refinements, edits, candidates picked.

Nothing is lost: going back and changing again makes a branch. No Qt, no disk; `app.archive` keeps
what is in here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from app.i18n import _
from app.refining import shown

CONVERSION, AGAIN, REFINE, PART, EDIT, CANDIDATE = (
    "conversion", "again", "refine", "part", "edit", "candidate",
)  # fmt: skip
# What is kept as the instruction of a version that has none of the user's; in English, since it is
# read again in the history.
AGAIN_WORDS = "Another try"
REPEAT_WORDS = "Converted again"
CONTINUED_WORDS = "Written on"
PART_WORDS = "Only the part at "


class Drawn(Protocol):
    """What is needed of `engine.protocol.CandidateDrawn`."""

    @property
    def code(self) -> str: ...

    @property
    def png(self) -> bytes | None: ...

    @property
    def likeness(self) -> Mapping[str, float | None] | None: ...

    @property
    def problem(self) -> str: ...


@dataclass
class Version:
    """One state of the code. `time` is in seconds since 1970.

    `run` numbers the answer it came with: its candidates share it. `picked` says whether it was
    ever on top; a candidate that was not is in the strip only. `png` is what it draws. `reason`
    is the engine's word for why the answer ended, "" where that is not known (any more).
    """

    id: int
    parent: int | None
    kind: str
    code: str
    target: str
    instruction: str = ""
    time: float = 0.0
    similarity: float | None = None
    likeness: Mapping[str, float | None] | None = None
    png: bytes | None = None
    problem: str = ""
    run: int = 0
    candidate: int = 0
    picked: bool = False
    asked: bool = False  # whether it was to be drawn
    reason: str = ""


@dataclass
class Kept:
    """Where a tree lies in the history; `ids` brings version numbers to those of the history.

    Belongs to the thread that writes.
    """

    entry: int | None = None
    ids: dict[int, int] = field(default_factory=dict)


class VersionTree:
    """All versions of one picture, and the one on top. `private`: never written to the history."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._versions: dict[int, Version] = {}
        self._current: int | None = None
        self._forward: dict[int, int] = {}  # version -> the one that was walked to from there
        self._open_edit: int | None = None
        self.kept = Kept()
        self.private = False

    def __len__(self) -> int:
        """How many versions were ever on top."""
        return sum(version.picked for version in self)

    def __iter__(self) -> Iterator[Version]:
        return iter(self._versions.values())

    def __getitem__(self, number: int) -> Version:
        return self._versions[number]

    @property
    def current(self) -> Version | None:
        """The version on top."""
        return None if self._current is None else self._versions[self._current]

    @property
    def open_edit(self) -> int | None:
        """The version that is still being typed."""
        return self._open_edit

    # Growing --------------------------------------------------------------------------------------

    def add_run(
        self,
        kind: str,
        instruction: str,
        target: str,
        code: str,
        drawn: Sequence[Drawn] = (),
        reasons: Mapping[str, str] = MappingProxyType({}),
    ) -> list[Version]:
        """Take in an answer: `code` comes on top, the other codes of `drawn` are its candidates.
        `reasons` tells by code why it ended.

        Returns the new versions, the one on top first; none where `code` is what was there.
        """
        base = self.current
        others = {one.code.rstrip("\n"): one for one in drawn}
        if base is not None and base.code == code and len(others) < 2:
            return []
        run = max((version.run for version in self), default=-1) + 1
        parent = None if base is None else base.id
        codes = [code, *(other for other in others if other != code)]
        numbers = {other: number for number, other in enumerate(others)}
        made = []
        for number, other in enumerate(codes):
            one = others.get(other)
            version = self._add(parent, kind, other, target, instruction)
            version.run, version.candidate = run, numbers.get(other, number)
            version.reason = reasons.get(other, "")
            if one is not None:
                version.png, version.problem = one.png, one.problem
                version.likeness = one.likeness
                version.similarity = (one.likeness or {}).get("total")
            made.append(version)
        self._go(made[0])
        return made

    def edit(self, code: str, target: str) -> Version:
        """The user changed the code: one version for all typing until `seal`."""
        base = self.current
        if base is not None and base.id == self._open_edit:
            base.code, base.time = code, self._clock()
            return base
        made = self._add(None if base is None else base.id, EDIT, code, target)
        made.reason = "" if base is None else base.reason
        made.run = max((version.run for version in self), default=-1) + 1
        self._open_edit = made.id
        self._go(made)
        return made

    def seal(self) -> Version | None:
        """End the typing: the version that is complete now, None where nothing was typed."""
        number, self._open_edit = self._open_edit, None
        return None if number is None else self._versions[number]

    def restore(self, versions: Iterable[Version], head: int | None) -> None:
        """Take in versions that were kept, parents before children; `head` comes on top."""
        for version in versions:
            self._versions[version.id] = version
            if version.picked and version.parent is not None:
                self._forward[version.parent] = version.id
        self._current = head if head in self._versions else next(iter(self._versions), None)
        current = self.current
        if current is not None:
            current.picked = True

    def _add(
        self, parent: int | None, kind: str, code: str, target: str, instruction: str = ""
    ) -> Version:
        number = max(self._versions, default=0) + 1
        made = Version(number, parent, kind, code, target, instruction, self._clock())
        self._versions[number] = made
        return made

    # Walking --------------------------------------------------------------------------------------

    def choose(self, number: int) -> Version:
        """Put a version on top. Raises KeyError for one that is not here."""
        version = self._versions[number]
        if not version.picked and version.candidate != self.lead(version).candidate:
            version.kind = CANDIDATE
        self._go(version)
        return version

    def back(self) -> Version | None:
        """The version the present one was made from, or was picked instead of."""
        current = self.current
        return None if current is None else self._before(current)

    def forward(self) -> Version | None:
        """Where `back` came from; else the newest version made from the present one."""
        current = self.current
        if current is None:
            return None
        if current.id in self._forward:
            return self._versions[self._forward[current.id]]
        after = self.after(current)
        return after[-1] if after else None

    def lead(self, version: Version) -> Version:
        """The first of its run that was on top; candidates picked later hang on it."""
        return next((one for one in self._run(version) if one.picked), version)

    def after(self, version: Version) -> list[Version]:
        """The versions that were made from this one or picked instead of it, oldest first."""
        return [one for one in self if one.picked and self._before(one) is version]

    def candidates(self) -> list[Version]:
        """All answers of the run on top, the likest first; what draws nothing comes last."""
        current = self.current
        if current is None:
            return []
        return sorted(
            self._run(current),
            # Whole percents: what looks equal is equal, and the shorter code comes first.
            key=lambda one: (-round(100 * (one.similarity or 0.0)), len(one.code), one.id),
        )

    def rows(self) -> list[tuple[Version, int]]:
        """The tree as lines of (version, indent): an only child stands under its parent without
        one, where a version has several each is indented."""
        rows: list[tuple[Version, int]] = []
        waiting = [(one, 0) for one in self if one.picked and self._before(one) is None][::-1]
        while waiting:
            version, indent = waiting.pop()
            rows.append((version, indent))
            after = self.after(version)
            deeper = indent + (len(after) > 1)
            waiting.extend((one, deeper) for one in reversed(after))
        return rows

    def _run(self, version: Version) -> list[Version]:
        return [one for one in self if one.run == version.run]

    def _before(self, version: Version) -> Version | None:
        lead = self.lead(version)
        if lead is not version:
            return lead
        return None if version.parent is None else self._versions.get(version.parent)

    def _go(self, version: Version) -> None:
        version.picked = True
        before = self._before(version)
        if before is not None:
            self._forward[before.id] = version.id
        self._current = version.id


def title(version: Version) -> str:
    """What people read about a version in a list."""
    if version.kind == REFINE:
        return shown(version.instruction)
    if version.kind == CANDIDATE:
        return _("Candidate {number}").format(number=version.candidate + 1)
    if version.kind == EDIT:
        return _("Edited by hand")
    return _title(version.instruction)


def _title(kept: str) -> str:
    if kept.startswith(PART_WORDS):
        # L10N: place is like "20, 30 (200 × 100)": left, top (width × height), in pixels.
        return _("Only the part at {place}").format(place=kept.removeprefix(PART_WORDS))
    return {
        "": _("Conversion"), AGAIN_WORDS: _("Another try"), REPEAT_WORDS: _("Converted again"),
        CONTINUED_WORDS: _("Written on"),
    }.get(kept, kept)  # fmt: skip
