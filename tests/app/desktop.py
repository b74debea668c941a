"""Real desktop parts for tests, each a process of its own: X server, session bus, portal."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

ROOT = Path(__file__).parents[2]


def need(*programs: str) -> None:
    """Skip the test where one of these is not installed."""
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed (Debian: xvfb openbox dbus xdotool)")


@contextmanager
def x_server(width: int = 1280, height: int = 800, manager: bool = True) -> Iterator[str]:
    """An X server, with a window manager unless told otherwise; gives its name."""
    need("Xvfb", *(["openbox"] if manager else []))
    read, write = os.pipe()
    size = f"{width}x{height}x24"
    processes = [
        subprocess.Popen(
            ["Xvfb", "-displayfd", str(write), "-screen", "0", size, "-nolisten", "tcp"],
            pass_fds=[write],
            stderr=subprocess.DEVNULL,
        )
    ]
    os.close(write)
    with os.fdopen(read) as numbers:
        name = ":" + numbers.readline().strip()
    if manager:
        processes.append(
            subprocess.Popen(
                ["openbox"],
                env={**os.environ, "DISPLAY": name},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )
        time.sleep(0.5)
    try:
        yield name
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait(10)


@contextmanager
def session_bus() -> Iterator[str]:
    """A private session bus; gives its address."""
    need("dbus-daemon")
    bus = subprocess.Popen(
        ["dbus-daemon", "--session", "--nofork", "--print-address=1"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert bus.stdout is not None
    try:
        yield bus.stdout.readline().strip()
    finally:
        bus.terminate()
        bus.wait(10)
        bus.stdout.close()


@contextmanager
def portal(
    address: str, screenshot: str = "ok", picture: Path | str = "-", shortcut: str = "ok"
) -> Iterator[subprocess.Popen[str]]:
    """The mock portal on the bus at `address`; a line to its stdin is a command."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.app.mock_portal", screenshot, str(picture), shortcut],
        cwd=ROOT,
        env={**os.environ, "DBUS_SESSION_BUS_ADDRESS": address},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.stdin.close()
        process.terminate()
        process.wait(10)
        process.stdout.close()


def x_environment(display: str, folder: Path) -> dict[str, str]:
    """The environment of a process that draws on `display` and keeps its files in `folder`."""
    folder.chmod(0o700)
    environment = {
        **os.environ,
        "DISPLAY": display,
        "QT_QPA_PLATFORM": "xcb",
        "HOME": str(folder),
        "XDG_RUNTIME_DIR": str(folder),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "TMPDIR": str(folder),
        "PYTHONPATH": str(ROOT),
    }
    environment.pop("WAYLAND_DISPLAY", None)
    environment.pop("DBUS_SESSION_BUS_ADDRESS", None)
    return environment


def skip_without_xcb(stderr: str) -> None:
    """Skip where Qt's X11 platform cannot be loaded on this machine."""
    if "Could not load the Qt platform plugin" in stderr:
        pytest.skip("Qt's xcb plugin lacks a library here (Debian: libxcb-cursor0)")


class Shell:
    """The mock of a desktop's tray and notices; what it tells is kept in `heard`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None and process.stdout is not None
        self._in, self._lines = process.stdin, queue.Queue[str]()
        self.heard: list[dict[str, Any]] = []
        threading.Thread(target=self._read, args=(process.stdout,), daemon=True).start()

    def _read(self, out: IO[str]) -> None:
        for line in out:
            self._lines.put(line)

    def wait(self, key: str, seconds: float = 60) -> dict[str, Any]:
        """The next thing told that has `key`. Raises queue.Empty where none comes in time."""
        while True:
            told: dict[str, Any] = json.loads(self._lines.get(timeout=seconds))
            self.heard.append(told)
            if key in told:
                return told

    def ask(self, command: str) -> None:
        self._in.write(command + "\n")
        self._in.flush()

    def menu(self) -> list[dict[str, Any]]:
        self.ask("menu")
        entries: list[dict[str, Any]] = self.wait("menu")["menu"]
        self.wait("done")
        return entries

    def click(self, text: str) -> None:
        self.ask(f"click {text}")
        self.wait("done")


@contextmanager
def shell(address: str) -> Iterator[Shell]:
    """A desktop with a tray on the bus at `address`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.app.mock_shell"],
        cwd=ROOT,
        env={**os.environ, "DBUS_SESSION_BUS_ADDRESS": address},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None
    made = Shell(process)
    try:
        made.wait("ready")
        yield made
    finally:
        process.stdin.close()
        process.terminate()
        process.wait(10)
