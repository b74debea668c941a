"""The wall on macOS: a Seatbelt profile, applied from inside as the tool `sandbox-exec` does.

Written against documentation and the profiles that ship with the system, never run by its authors:
the profile is tested as text only. What decides is the trial before the first script (`trial`).
"""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Iterable
from pathlib import Path

from engine.sandbox.wall import Room, WallError

_RULES = (
    "(version 1)",
    "(deny default)",
    "(allow process-info* (target self))",
    "(allow signal (target self))",
    "(allow sysctl-read)",
    # As on Linux: that a file exists is no secret, what is in it is.
    "(allow file-read-metadata)",
    '(allow file-read* (literal "/") (literal "/dev/random") (literal "/dev/urandom"))',
    '(allow file-read* file-write-data (literal "/dev/null") (literal "/dev/zero"))',
)


def quoted(path: Path) -> str:
    """A path as a string of the profile language. Raises WallError for control characters."""
    text = str(path)
    if not text.isprintable():
        raise WallError(f"a path with control characters: {text!r}")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _filters(paths: Iterable[Path]) -> str:
    return " ".join(f"(subpath {quoted(path)})" for path in paths)


def profile(room: Room) -> str:
    """The profile for `room`: everything refused but what it names. No network, no processes.

    Paths must have their links resolved, as those of `paths.readable_paths` have.
    """
    inside = room.writable.resolve()
    rules = [*_RULES]
    if room.readable:
        rules.append(f"(allow file-read* file-map-executable {_filters(room.readable)})")
    rules.append(f"(allow file-read* file-write* {_filters([inside])})")
    # No files with other rights in it than they were made with; the last rule wins.
    rules.append("(deny file-write-mode file-write-owner file-write-setugid)")
    return "\n".join(rules) + "\n"


class SeatbeltWall:
    """`sandbox_init` of libSystem with a profile of our own."""

    def describe(self) -> str:
        """Its name."""
        return "Seatbelt profile"

    def apply(self, room: Room) -> None:
        """See `Wall.apply`."""
        text = profile(room).encode()
        try:
            library = ctypes.CDLL(ctypes.util.find_library("System"))
            library.sandbox_init.argtypes = (
                ctypes.c_char_p,
                ctypes.c_uint64,
                ctypes.POINTER(ctypes.c_char_p),
            )
        except (OSError, AttributeError, TypeError) as error:
            raise WallError(f"sandbox_init: {error}") from error
        problem = ctypes.c_char_p()
        if library.sandbox_init(text, 0, ctypes.byref(problem)) != 0:
            told = (problem.value or b"no reason given").decode(errors="replace")
            raise WallError(f"sandbox_init: {' '.join(told.split())}")
