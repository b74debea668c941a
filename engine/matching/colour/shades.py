"""Colours as numbers: how far apart, how readable on each other, which is most frequent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.compare import to_lab
from engine.hints import Colour

Array = npt.NDArray[Any]

ALIKE = 8  # levels of a channel: compression scatters what was one colour
LEADERS = 6  # how many exact colours may stand for the most frequent one


def apart(one: Colour, other: Colour) -> float:
    """Distance in CIELAB (CIE 1976)."""
    return float(np.linalg.norm(to_lab(np.array(one)) - to_lab(np.array(other))))


def chroma(colour: Colour) -> float:
    """How far from grey, in CIELAB."""
    return float(np.hypot(*to_lab(np.array(colour))[1:]))


def contrast(one: Colour, other: Colour) -> float:
    """Contrast ratio of WCAG 2, 1 to 21."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: Colour) -> float:
    values = np.array(colour) / 255.0
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return float(linear @ np.array([0.2126, 0.7152, 0.0722]))


@dataclass(frozen=True)
class Tally:
    """The exact colours of some pixels, (n, 3), the most frequent first, and their counts."""

    colours: Array
    counts: Array

    @classmethod
    def of(cls, pixels: Array) -> Tally:
        """`pixels`: (n, 3) in 0..255."""
        codes = pixels.astype(np.int32) @ np.array([65536, 256, 1], np.int32)
        values, counts = np.unique(codes, return_counts=True)
        order = np.argsort(-counts, kind="stable")
        values = values[order]
        colours = np.stack([values >> 16, values >> 8 & 255, values & 255], axis=-1)
        return cls(colours, counts[order])

    @property
    def total(self) -> int:
        """How many pixels there are."""
        return int(self.counts.sum())

    def top(self) -> tuple[Colour, int] | None:
        """The colour that, with all that is nearly the same, is most frequent, and its count."""
        best: tuple[Colour, int] | None = None
        for leader in self.colours[:LEADERS]:
            near = np.abs(self.colours - leader).max(axis=1) <= ALIKE
            count = int(self.counts[near].sum())
            if best is None or count > best[1]:
                red, green, blue = self.colours[near.argmax()]  # the most frequent of them
                best = (int(red), int(green), int(blue)), count
        return best

    def without(self, colours: list[Colour], distance: float) -> Tally:
        """What is farther than that from all of `colours`, in CIELAB."""
        if not colours or not len(self.colours):
            return self
        gaps = to_lab(self.colours)[:, None] - to_lab(np.array(colours))[None]
        far = np.linalg.norm(gaps, axis=-1).min(axis=1) > distance
        return Tally(self.colours[far], self.counts[far])
