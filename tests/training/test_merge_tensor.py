"""One tensor from file to file: whatever the types, the blocks and the threads, up to the largest
numbers of a type."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from engine.errors import VisCodexError
from training.merge import tensor
from training.merge.block import Block
from training.merge.likeness import likeness
from training.merge.methods import METHODS, Setting
from training.merge.plan import Step
from training.shards import Planned, Shard, ShardFile
from training.tensors import Stored

ROLES = ("vlm", "coder", "base")
INPUTS = st.sampled_from([torch.bfloat16, torch.float16, torch.float32])
OUTPUTS = st.sampled_from([torch.bfloat16, torch.float32])
# Nothing, what models hold, numbers whose squares float32 cannot hold, and the largest of a type.
SIZES = (0.0, 1e-3, 1.0, 1e25, math.inf)
METHOD = st.sampled_from(sorted(METHODS))


@dataclass(frozen=True)
class Case:
    """Three models of a tensor, of which the values from `start` to `stop` are merged."""

    models: dict[str, torch.Tensor]
    start: int
    stop: int
    method: str
    setting: Setting
    out: torch.dtype

    @property
    def roles(self) -> tuple[str, ...]:
        """Models that are opened: all, but for a method that has no use for a base."""
        with_base = METHODS[self.method].needs_base or not self.setting.cancels
        return ROLES if with_base and self.method != "linear" else ROLES[:2]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    count = draw(st.integers(1, 300))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32 - 1)))
    models = {}
    for role in ROLES:
        dtype, size = draw(INPUTS), draw(st.sampled_from(SIZES))
        most = torch.finfo(dtype).max
        values = torch.randn(count, generator=generator)
        values = values.sign() * most if size == math.inf else values * size
        models[role] = values.clamp(-most, most).to(dtype)
    method = draw(METHOD)
    weight = draw(st.one_of(st.sampled_from([0.0, 1.0, 0.7]), st.floats(0, 1)))
    other = 1 - weight if method == "slerp" else draw(st.sampled_from([1 - weight, 1.0, -0.5]))
    if weight == other == 0:
        other = 1.0
    start, stop = sorted((draw(st.integers(0, count - 1)), draw(st.integers(1, count))))
    setting = Setting(weight, other, draw(st.sampled_from([0.3, 1.0])), 3, "norm.weight")
    return Case(models, start, max(stop, start + 1), method, setting, draw(OUTPUTS))


def merge(case: Case, block: int, threads: int) -> tuple[torch.Tensor, dict[str, Any]]:
    """Through files; the tensor written and its sums."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sources = {}
        for role in case.roles:
            values = case.models[role]
            path = folder / role
            path.write_bytes(b"before." + values.view(torch.uint8).numpy().tobytes())
            sources[role] = Stored(f"{role}.w", values.dtype, (len(values),), path, 7)
        out = Planned("vlm.w", case.out, (len(case.models["vlm"]),))
        header, offsets = Shard("out", (out,)).header()
        (folder / "out").write_bytes(bytes(len(header) + out.size))
        runs = ((case.start, case.stop),)
        step = Step(out, "norm.weight", "merge", sources, case.setting, runs)
        with (
            mock.patch.object(tensor, "BLOCK", block),
            tensor.TensorMerger(case.method, threads) as merger,
            ShardFile(folder / "out", offsets) as part,
        ):
            sums = merger.run(step, part)
        assert sums is not None
        written = (folder / "out").read_bytes()[len(header) :]
        return torch.frombuffer(bytearray(written), dtype=case.out), sums


def expected(case: Case) -> torch.Tensor:
    """The method over the whole stretch at once, in float32."""
    cut = {r: case.models[r].float()[case.start : case.stop] for r in case.roles}
    whole = Block.of(0, 0, cut["vlm"], cut["coder"], cut.get("base"))

    def each(work: Callable[[Block], Any]) -> list[Any]:
        return [work(whole)]

    method = METHODS[case.method]
    state = method.measure(each, case.setting, case.stop - case.start)
    result = case.models["vlm"].float().clone()
    # Dice fall by the place in the whole tensor.
    placed = Block(0, case.start, whole.room)
    result[case.start : case.stop] = method.blend(placed, case.setting, state)
    return result


