"""Icons, drawn from one icon font of qtawesome's and coloured by the theme.

Only the font is used: importing the package costs a fifth of the time to the first paint, and its
`icon()` would load every font it has and, on Windows, install them for the user.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontDatabase,
    QIcon,
    QIconEngine,
    QPainter,
    QPixmap,
)
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

_FONT_FILE = "phosphor-1.3.0.ttf"
_CHARMAP_FILE = "phosphor-charmap-1.3.0.json"
_HOLDER = "_viscodex_icons"
_FILLED = 0.875  # share of an icon's height that a glyph may take
_DISABLED_ALPHA = 0.35


@dataclass(frozen=True)
class _Glyphs:
    """The icon font: its family, and the letter of each glyph."""

    family: str
    letters: Mapping[str, str]


class _Engine(QIconEngine):
    """Draws one letter of the icon font at whatever size is asked for.

    Such icons cannot be added to (QIcon.addPixmap): Qt would clone the engine, and one made in
    Python cannot be given away for good.
    """

    def __init__(self, family: str, letter: str, colour: QColor, disabled: QColor) -> None:
        super().__init__()
        self._family, self._letter = family, letter
        self._colour, self._disabled = colour, disabled

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        font = QFont(self._family)
        font.setPixelSize(max(1, round(_FILLED * rect.height())))
        painter.save()
        painter.setFont(font)
        painter.setPen(self._disabled if mode == QIcon.Mode.Disabled else self._colour)
        painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, self._letter)
        painter.restore()

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        made = QPixmap(size)
        made.fill(Qt.GlobalColor.transparent)
        painter = QPainter(made)
        self.paint(painter, QRect(QPoint(0, 0), size), mode, state)
        painter.end()
        return made


def icon(name: str, colour: QColor, disabled: QColor | None = None) -> QIcon:
    """The icon `name` in `colour`; sharp at any size and pixel ratio. Needs a QApplication."""
    muted = QColor(colour)
    muted.setAlphaF(_DISABLED_ALPHA)
    glyphs = _glyphs()
    letter = glyphs.letters[GLYPHS[name]]
    return QIcon(_Engine(glyphs.family, letter, QColor(colour), QColor(disabled or muted)))


def _glyphs() -> _Glyphs:
    """The icon font, loaded once for each QApplication and kept by it."""
    application = QApplication.instance()
    if application is None:
        raise RuntimeError("icons need a QApplication")
    found = getattr(application, _HOLDER, None)
    if found is None:
        found = _load(_folder())
        setattr(application, _HOLDER, found)
    assert isinstance(found, _Glyphs)
    return found


def _load(folder: Path) -> _Glyphs:
    number = QFontDatabase.addApplicationFont(str(folder / _FONT_FILE))
    families = QFontDatabase.applicationFontFamilies(number)
    if not families:
        raise RuntimeError(f"the icon font in {folder} cannot be loaded")
    codes = json.loads((folder / _CHARMAP_FILE).read_text(encoding="utf-8"))
    return _Glyphs(families[0], {name: chr(int(code, 16)) for name, code in codes.items()})


def _folder() -> Path:
    """Where qtawesome keeps its fonts; the package itself is not imported."""
    spec = find_spec("qtawesome")
    if spec is None or spec.origin is None:
        raise RuntimeError("qtawesome is not installed")
    return Path(spec.origin).parent / "fonts"
