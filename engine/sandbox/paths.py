"""What Python, matplotlib and its fonts need to read: the installation, and nothing of the user."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

_PACKAGES = ("site-packages", "dist-packages")
_SYSTEM = (
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/nix/store",
    "/etc/ld.so.cache",
    "/etc/fonts",
    "/etc/localtime",
    "/usr/share/fonts",
    "/usr/share/zoneinfo",
    "/usr/local/share/fonts",
    "/System/Library",
    "/Library/Fonts",
)


def _candidates() -> Iterator[Path]:
    paths = sysconfig.get_paths()
    for key in ("stdlib", "platstdlib", "purelib", "platlib"):
        yield Path(paths[key])
    # The search path may hold the folder somebody happened to stand in, so only folders that are
    # known to be installations count, and of the folder we lie in ourselves only our package.
    yield from (Path(entry) for entry in sys.path if Path(entry).name in _PACKAGES)
    yield Path(__file__).parents[1]
    yield Path(sys.base_prefix) / "lib"
    if hasattr(sys, "_MEIPASS"):
        yield Path(sys._MEIPASS)
    yield from (Path(entry) for entry in _SYSTEM)


def readable_paths() -> tuple[Path, ...]:
    """Existing files and folders, absolute, links resolved, none inside another."""
    found: set[Path] = set()
    for path in _candidates():
        real = path.resolve()
        if os.path.exists(real) and real != Path(real.anchor):
            found.add(real)
    return tuple(sorted(path for path in found if found.isdisjoint(path.parents)))
