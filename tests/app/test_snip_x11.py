"""One snip on a real X server with a window manager, through mss and the real overlay."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.app.desktop import skip_without_xcb, x_environment, x_server
from tests.app.drive_snip import COLOURS

DRIVER = Path(__file__).with_name("drive_snip.py")
SIZE = (1280, 800)


@pytest.mark.display
@pytest.mark.slow
def test_real_window_is_snipped(tmp_path: Path) -> None:
    with x_server(*SIZE) as display:
        done = subprocess.run(
            [sys.executable, str(DRIVER), str(tmp_path)],
            env=x_environment(display, tmp_path),
            capture_output=True,
            text=True,
            timeout=180,
        )
    skip_without_xcb(done.stderr)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout.splitlines()[-1])
    print(f"from the button to the overlay: {facts['shown_ms']} ms")
    assert facts["platform"] == "xcb"
    assert facts["overlay"] == facts["screen"] == list(SIZE)
    assert facts["size"] == [200, 150]
    assert facts["colours"] == list(COLOURS)
    assert facts["edges"] == [COLOURS[0], COLOURS[1]]
    assert facts["visible"]
    assert facts["windows"] == 2 * [[[400, 300], list(COLOURS)]]
