"""How fast data is built: records a second over all that a build does, on this machine."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from engine.errors import ErrorCode, VisCodexError
from training.data.build import build
from training.data.recipe import DataRecipe
from training.recipe import check_recipe

BUDGETS = {"pages": 15.0, "charts": 4.0}  # records a second on two idle cores


def measure(
    items: int, *, pages: Path | None, charts: Path | None, workers: int | None, folder: Path | None
) -> None:
    """Print a row each: pages and charts of the generator, and those of folders where given."""
    sources: dict[str, dict[str, Any]] = {
        "pages": {"type": "generated", "samples": items, "chart_share": 0.0},
        "charts": {"type": "generated", "samples": items, "chart_share": 1.0},
    }
    if pages is not None:
        sources["pages, real"] = {"type": "web", "folder": str(pages), "limit": items}
    if charts is not None:
        sources["charts, real"] = {"type": "charts", "folder": str(charts), "limit": items}
    cores = len(os.sched_getaffinity(0))
    print(
        f"{workers or 2 * cores} processes on {cores} cores; load {os.getloadavg()[0]:.1f} before"
    )
    for name, source in sources.items():
        recipe = check_recipe({"name": name, "sources": [source], "hints": 0.5}, DataRecipe)
        place = Path(tempfile.mkdtemp(prefix="viscodex-bench-", dir=folder))
        try:
            began, cpu = time.perf_counter(), _cpu()
            outcome = build(recipe, place, workers=workers)
            seconds, used = time.perf_counter() - began, _cpu() - cpu
        finally:
            shutil.rmtree(place, ignore_errors=True)
        if outcome.report is None:
            raise VisCodexError(ErrorCode.internal, "The build left parts out.")
        counts = next(iter(outcome.report["sources"].values()))
        made, rate = counts["made"], counts["made"] / seconds
        kind = name.partition(",")[0]
        told = "within" if rate >= BUDGETS[kind] else "short of"
        print(
            f"{name:13} {made:5} records of {counts['items']:5} items in {seconds:6.1f} s: "
            f"{rate:5.1f}/s, {told} {BUDGETS[kind]:g}/s; {1000 * used / max(1, made):4.0f} ms of "
            f"processor a record; load {os.getloadavg()[0]:.1f}"
        )


def _cpu() -> float:
    """Processor seconds of this process and its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
