"""What the user has chosen: a frozen dataclass, kept as JSON with a version.

    loaded = load(default_path())       # never raises; loaded.notice is "" or one line for people
    save(replace(loaded.settings, theme="dark"), default_path())

`CHOICES` and `RANGES` say what the dialog may offer. Older files pass through the functions of
`app.store.settings_upgrades`; keys of a newer version are kept and written back. Keys of servers
are never in this file: see `engine.remote.keys`.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import platformdirs

from app.files import write_whole
from app.i18n import _
from app.store.settings_upgrades import SCHEMA_VERSION, upgrade, version_of
from engine.errors import VisCodexError
from engine.remote.server import Server

BROKEN_NAME = "settings.broken.json"
_LOG = logging.getLogger(__name__)

CHOICES: Mapping[str, tuple[str, ...]] = {
    "theme": ("system", "light", "dark"),
    "target": ("auto", "html", "matplotlib"),
    "hints": ("auto", "always", "never"),
}
RANGES: Mapping[str, tuple[int, int]] = {
    "capture_delay": (0, 60),
    "history_days": (0, 36_500),
    "history_count": (0, 1_000_000),
    "best_of": (0, 8),
}
_LANGUAGE = re.compile(r"|[a-z]{2,3}(_[A-Za-z]{2,4})?")
_LONGEST = 4096  # characters of a text in the file, but for window geometry


def default_hotkey() -> str:
    """The suggestion for this system, in the words of QKeySequence's portable text."""
    return "Meta+Ctrl+Alt+S" if sys.platform == "darwin" else "Ctrl+Shift+F8"


@dataclass(frozen=True)
class RemoteServer:
    """A server to ask instead of a model here: `model` is one of its own, "" for its only one.

    Raises VisCodexError(server_address), also where a name or password stands in the address.
    """

    name: str
    url: str
    model: str = ""

    def __post_init__(self) -> None:
        Server.at(self.url)


@dataclass(frozen=True)
class Settings:
    """Every choice with its default. Counts of 0 mean: no limit, or as the model has it."""

    theme: str = "system"
    language: str = ""  # "" follows the system; else as in "en" or "zh_CN"
    target: str = "auto"
    auto_start: bool = True  # convert a picture as soon as it is there
    best_of: int = 0  # answers to choose from; 0: as the model's card has it
    hints: str = "auto"
    repair: bool = True  # write a chart script that fails again
    correct: bool = True  # correct answers by the picture where the model's card asks for it
    split: bool = True  # convert pictures beyond the model's reach in parts too
    model: str = ""  # a name, folder or file; "" is the bundled one
    server: str = ""  # the name of one of `servers`, used instead of `model`
    servers: tuple[RemoteServer, ...] = ()
    hotkey: str = field(default_factory=default_hotkey)  # "" is off
    capture_delay: int = 3  # seconds of "Snip after a delay"
    scripts: bool = True  # whether pages in the preview may run theirs
    unwalled: bool = False  # run charts where they cannot be shut in
    preview_width: str = "source"
    history: bool = True
    history_days: int = 0
    history_count: int = 1000
    private: bool = False  # nothing at all is written to the history
    tray: bool = True
    notifications: bool = True  # tell when a conversion in the background has ended
    first_run_done: bool = False
    window: Mapping[str, str] = field(default_factory=dict)  # base64 of Qt's own states, by name
    # Of a newer version: kept for it, without meaning here.
    version: int = SCHEMA_VERSION
    unknown: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def remote(self) -> RemoteServer | None:
        """The server that is chosen, if one is."""
        return next((one for one in self.servers if one.name == self.server), None)


@dataclass(frozen=True)
class Loaded:
    """Settings as read; `notice` is what the user should be told of it, in one line, or ""."""

    settings: Settings
    notice: str = ""


def default_path() -> Path:
    """Where the settings of this user are kept."""
    return platformdirs.user_config_path("VisCodex", appauthor=False) / "settings.json"


