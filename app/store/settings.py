"""The few choices that are kept: a dataclass in JSON with a version."""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import platformdirs

SCHEMA_VERSION = 1
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """What the user has chosen."""

    theme: str = "system"
    target: str = "auto"
    auto_start: bool = True
    scripts: bool = True
    unwalled: bool = False  # run charts where they cannot be shut in
    preview_width: str = "source"
    model: str = ""
    # Portable text of a QKeySequence, "" for none. Qt calls the Command key of macOS Ctrl.
    hotkey: str = "Ctrl+Alt+Meta+S" if sys.platform == "darwin" else "Ctrl+Shift+F8"
    capture_delay: int = 3  # seconds of "Snip after a delay"
    tray: bool = True
    notifications: bool = True  # tell when a conversion in the background has ended


def default_path() -> Path:
    """Where the settings of this user are kept."""
    return platformdirs.user_config_path("VisCodex", appauthor=False) / "settings.json"


def load(path: Path) -> Settings:
    """Read settings; anything missing, unknown or of the wrong type falls back to its default."""
    try:
        stored: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Settings()
    except (OSError, ValueError) as error:
        _LOG.warning("settings in %s not readable, defaults are used: %s", path, error)
        return Settings()
    if not isinstance(stored, dict):
        return Settings()
    default = Settings()
    known = {
        field.name: stored[field.name]
        for field in fields(Settings)
        if type(stored.get(field.name)) is type(getattr(default, field.name))
    }
    return Settings(**known)


def save(settings: Settings, path: Path) -> None:
    """Write beside and rename, so that a crash leaves the old file whole. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"schema_version": SCHEMA_VERSION, **asdict(settings)}, indent=2)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text + "\n")
        os.replace(name, path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
