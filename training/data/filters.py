"""Filters that look at one record: a table of reasons, each with its test.

Those that compare records with each other are in `duplicates`, those that compare with benchmark
items in `benchmarks`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
import regex

from training.data.draft import Draft
from training.data.recipe import FilterPlan

# Pieces as the pre-tokenizer of Qwen2 cuts them; long words fall into several tokens.
_PIECE = regex.compile(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
LETTERS_A_TOKEN = 6
SAMPLED = 100_000
_MARKUP = re.compile(r"<(style|script)\b.*?</\1\s*>|<[^>]*>|```.*?```", re.DOTALL | re.IGNORECASE)
STEP = 12  # levels by which a pixel differs from the ground to count as drawn


class TokenCounter:
    """Counts tokens with a tokenizer.json, or estimates them (about a tenth off for code)."""

    def __init__(self, path: str | None = None) -> None:
        self._path = path

    @cached_property
    def _tokenizer(self) -> Any:
        from tokenizers import Tokenizer

        return Tokenizer.from_file(str(self._path))

    def count(self, text: str) -> int:
        """Tokens of a text."""
        if self._path is not None:
            return len(self._tokenizer.encode(text, add_special_tokens=False).ids)
        lengths = (len(piece) for piece in _PIECE.findall(text))
        return sum(1 + (length - 1) // LETTERS_A_TOKEN for length in lengths)


def _sides(draft: Draft, plan: FilterPlan) -> bool:
    if plan.sides is None:
        return False
    sizes = [picture.image.size for picture in draft.pictures]
    return any(min(size) < plan.sides[0] or max(size) > plan.sides[1] for size in sizes)


def _aspect(draft: Draft, plan: FilterPlan) -> bool:
    if plan.aspect is None:
        return False
    sizes = [picture.image.size for picture in draft.pictures]
    return any(max(size) > plan.aspect * min(size) for size in sizes)


def drawn_share(draft: Draft) -> float:
    """The least share of pixels of a picture that are not its ground; 1 without a picture.

    Ground is the most frequent colour, in cells of 16 levels. About SAMPLED pixels are looked at.
    """
    shares = []
    for picture in draft.pictures:
        image = picture.image
        step = max(1, round((image.width * image.height / SAMPLED) ** 0.5))
        pixels = np.asarray(image)[::step, ::step].reshape(-1, 3)
        codes = (pixels >> 4).astype(np.int32) @ np.array([256, 16, 1], np.int32)
        fullest = int(np.bincount(codes, minlength=4096).argmax())
        ground = pixels[codes == fullest].mean(axis=0)
        apart = np.abs(pixels - ground).max(axis=1)
        shares.append(float((apart > STEP).mean()))
    return min(shares, default=1.0)


def _blank(draft: Draft, plan: FilterPlan) -> bool:
    return plan.drawn is not None and drawn_share(draft) < plan.drawn


def _short(draft: Draft, plan: FilterPlan) -> bool:
    return plan.tokens is not None and draft.record.tokens < plan.tokens[0]


def _long(draft: Draft, plan: FilterPlan) -> bool:
    return plan.tokens is not None and draft.record.tokens > plan.tokens[1]


def _language(draft: Draft, plan: FilterPlan) -> bool:
    if plan.language is None:
        return False
    kind, completion = draft.record.kind, draft.record.completion
    words = draft.record.prompt if kind in ("qa", "algorithm") else ""
    if kind == "html":
        words = _MARKUP.sub(" ", draft.record.code)
    elif kind == "chart":
        words = " ".join(regex.findall(r"[\"']([^\"'\n]*)[\"']", completion))
    letters = regex.findall(r"\p{L}", words)
    if len(letters) < 20:
        return False
    latin = len(regex.findall(r"\p{Latin}", words))
    return latin < plan.language * len(letters)


def _crowded(draft: Draft, plan: FilterPlan) -> bool:
    """Aesthetic rule: texts over each other, or cut off by the edge of the picture."""
    if plan.crowded is None or not draft.texts or not draft.pictures:
        return False
    width, height = draft.pictures[0].image.size
    boxes = np.array([text["box"] for text in draft.texts], np.float64)
    x0, y0, x1, y1 = boxes.T
    inside = (x1 > 0) & (y1 > 0) & (x0 < width) & (y0 < height)
    if not inside.any():
        return False
    boxes = boxes[inside][:400]
    x0, y0, x1, y1 = boxes.T
    cut = (x0 < -2) | (y0 < -2) | (x1 > width + 2) | (y1 > height + 2)
    areas = np.maximum((x1 - x0) * (y1 - y0), 1.0)
    across = np.minimum(x1[:, None], x1) - np.maximum(x0[:, None], x0)
    down = np.minimum(y1[:, None], y1) - np.maximum(y0[:, None], y0)
    shared = np.maximum(across, 0) * np.maximum(down, 0) / np.minimum(areas[:, None], areas)
    np.fill_diagonal(shared, 0.0)
    bad = cut | (shared.max(axis=1) > 0.4)
    return bool(bad.mean() > plan.crowded)


FILTERS: Mapping[str, Callable[[Draft, FilterPlan], bool]] = MappingProxyType(
    {
        "size of the picture": _sides,
        "shape of the picture": _aspect,
        "too short": _short,
        "too long": _long,
        "other language": _language,
        "near-blank": _blank,
        "crowded texts": _crowded,
    }
)


def reason_to_drop(draft: Draft, plan: FilterPlan) -> str | None:
    """The first filter that a draft does not pass, or None."""
    return next((reason for reason, test in FILTERS.items() if test(draft, plan)), None)
