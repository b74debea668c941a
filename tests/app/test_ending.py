"""The end of the process: what is open is put away, and PySide's clean-up does not run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys, tempfile, threading, time
from PySide6.QtCore import QCoreApplication, QObject
from app.ending import Ending

class Watched(QObject):
    pass

application = QCoreApplication([])
ending = Ending()
folder = tempfile.TemporaryDirectory(prefix="kept-", dir=sys.argv[1])
watched = Watched(application)
watched.destroyed.connect(lambda: print("destroyed", flush=True))

def late():
    time.sleep(0.3)
    print("late", flush=True)

threading.Thread(target=late).start()
ending.status = 7
print("end", end="")
"""


def run(program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_end(tmp_path: Path) -> None:
    done = run(PROGRAM, tmp_path)
    assert done.returncode == 7, done.stderr
    assert done.stdout.splitlines() == ["endlate"]
    assert not list(tmp_path.iterdir())


def test_an_application_that_fails_does_not_end_well(tmp_path: Path) -> None:
    done = run(PROGRAM.replace("ending.status = 7", "raise RuntimeError('of the test')"), tmp_path)
    assert done.returncode == 1
    assert "of the test" in done.stderr
