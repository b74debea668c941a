"""How much room on disk a running script takes: the one thing that no resource limit bounds."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

DISK_BYTES = 300_000_000
MAX_FILES = 10_000
_BLOCK = 512  # the unit of st_blocks on every system


def takes_too_much(folder: Path, pid: int) -> bool:
    """True where the files below `folder` and those deleted ones that `pid` holds open take more
    than DISK_BYTES, or are more than MAX_FILES. Reads no more entries than that."""
    total = 0
    for count, size in enumerate(_sizes(folder, pid)):
        total += size
        if total > DISK_BYTES or count >= MAX_FILES:
            return True
    return False


def _sizes(folder: Path, pid: int) -> Iterator[int]:
    """Bytes on disk of each entry; what vanishes meanwhile is passed over."""
    waiting = [str(folder)]
    while waiting:
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    status = entry.stat(follow_symlinks=False)
                    if stat.S_ISDIR(status.st_mode):
                        waiting.append(entry.path)
                    yield status.st_blocks * _BLOCK
    # Linux shows the open files of a process; a deleted one counts there until it is closed.
    handles = f"/proc/{pid}/fd"
    with contextlib.suppress(OSError):
        for name in os.listdir(handles):
            with contextlib.suppress(OSError):
                status = os.stat(f"{handles}/{name}")
                if stat.S_ISREG(status.st_mode) and status.st_nlink == 0:
                    yield status.st_blocks * _BLOCK
