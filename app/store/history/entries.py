"""What goes into the history and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class NewVersion:
    """Code to keep. `parent` is the id of the version it was made from, None for a first one.

    Candidates of one answer share their parent and are told apart by `candidate`; `similarity` is
    that of the drawn code and the picture, 0 to 1, where it was measured.
    """

    code: str
    instruction: str = ""
    parent: int | None = None
    similarity: float | None = None
    candidate: int = 0


@dataclass(frozen=True)
class NewConversion:
    """A conversion to keep: the picture as PNG bytes, and `words`, the text read from it.

    `kind` is "html", "matplotlib" or "text". `figures` are whatever was measured, as JSON values.
    """

    picture: bytes
    kind: str
    title: str
    model: str = ""
    words: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Version:
    """A version as kept; `time` in seconds since 1970."""

    id: int
    conversion: int
    parent: int | None
    code: str
    instruction: str
    time: float
    similarity: float | None
    candidate: int


@dataclass(frozen=True)
class Entry:
    """A conversion as a list shows it, without its code.

    `picture` is the hash to ask `History.picture` and `History.thumbnail` for; `head` the id of the
    version on top, `similarity` its likeness, `versions` how many there are.
    """

    id: int
    time: float
    kind: str
    title: str
    picture: str
    model: str
    pinned: bool
    head: int | None
    similarity: float | None
    versions: int
    figures: Mapping[str, Any]


@dataclass(frozen=True)
class Query:
    """Which entries, newest first. Each word of `text` (or "quoted phrase") has to stand somewhere
    in the title, the text read from the picture, or the code; upper and lower case are the same."""

    text: str = ""
    kind: str | None = None
    pinned: bool | None = None
    limit: int = 50
    offset: int = 0


@dataclass(frozen=True)
class Page:
    """The entries of a query from `offset` on, and how many it has altogether."""

    entries: tuple[Entry, ...]
    total: int


@dataclass(frozen=True)
class Retention:
    """How long entries are kept: days, and how many; 0 is without limit. Pinned ones stay."""

    days: int = 0
    count: int = 0


@dataclass(frozen=True)
class Size:
    """What the history takes: entries, and bytes on the disk."""

    entries: int
    database: int
    pictures: int
    thumbnails: int

    @property
    def total(self) -> int:
        """All bytes."""
        return self.database + self.pictures + self.thumbnails
