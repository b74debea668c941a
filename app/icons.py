"""Icons, drawn from one icon font and coloured by the theme. The only user of qtawesome.

`qtawesome.icon()` would load every font of the package and, on Windows, install them for the
user; one `IconicFont` with an explicit folder does neither.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from PySide6.QtGui import QColor, QIcon
from PySide6.QtWidgets import QApplication

GLYPHS = {
    "snip": "selection-plus",
    "open": "folder-open",
    "paste": "clipboard-text",
    "sample": "sparkle",
    "generate": "lightning-fill",
    "cancel": "stop-fill",
    "copy": "copy",
    "save": "floppy-disk",
    "refresh": "arrow-clockwise",
    "model": "cpu",
    "device": "cpu",
    "offline": "shield-check",
    "online": "globe",
    "light": "sun",
    "dark": "moon",
    "theme": "circle-half",
    "menu": "list",
    "keyboard": "keyboard",
    "close": "x",
    "picture": "image",
    "code": "code",
    "preview": "browser",
    "chart": "chart-bar",
    "error": "warning-circle-fill",
    "warning": "warning-fill",
    "info": "info-fill",
    "done": "check-circle-fill",
    "stopped": "minus-circle",
    "busy": "circle-dashed",
    "ready": "circle",
    "auto": "magic-wand",
    "check": "check",
    "mark": "bounding-box",
    "crop": "crop",
    "undo": "arrow-counter-clockwise",
    "text": "text-t",
    "copy_text": "clipboard-text",
    "refine": "paper-plane-right",
    "again": "shuffle",
    "back": "caret-left",
    "forward": "caret-right",
    "versions": "git-branch",
    "history": "clock-counter-clockwise",
    "private": "eye-slash",
    "next_one": "skip-forward",
    "nearer": "plus",
    "farther": "minus",
    "pin": "push-pin",
    "pinned": "push-pin-fill",
    "delete": "trash",
    "search": "magnifying-glass",
    "edit": "pencil-simple",
    "settings": "gear",
    "server": "hard-drives",
    "find": "magnifying-glass",
    "next": "caret-down",
    "previous": "caret-up",
    "match_case": "text-aa",
    "changes": "git-diff",
    "more": "dots-three-vertical",
    "editor": "pencil-simple",
    "folder": "folder-simple",
    "phone": "device-mobile",
    "tablet": "device-tablet",
    "desktop": "monitor",
    "fit_width": "arrows-out-line-horizontal",
    "zoom_in": "magnifying-glass-plus",
    "zoom_out": "magnifying-glass-minus",
    "compare": "intersect",
    "console": "terminal-window",
    "browser": "arrow-square-out",
    "slider": "square-half",
    "beside": "columns",
    "onion": "stack",
    "heat": "thermometer-hot",
}
"""Our name -> glyph of the Phosphor set (MIT)."""

_PREFIX = "ph"
_FONT_FILE = "phosphor-1.3.0.ttf"
_CHARMAP_FILE = "phosphor-charmap-1.3.0.json"
_HOLDER = "_viscodex_icons"


def icon(name: str, colour: QColor, disabled: QColor | None = None) -> QIcon:
    """The icon `name` in `colour`; sharp at any size and pixel ratio. Needs a QApplication."""
    muted = QColor(colour)
    muted.setAlphaF(0.35)
    made: QIcon = _font().icon(
        f"{_PREFIX}.{GLYPHS[name]}",
        color=colour,
        color_active=colour,
        color_disabled=disabled or muted,
    )
    return made


def _font() -> Any:
    """The icon font, loaded once for each QApplication and kept by it."""
    application = QApplication.instance()
    if application is None:
        raise RuntimeError("icons need a QApplication")
    font = getattr(application, _HOLDER, None)
    if font is None:
        os.environ.setdefault("QT_API", "pyside6")
        import qtawesome.iconic_font as iconic
        import qtpy

        if qtpy.API_NAME != "PySide6":
            raise RuntimeError(f"qtawesome runs on {qtpy.API_NAME}; set QT_API=pyside6")
        folder = Path(iconic.__file__).parent / "fonts"
        font = iconic.IconicFont((_PREFIX, _FONT_FILE, _CHARMAP_FILE, str(folder)))
        setattr(application, _HOLDER, font)
    return font
