"""Whether a result will fit on its disk, asked before hours go into it."""

from __future__ import annotations

import shutil
from pathlib import Path

from engine.errors import ErrorCode, VisCodexError


def check_room(needed: float, out: Path) -> None:
    """Raises VisCodexError(bad_input) where fewer than `needed` bytes are free for `out`, which
    need not exist yet."""
    folder = out.absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise VisCodexError(
            ErrorCode.bad_input,
            f"The result takes {needed / 1e9:.1f} GB; {free / 1e9:.1f} GB are free in '{folder}'.",
            "Free some space, or choose another disk.",
        )
