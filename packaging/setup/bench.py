"""Measure this machine against the budgets of the product: `make bench`.

Prints a table of medians (and --json an object). Machines are noisy: compare within one run.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from PIL import Image

from engine.errors import VisCodexError

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "assets" / "samples"
Rows = Iterator[tuple[str, float, float]]  # what, seconds here, budget in seconds


def median_seconds(work: Callable[[], object], repeats: int) -> float:
    """One call to warm up, then the median of `repeats`."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def engine_rows(repeats: int) -> Rows:
    from engine.client import EngineClient
    from engine.models.store import find_model
    from engine.protocol import ConvertRequest, Done

    picture = SAMPLES / "login.png"
    with EngineClient(find_model()) as client:

        def convert() -> None:
            last = list(client.convert(ConvertRequest(picture)))[-1]
            if not isinstance(last, Done):
                raise RuntimeError(f"the conversion ended with {last}")

        yield "480 x 386 snip to complete code, warm", median_seconds(convert, repeats), 3.0
        seconds = median_seconds(lambda: client.read_text(picture), repeats)
        yield "text of the same snip alone, warm", seconds, 0.7


def preview_rows(repeats: int) -> Rows:
    from engine.render.html import HtmlRenderer
    from engine.render.python import PlotRunner

    page = (SAMPLES / "sources" / "login.html").read_text(encoding="utf-8")
    with HtmlRenderer() as renderer:
        seconds = median_seconds(lambda: renderer.render(page, 480, 386), repeats)
        yield "HTML preview, warm", seconds, 0.1
    script = (SAMPLES / "sources" / "chart.py").read_text(encoding="utf-8")
    with PlotRunner() as runner:
        seconds = median_seconds(lambda: runner.run(script), repeats)
        yield "chart preview, warm", seconds, 0.7


def other_rows(repeats: int) -> Rows:
    from engine.compare import similarity

    image = Image.open(SAMPLES / "login.png").convert("RGB")
    seconds = median_seconds(lambda: similarity(image, image), repeats)
    yield "compare two 480 x 386 pictures", seconds, 0.1
    command = [sys.executable, "-m", "app.cli", "--help"]
    seconds = median_seconds(
        lambda: subprocess.run(command, cwd=ROOT, capture_output=True, check=True), repeats
    )
    yield "the command starts", seconds, 1.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        os.environ.setdefault("VISCODEX_RENDER_NO_SANDBOX", "1")
    figures = {}
    for group in (engine_rows, preview_rows, other_rows):
        try:
            for what, seconds, budget in group(max(1, options.repeats)):
                figures[what] = {"seconds": round(seconds, 4), "budget": budget}
                if not options.json:
                    verdict = "" if seconds <= budget else "  over"
                    print(
                        f"{what:40} {seconds:8.3f} s   budget {budget:.1f} s{verdict}", flush=True
                    )
        except VisCodexError as error:
            print(f"not measured: {error.message} {error.advice}", file=sys.stderr)
    if options.json:
        print(json.dumps(figures, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
