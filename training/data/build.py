"""Builds a data set: parts by all cores (and machines), then the selection.

Stopped anywhere, the next run makes only the parts that are missing. With `part` (i, n) only
every n-th part is made; who finds all parts there at the end writes the data set.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from engine.errors import ErrorCode, VisCodexError
from engine.remote.server import find_key
from training.data.benchmarks import Benchmarks
from training.data.parts import BENCHMARKS_FILE
from training.data.recipe import DataRecipe
from training.data.record import read_rows
from training.data.rewrite import spent_so_far
from training.data.select import read_entries, select, write_selection
from training.data.sources import SOURCES
from training.data.sources.base import SourcePlan, short_hash
from training.data.work import Job, Setting, run_jobs
from training.sums import sum_of_folder

LEAST_FREE = 1_000_000_000  # bytes of disk below which nothing is begun
REPORT = "report.json"
RECIPE = "recipe.json"
# Fields of a recipe that only the selection reads: changing them makes no part anew.
LATE = {"name", "mixture", "size", "validation", "shard", "format"}


@dataclass(frozen=True)
class Progress:
    """What a bar shows: the source at hand, parts done of it and items gone through."""

    source: str
    parts: int
    items: int


@dataclass(frozen=True)
class Outcome:
    """`report` is None where parts are missing: `missing` says of which sources."""

    report: dict[str, Any] | None
    missing: tuple[str, ...] = ()


def place_of(plan: SourcePlan, recipe: DataRecipe) -> str:
    """The folder of a source's parts: another one for whatever would make other records."""
    late = LATE | {"sources"}
    common = recipe.model_dump(mode="json", exclude=late)
    for name in ("alike", "pictures_alike"):
        del common["filters"][name]
    inputs = [_stamp(path) for path in plan.inputs()]
    return f"parts/{plan.name}-{short_hash(plan.model_dump_json(), json.dumps(common), inputs)}"


def _stamp(path: Path) -> tuple[str, int | str, int]:
    try:
        facts = path.stat()
    except FileNotFoundError:
        raise VisCodexError(
            ErrorCode.bad_input, f"There is no '{path}'.", "Check the recipe."
        ) from None
    if path.is_dir():
        return str(path), sum_of_folder(path), 0
    return str(path), facts.st_size, int(facts.st_mtime)


def build(
    recipe: DataRecipe,
    folder: Path,
    *,
    part: tuple[int, int] = (0, 1),
    workers: int | None = None,
    unwalled: bool = False,
    deadline: float | None = None,
    progress: Callable[[Progress], None] = lambda news: None,
    choose: bool = True,
) -> Outcome:
    """Make what is missing of the data set in `folder`; unless `choose`, of its parts alone, so
    that several can be at it and one chooses when all are done. Raises VisCodexError."""
    places = [place_of(plan, recipe) for plan in recipe.sources]
    folder.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(folder).free < LEAST_FREE:
        raise VisCodexError(
            ErrorCode.bad_input,
            f"'{folder}' has less than 1 GB of room.",
            "Free some, or go elsewhere.",
        )
    if recipe.benchmarks:
        Benchmarks.read(recipe.benchmarks).save(folder / BENCHMARKS_FILE)
    for place in places:
        (folder / place).mkdir(parents=True, exist_ok=True)
    setting = Setting(
        folder,
        recipe,
        unwalled,
        find_key(recipe.rewrite.server) if recipe.rewrite else "",
        _shared_counts(folder),
    )
    counts: Counter[str] = Counter()

    def tell(job: Job) -> None:
        counts[job.plan.name] += 1
        progress(Progress(job.plan.name, counts[job.plan.name], len(job.items)))

    jobs = _jobs(recipe, folder, places, part)
    # Drawing a page waits for frames more than it computes.
    count = workers or 2 * len(os.sched_getaffinity(0))
    finished = run_jobs(jobs, setting, workers=count, deadline=deadline, done=tell)
    missing = tuple(
        plan.name
        for plan, place in zip(recipe.sources, places, strict=True)
        if not _is_whole(folder / place)
    )
    if missing or not finished or not choose:
        return Outcome(None, missing)
    return Outcome(_select(recipe, folder, places))


def forget_broken(folder: Path) -> None:
    """Have the parts made anew that lack a picture, and all that are not whole."""
    for report in folder.glob("parts/*/[0-9]*.json"):
        try:
            rows = list(read_rows(report.with_suffix(".jsonl")))
            pictures = (folder / image for row in rows for image in row["images"])
            whole = report.with_suffix(".npz").exists() and all(
                picture.stat().st_size for picture in pictures
            )
        except (OSError, ValueError, KeyError, TypeError):
            whole = False
        if not whole:
            report.unlink()


def count_items(recipe: DataRecipe) -> dict[str, int]:
    """How many items each source has."""
    return {
        plan.name: sum(1 for _ in islice(SOURCES[plan.type].items(plan), plan.limit))
        for plan in recipe.sources
    }


def _shared_counts(folder: Path) -> Any:
    context = multiprocessing.get_context("spawn")
    requests, tokens = spent_so_far(folder / "rewritten")
    return context.Value("q", requests), context.Value("q", tokens)


def _jobs(
    recipe: DataRecipe, folder: Path, places: list[str], part: tuple[int, int]
) -> Iterator[Job]:
    for plan, place in zip(recipe.sources, places, strict=True):
        if _is_whole(folder / place):
            continue
        items = islice(SOURCES[plan.type].items(plan), plan.limit)
        number = 0
        while chunk := list(islice(items, recipe.chunk)):
            there = (folder / place / f"{number:06d}.json").exists()
            if number % part[1] == part[0] and not there:
                yield Job(plan, place, number, chunk)
            number += 1
        _write(folder / place / "count", str(number))


def _is_whole(place: Path) -> bool:
    """Whether all parts of a source are there; how many that is, its reader noted at the end."""
    with contextlib.suppress(FileNotFoundError):
        count = int((place / "count").read_text())
        return all((place / f"{number:06d}.json").exists() for number in range(count))
    return False


def _select(recipe: DataRecipe, folder: Path, places: list[str]) -> dict[str, Any]:
    parts = [path for place in places for path in sorted((folder / place).glob("*.jsonl"))]
    counts: dict[str, Counter[str]] = {}
    for plan, place in zip(recipe.sources, places, strict=True):
        found = counts[plan.name] = Counter()
        for path in sorted((folder / place).glob("[0-9]*.json")):
            found.update(json.loads(path.read_text()))
    _write(folder / REPORT, json.dumps({"sources": counts}, indent=1) + "\n")
    entries, prints = read_entries(parts)
    chosen = select(entries, prints, recipe)
    for source, reasons in chosen.left_out.items():
        counts[source].update(reasons)
    report: dict[str, Any] = {"name": recipe.name, "sources": counts}
    report["kept"] = {
        split: {
            "records": len(kept),
            "kinds": Counter(entry.kind for entry in kept),
            "sources": Counter(entry.source for entry in kept),
        }
        for split, kept in chosen.splits.items()
    }
    write_selection(folder, chosen, recipe)
    _write(folder / RECIPE, recipe.model_dump_json(indent=1) + "\n")
    _write(folder / REPORT, json.dumps(report, indent=1) + "\n")
    return report


def _write(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)
