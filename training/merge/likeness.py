"""How alike two models are in a tensor: sums over its blocks, for the report."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from training.merge.block import Block, Room

ROW = 4096  # sums are taken over rows of this length, whatever the block


@dataclass(frozen=True)
class Likeness:
    """Sums over a stretch: of squares and of the product of two vectors, and of squares of their
    difference; of task vectors also how often their signs agree and how often both are not 0."""

    first: float = 0.0
    second: float = 0.0
    product: float = 0.0
    difference: float = 0.0
    agree: int = 0
    both: int = 0

    @property
    def finite(self) -> bool:
        """Whether the sums are, which is to say every value they were taken of."""
        return math.isfinite(self.first + self.second)


@np.errstate(over="ignore", invalid="ignore")
def likeness(block: Block) -> Likeness:
    """Of both task vectors, or of the weights themselves where there is no base."""
    room, pair = block.room, block.compared
    squares = row_dots(pair, pair)
    np.subtract(pair[0], pair[1], out=room.aside[0])
    squares += row_dots(room.aside, room.aside)
    if not math.isfinite(sum(squares)):
        # Squares of float32 overflow from 1e19 on; in float64 none of a float32 does.
        if pair.dtype != np.float64:
            return likeness(block.double())
        return Likeness(squares[0], squares[1], math.nan, squares[2])
    (product,) = row_dots(pair[:1], pair[1:])
    agree, both = _signs(room) if room.with_base else (0, 0)
    return Likeness(squares[0], squares[1], product, squares[2], agree, both)


def row_dots(first: np.ndarray, second: np.ndarray) -> list[float]:
    """Sums of products of the rows of matrices (k, n), in a fixed order: in their own type within
    stretches of 4096 (too short for a BLAS to spread over threads), exactly over these."""
    vectors, count = first.shape
    whole = count // ROW
    cut = (vectors, whole, ROW)
    with np.errstate(over="ignore", invalid="ignore"):
        sums = np.vecdot(
            first[:, : whole * ROW].reshape(cut), second[:, : whole * ROW].reshape(cut)
        )
        rest = np.vecdot(first[:, whole * ROW :], second[:, whole * ROW :], dtype=np.float64)
    return [math.fsum([*row, last]) for row, last in zip(sums.tolist(), rest.tolist(), strict=True)]


def _signs(room: Room) -> tuple[int, int]:
    """How often signs agree, and how often both are not 0."""
    first, second = room.compared
    product = np.multiply(first, second, out=room.aside[0])
    agree = np.count_nonzero(np.greater(product, 0, out=room.found))
    disagree = np.count_nonzero(np.less(product, 0, out=room.found))
    return int(agree), int(agree + disagree)
