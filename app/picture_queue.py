"""Pictures that wait for their turn. No Qt."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol


class Named(Protocol):
    """What waits: something with a name for people."""

    @property
    def name(self) -> str: ...


@dataclass
class PictureQueue:
    """What waits, in order; which one since `start` is on its way, and which could not be done."""

    waiting: list[Named] = field(default_factory=list)
    position: int = 1
    failed: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """How many since the start: done, on its way and waiting."""
        return self.position + len(self.waiting)

    @property
    def active(self) -> bool:
        """Whether there is anything to tell: something waits, or one of several failed."""
        return bool(self.waiting or (self.failed and self.position > 1))

    def start(self) -> None:
        """A picture came while nothing waited: count from here."""
        if not self.waiting:
            self.position = 1
            self.failed = []

    def add(self, pictures: Iterable[Named]) -> None:
        """Let pictures wait behind all others."""
        self.waiting.extend(pictures)

    def put_first(self, picture: Named) -> None:
        """Let a picture wait before all others."""
        self.waiting.insert(0, picture)

    def take(self) -> Named | None:
        """The next one, which is on its way from now on."""
        if not self.waiting:
            return None
        self.position += 1
        return self.waiting.pop(0)

    def remove(self, index: int) -> None:
        """Take one out that waits; nothing where there is none of this number."""
        if 0 <= index < len(self.waiting):
            del self.waiting[index]

    def clear(self) -> None:
        """Let nothing wait any more."""
        self.waiting.clear()
        self.failed = []

    def note_failure(self, name: str) -> None:
        """Remember that one of several could not be converted."""
        if self.total > 1:
            self.failed.append(name)
