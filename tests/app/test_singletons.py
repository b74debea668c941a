"""Qt's bindings must not use up the references of None (see engine.singletons)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CALLS = """
import sys
from engine.singletons import make_immortal
make_immortal()
make_immortal()
from PySide6.QtCore import QObject
thing = QObject()
for _ in range(200_000):
    thing.setObjectName("x")
assert sys.getrefcount(None) > 1000
print("alive")
"""


def test_many_calls_do_not_end_the_interpreter() -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", CALLS], env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr
