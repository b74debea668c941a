"""From parts to a data set: duplicates out, kinds in their shares, a fixed order, shards."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import ErrorCode, VisCodexError
from training.data.duplicates import alike_code, alike_pictures
from training.data.recipe import DataRecipe
from training.data.record import KINDS, SPLITS, write_parquet, write_rows


@dataclass(frozen=True)
class Entry:
    """Where a record lies, and all that choosing needs of it."""

    path: Path
    offset: int
    id: str
    source: str
    kind: str
    group: str


@dataclass
class Selection:
    """The chosen records by split, in order, and how many were left out why, by source."""

    splits: dict[str, list[Entry]] = field(default_factory=dict)
    left_out: dict[str, Counter[str]] = field(default_factory=dict)


def read_entries(parts: Sequence[Path]) -> tuple[list[Entry], dict[str, np.ndarray]]:
    """All records of some parts (their .jsonl files) and their fingerprints, row by row."""
    entries: list[Entry] = []
    prints: dict[str, list[np.ndarray]] = {"code": [], "picture": [], "has_picture": []}
    for path in parts:
        offset = 0
        with path.open("rb") as lines:
            for line in lines:
                row = json.loads(line)
                names = (row["id"], row["source"], row["kind"], row["group"])
                entries.append(Entry(path, offset, *names))
                offset += len(line)
        with np.load(path.with_suffix(".npz")) as found:
            for name, rows in prints.items():
                rows.append(found[name])
    if not entries:
        raise VisCodexError(
            ErrorCode.bad_input,
            "No record passed the filters.",
            "See the counts in report.json, and check the sources and filters of the recipe.",
        )
    return entries, {name: np.concatenate(rows) for name, rows in prints.items()}


def select(
    entries: Sequence[Entry], prints: Mapping[str, np.ndarray], recipe: DataRecipe
) -> Selection:
    """Choose records. Depends on the recipe and the records alone, not on who made them when."""
    chosen = Selection()

    def leave_out(entry: Entry, reason: str) -> None:
        chosen.left_out.setdefault(entry.source, Counter())[reason] += 1

    filters = recipe.filters
    drop = np.zeros(len(entries), bool)
    if filters.alike is not None:
        numbers: dict[str, int] = {}
        groups = np.array([numbers.setdefault(entry.group, len(numbers)) for entry in entries])
        drop |= alike_code(prints["code"], groups, filters.alike)
        for row in np.flatnonzero(drop).tolist():
            leave_out(entries[row], "near-duplicate code")
    if filters.pictures_alike:
        # Only among those that are left: a record must not go for the sake of one that went.
        rest = np.flatnonzero(~drop)
        alike = rest[alike_pictures(prints["picture"][rest], prints["has_picture"][rest])]
        drop[alike] = True
        for row in alike.tolist():
            leave_out(entries[row], "near-duplicate picture")
    left = [entry for entry, gone in zip(entries, drop, strict=True) if not gone]
    left.sort(key=lambda entry: _draw(recipe.seed, entry.id))
    held_out = {entry.group for entry in left if _is_held_out(recipe, entry.group)}
    chosen.splits["validation"] = [entry for entry in left if entry.group in held_out]
    train = [entry for entry in left if entry.group not in held_out]
    quotas = quota(Counter(entry.kind for entry in train), recipe)
    taken: Counter[str] = Counter()
    chosen.splits["train"] = []
    for entry in train:
        if taken[entry.kind] < quotas[entry.kind]:
            taken[entry.kind] += 1
            chosen.splits["train"].append(entry)
        else:
            leave_out(entry, "more than its share")
    return chosen


def quota(there: Mapping[str, int], recipe: DataRecipe) -> dict[str, int]:
    """How many records of each kind are taken, given how many there are.

    Shares are kept exactly: the kind that is scarcest for its share decides the size of the whole.
    A kind of which there is nothing does not count, and the others share its part.
    """
    if recipe.mixture is None:
        shares = {kind: count / max(1, sum(there.values())) for kind, count in there.items()}
    else:
        present = {kind: share for kind, share in recipe.mixture.items() if there.get(kind)}
        shares = {kind: share / sum(present.values()) for kind, share in present.items() if share}
    whole = min((there[kind] / share for kind, share in shares.items() if share), default=0.0)
    if recipe.size is not None:
        whole = min(whole, recipe.size)
    return {kind: round(whole * shares.get(kind, 0.0) + 1e-9) for kind in KINDS}


def _draw(seed: int, text: str) -> bytes:
    return hashlib.blake2b(f"{seed} {text}".encode(), digest_size=8).digest()


def _is_held_out(recipe: DataRecipe, group: str) -> bool:
    place = int.from_bytes(_draw(recipe.seed, f"held out {group}"), "big") / 2**64
    return place < recipe.validation


def write_selection(folder: Path, selection: Selection, recipe: DataRecipe) -> None:
    """Write the splits as shards; what stood there before is replaced."""
    for split in SPLITS:
        entries = selection.splits.get(split, [])
        fresh = folder / f"{split}.part"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        for number, start in enumerate(range(0, len(entries), recipe.shard)):
            rows = _rows(entries[start : start + recipe.shard])
            path = fresh / f"shard-{number:05d}.{recipe.format}"
            if recipe.format == "parquet":
                write_parquet(path, rows)
            else:
                write_rows(path, rows)
        shutil.rmtree(folder / split, ignore_errors=True)
        if entries:
            fresh.rename(folder / split)
        else:
            fresh.rmdir()


def _rows(entries: Sequence[Entry]) -> Iterator[dict[str, Any]]:
    for entry in entries:
        with entry.path.open("rb") as file:
            file.seek(entry.offset)
            yield json.loads(file.readline())