def fits(case: Case, wanted: torch.Tensor) -> bool:
    """Whether the type of the result holds what is merged."""
    return bool((wanted[case.start : case.stop].abs() <= torch.finfo(case.out).max).all())


@settings(max_examples=300, deadline=None)
@given(case=cases(), block=st.integers(1, 300), threads=st.sampled_from([0, 2]))
def test_what_is_written_is_the_method_or_refused(case: Case, block: int, threads: int) -> None:
    wanted = expected(case)
    if not fits(case, wanted):
        with pytest.raises(VisCodexError, match=r"'vlm\.w' holds values too large"):
            merge(case, block, threads)
        return
    found, sums = merge(case, block, threads)
    if case.method == "slerp":  # an angle is a sum of sums, which blocks cut otherwise
        torch.testing.assert_close(found, wanted.to(case.out), rtol=1e-2, atol=1e-30)
    else:
        assert found.equal(wanted.to(case.out))
    assert all(math.isfinite(value) for value in sums.values())


LARGEST = {role: torch.full((9,), torch.finfo(torch.bfloat16).max) for role in ROLES}


@pytest.mark.parametrize("out", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("weight", [0.0, 0.1, 0.3, 0.7, 1 / 3, 1.0])
@pytest.mark.parametrize("method", ["linear", "task-arithmetic"])
def test_a_mean_of_the_largest_numbers_is_no_larger(
    method: str, weight: float, out: torch.dtype
) -> None:
    models = {role: values.bfloat16() for role, values in LARGEST.items()}
    case = Case(models, 0, 9, method, Setting(weight, 1 - weight), out)
    found, _ = merge(case, 4, 0)
    torch.testing.assert_close(found.double(), models["vlm"].double(), rtol=1e-6, atol=0)


@pytest.mark.parametrize("method", ["linear", "task-arithmetic"])
def test_a_mean_of_numbers_that_the_result_cannot_hold(method: str) -> None:
    models = {role: torch.full((9,), torch.finfo(torch.float32).max) for role in ROLES}
    case = Case(models, 0, 9, method, Setting(0.5, 0.5), torch.bfloat16)
    with pytest.raises(VisCodexError, match=r"'vlm\.w' holds values too large for torch.bfloat16"):
        merge(case, 4, 0)


@settings(max_examples=200, deadline=None)
@given(
    case=cases(),
    place=st.integers(0, 299),
    role=st.sampled_from(ROLES),
    damage=st.sampled_from([math.nan, math.inf, -math.inf]),
    block=st.integers(1, 300),
)
def test_damage_is_named_wherever_it_is(
    case: Case, place: int, role: str, damage: float, block: int
) -> None:
    assume(fits(case, expected(case)))
    role = role if role in case.roles else "coder"
    inside = case.start + place % (case.stop - case.start)
    case.models[role][place % len(case.models["vlm"]) if role == "vlm" else inside] = damage
    with pytest.raises(VisCodexError, match=rf"'{role}\.w' of the {role} holds NaN or infinity"):
        merge(case, block, 0)


@settings(max_examples=100, deadline=None)
@given(
    exponents=st.lists(st.floats(-40, 38), min_size=2, max_size=40),
    with_base=st.booleans(),
    repeats=st.sampled_from([1, 300]),
)
@example(exponents=[38.4, 38.4], with_base=True, repeats=1)
def test_sums_of_any_size_are_right(exponents: list[float], with_base: bool, repeats: int) -> None:
    vlm = torch.tensor([10.0**e for e in exponents] * repeats)
    coder, base = -vlm.flip(0), vlm.roll(1) / 3
    found = likeness(Block.of(0, 0, vlm, coder, base if with_base else None))
    a, b = (vlm.double(), coder.double())
    if with_base:
        a, b = a - base.double(), b - base.double()
    tiny = 1e-30  # squares below that vanish in float32
    assert found.finite
    assert found.first == pytest.approx(float(a @ a), rel=1e-5, abs=tiny)
    assert found.second == pytest.approx(float(b @ b), rel=1e-5, abs=tiny)
    assert found.difference == pytest.approx(float((a - b) @ (a - b)), rel=1e-5, abs=tiny)
    scale = float(a.abs() @ b.abs())
    assert found.product == pytest.approx(float(a @ b), abs=tiny + 1e-5 * scale)
