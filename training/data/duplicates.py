"""Which records are near-duplicates of earlier ones. All at once over arrays of fingerprints."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from training.data.fingerprint import ENTRIES, HASH_BYTES

Flags = NDArray[np.bool_]
BANDS = 16  # of 4 entries: pairs of Jaccard 0.8 share a band with probability 0.9998
PICTURE_BANDS = 8  # of 32 bits: pairs with at most 7 differing bits share a band
BITS = 7
LEVELS = 3


def alike_code(signatures: NDArray[np.uint32], groups: NDArray[np.int64], least: float) -> Flags:
    """Flags of records whose code is like that of an earlier one of another group.

    signatures (n, ENTRIES) uint32, all zero where there is no code; `least` is the Jaccard
    similarity from which two count as alike.
    """
    found = np.zeros(len(signatures), bool)
    present = np.flatnonzero(signatures.any(axis=1))
    width = ENTRIES // BANDS
    for band in range(BANDS):
        keys = np.ascontiguousarray(signatures[present, band * width : (band + 1) * width])
        for early, late in _pairs(keys.view(f"V{4 * width}").ravel(), present):
            same = (signatures[early] == signatures[late]).mean(axis=1)
            found[late[(same >= least) & (groups[early] != groups[late])]] = True
    return found


def alike_pictures(prints: NDArray[np.uint8], present: Flags) -> Flags:
    """Flags of records whose picture is like an earlier one, whatever their groups.

    prints (n, HASH_BYTES + COLOURS) uint8; `present` says which records have a picture.
    """
    found = np.zeros(len(prints), bool)
    rows = np.flatnonzero(present)
    width = HASH_BYTES // PICTURE_BANDS
    for band in range(PICTURE_BANDS):
        # The whole print behind the band: of the many with one band the most alike are neighbours.
        order = np.roll(prints[rows], -band * width, axis=1)
        keys = np.ascontiguousarray(prints[rows, band * width : (band + 1) * width])
        for early, late in _pairs(keys.view(f"V{width}").ravel(), rows, order):
            found[late[near_prints(prints[early], prints[late])]] = True
    return found


def near_prints(one: NDArray[np.uint8], two: NDArray[np.uint8]) -> Flags:
    """Whether pictures are alike by their prints, row by row."""
    bits = np.unpackbits(one[:, :HASH_BYTES] ^ two[:, :HASH_BYTES], axis=1).sum(axis=1)
    apart = np.abs(one[:, HASH_BYTES:].astype(np.int16) - two[:, HASH_BYTES:]).max(axis=1)
    return np.asarray((bits <= BITS) & (apart <= LEVELS))


def _pairs(
    keys: NDArray[np.void], rows: NDArray[np.int64], order: NDArray[np.uint8] | None = None
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Pairs (earlier, later) of rows with one key: each with the first of its key, and with its
    neighbour in the sorting."""
    if len(rows) < 2:
        return
    _, labels = np.unique(keys, return_inverse=True)
    within = rows if order is None else np.unique(order, axis=0, return_inverse=True)[1].ravel()
    sorting = np.lexsort((rows, within, labels))
    labels, sorted_rows = labels[sorting], rows[sorting]
    starts = np.flatnonzero(np.concatenate([[True], labels[1:] != labels[:-1]]))
    least = np.minimum.reduceat(sorted_rows, starts)
    first = np.repeat(least, np.diff(np.append(starts, len(labels))))
    joined = np.flatnonzero(labels[1:] == labels[:-1])
    one, two = sorted_rows[joined], sorted_rows[joined + 1]
    yield np.minimum(one, two), np.maximum(one, two)
    other = first != sorted_rows
    yield first[other], sorted_rows[other]
