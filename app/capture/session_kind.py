"""What kind of screen this process draws on, as far as capture and hotkeys care."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from enum import Enum

from PySide6.QtGui import QGuiApplication


class SessionKind(Enum):
    """The systems that need different ways to the screen and to the keyboard."""

    X11 = "x11"
    WAYLAND = "wayland"
    WINDOWS = "windows"
    MACOS = "macos"
    NONE = "none"


def session_kind(
    qt_platform: str | None = None,
    environment: Mapping[str, str] | None = None,
    platform: str | None = None,
) -> SessionKind:
    """The kind of this session; the arguments default to what this process has.

    A Wayland session counts as one even where Qt runs on XWayland: grabs of the X server are
    black there and keys arrive only from X programs.
    """
    name = QGuiApplication.platformName() if qt_platform is None else qt_platform
    variables = os.environ if environment is None else environment
    system = sys.platform if platform is None else platform
    if name in {"offscreen", "minimal", ""}:
        return SessionKind.NONE
    if system in _FIXED:
        return _FIXED[system]
    if name.startswith("wayland") or variables.get("WAYLAND_DISPLAY"):
        return SessionKind.WAYLAND
    return SessionKind.X11 if variables.get("DISPLAY") else SessionKind.NONE


_FIXED = {"win32": SessionKind.WINDOWS, "darwin": SessionKind.MACOS}
