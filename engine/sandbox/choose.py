"""Which wall belongs to which system."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

from engine.sandbox.linux import LinuxWall
from engine.sandbox.macos import SeatbeltWall
from engine.sandbox.wall import NoWall, Wall
from engine.sandbox.windows import JobWall

# By `sys.platform`; "none" is for those who want to know what happens without one.
WALLS: Mapping[str, Callable[[], Wall]] = {
    "linux": LinuxWall,
    "darwin": SeatbeltWall,
    "win32": JobWall,
    "none": NoWall,
}


def wall_name() -> str:
    """The name in WALLS of what this system offers."""
    return sys.platform if sys.platform in WALLS else "none"
