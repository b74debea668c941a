"""Without a mouse: from the snip of a second screen to the copied code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.app.desktop import ROOT

DRIVER = "tests.app.drive_keyboard"
SCREENS = {
    "synchronousWindowSystemEvents": True,
    "windowFrameMargins": False,
    "screens": [
        {"name": "first", "x": -1400, "y": 0, "width": 1400, "height": 900},
        {"name": "second", "x": 0, "y": 0, "width": 480, "height": 386},
    ],
}


@pytest.mark.slow
def test_from_the_snip_to_the_copied_code(tmp_path: Path, sample: Path) -> None:
    for screen in SCREENS["screens"]:  # type: ignore[attr-defined]
        screen.update(logicalDpi=96, logicalBaseDpi=96, dpr=1)
    (tmp_path / "screens.json").write_text(json.dumps(SCREENS))
    done = subprocess.run(
        [sys.executable, "-m", DRIVER, str(sample)],
        cwd=tmp_path,
        env={
            **os.environ,
            # Qt splits the value at colons, so the path is relative to the working folder.
            "QT_QPA_PLATFORM": "offscreen:configfile=screens.json",
            "PYTHONPATH": str(ROOT),
            "HOME": str(tmp_path),
            "XDG_CONFIG_HOME": str(tmp_path / "config"),
            "XDG_DATA_HOME": str(tmp_path / "data"),
            "TMPDIR": str(tmp_path),
        },
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout.splitlines()[-1])
    assert facts["screens"] == ["first", "second"]
    # Tab goes to the other screen, and on to the first one again.
    before, other, back = facts["active"]
    assert sorted(before) == sorted(other) == [False, True]
    assert before != other and back == before
    assert facts["same"]
    assert facts["state"] == "done"
    assert facts["clipboard"] == facts["code"]
    assert not list(tmp_path.glob("viscodex-*"))  # folders for the time of the process
    assert "<body" in facts["code"] and "</" in facts["code"]
