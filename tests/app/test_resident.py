"""The application in the tray: real processes on a real X server and a private session bus."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.app.desktop import ROOT, need, session_bus, shell, skip_without_xcb, x_environment
from tests.app.desktop import x_server as started

OVERLAY = "VisCodex: select a part of the screen"
MAIN = "^VisCodex$"


class Screen:
    """What is on an X server, by xdotool."""

    def __init__(self, display: str) -> None:
        self._environment = {"DISPLAY": display, "PATH": os.environ["PATH"]}

    def do(self, *words: str) -> str:
        return subprocess.run(
            ["xdotool", *words], env=self._environment, capture_output=True, text=True
        ).stdout

    def windows(self, title: str) -> list[str]:
        return self.do("search", "--onlyvisible", "--name", title).split()

    def shows(self, title: str) -> Callable[[], bool]:
        return lambda: bool(self.windows(title))

    def lacks(self, title: str) -> Callable[[], bool]:
        return lambda: not self.windows(title)


def until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, f"the application ended with {process.returncode}"
        assert time.monotonic() < end, "not in time"
        time.sleep(0.03)


def viscodex(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "app.cli", *arguments]


@pytest.mark.display
@pytest.mark.slow
def test_a_day_in_the_tray(tmp_path: Path) -> None:
    """Start hidden; snip by menu, hotkey and command; show, close, quit."""
    need("xdotool", "Xvfb", "openbox", "dbus-daemon")
    errors = tmp_path / "errors.txt"
    with started() as display, session_bus() as bus, shell(bus) as desktop:
        screen = Screen(display)
        environment = {**x_environment(display, tmp_path), "DBUS_SESSION_BUS_ADDRESS": bus}
        with errors.open("w") as log:
            first = subprocess.Popen(
                viscodex("--hidden"), env=environment, cwd=ROOT, stderr=log, text=True
            )
        try:
            try:
                desktop.wait("item", 30)
            except queue.Empty:
                skip_without_xcb(errors.read_text())
                raise
            assert screen.lacks(MAIN)()
            labels = [entry["label"] for entry in desktop.menu()]
            assert labels == [
                "Snip the screen", "Snip after a delay", "Open a picture…", "Paste a picture",
                "-", "Show the window", "Quit",
            ]  # fmt: skip

            ways: dict[str, Callable[[], object]] = {
                "menu": lambda: desktop.click("Snip the screen"),
                "hotkey": lambda: screen.do("key", "ctrl+shift+F8"),
                "command": lambda: subprocess.run(
                    viscodex("--capture"), env=environment, cwd=ROOT, check=True, timeout=60
                ),
            }
            for way in ways.values():
                way()
                until(screen.shows(OVERLAY), first)
                until(lambda: OVERLAY in screen.do("getactivewindow", "getwindowname"), first)
                screen.do("key", "Escape")
                until(screen.lacks(OVERLAY), first)
                assert screen.lacks(MAIN)()  # nothing was taken: the window stays away

            again = viscodex("--hidden")
            subprocess.run(again, env=environment, cwd=ROOT, check=True, timeout=60)
            assert screen.lacks(MAIN)()  # a second start with the session changes nothing

            desktop.click("Show the window")
            until(screen.shows(MAIN), first)
            screen.do("search", "--onlyvisible", "--name", MAIN, "windowactivate", "--sync")
            screen.do("key", "alt+F4")
            assert desktop.wait("notice")["notice"] == "VisCodex is still there"
            until(screen.lacks(MAIN), first)
            desktop.ask("activate")
            desktop.wait("done")
            until(screen.shows(MAIN), first)

            # A conversion whose window is put away tells when it has ended.
            picture = str(ROOT / "assets" / "samples" / "login.png")
            subprocess.run(viscodex(picture), env=environment, cwd=ROOT, check=True, timeout=60)
            until(lambda: "VisCodex" in screen.do("getactivewindow", "getwindowname"), first)
            screen.do("key", "alt+F4")
            told = desktop.wait("notice")
            assert told == {"notice": "The code is ready", "text": "login.png"}
            until(screen.lacks(MAIN), first)

            def newest() -> str:
                labels = [entry["label"] for entry in desktop.menu()]
                return str(labels[labels.index("-") + 1])

            until(lambda: newest().startswith("Open: login.png · HTML · "), first)
            desktop.click(newest())
            until(screen.shows(MAIN), first)
            desktop.click("Quit")
            assert first.wait(30) == 0
        finally:
            if first.poll() is None:
                first.kill()
                first.wait(10)
    assert "Traceback" not in errors.read_text()
