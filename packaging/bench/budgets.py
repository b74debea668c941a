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
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from app_rows import app_rows
from pictures import SAMPLES, never_seen
from PIL import Image
from rows import RATIO, Row, median_seconds, print_row

from engine.errors import VisCodexError

ROOT = Path(__file__).resolve().parents[2]


def engine_rows(repeats: int) -> Iterator[Row]:
    from engine.client import EngineClient
    from engine.improver import Improver, Wishes
    from engine.models.store import find_model
    from engine.protocol import ConvertRequest, Done

    picture = SAMPLES / "login.png"
    with EngineClient(find_model()) as client:

        def convert(image: bytes, **wanted: Any) -> dict[str, Any]:
            last = list(client.convert(ConvertRequest(image, **wanted)))[-1]
            if not isinstance(last, Done):
                raise RuntimeError(f"the conversion ended with {last}")
            return last.stats

        convert(never_seen(picture, 0))  # loads model and reader
        totals, shares = [], []
        for number in range(1, repeats + 1):
            image = never_seen(picture, number)
            first, second = convert(image), convert(image)
            totals.append(first["total"])
            shares.append(second["first_token"] / first["first_token"])
        yield Row("480 x 386 snip to one answer, warm", statistics.median(totals), 3.0)
        with Improver(client, Wishes(best_of=client.best_of)) as improver:
            pictures = iter(never_seen(picture, 400 + number) for number in range(repeats + 1))
            seconds = median_seconds(
                lambda: list(improver.convert(ConvertRequest(next(pictures)))), repeats
            )
            name = f"480 x 386 snip to the best of {client.best_of}, warm"
            yield Row(name, seconds, 3.0)
        yield Row("second turn / first, to first token", statistics.median(shares), 0.2, RATIO)
        ratios = []
        for number in range(repeats):  # alternating, so that other load meets both alike
            one = convert(never_seen(picture, 100 + number))["total"]
            four = convert(never_seen(picture, 200 + number), candidates=4)["total"]
            ratios.append(four / one)
        yield Row("best of 4 / one answer", statistics.median(ratios), 1.6, RATIO)
        pictures = iter(never_seen(picture, 300 + number) for number in range(repeats + 1))
        seconds = median_seconds(lambda: client.read_text(next(pictures)), repeats)
        yield Row("text of the same snip alone, warm", seconds, 0.7)


def match_rows(repeats: int) -> Iterator[Row]:
    """What needs no model: a page with a wrong colour and a wrong word, by its picture."""
    from engine.hints import read
    from engine.matching import MATCHES
    from engine.matching.scene import Scene
    from engine.render.drawing import Drawer

    right = (SAMPLES / "sources" / "login.html").read_text(encoding="utf-8")
    wrong = right.replace("#0f766e", "#760f6e").replace("Welcome back", "Welcame bock")
    picture = Image.open(SAMPLES / "login.png").convert("RGB")
    with Drawer() as drawer:
        lines = read(picture)

        def changed(name: str, code: str) -> str:
            scene = Scene(drawer, picture, lines, "html")  # a new one, that has drawn nothing yet
            return MATCHES[name].change(code, scene)

        code = wrong
        for name in MATCHES:
            seconds = median_seconds(partial(changed, name, wrong), repeats)
            yield Row(f"{name} matched with a 480 x 386 picture", seconds, 0.5)
            code = changed(name, code)
    if code != right:
        raise RuntimeError("the page was not corrected")


def preview_rows(repeats: int) -> Iterator[Row]:
    from engine.render.html import HtmlRenderer
    from engine.render.python import PlotRunner

    page = (SAMPLES / "sources" / "login.html").read_text(encoding="utf-8")
    with HtmlRenderer() as renderer:
        seconds = median_seconds(lambda: renderer.render(page, 480, 386), repeats)
        yield Row("HTML preview, warm", seconds, 0.1)
    script = (SAMPLES / "sources" / "chart.py").read_text(encoding="utf-8")
    with PlotRunner() as runner:
        seconds = median_seconds(lambda: runner.run(script), repeats)
        yield Row("chart preview, warm", seconds, 0.7)


def other_rows(repeats: int) -> Iterator[Row]:
    from engine.compare import Reference, similarity

    image = Image.open(SAMPLES / "login.png").convert("RGB")
    seconds = median_seconds(lambda: similarity(image, image), repeats)
    yield Row("compare two 480 x 386 pictures", seconds, 0.1)
    large = image.resize((1280, 720))
    reference = Reference(large)
    seconds = median_seconds(lambda: reference.compare(large), repeats)
    yield Row("compare 1280 x 720, snip read", seconds, 0.05)
    command = [sys.executable, "-m", "app.cli", "--help"]
    seconds = median_seconds(
        lambda: subprocess.run(command, cwd=ROOT, capture_output=True, check=True), repeats
    )
    yield Row("the command starts", seconds, 1.0)


GROUPS: Mapping[str, Callable[[int], Iterator[Row]]] = {
    "engine": engine_rows,
    "match": match_rows,
    "preview": preview_rows,
    "app": app_rows,
    "other": other_rows,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", choices=tuple(GROUPS), help="measure one group of rows")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        os.environ.setdefault("VISCODEX_RENDER_NO_SANDBOX", "1")
    figures = {}
    for name, group in GROUPS.items():
        if options.only not in (None, name):
            continue
        try:
            for row in group(max(1, options.repeats)):
                figures[row.what] = {"value": round(row.value, 4), "budget": row.budget}
                if not options.json:
                    print_row(row)
        except VisCodexError as error:
            print(f"not measured: {error.message} {error.advice}", file=sys.stderr)
    if options.json:
        print(json.dumps(figures, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
