"""One part of a data set: a chunk of a source's items made into records on disk.

A part is NUMBER.jsonl with its records, NUMBER.npz with their fingerprints, NUMBER/ with their
pictures, and NUMBER.json with the counts of what was left out. The last appears last.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import ErrorCode, VisCodexError
from training.data.benchmarks import Benchmarks
from training.data.draft import Draft, Dropped, Tools
from training.data.filters import TokenCounter, reason_to_drop
from training.data.fingerprint import (
    COLOURS,
    ENTRIES,
    HASH_BYTES,
    picture_print,
    signature,
    windows,
)
from training.data.hints import give_hints
from training.data.recipe import DataRecipe
from training.data.record import Record, to_row, write_rows
from training.data.rewrite import Rewriter
from training.data.sources import SOURCES
from training.data.sources.base import SourcePlan

BENCHMARKS_FILE = "benchmarks.npz"
BROKEN_PICTURES = (
    ErrorCode.unsupported_image,
    ErrorCode.image_too_large,
    ErrorCode.image_too_small,
    ErrorCode.image_too_narrow,
)


def code_window_text(record: Record) -> str:
    """What duplicates are told by: the code, and for questions the question."""
    return record.prompt if record.kind == "qa" else record.code


@dataclass
class Prints:
    """Fingerprints of the records of a part, a row each."""

    code: NDArray[np.uint32]
    picture: NDArray[np.uint8]
    has_picture: NDArray[np.bool_]

    @classmethod
    def of(cls, kept: Sequence[tuple[Draft, NDArray[np.uint64]]]) -> Prints:
        code = np.zeros((len(kept), ENTRIES), np.uint32)
        picture = np.zeros((len(kept), HASH_BYTES + COLOURS), np.uint8)
        shown = np.zeros(len(kept), bool)
        for row, (draft, found) in enumerate(kept):
            code[row] = signature(found)
            if draft.pictures:
                picture[row], shown[row] = picture_print(draft.pictures[0].image), True
        return cls(code, picture, shown)


class PartMaker:
    """Makes parts with tools of its own. A context manager."""

    def __init__(self, folder: Path, recipe: DataRecipe, rewriter: Rewriter | None, unwalled: bool):
        self._folder, self._recipe = folder, recipe
        self._rewriter = rewriter
        self._tools = Tools(unwalled=unwalled)
        self._tokens = TokenCounter(recipe.filters.tokenizer)
        marks = folder / BENCHMARKS_FILE
        self._benchmarks = Benchmarks.load(marks) if recipe.benchmarks else None

    def __enter__(self) -> PartMaker:
        return self

    def __exit__(self, *ignored: object) -> None:
        self._tools.__exit__()

    def make(self, plan: SourcePlan, place: str, number: int, items: Sequence[Any]) -> None:
        """Make part `number` of a source in the folder `place` of the data folder."""
        stem = f"{number:06d}"
        folder = self._folder / place
        pictures = folder / stem
        shutil.rmtree(pictures, ignore_errors=True)  # of a try that was stopped
        pictures.mkdir(parents=True)
        counts = self._tools.counts = Counter()
        kept = []
        for item in items:
            counts["items"] += 1
            for draft in self._drafts(plan, item):
                found = self._pass(draft)
                if found is not None:
                    self._store(draft, pictures, f"{place}/{stem}")
                    kept.append((draft, found))
        counts["made"] = len(kept)
        prints = Prints.of(kept)
        with (folder / f"{stem}.npz").open("wb") as file:
            np.savez_compressed(file, **vars(prints))
        write_rows(folder / f"{stem}.jsonl", (to_row(draft.record) for draft, _ in kept))
        if not any(pictures.iterdir()):
            pictures.rmdir()
        part = folder / f"{stem}.json.part"
        part.write_text(json.dumps(counts))
        os.replace(part, folder / f"{stem}.json")

    def _drafts(self, plan: SourcePlan, item: Any) -> Any:
        try:
            for draft in SOURCES[plan.type].make(item, plan, self._tools):
                if self._rewriter is None:
                    yield draft
                else:
                    yield from self._rewriter.rewrite(draft, self._tools)
        except Dropped as reason:
            self._tools.counts[str(reason)] += 1

    def _pass(self, draft: Draft) -> NDArray[np.uint64] | None:
        """Token windows of a draft that passes all filters; None, and counted, for the others."""
        counts, filters = self._tools.counts, self._recipe.filters
        draft.changed(tokens=self._tokens.count(draft.record.completion))
        try:
            if draft.pictures:
                draft.changed(size=draft.pictures[0].image.size)
            reason = reason_to_drop(draft, filters)
        except VisCodexError as error:
            if error.code not in BROKEN_PICTURES:
                raise
            reason = "broken picture"
        found = windows(code_window_text(draft.record))
        if reason is None and self._benchmarks is not None and filters.contained is not None:
            known = self._benchmarks.holds(found, filters.contained)
            if known or self._benchmarks.shows(draft):
                reason = "benchmark item"
        if reason is not None:
            counts[reason] += 1
            return None
        give_hints(draft, self._recipe)
        return found

    def _store(self, draft: Draft, pictures: Path, place: str) -> None:
        names = []
        stem = draft.record.id.rpartition("/")[2]
        for number, picture in enumerate(draft.pictures):
            name = f"{stem}-{number}{picture.suffix}" if number else f"{stem}{picture.suffix}"
            (pictures / name).write_bytes(picture.data)
            names.append(f"{place}/{name}")
        draft.changed(images=tuple(names))
