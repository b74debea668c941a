"""A figure beside its budget: what the rows of the benchmarks are, and how they are printed."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

SECONDS, RATIO = "s", "x"


@dataclass(frozen=True)
class Row:
    """One figure beside its budget, both seconds or both ratios of two times of this run."""

    what: str
    value: float
    budget: float
    unit: str = SECONDS


def print_row(row: Row) -> None:
    """One line of the table."""
    verdict = "" if row.value <= row.budget else "  over"
    print(
        f"{row.what:42} {row.value:8.3f} {row.unit}   budget {row.budget:.3g} {row.unit}{verdict}",
        flush=True,
    )


def median_seconds(work: Callable[[], object], repeats: int) -> float:
    """One call to warm up, then the median of `repeats`."""
    work()
    return statistics.median(_timed(work) for _ in range(repeats))


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
