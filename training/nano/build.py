"""Builds the data of the small model: generate, render, describe, write shards.

Sample number n depends on n alone, so any number of processes gives the same data, and a stopped
build goes on at the first shard that is missing.
"""

from __future__ import annotations

import io
import itertools
import json
import multiprocessing
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

from PIL import Image
from pydantic import BaseModel, ConfigDict

from engine.errors import VisCodexError
from engine.hints import read
from engine.render.html import HtmlRenderer
from engine.render.python import PlotRunner
from training.nano.charts import make_chart
from training.nano.pages import make_page
from training.nano.records import Sample, write_shard
from training.nano.truth import chart_regions, page_regions, true_lines
from training.nano.words import Split, WordSource

MAX_SIDE = 640
HELD_OUT_FROM = 10_000_000  # sample numbers from here on are for measuring, never trained on


class DataPlan(BaseModel):
    """How much of what is generated. Shares of levels are relative.

    `first` is the number of the first sample: a run that is carried on elsewhere goes on with new
    ones instead of making the same again.
    """

    model_config = ConfigDict(extra="forbid")

    first: int = 0
    samples: int = 12_000
    shard: int = 200
    chart_share: float = 0.3
    page_levels: tuple[float, ...] = (0.35, 0.3, 0.25, 0.1)
    chart_levels: tuple[float, ...] = (0.4, 0.35, 0.25)
    reader_share: float = 0.04


class Maker:
    """Makes samples with a renderer and a plot runner, those given or its own."""

    def __init__(
        self, plan: DataPlan, pages: HtmlRenderer | None = None, plots: PlotRunner | None = None
    ) -> None:
        self.plan = plan
        self.pages = pages or HtmlRenderer()
        self.plots = plots or PlotRunner(allow_unwalled=True)  # the scripts are our own

    def close(self) -> None:
        """End the renderers."""
        self.pages.close()
        self.plots.close()

    def make(self, number: int) -> Sample | None:
        """Sample `number`, or None where the draw cannot be used (failed, blank, too large)."""
        rng = random.Random(f"viscodex-nano {number}")
        split: Split = "held_out" if number >= HELD_OUT_FROM else "train"
        is_chart = rng.random() < self.plan.chart_share
        shares = self.plan.chart_levels if is_chart else self.plan.page_levels
        level = rng.choices(range(len(shares)), shares)[0]
        words = WordSource(rng, split)
        try:
            sample = (self._chart if is_chart else self._page)(number, level, rng, words)
        except VisCodexError:
            return None
        if sample is None or _is_blank(sample.picture()):
            return None
        if number < HELD_OUT_FROM and rng.random() < self.plan.reader_share:
            sample.read_lines = read(sample.picture())
        return sample

    def _page(
        self, number: int, level: int, rng: random.Random, words: WordSource
    ) -> Sample | None:
        page = make_page(rng, level, words)
        drawn = page.html.replace("</style>", f"{page.skin_css}\n</style>", 1)
        shot = self.pages.render(drawn, page.width, page.height, max_height=MAX_SIDE, describe=True)
        assert shot.description is not None
        picture = Image.open(io.BytesIO(shot.png)).convert("RGB")
        return Sample(
            f"html-{number}",
            "html",
            level,
            page.html,
            _packed(picture),
            true_lines(picture, shot.description["texts"]),
            regions=page_regions(shot.description["elements"]),
        )

    def _chart(
        self, number: int, level: int, rng: random.Random, words: WordSource
    ) -> Sample | None:
        chart = make_chart(rng, level, words)
        shot = self.plots.run(chart.code, describe=True, params=chart.skin)
        if shot.png is None or shot.description is None or max(shot.width, shot.height) > 800:
            return None
        picture = Image.open(io.BytesIO(shot.png)).convert("RGB")
        return Sample(
            f"chart-{number}",
            "chart",
            level,
            chart.code,
            _packed(picture),
            true_lines(picture, shot.description["texts"]),
            regions=chart_regions(shot.description["marks"]),
        )


def _is_blank(picture: Image.Image) -> bool:
    return picture.resize((32, 32)).getcolors(2) is not None


def _packed(picture: Image.Image) -> bytes:
    """PNG at a third of the size that the renderers, which are in a hurry, give it."""
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=6)
    return out.getvalue()


def build_shard(folder: Path, plan: DataPlan, first: int, count: int) -> tuple[int, int]:
    """Make samples first .. first + count - 1 and write their shard. Returns (made, left out)."""
    maker = Maker(plan)
    try:
        samples = [s for n in range(first, first + count) if (s := maker.make(n)) is not None]
    finally:
        maker.close()
    write_shard(folder, f"shard-{first:09d}", samples)
    return len(samples), count - len(samples)


def _job(arguments: tuple[Path, DataPlan, int, int]) -> tuple[int, int]:
    return build_shard(*arguments)


def build(
    folder: Path,
    plan: DataPlan,
    *,
    processes: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, int]:
    """Build all missing shards of the plan; `progress` hears (shards done, shards in all)."""
    folder.mkdir(parents=True, exist_ok=True)
    end = plan.first + plan.samples
    starts = range(plan.first, end, plan.shard)
    wanted = [
        (folder, plan, start, min(plan.shard, end - start))
        for start in starts
        if not (folder / f"shard-{start:09d}.jsonl").exists()
    ]
    counts = {"made": 0, "left_out": 0}
    done = len(starts) - len(wanted)
    workers = processes or len(os.sched_getaffinity(0))
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        for made, left_out in pool.imap_unordered(_job, wanted):
            counts["made"] += made
            counts["left_out"] += left_out
            done += 1
            if progress is not None:
                progress(done, len(starts))
    (folder / "plan.json").write_text(json.dumps(plan.model_dump(), indent=1) + "\n")
    return counts


def held_out_samples(count: int) -> Iterator[Sample]:
    """`count` samples whose numbers are never trained on, made as they are asked for."""
    maker = Maker(DataPlan())
    try:
        made = (maker.make(number) for number in itertools.count(HELD_OUT_FROM))
        yield from itertools.islice((sample for sample in made if sample is not None), count)
    finally:
        maker.close()
