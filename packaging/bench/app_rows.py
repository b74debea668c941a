"""The budgets of the application, each measured in a process of its own on Qt's offscreen screens.

`app_start` is the start as the user has it; `app_probe` measures one window at work.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rows import Row

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SECONDS = 300.0
SCREENS = {
    "synchronousWindowSystemEvents": True,
    "windowFrameMargins": False,
    "screens": [
        {"name": name, "x": x, "y": 0, "width": 1920, "height": 1080,
         "logicalDpi": 96, "logicalBaseDpi": 96, "dpr": 1}
        for name, x in (("left", 0), ("right", 1920))
    ],
}  # fmt: skip
BUDGETS = (
    ("overlay", "hotkey to the overlays of two screens", 0.3),
    ("block", "longest block while one converts", 0.05),
    ("echo", "key to its echo while code arrives", 0.016),
    ("cancel_answered", "cancel to its answer", 0.1),
    ("cancel_done", "cancel to its end", 2.0),
    ("page", "HTML preview in the window, warm", 0.1),
    ("chart", "chart preview in the window, warm", 0.7),
)
"""Measure of `app_probe`, what people read, seconds."""


def app_rows(repeats: int) -> Iterator[Row]:
    """Rows of the application; all but the first are the medians of one window's life."""
    with tempfile.TemporaryDirectory(prefix="viscodex-bench-") as folder:
        starts = [measure("app_start", Path(folder), str(time.monotonic())) for _ in range(repeats)]
        yield Row("start to first paint", statistics.median(one["seconds"] for one in starts), 1.0)
        measured = measure("app_probe", Path(folder), str(repeats))
    for name, what, budget in BUDGETS:
        yield Row(what, statistics.median(measured[name]), budget)


def measure(program: str, folder: Path, *arguments: str) -> dict[str, Any]:
    """The object that a program of this folder prints. Raises RuntimeError where it fails."""
    done = subprocess.run(
        [sys.executable, str(HERE / f"{program}.py"), *arguments],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{program} ended with {done.returncode}: {done.stderr[-600:]}")
    answer: dict[str, Any] = json.loads(_last(done.stdout.splitlines()))
    return answer


def _last(lines: Sequence[str]) -> str:
    return lines[-1] if lines else "{}"


def environment(folder: Path) -> dict[str, str]:
    """Of a process that finds two screens and keeps its files in `folder`, where it is started."""
    # Qt splits the value at colons, so the path is relative to the working folder.
    (folder / "screens.json").write_text(json.dumps(SCREENS))
    own = {f"XDG_{kind}_HOME": str(folder / kind) for kind in ("CONFIG", "DATA", "CACHE", "STATE")}
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    return {
        **os.environ,
        **own,
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT),
        "QT_QPA_PLATFORM": "offscreen:configfile=screens.json",
        **({"QTWEBENGINE_DISABLE_SANDBOX": "1", "VISCODEX_RENDER_NO_SANDBOX": "1"} if root else {}),
    }
