"""Series of numbers that can be read off the axes: few digits, few points, one scale per chart."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """Values between 0 and about `top`, multiples of `step`."""

    top: float
    step: float

    def fit(self, share: float) -> float:
        """The value at a share of the scale, rounded to its step."""
        return round(round(share * self.top / self.step) * self.step, 4)


SCALES: tuple[tuple[Scale, float], ...] = (
    (Scale(1, 0.05), 2),
    (Scale(1, 0.01), 1),
    (Scale(5, 0.1), 2),
    (Scale(8, 1), 2),
    (Scale(10, 0.5), 3),
    (Scale(12, 1), 2),
    (Scale(20, 1), 4),
    (Scale(50, 1), 4),
    (Scale(90, 5), 3),
    (Scale(100, 1), 4),
    (Scale(200, 10), 2),
    (Scale(500, 10), 3),
    (Scale(1000, 50), 2),
    (Scale(5000, 100), 1),
    (Scale(90000, 1000), 0.5),
)
"""Scales and how often they are drawn."""


def draw_scale(rng: random.Random, most_digits: int = 5) -> Scale:
    """A scale whose values are written with at most `most_digits` digits."""
    fitting = [
        (s, w)
        for s, w in SCALES
        if len(f"{s.top - s.step:g}") - ("." in f"{s.step:g}") <= most_digits
    ]
    return rng.choices([s for s, _ in fitting], [w for _, w in fitting])[0]


def _trend(rng: random.Random, n: int) -> list[float]:
    start, end = rng.uniform(0.1, 0.9), rng.uniform(0.1, 0.95)
    noise = rng.choice((0.02, 0.08))
    return [
        start + (end - start) * i / max(n - 1, 1) + rng.uniform(-noise, noise) for i in range(n)
    ]


def _growth(rng: random.Random, n: int) -> list[float]:
    rate = rng.uniform(1.5, 4)
    values = [math.exp(rate * (i / max(n - 1, 1) - 1)) for i in range(n)]
    return values[::-1] if rng.random() < 0.4 else values


def _saturation(rng: random.Random, n: int) -> list[float]:
    low, speed = rng.uniform(0.05, 0.5), rng.uniform(2, 6)
    return [low + (0.95 - low) * (1 - math.exp(-speed * i / max(n - 1, 1))) for i in range(n)]


def _hump(rng: random.Random, n: int) -> list[float]:
    middle, width = rng.uniform(0.2, 0.8) * (n - 1), rng.uniform(0.2, 0.5) * n
    values = [0.1 + 0.85 * math.exp(-(((i - middle) / width) ** 2)) for i in range(n)]
    return [1.05 - v for v in values] if rng.random() < 0.25 else values


def _wave(rng: random.Random, n: int) -> list[float]:
    turns, phase = rng.uniform(0.5, 1.5), rng.uniform(0, 6.28)
    return [0.5 + 0.42 * math.sin(phase + turns * 6.28 * i / max(n - 1, 1)) for i in range(n)]


def _walk(rng: random.Random, n: int) -> list[float]:
    value, out = rng.uniform(0.3, 0.7), []
    for _ in range(n):
        out.append(value)
        value = min(0.97, max(0.03, value + rng.uniform(-0.25, 0.25)))
    return out


def _free(rng: random.Random, n: int) -> list[float]:
    return [rng.uniform(0.08, 1) for _ in range(n)]


SHAPES: Mapping[str, tuple[Callable[[random.Random, int], list[float]], int]] = {
    "trend": (_trend, 4),
    "growth": (_growth, 2),
    "saturation": (_saturation, 2),
    "hump": (_hump, 2),
    "wave": (_wave, 2),
    "walk": (_walk, 4),
    "free": (_free, 4),
}


def series(rng: random.Random, n: int, scale: Scale, *, least: float = 0.02) -> list[float]:
    """`n` values along a random shape, none below the share `least` of the scale."""
    shapes = list(SHAPES.values())
    shape = rng.choices([s for s, _ in shapes], [w for _, w in shapes])[0]
    return [scale.fit(min(1.0, max(least, share))) for share in shape(rng, n)]


def column(rng: random.Random, n: int, scale: Scale) -> list[float]:
    """Heights of bars: no shape in most cases, never zero."""
    values = (
        series(rng, n, scale, least=0.06)
        if rng.random() < 0.3
        else [scale.fit(v) for v in _free(rng, n)]
    )
    values = [max(v, scale.step) for v in values]
    return sorted(values, reverse=True) if rng.random() < 0.12 else values


def shares(rng: random.Random, n: int) -> list[int]:
    """`n` whole percentages that add up to 100, none below 4."""
    step = rng.choice((1, 1, 5))
    left = 100 // step - n * max(1, 4 // step)
    cuts = sorted(rng.randint(0, left) for _ in range(n - 1))
    parts = [b - a for a, b in zip([0, *cuts], [*cuts, left], strict=True)]
    return [(p + max(1, 4 // step)) * step for p in parts]


def errors(rng: random.Random, values: list[float], scale: Scale) -> list[float]:
    """Error bars: a few steps each, never longer than the value."""
    most = max(1, round(0.12 * scale.top / scale.step))
    return [
        round(min(v, rng.randint(max(1, most // 3), most) * scale.step), 4) or scale.step
        for v in values
    ]


def abscissa(rng: random.Random, n: int) -> list[float]:
    """`n` rising x values: 1 2 3, 0 10 20, years, or now and then at uneven distances."""
    kind = rng.random()
    if kind < 0.35:
        start = rng.choice((0, 1, 1))
        return [start + i for i in range(n)]
    if kind < 0.6:
        step = rng.choice((2, 5, 10, 10, 20, 50, 100, 0.5, 0.1, 0.2, 0.25))
        origin = rng.choice((0, 0, 1)) * step
        return [round(origin + i * step, 4) for i in range(n)]
    if kind < 0.82:
        first = rng.randint(1990, 2026 - n)
        return [first + i for i in range(n)]
    if kind < 0.9 and n <= 5:
        return [2**i for i in range(n)]
    out: list[float] = [rng.randint(0, 3)]
    while len(out) < n:
        out.append(out[-1] + rng.randint(1, 4))
    return out
