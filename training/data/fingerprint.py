"""Short fingerprints of code and pictures, by which near-duplicates are found.

Code: MinHash (Broder 1997) over windows of WINDOW tokens; the share of equal entries of two
signatures estimates the Jaccard similarity of their windows.
Pictures: a difference hash (does it get brighter to the right?) of 16 x 16 fields, and the mean
colours of 4 x 4 fields, since a chart in other colours is another picture.
"""

from __future__ import annotations

import re
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Codes = NDArray[np.uint64]

WINDOW = 5
ENTRIES = 64
HASH_BYTES = 32
COLOURS = 48
FLAT = 2  # levels of brightness that are no step
_TOKEN = re.compile(r"\w+|[^\w\s]")


def _multipliers() -> tuple[Codes, Codes]:
    generator = np.random.default_rng(20_250_811)  # fixed: signatures of all runs must agree
    odd = generator.integers(1, 2**63, ENTRIES, dtype=np.uint64) | np.uint64(1)
    return odd, generator.integers(0, 2**63, ENTRIES, dtype=np.uint64)


_FACTORS, _SHIFTS = _multipliers()
_POWERS = np.array([pow(0x9E3779B97F4A7C15, n, 2**64) for n in range(WINDOW)], np.uint64)


def windows(text: str) -> Codes:
    """The set of hashes of all token windows of a text (sorted), case ignored."""
    tokens = [zlib.crc32(token.encode()) for token in _TOKEN.findall(text.lower())]
    if not tokens:
        return np.empty(0, np.uint64)
    tokens += [0] * (WINDOW - len(tokens))
    values = np.array(tokens, np.uint64)
    count = len(values) - WINDOW + 1
    mixed = np.zeros(count, np.uint64)
    for place in range(WINDOW):
        mixed += values[place : place + count] * _POWERS[place]
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    return np.unique(mixed ^ (mixed >> np.uint64(32)))


def signature(found: Codes) -> NDArray[np.uint32]:
    """MinHash of windows: (ENTRIES,) uint32. Zeros for no windows."""
    if not len(found):
        return np.zeros(ENTRIES, np.uint32)
    best = np.full(ENTRIES, np.iinfo(np.uint64).max, np.uint64)
    for start in range(0, len(found), 4096):
        block = found[start : start + 4096, None] * _FACTORS[None] + _SHIFTS[None]
        np.minimum(best, (block >> np.uint64(32)).min(axis=0), out=best)
    return best.astype(np.uint32)


def picture_print(picture: Image.Image) -> NDArray[np.uint8]:
    """Fingerprint of an RGB picture: (HASH_BYTES + COLOURS,) uint8. Its shape counts too, so
    that pictures of other proportions are told apart by the stretched fields."""
    grey = picture.convert("L").resize((17, 16), Image.Resampling.BOX)
    levels = np.asarray(grey, np.int16)
    bits = np.packbits(levels[:, 1:] > levels[:, :-1] + FLAT)
    colours = np.asarray(picture.resize((4, 4), Image.Resampling.BOX), np.uint8).reshape(-1)
    return np.concatenate([bits, colours])
