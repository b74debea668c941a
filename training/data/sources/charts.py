"""Real matplotlib scripts: one record a figure, and variants of it that still run."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from pydantic import Field

from engine.tasks import FENCE, TASKS
from training.data.draft import Draft, Dropped, Picture, Tools
from training.data.record import Record
from training.data.sources.base import Source, SourcePlan, must_exist, short_hash
from training.data.sources.chart_code import figures, normalised
from training.data.sources.chart_edits import EDITS, varied

MAX_FILE = 100_000  # bytes


class ChartsPlan(SourcePlan):
    """Scripts of a folder. `variants` are made of each figure, by `edits`; `figures` bounds how
    many are taken of a script."""

    folder: str
    variants: int = Field(2, ge=0)
    edits: tuple[str, ...] = tuple(EDITS)
    figures: int = Field(6, gt=0)

    def inputs(self) -> list[Path]:
        """The folder of the scripts."""
        return [must_exist(self.folder)]


def items(plan: ChartsPlan) -> Iterator[str]:
    """Paths of the scripts, relative to the folder."""
    root = must_exist(plan.folder)
    yield from sorted(str(path.relative_to(root)) for path in root.rglob("*.py"))


def make(item: str, plan: ChartsPlan, tools: Tools) -> Iterator[Draft]:
    """The figures of a script and their variants."""
    path = must_exist(plan.folder) / item
    if path.stat().st_size > MAX_FILE:
        raise Dropped("script too large")
    tree = normalised(path.read_text(encoding="utf-8", errors="replace"))
    group = short_hash(plan.name, item)
    for number, code in enumerate(figures(tree)[: plan.figures]):
        try:
            picture, texts = tools.draw_chart(code)
        except Dropped as reason:
            tools.counts[str(reason)] += 1
            continue
        origin = f"{item}, figure {number + 1}"
        yield _draft(plan, code, group, f"{group}-{number}", origin, picture, texts)
        for variant in range(plan.variants):
            rng = random.Random(f"{plan.name} {item} {number} {variant}")
            other = varied(code, rng, plan.edits)
            if other is None:
                tools.counts["nothing to vary"] += 1
                break
            try:
                shot, places = tools.draw_chart(other)
            except Dropped:
                tools.counts["variant does not render"] += 1
                continue
            if _same(shot, picture):
                tools.counts["variant looks the same"] += 1
                continue
            name = f"{group}-{number}-v{variant}"
            yield _draft(plan, other, group, name, f"{origin}, variant {variant}", shot, places)


def _same(one: Picture, two: Picture) -> bool:
    return one.image.size == two.image.size and np.array_equal(
        np.asarray(one.image), np.asarray(two.image)
    )


def _draft(
    plan: ChartsPlan, code: str, group: str, name: str, origin: str, picture: Picture, texts: object
) -> Draft:
    task = TASKS["matplotlib"]
    record = Record(
        id=f"{plan.name}/{name}",
        source=plan.name,
        kind="chart",
        prompt=task.instruction,
        completion=f"{task.prefill}{code}{FENCE}",
        license=plan.license,
        origin=origin,
        group=group,
    )
    return Draft(record, [picture], texts)  # type: ignore[arg-type]


CHARTS = Source(ChartsPlan, items, make)
