"""Starting with the session: on, off, and whether it is on, as each system keeps it.

The system's own record is the truth, not a setting of ours: people switch such entries off in
the settings of their desktop too. The ways of Windows and macOS are tested by what they write;
they have not been run on the systems they are for.
"""

from __future__ import annotations

import configparser
import contextlib
import os
import plistlib
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from app.files import write_whole

NAME = "VisCodex"
APP_ID = "viscodex"
MAC_LABEL = "io.github.viscodex"
RUN_KEY = r"Software\Microsoft\Windows\CurrentVersion\Run"
_GROUP = "Desktop Entry"


class Autostart(Protocol):
    """The record of one system."""

    def enabled(self) -> bool:
        """Whether the application starts with the session."""
        ...

    def set(self, on: bool) -> None:
        """Write or remove the record. Raises OSError."""
        ...


def own_command(*arguments: str) -> list[str]:
    """The command that starts this installation: the packaged program, or the script beside
    the Python that runs now."""
    if getattr(sys, "frozen", False):
        return [sys.executable, *arguments]
    beside = Path(sys.executable).parent / ("viscodex.exe" if os.name == "nt" else "viscodex")
    script = str(beside) if beside.exists() else shutil.which("viscodex")
    return [script, *arguments] if script else [sys.executable, "-m", "app.cli", *arguments]


def system_autostart(platform: str = sys.platform) -> Autostart:
    """The record of this system, for a start in the tray."""
    command = own_command("--hidden")
    if platform == "win32":
        return WindowsRun(command)
    if platform == "darwin":
        return LaunchAgent(command)
    return XdgAutostart(command)


# Desktops that follow freedesktop.org -----------------------------------------


def desktop_entry(command: Sequence[str]) -> str:
    """The entry for the autostart folder (Desktop Application Autostart Specification)."""
    lines = {
        "Type": "Application",
        "Name": NAME,
        "Comment": "Snip a part of the screen, get the code that draws it",
        "Exec": " ".join(_exec_word(word) for word in command),
        "Icon": APP_ID,
        "Terminal": "false",
        "StartupNotify": "false",
        "X-GNOME-Autostart-enabled": "true",
    }
    return f"[{_GROUP}]\n" + "".join(f"{key}={value}\n" for key, value in lines.items())


def _exec_word(word: str) -> str:
    """Quoted for Exec: percent doubled, quotes escaped, then backslashes as in any value."""
    word = word.replace("%", "%%")
    if re.fullmatch(r"[A-Za-z0-9_./+:=,@%-]+", word):
        return word
    inner = re.sub(r'(["`$\\])', r"\\\1", word)
    return '"{}"'.format(inner.replace("\\", "\\\\"))


class XdgAutostart:
    """A desktop file in the user's autostart folder."""

    def __init__(self, command: Sequence[str], folder: Path | None = None) -> None:
        config = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
        self.path = (folder or Path(config) / "autostart") / f"{APP_ID}.desktop"
        self._command = command

    def enabled(self) -> bool:
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read_string(self.path.read_text(encoding="utf-8"))
            entry = parser[_GROUP]
        except (OSError, ValueError, KeyError, configparser.Error):
            return False
        # Desktops switch an entry off by marking it rather than by removing it.
        hidden = entry.get("Hidden", "false").strip().lower() == "true"
        wanted = entry.get("X-GNOME-Autostart-enabled", "true").strip().lower() != "false"
        return wanted and not hidden

    def set(self, on: bool) -> None:
        if on:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self.path, desktop_entry(self._command).encode())
        else:
            self.path.unlink(missing_ok=True)


# macOS ------------------------------------------------------------------------


def launch_agent(command: Sequence[str]) -> bytes:
    """The property list for ~/Library/LaunchAgents (launchd.plist(5))."""
    return plistlib.dumps(
        {
            "Label": MAC_LABEL,
            "ProgramArguments": list(command),
            "RunAtLoad": True,
            "ProcessType": "Interactive",
            "LimitLoadToSessionType": "Aqua",
        }
    )


class LaunchAgent:
    """A property list in the user's folder of launch agents; it counts from the next login."""

    def __init__(self, command: Sequence[str], folder: Path | None = None) -> None:
        agents = folder or Path.home() / "Library" / "LaunchAgents"
        self.path = agents / f"{MAC_LABEL}.plist"
        self._command = command

    def enabled(self) -> bool:
        try:
            record = plistlib.loads(self.path.read_bytes())
        except (OSError, ValueError, plistlib.InvalidFileException):
            return False
        return bool(record.get("RunAtLoad")) and not record.get("Disabled", False)

    def set(self, on: bool) -> None:
        if on:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self.path, launch_agent(self._command))
        else:
            self.path.unlink(missing_ok=True)


# Windows ----------------------------------------------------------------------


class WindowsRun:
    """A value of the Run key of this user. `registry` is the module winreg."""

    def __init__(self, command: Sequence[str], registry: Any = None) -> None:
        self.value = subprocess.list2cmdline(command)
        self._given = registry

    @property
    def _registry(self) -> Any:
        if self._given is None:
            import winreg

            self._given = winreg
        return self._given

    def enabled(self) -> bool:
        try:
            with self._registry.OpenKey(self._registry.HKEY_CURRENT_USER, RUN_KEY) as key:
                self._registry.QueryValueEx(key, NAME)
        except OSError:
            return False
        return True

    def set(self, on: bool) -> None:
        registry = self._registry
        with registry.CreateKey(registry.HKEY_CURRENT_USER, RUN_KEY) as key:
            if on:
                registry.SetValueEx(key, NAME, 0, registry.REG_SZ, self.value)
                return
            with contextlib.suppress(FileNotFoundError):
                registry.DeleteValue(key, NAME)