def load(path: Path) -> Loaded:
    """Read settings. A value of the wrong kind falls back to its default; a file that is no
    JSON object is moved aside as settings.broken.json."""
    try:
        stored: Any = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(stored, dict):
            raise ValueError("no JSON object")
    except FileNotFoundError:
        return Loaded(Settings())
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return Loaded(
            Settings(),
            _("The settings cannot be read ({reason}): defaults are used.").format(reason=reason),
        )
    except (ValueError, RecursionError):
        return Loaded(Settings(), _move_aside(path))
    return Loaded(_from_json(stored))


def peek(path: Path) -> Settings:
    """The settings without touching the file, whatever state it is in."""
    try:
        stored: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return Settings()
    return _from_json(stored) if isinstance(stored, dict) else Settings()


def save(settings: Settings, path: Path) -> None:
    """Write beside and rename, so that a crash leaves the old file whole. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, (json.dumps(to_json(settings), indent=2) + "\n").encode())


def to_json(settings: Settings) -> dict[str, Any]:
    """The content of the file."""
    values = {name: getattr(settings, name) for name in _KEPT}
    values["servers"] = [
        {"name": one.name, "url": one.url, "model": one.model} for one in settings.servers
    ]
    values["window"] = dict(settings.window)
    return {"schema_version": settings.version, **values, **settings.unknown}


_KEPT = tuple(f.name for f in fields(Settings) if f.name not in ("version", "unknown"))


def _move_aside(path: Path) -> str:
    broken = path.with_name(BROKEN_NAME)
    try:
        os.replace(path, broken)
    except OSError as error:
        _LOG.warning("broken settings could not be moved aside: %s", type(error).__name__)
        return _("The settings file is damaged and could not be moved aside: defaults are used.")
    return _("The settings file was damaged: it is now {name}, and defaults are used.").format(
        name=BROKEN_NAME
    )


def _from_json(stored: dict[str, Any]) -> Settings:
    version = max(version_of(stored), SCHEMA_VERSION)
    stored = upgrade(stored)
    values: dict[str, Any] = {}
    default = Settings()
    for name in _KEPT:
        if name in stored:
            read = _READERS.get(name, _plain)
            value = read(name, stored[name], getattr(default, name))
            if value is not None:
                values[name] = value
    unknown = {key: value for key, value in stored.items() if key not in (*_KEPT, "schema_version")}
    return Settings(**values, version=version, unknown=unknown)


# Readers: (name, stored value, default) -> value, or None for the default.


def _plain(name: str, value: Any, default: Any) -> Any:
    if type(value) is not type(default):
        return None
    if name in RANGES and not RANGES[name][0] <= value <= RANGES[name][1]:
        return None
    if name in CHOICES and value not in CHOICES[name]:
        return None
    return None if isinstance(value, str) and len(value) > _LONGEST else value


def _language(name: str, value: Any, default: Any) -> Any:
    return value if isinstance(value, str) and _LANGUAGE.fullmatch(value) else None


def _window(name: str, value: Any, default: Any) -> Any:
    if not isinstance(value, dict):
        return None
    return {key: text for key, text in value.items() if isinstance(text, str)}


def _servers(name: str, value: Any, default: Any) -> Any:
    if not isinstance(value, list):
        return None
    found: dict[str, RemoteServer] = {}
    for entry in value:
        if not isinstance(entry, dict):
            continue
        texts = [entry.get(key, "") for key in ("name", "url", "model")]
        if not all(isinstance(text, str) and len(text) <= _LONGEST for text in texts):
            continue
        try:
            server = RemoteServer(*texts)
        except VisCodexError:
            continue
        if server.name:
            found.setdefault(server.name, server)
    return tuple(found.values())


_READERS: Mapping[str, Callable[[str, Any, Any], Any]] = {
    "language": _language,
    "servers": _servers,
    "window": _window,
}
