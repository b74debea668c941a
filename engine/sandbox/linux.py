"""The wall on Linux: Landlock for files, seccomp for system calls. Needs no rights and no helper.

Both act on the calling thread and on what comes of it, so a process must have one thread. What it
does not hide: whether a file exists, its size and times, and where a link points to.
"""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Callable

from engine.sandbox import landlock, seccomp
from engine.sandbox.wall import Room, WallError

_PR_SET_NO_NEW_PRIVS = 38


class LinuxWall:
    """Landlock and seccomp; `abi` None asks the kernel for its Landlock."""

    def __init__(self, abi: int | None = None) -> None:
        self._abi = landlock.abi_version() if abi is None else abi

    def describe(self) -> str:
        """Names the Landlock ABI, or says that there is none."""
        return f"Landlock (ABI {self._abi}) and seccomp" if self._abi else "no Landlock, seccomp"

    def apply(self, room: Room) -> None:
        """See `Wall.apply`."""
        steps: tuple[tuple[str, Callable[[], None]], ...] = (
            ("one thread", _check_threads),
            ("no new privileges", _no_new_privileges),
            ("Landlock", lambda: landlock.restrict(room, self._abi)),
            ("seccomp", lambda: seccomp.install(platform.machine())),
        )
        missing = []
        for name, step in steps:
            try:
                step()
            except (OSError, AttributeError) as error:
                missing.append(f"{name}: {error}")
        if missing:
            raise WallError("; ".join(missing))


def _check_threads() -> None:
    count = len(os.listdir("/proc/self/task"))
    if count != 1:
        raise OSError(f"there are {count}")


def _no_new_privileges() -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
