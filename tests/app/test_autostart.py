"""Starting with the session: the record each system keeps."""

from __future__ import annotations

import os
import plistlib
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from app import autostart
from app.autostart import LaunchAgent, WindowsRun, XdgAutostart
from tests.app.desktop import ROOT

COMMAND = ["/opt/Vis Codex/viscodex", "--hidden"]


def test_desktop_entry_on_and_off(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    record = XdgAutostart(COMMAND)
    assert not record.enabled()
    record.set(False)  # nothing to remove
    record.set(True)
    assert record.enabled()
    assert record.path == tmp_path / "config" / "autostart" / "viscodex.desktop"
    lines = record.path.read_text().splitlines()
    assert lines[0] == "[Desktop Entry]"
    assert 'Exec="/opt/Vis Codex/viscodex" --hidden' in lines
    record.set(False)
    assert not record.enabled()
    assert list(record.path.parent.iterdir()) == []


@pytest.mark.parametrize(
    "line", ["Hidden=true", "Hidden = True", "X-GNOME-Autostart-enabled=false"]
)
def test_switched_off_by_the_desktop(tmp_path: Path, line: str) -> None:
    record = XdgAutostart(COMMAND, tmp_path)
    record.set(True)
    text = record.path.read_text().replace("X-GNOME-Autostart-enabled=true\n", "")
    record.path.write_text(f"{text}{line}\n")
    assert not record.enabled()
    record.set(True)
    assert record.enabled()


@pytest.mark.parametrize("rubbish", [b"", b"\xff\xfe", b"Exec=x\n", b"[Other]\nExec=x\n"])
def test_a_damaged_entry_counts_as_off(tmp_path: Path, rubbish: bytes) -> None:
    record = XdgAutostart(COMMAND, tmp_path)
    record.path.write_bytes(rubbish)
    assert not record.enabled()


@pytest.mark.parametrize("word", ["plain", "two words", 'q"uote', "a$b`c", "back\\slash", "100%"])
def test_exec_can_be_read_back(tmp_path: Path, word: str) -> None:
    """Undone step by step; inside quotes the rules of the specification are those of a shell."""
    record = XdgAutostart([word, "--hidden"], tmp_path)
    record.set(True)
    value = next(
        line.partition("=")[2]
        for line in record.path.read_text().splitlines()
        if line.startswith("Exec=")
    )
    unescaped = value.replace("\\\\", "\\")
    script = "printf '%s\\n' " + unescaped.replace("%%", "%")
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [word, "--hidden"]


def test_entry_passes_the_validator(tmp_path: Path) -> None:
    if shutil.which("desktop-file-validate") is None:
        pytest.skip("desktop-file-validate is not installed (Debian: desktop-file-utils)")
    record = XdgAutostart(COMMAND, tmp_path)
    record.set(True)
    done = subprocess.run(
        ["desktop-file-validate", str(record.path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        XdgAutostart(COMMAND, tmp_path / "file" / "autostart").set(True)


def test_launch_agent_on_and_off(tmp_path: Path) -> None:
    record = LaunchAgent(COMMAND, tmp_path / "agents")
    assert not record.enabled()
    record.set(True)
    assert record.enabled()
    written = plistlib.loads(record.path.read_bytes())
    assert written["ProgramArguments"] == COMMAND
    assert written["RunAtLoad"] is True
    assert record.path.stem == written["Label"]
    record.path.write_bytes(plistlib.dumps({**written, "Disabled": True}))
    assert not record.enabled()
    record.path.write_bytes(b"rubbish")
    assert not record.enabled()
    record.set(False)
    assert not record.path.exists()


class Registry:
    """The part of winreg that is used, kept in a dictionary."""

    HKEY_CURRENT_USER, REG_SZ = 1, 1

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def OpenKey(self, root: int, path: str) -> Registry:
        assert (root, path) == (self.HKEY_CURRENT_USER, autostart.RUN_KEY)
        return self

    CreateKey = OpenKey

    def __enter__(self) -> Registry:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def QueryValueEx(self, key: Any, name: str) -> tuple[str, int]:
        if name not in self.values:
            raise FileNotFoundError(name)
        return self.values[name], self.REG_SZ

    def SetValueEx(self, key: Any, name: str, zero: int, kind: int, value: str) -> None:
        assert (zero, kind) == (0, self.REG_SZ)
        self.values[name] = value

    def DeleteValue(self, key: Any, name: str) -> None:
        if self.values.pop(name, None) is None:
            raise FileNotFoundError(name)


def test_run_key_on_and_off() -> None:
    registry = Registry()
    record = WindowsRun([r"C:\Program Files\VisCodex\viscodex.exe", "--hidden"], registry)
    assert not record.enabled()
    record.set(False)
    record.set(True)
    assert record.enabled()
    assert registry.values == {"VisCodex": r'"C:\Program Files\VisCodex\viscodex.exe" --hidden'}
    record.set(False)
    assert registry.values == {}


@pytest.mark.parametrize(
    ("platform", "kind"),
    [("linux", XdgAutostart), ("darwin", LaunchAgent), ("win32", WindowsRun)],
)
def test_each_system_has_its_record(platform: str, kind: type) -> None:
    assert isinstance(autostart.system_autostart(platform), kind)


def test_own_command_starts_this_installation() -> None:
    done = subprocess.run(
        [*autostart.own_command("open", "--help")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "--capture" in done.stdout
