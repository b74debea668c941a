"""Benchmark items must not be trained on: records that hold one, or a part of one, are found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.errors import ErrorCode, VisCodexError
from engine.images import load_picture
from training.data.draft import Draft
from training.data.duplicates import near_prints
from training.data.fingerprint import COLOURS, HASH_BYTES, picture_print, windows

TEXTS = {".html", ".htm", ".py", ".json", ".jsonl", ".yaml", ".yml", ".md", ".txt"}
PICTURES = {".png", ".jpg", ".jpeg", ".webp"}
LEAST_WINDOWS = 12  # fewer are too common to say anything
COMMON = 4  # windows that stand in more of the items are boilerplate


class Benchmarks:
    """Token windows and picture fingerprints of all items in some folders."""

    def __init__(
        self, items: NDArray[np.uint64], owners: NDArray[np.int64], prints: NDArray[np.uint8]
    ):
        self._windows, self._owners, self._prints = items, owners, prints

    @classmethod
    def read(cls, folders: list[str]) -> Benchmarks:
        """Read folders. VisCodexError(bad_input) where one is missing or holds nothing."""
        texts: list[NDArray[np.uint64]] = []
        prints: list[NDArray[np.uint8]] = []
        for folder in folders:
            files = sorted(path for path in Path(folder).expanduser().rglob("*") if path.is_file())
            before = len(texts) + len(prints)
            for path in files:
                suffix = path.suffix.lower()
                if suffix in TEXTS:
                    texts += _items(path)
                elif suffix in PICTURES:
                    try:
                        prints.append(picture_print(load_picture(path)))
                    except VisCodexError:
                        continue  # a broken picture cannot be met again
            if len(texts) + len(prints) == before:
                raise VisCodexError(
                    ErrorCode.bad_input,
                    f"There are no benchmark items in '{folder}'.",
                    "Give folders with their code, texts or pictures.",
                )
        values = np.concatenate(texts) if texts else np.empty(0, np.uint64)
        owners = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
        order = np.argsort(values, kind="stable")
        empty = np.empty((0, HASH_BYTES + COLOURS), np.uint8)
        return cls(values[order], owners[order], np.stack(prints) if prints else empty)

    def save(self, path: Path) -> None:
        """Write for other processes."""
        with path.open("wb") as file:
            np.savez(file, windows=self._windows, owners=self._owners, prints=self._prints)

    @classmethod
    def load(cls, path: Path) -> Benchmarks:
        """Read what `save` wrote."""
        with np.load(path) as found:
            return cls(found["windows"], found["owners"], found["prints"])

    def holds(self, found: NDArray[np.uint64], least: float) -> bool:
        """Whether at least this share of token windows stands in one item."""
        if len(found) < LEAST_WINDOWS or not len(self._windows):
            return False
        first = np.searchsorted(self._windows, found, "left")
        counts = np.searchsorted(self._windows, found, "right") - first
        rare = (counts > 0) & (counts <= COMMON)
        told = len(found) - int((counts > COMMON).sum())
        if told < LEAST_WINDOWS or rare.sum() < least * told:
            return False
        places = [np.arange(at, at + n) for at, n in zip(first[rare], counts[rare], strict=True)]
        shared = np.bincount(self._owners[np.concatenate(places)])
        return bool(shared.max() >= least * told)

    def shows(self, draft: Draft) -> bool:
        """Whether a picture is that of an item."""
        if not len(self._prints):
            return False
        found = [picture_print(picture.image) for picture in draft.pictures]
        return any(
            near_prints(np.broadcast_to(one, self._prints.shape), self._prints).any()
            for one in found
        )


def _items(path: Path) -> list[NDArray[np.uint64]]:
    """Token windows of a file; of each line of a JSON Lines file, which holds an item a line."""
    text = path.read_text(encoding="utf-8", errors="replace")
    parts = text.splitlines() if path.suffix.lower() == ".jsonl" else [text]
    found = (windows(part) for part in parts)
    return [item for item in found if len(item) >= LEAST_WINDOWS]
