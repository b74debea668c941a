"""One snip on a real X server with a window manager, through mss and the real overlay."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.drive_snip import COLOURS

DRIVER = Path(__file__).with_name("drive_snip.py")
SIZE = (1280, 800)


@pytest.fixture
def display() -> Iterator[str]:
    """An X server with a window manager, both ended after the test."""
    for program in ("Xvfb", "openbox"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed (Debian: xvfb openbox)")
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", f"{SIZE[0]}x{SIZE[1]}x24",
         "-nolisten", "tcp"],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(write)
    with os.fdopen(read) as numbers:
        name = ":" + numbers.readline().strip()
    manager = subprocess.Popen(
        ["openbox"],
        env={**os.environ, "DISPLAY": name},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(0.5)
    yield name
    for process in (manager, server):
        process.terminate()
        process.wait(10)


@pytest.mark.display
@pytest.mark.slow
def test_real_window_is_snipped(display: str, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "DISPLAY": display,
        "QT_QPA_PLATFORM": "xcb",
        "XDG_RUNTIME_DIR": str(tmp_path),
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    environment.pop("WAYLAND_DISPLAY", None)
    tmp_path.chmod(0o700)
    done = subprocess.run(
        [sys.executable, str(DRIVER), str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
    )
    if "Could not load the Qt platform plugin" in done.stderr:
        pytest.skip("Qt's xcb plugin lacks a library here (Debian: libxcb-cursor0)")
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout.splitlines()[-1])
    print(f"from the button to the overlay: {facts['shown_ms']} ms")
    assert facts["platform"] == "xcb"
    assert facts["overlay"] == facts["screen"] == list(SIZE)
    assert facts["size"] == [200, 150]
    assert facts["colours"] == list(COLOURS)
    assert facts["edges"] == [COLOURS[0], COLOURS[1]]
    assert facts["visible"]
