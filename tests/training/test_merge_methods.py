"""Every merge method against a naive reference in float64 that sees the whole tensor at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from training.merge.block import Block
from training.merge.likeness import likeness
from training.merge.methods import METHODS, Setting, drop, slerp_factors

Array = np.ndarray
# Small multiples of 1/16 and weights in eighths: float32 then errs nowhere in sums and products, so
# that elections and thresholds with many ties are the same in both.
VALUES = st.integers(-40, 40).map(lambda number: number / 16)
WEIGHTS = st.integers(0, 8).map(lambda number: number / 8)
DENSITIES = st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.77, 1.0])


def merged(method: str, models: list[Array], setting: Setting, cuts: list[int]) -> Array:
    """A method of ours over a tensor cut into blocks at `cuts`."""
    vlm, coder, base = (torch.tensor(model, dtype=torch.float32) for model in models)
    edges = sorted({0, len(vlm), *(cut % (len(vlm) + 1) for cut in cuts)})
    blocks = [
        Block.of(number, a, vlm[a:b], coder[a:b], base[a:b])
        for number, (a, b) in enumerate(pairwise(edges))
    ]

    def each(work: Callable[[Block], Any]) -> list[Any]:
        return [work(block) for block in blocks]

    state = METHODS[method].measure(each, setting, len(vlm))
    return torch.cat(each(lambda block: METHODS[method].blend(block, setting, state))).numpy()


def trimmed(delta: Array, density: float) -> Array:
    """The largest magnitudes; of equal ones the first."""
    keep = np.argsort(-np.abs(delta), kind="stable")[: math.floor(density * len(delta) + 0.5)]
    result = np.zeros_like(delta)
    result[keep] = delta[keep]
    return result


def elected(first: Array, second: Array, weights: tuple[float, float]) -> Array:
    result = np.zeros_like(first)
    for place, pair in enumerate(zip(first, second, strict=True)):
        sign = np.sign(weights[0] * pair[0] + weights[1] * pair[1])
        agreeing = [(w, v) for w, v in zip(weights, pair, strict=True) if np.sign(v) == sign != 0]
        if sum(w for w, _ in agreeing) > 0:
            result[place] = sum(w * v for w, v in agreeing) / sum(w for w, _ in agreeing)
    return result


def masks(setting: Setting, count: int) -> list[Array]:
    """What DARE keeps, from one draw for the whole tensor."""
    import hashlib

    found = []
    for model in ("vlm", "coder"):
        name = f"{setting.seed}/{model}/{setting.tensor}".encode()
        key = int.from_bytes(hashlib.sha256(name).digest()[:16], "little")
        words = np.random.Philox(key=key).random_raw(count // 2 + 1).view(np.uint32)[:count]
        found.append(words.astype(np.float64) < setting.density * 2.0**32)
    return found


def reference(method: str, models: list[Array], setting: Setting) -> Array:
    vlm, coder, base = (model.astype(np.float64) for model in models)
    w, c, density = setting.vlm, setting.coder, setting.density
    first, second = vlm - base, coder - base
    if method == "linear":
        return w * vlm + c * coder
    if method == "task-arithmetic":
        return base + w * first + c * second
    if method == "ties":
        return base + elected(trimmed(first, density), trimmed(second, density), (w, c))
    if method == "slerp":
        lengths = math.sqrt(vlm @ vlm) * math.sqrt(coder @ coder)
        cosine = float(np.clip(vlm @ coder / lengths, -1, 1)) if lengths else 1.0
        if abs(cosine) > 0.9995:
            return w * vlm + (1 - w) * coder
        angle = math.acos(cosine)
        return (math.sin(w * angle) * vlm + math.sin((1 - w) * angle) * coder) / math.sin(angle)
    kept = masks(setting, len(vlm))
    with np.errstate(divide="ignore", invalid="ignore"):
        first, second = (
            np.where(mask, delta / density, 0.0)
            for mask, delta in zip(kept, (first, second), strict=True)
        )
    if method == "dare":
        return base + w * first + c * second
    return base + elected(first, second, (w, c))


@settings(max_examples=150, deadline=None)
@given(
    method=st.sampled_from(sorted(METHODS)),
    rows=st.lists(st.tuples(VALUES, VALUES, VALUES), min_size=1, max_size=60),
    weight=WEIGHTS,
    other=st.one_of(st.none(), WEIGHTS),
    density=DENSITIES,
    seed=st.integers(0, 3),
    cuts=st.lists(st.integers(0, 60), max_size=4),
)
def test_methods_are_the_reference_wherever_a_tensor_is_cut(
    method: str,
    rows: list[tuple[float, float, float]],
    weight: float,
    other: float | None,
    density: float,
    seed: int,
    cuts: list[int],
) -> None:
    coder = 1 - weight if other is None or method == "slerp" else other
    if weight == coder == 0:
        return
    setting = Setting(weight, coder, density, seed, "language.norm.weight")
    models = [np.array(column, dtype=np.float32) for column in zip(*rows, strict=True)]
    ours = merged(method, models, setting, cuts)
    whole = merged(method, models, setting, [])
    if method != "slerp":
        assert (ours == whole).all()  # to the last bit
    np.testing.assert_allclose(ours, reference(method, models, setting), rtol=2e-6, atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    density=st.floats(0.01, 0.99),
    kind=st.sampled_from([torch.bfloat16, torch.float16, torch.float32]),
    spread=st.sampled_from([1e-6, 1e-2, 1.0, 1e4]),
)
def test_trimming_finds_the_exact_threshold_in_long_tensors(
    seed: int, density: float, kind: torch.dtype, spread: float
) -> None:
    generator = torch.Generator().manual_seed(seed)
    count = 20_000
    models = [
        (torch.randn(count, generator=generator) * spread).to(kind).float().numpy()
        for _ in range(2)
    ]
    base = np.zeros(count, dtype=np.float32)
    ours = merged("ties", [*models, base], Setting(1, 0, density), [4096, 12288])
    assert (ours == trimmed(models[0], density)).all()


@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize("weight", [1.0, 0.0])
def test_weights_at_the_ends_give_one_model(method: str, weight: float) -> None:
    generator = torch.Generator().manual_seed(3)
    models = [torch.randn(999, generator=generator).bfloat16().float().numpy() for _ in range(3)]
    ours = merged(method, models, Setting(weight, 1 - weight), [])
    wanted = models[0] if weight else models[1]
    if method in ("linear", "task-arithmetic", "slerp"):
        assert (ours == wanted).all()
    np.testing.assert_allclose(ours, wanted, atol=1e-6)


@pytest.mark.parametrize("method", ["ties", "dare", "dare-ties"])
def test_density_0_gives_the_base(method: str) -> None:
    models = [np.arange(5, dtype=np.float32) * factor for factor in (3, -2, 1)]
    assert (merged(method, models, Setting(0.5, 0.5, 0.0), []) == models[2]).all()


def test_density_1_needs_no_dice_and_trims_nothing() -> None:
    models = [np.linspace(-1, 1, 50, dtype=np.float32) ** power for power in (1, 2, 3)]
    setting = Setting(0.75, 0.25, 1.0)
    np.testing.assert_allclose(
        merged("dare", models, setting, []), reference("linear", models, setting), atol=1e-6
    )
    assert (merged("dare-ties", models, setting, []) == merged("ties", models, setting, [])).all()


def test_drops_hang_on_seed_model_and_tensor_alone() -> None:
    delta = torch.ones(100_000)
    setting = Setting(0.5, 0.5, 0.3, 1, "language.layers.0.mlp.up_proj.weight")
    whole = drop(delta, 0, setting, "vlm")
    kept = whole != 0
    assert float(kept.float().mean()) == pytest.approx(0.3, abs=0.01)
    assert torch.allclose(whole[kept], torch.tensor(1 / 0.3))
    for start, stop in ((0, 1), (3, 4000), (8, 16), (99_991, 100_000)):
        assert (drop(delta[start:stop], start, setting, "vlm") == whole[start:stop]).all()
    for other in (
        drop(delta, 0, setting, "coder"),
        drop(delta, 0, Setting(0.5, 0.5, 0.3, 2, setting.tensor), "vlm"),
        drop(delta, 0, Setting(0.5, 0.5, 0.3, 1, "language.norm.weight"), "vlm"),
    ):
        assert 0.5 < float((other == whole).float().mean()) < 0.65  # 0.58 by chance


def test_slerp_stays_on_the_arc() -> None:
    for weight in (0.1, 0.5, 0.9):
        vlm, coder = slerp_factors(math.cos(1.2), weight)
        length = vlm**2 + coder**2 + 2 * vlm * coder * math.cos(1.2)
        assert length == pytest.approx(1.0)
    assert slerp_factors(-1.0, 0.3) == (0.3, 0.7)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(VALUES, VALUES, VALUES), min_size=1, max_size=50), st.booleans())
def test_likeness(rows: list[tuple[float, float, float]], with_base: bool) -> None:
    vlm, coder, base = (torch.tensor(column) for column in zip(*rows, strict=True))
    found = likeness(Block.of(0, 0, vlm, coder, base if with_base else None))
    a, b = ((vlm - base), (coder - base)) if with_base else (vlm, coder)
    a, b = a.double().numpy(), b.double().numpy()
    assert found.first == pytest.approx(a @ a)
    assert found.second == pytest.approx(b @ b)
    assert found.product == pytest.approx(a @ b)
    assert found.difference == pytest.approx((a - b) @ (a - b))
    if with_base:  # of weights themselves it is not told
        assert found.agree == (np.sign(a) * np.sign(b) > 0).sum()
        assert found.both == ((a != 0) & (b != 0)).sum()
