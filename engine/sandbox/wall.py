"""What a wall is, for every system alike: the room inside it, the door, and its state in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

MEMORY_BYTES = 2_000_000_000
CPU_SECONDS = 10


class WallError(Exception):
    """The wall does not stand, or not as a whole; the message says what is missing, in one line."""


@dataclass(frozen=True)
class Room:
    """What code behind a wall may touch: one folder to write in, and what it may read besides."""

    writable: Path
    readable: tuple[Path, ...]


class Wall(Protocol):
    """One system's way to shut a process in."""

    def describe(self) -> str:
        """What it is made of here, in a few words."""

    def apply(self, room: Room) -> None:
        """Shut the calling process, which must have one thread, into `room` for good.

        Raises WallError where any part of it cannot be had; the parts that can are in force then.
        """


class NoWall:
    """Stands for a system without a wall."""

    def describe(self) -> str:
        return "no wall"

    def apply(self, room: Room) -> None:
        raise WallError("there is no wall on this system")


@dataclass(frozen=True)
class WallState:
    """What came of trying a wall: `open` names what it did not stop, `broken` what it must not."""

    wall: str
    open: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """True where everything that was tried was refused, and work inside was possible."""
        return not self.open and not self.broken

    def words(self) -> str:
        """The state in one line without a full stop."""
        if self.ok:
            return f"{self.wall}: no files of yours, no network, no other processes"
        return "; ".join((self.wall, *self.broken, *self._not_stopped()))

    def reason(self) -> str:
        """Why it is not `ok`, in a few words without a full stop."""
        return "; ".join(self.broken or self._not_stopped())

    def _not_stopped(self) -> tuple[str, ...]:
        return (f"not stopped: {', '.join(self.open)}",) if self.open else ()

    def fields(self) -> dict[str, Any]:
        """As JSON knows it; `state_of` reads it back."""
        return {"wall": self.wall, "open": list(self.open), "broken": list(self.broken)}


def state_of(fields: object) -> WallState:
    """The state that another process told in `WallState.fields`; a broken one for anything else."""
    if isinstance(fields, Mapping):
        wall, opened, broken = fields.get("wall"), fields.get("open"), fields.get("broken")
        if isinstance(wall, str) and isinstance(opened, list) and isinstance(broken, list):
            return WallState(wall, tuple(map(str, opened)), tuple(map(str, broken)))
    return WallState("unknown wall", broken=("its trial told nothing",))
