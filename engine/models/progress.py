"""What a download tells while it goes on, and how its speed is measured."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

WINDOW = 5.0  # seconds over which the rate is taken
INTERVAL = 0.1  # seconds between two reports


@dataclass(frozen=True)
class Progress:
    """Bytes of one file that are here, of `total`; `all_done` and `all_total` those of all files.

    `rate` is in bytes a second, `remaining` in seconds for all files; None while unknown.
    """

    file: str
    done: int
    total: int
    all_done: int
    all_total: int
    rate: float | None = None
    remaining: float | None = None


@dataclass(frozen=True)
class Checking:
    """What is on the disk is read again: `done` bytes of `total`."""

    file: str
    done: int
    total: int


@dataclass(frozen=True)
class Waiting:
    """Another try follows in `seconds`; `reason` is one line."""

    file: str
    reason: str
    seconds: float


@dataclass(frozen=True)
class Restarted:
    """What was here of the file is not used; `reason` is one line."""

    file: str
    reason: str


@dataclass(frozen=True)
class Paused:
    """It rests until `Control.resume`."""

    file: str


@dataclass(frozen=True)
class Finished:
    """The file is here, and its sum is right."""

    file: str


Report = Progress | Checking | Waiting | Restarted | Paused | Finished
Listener = Callable[[Report], None]


@dataclass
class Meter:
    """Reports progress of a file now and then. `before` and `whole` are the bytes of the files
    that are done already, and of all files."""

    report: Listener
    file: str
    total: int
    before: int
    whole: int
    clock: Callable[[], float] = time.monotonic
    _marks: deque[tuple[float, int]] = field(default_factory=deque)
    _told: float = float("-inf")

    def at(self, done: int) -> None:
        """So many bytes of the file are here."""
        now = self.clock()
        if now - self._told < INTERVAL and done != self.total:
            return
        self._told = now
        self._marks.append((now, done))
        while now - self._marks[0][0] > WINDOW:
            self._marks.popleft()
        then, had = self._marks[0]
        rate = (done - had) / (now - then) if now > then and done > had else None
        left = self.whole - self.before - done
        self.report(
            Progress(
                self.file, done, self.total, self.before + done, self.whole, rate,
                None if rate is None else left / rate,
            )
        )  # fmt: skip

    def rest(self) -> None:
        """Nothing came for a while: the rate begins anew."""
        self._marks.clear()
