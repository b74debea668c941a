"""Measure this machine against the budgets of the product: `make bench`.

Prints a table of medians (and --json an object). Machines are noisy: compare within one run.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "assets" / "samples"


def median_seconds(work: Callable[[], object], repeats: int) -> float:
    """One call to warm up, then the median of `repeats`."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def measure(repeats: int) -> dict[str, tuple[float, float]]:
    """What -> (seconds here, budget in seconds)."""
    from engine.client import EngineClient
    from engine.compare import similarity
    from engine.models.store import find_model
    from engine.protocol import ConvertRequest
    from engine.render.html import HtmlRenderer
    from engine.render.python import PlotRunner

    rows: dict[str, tuple[float, float]] = {}
    picture = SAMPLES / "login.png"
    with EngineClient(find_model()) as client:
        rows["480 x 386 snip to complete code, warm"] = (
            median_seconds(lambda: list(client.convert(ConvertRequest(picture))), repeats),
            3.0,
        )
        rows["text of the same snip alone, warm"] = (
            median_seconds(lambda: client.read_text(picture), repeats),
            0.7,
        )
    page = (SAMPLES / "sources" / "login.html").read_text(encoding="utf-8")
    with HtmlRenderer() as renderer:
        rows["HTML preview, warm"] = (
            median_seconds(lambda: renderer.render(page, 480, 386), repeats),
            0.1,
        )
    script = (SAMPLES / "sources" / "chart.py").read_text(encoding="utf-8")
    with PlotRunner() as runner:
        rows["chart preview, warm"] = (median_seconds(lambda: runner.run(script), repeats), 0.7)
    image = Image.open(io.BytesIO(picture.read_bytes())).convert("RGB")
    rows["compare two 480 x 386 pictures"] = (
        median_seconds(lambda: similarity(image, image), repeats),
        0.1,
    )
    command = [sys.executable, "-m", "app.cli", "--help"]
    rows["the command starts"] = (
        median_seconds(lambda: subprocess.run(command, cwd=ROOT, capture_output=True), repeats),
        1.0,
    )
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        os.environ.setdefault("VISCODEX_RENDER_NO_SANDBOX", "1")
    rows = measure(max(1, options.repeats))
    if options.json:
        print(json.dumps({what: {"seconds": s, "budget": b} for what, (s, b) in rows.items()}))
        return 0
    for what, (seconds, budget) in rows.items():
        verdict = "" if seconds <= budget else "  over"
        print(f"{what:42} {seconds:8.3f} s   budget {budget:.1f} s{verdict}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
