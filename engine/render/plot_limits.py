"""What a script of somebody else's may use: processor time, memory, files.

Applied inside its process. This stops accidents and greed; what keeps a script from the user's
files and from the network is the wall of `engine.sandbox`, applied after it.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from engine.sandbox.wall import CPU_SECONDS, MEMORY_BYTES

FILE_BYTES = 32_000_000
OPEN_FILES = 256

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def confine(folder: Path) -> None:
    """Bind the calling process to its limits and to `folder` as home, temporary and working folder.

    Environment emptied, standard streams on the null device, no further open files, resource
    limits where the system knows them. Never undone: only for a process about to run a script.
    """
    _empty_environment(folder)
    os.chdir(folder)
    _close_files()
    _limit_resources()


def _empty_environment(folder: Path) -> None:
    kept = {k: os.environ[k] for k in ("SYSTEMROOT", "LC_ALL") if k in os.environ}
    os.environ.clear()
    os.environ.update(kept)
    for name in ("HOME", "TMPDIR", "TEMP", "TMP", "MPLCONFIGDIR"):
        os.environ[name] = str(folder)
    os.environ["MPLBACKEND"] = "Agg"
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"


def _close_files() -> None:
    """Standard streams to the null device, everything else closed."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    os.closerange(3, max(OPEN_FILES, null + 1))


def _limit_resources() -> None:
    if sys.platform == "win32":
        return
    import resource

    limits: Sequence[tuple[int, int, int]] = (
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_NOFILE, OPEN_FILES, OPEN_FILES),
        (resource.RLIMIT_FSIZE, FILE_BYTES, FILE_BYTES),
        (resource.RLIMIT_CPU, CPU_SECONDS, CPU_SECONDS + 1),
        (resource.RLIMIT_AS, MEMORY_BYTES, MEMORY_BYTES),
    )
    for kind, soft, hard in limits:
        # macOS refuses some of them; the time limit of the parent holds everywhere.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(kind, (soft, hard))


def _prctl(option: int, value: int) -> None:
    if sys.platform != "linux":
        return
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def die_with_parent(number: int = 9) -> None:
    """Ask Linux to send this process a signal (9 kills it) when the thread that forked it ends."""
    _prctl(_PR_SET_PDEATHSIG, number)


def adopt_orphans() -> None:
    """Ask Linux to make this process the parent of whatever its children leave running."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def children() -> list[int]:
    """Process ids of the direct children of this (single-threaded) process; empty where unknown."""
    try:
        text = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    except OSError:
        return []
    return [int(word) for word in text.split()]
