"""Pages and charts of our own generator, as the bundled model learns from."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from engine.tasks import FENCE, TASKS
from training.data.draft import Draft, Dropped, Picture, Tools
from training.data.record import Record
from training.data.sources.base import Source, SourcePlan, short_hash
from training.nano.build import HELD_OUT_FROM, DataPlan, Maker


class GeneratedPlan(SourcePlan):
    """`samples` numbers from `first` on; `chart_share` of them are charts."""

    license: str = "Apache-2.0"
    first: int = Field(0, ge=0)
    samples: int = Field(1000, gt=0)
    chart_share: float = Field(0.3, ge=0, le=1)


def items(plan: GeneratedPlan) -> Iterator[int]:
    """The numbers, none of those that are held out for measuring."""
    yield from range(plan.first, min(plan.first + plan.samples, HELD_OUT_FROM))


def make(item: int, plan: GeneratedPlan, tools: Tools) -> Iterator[Draft]:
    """Sample number `item`."""
    maker = Maker(
        DataPlan(chart_share=plan.chart_share, reader_share=0.0), tools.pages, tools.plots
    )
    sample = maker.make(item)
    if sample is None:
        raise Dropped("does not render")
    chart = sample.kind == "chart"
    task = TASKS["matplotlib" if chart else "html"]
    record = Record(
        id=f"{plan.name}/{item}",
        source=plan.name,
        kind="chart" if chart else "html",
        prompt=task.instruction,
        completion=f"{task.prefill}{sample.code.rstrip()}\n{FENCE}",
        license=plan.license,
        origin=f"generator, number {item}, level {sample.level}",
        group=short_hash(plan.name, item),
    )
    draft = Draft(record, [Picture(sample.png)])
    draft.lines = sample.lines
    yield draft


GENERATED = Source(GeneratedPlan, items, make)
