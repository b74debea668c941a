"""Merge methods as pure functions of flat float32 tensors, a block of a tensor at a time.

`vlm`, `coder` and `base` are the same stretch of one tensor in three models; a delta (task vector)
is a model minus the base. What a method has to know of the whole tensor (a threshold, two norms) is
measured by a pass over its blocks before. No result depends on how a tensor is cut into blocks, on
their order or on threads. A result lies in the room of its block and is good until that is used
again.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from training.merge.block import Block
from training.merge.likeness import ROW

NEARLY_PARALLEL = 0.9995  # beyond this cosine SLERP is linear, as its sines vanish


@dataclass(frozen=True)
class Setting:
    """What a merge wants of one tensor: the weights of both models and the share of a delta that
    is kept; `seed` and `tensor` (canonical name) determine which values are dropped at random."""

    vlm: float
    coder: float
    density: float = 1.0
    seed: int = 0
    tensor: str = ""

    @property
    def cancels(self) -> bool:
        """Whether base + w_vlm * delta_vlm + w_coder * delta_coder does without the base."""
        return math.isclose(self.vlm + self.coder, 1.0, rel_tol=0.0, abs_tol=1e-9)

    @property
    def averages(self) -> bool:
        """Whether w_vlm * vlm + w_coder * coder lies between both, but for rounding."""
        return self.cancels and min(self.vlm, self.coder) >= 0


_Result = TypeVar("_Result")
# Applies a function to every block of a tensor; the results come in the order of the blocks.
Pass = Callable[[Callable[[Block], Any]], Iterable[Any]]


def combine(*terms: tuple[float, Tensor], out: Tensor | None = None) -> Tensor:
    """Sum of weight * tensor. A term of weight 0 is left out, so that weights 1 and 0 give one
    tensor to the last bit. `out` takes the sum; it is none of the tensors."""
    terms = tuple(term for term in terms if term[0] != 0)
    if not terms:
        raise ValueError("every weight is 0")
    (weight, tensor), *rest = terms
    total = torch.mul(tensor, weight, out=out)
    for weight, tensor in rest:
        total.add_(tensor, alpha=weight)
    return total


def linear(block: Block, setting: Setting, _: None = None) -> Tensor:
    """w_vlm * vlm + w_coder * coder (Wortsman et al. 2022, arXiv 2203.05482); the weights are
    taken as they are."""
    weighted = (setting.vlm, block.vlm), (setting.coder, block.coder)
    return combine(*weighted, out=block.room.result)


def task_arithmetic(block: Block, setting: Setting, _: None = None) -> Tensor:
    """base + w_vlm * delta_vlm + w_coder * delta_coder (Ilharco et al. 2023, arXiv 2212.04089;
    arXiv 2508.09945 with weights that add up to 1, where the base cancels)."""
    if setting.cancels:
        return linear(block, setting)
    return combine(
        (1.0 - setting.vlm - setting.coder, block.base),
        (setting.vlm, block.vlm),
        (setting.coder, block.coder),
        out=block.room.result,
    )


def consensus(vlm: Tensor, coder: Tensor, setting: Setting) -> Tensor:
    """Elect a sign for every value and average the deltas that have it (TIES, Yadav et al. 2023,
    arXiv 2306.01708), with weights: the sign is that of w_vlm * vlm + w_coder * coder, the average
    is weighted by the same; 0 where no delta has the sign, or none of a weight above 0."""
    sign = combine((setting.vlm, vlm), (setting.coder, coder)).sign_()
    # Sizes of the deltas that agree, 0 for the others. Arithmetic with signs and clamps, since
    # choosing by masks takes ten times as long.
    size_vlm = (vlm * sign).clamp_min_(0)
    size_coder = (coder * sign).clamp_min_(0)
    weight = size_vlm.sign().mul_(setting.vlm).add_(size_coder.sign(), alpha=setting.coder)
    total = size_vlm.mul_(setting.vlm).add_(size_coder, alpha=setting.coder)
    return total.div_(weight.clamp_min_(torch.finfo(torch.float32).tiny)).mul_(sign)


@dataclass(frozen=True)
class Trim:
    """Which values of a delta are its largest: those above the threshold, and of those equal to it
    the first `equal[n]` of block n. A threshold of -1 keeps all, infinity none."""

    threshold: float
    equal: tuple[int, ...] = ()

    def __call__(self, delta: Tensor, block: int) -> Tensor:
        """The delta with all but its largest values set to 0."""
        if self.threshold < 0:
            return delta
        kept = torch.nn.functional.hardshrink(delta, self.threshold)
        quota = self.equal[block] if self.equal else 0
        if quota:
            equal = delta.abs().numpy() == np.float32(self.threshold)
            places = torch.from_numpy(np.flatnonzero(equal)[:quota])
            kept[places] = delta[places]
        return kept


def kept_count(density: float, count: int) -> int:
    """How many of `count` values a density keeps (rounded half up)."""
    return min(count, math.floor(density * count + 0.5))


def measure_trims(each: Pass, setting: Setting, count: int) -> tuple[Trim, Trim]:
    """The exact k-th largest magnitude of both deltas of a tensor with `count` values, k being
    density * count, in two passes that hold a block each.

    The bits of a float's magnitude sort as it does: the first pass counts the values of every upper
    half (32768 bins) and finds the one the k-th is in; the second counts the lower halves in that
    bin, block by block, so that ties are settled in the order of the tensor, as by a stable sort.
    """
    keep = kept_count(setting.density, count)
    if keep == count:
        return Trim(-1.0), Trim(-1.0)
    if keep == 0:
        return Trim(math.inf), Trim(math.inf)
    totals = torch.zeros(2, 1 << 15, dtype=torch.int64)
    for counts in each(lambda block: torch.stack([_upper(delta) for delta in block.deltas])):
        totals += counts
    bins, ranks = [], []
    for total in totals:
        chosen, above = _place_of(total, keep)
        bins.append(chosen)
        ranks.append(keep - above)

    def lower(block: Block) -> list[tuple[Tensor, Tensor]]:
        return [_lower(delta, place) for delta, place in zip(block.deltas, bins, strict=True)]

    found = list(each(lower))
    return (
        _trim([pair[0] for pair in found], bins[0], ranks[0]),
        _trim([pair[1] for pair in found], bins[1], ranks[1]),
    )


def _magnitude_bits(delta: Tensor) -> Tensor:
    return delta.view(torch.int32) & 0x7FFFFFFF


def _upper(delta: Tensor) -> Tensor:
    return torch.bincount(_magnitude_bits(delta) >> 16, minlength=1 << 15)


def _lower(delta: Tensor, chosen: int) -> tuple[Tensor, Tensor]:
    """Lower halves of the values in a bin, and how often each is there; both short."""
    bits = _magnitude_bits(delta).numpy()
    inside = bits[(bits >> 16) == chosen] & 0xFFFF  # numpy's is the faster one
    places, counts = np.unique(inside, return_counts=True)  # few are inside
    return torch.from_numpy(places), torch.from_numpy(counts.astype(np.int32))


def _place_of(counts: Tensor, rank: int) -> tuple[int, int]:
    """The bin of the rank-th largest value (from 1), and how many values lie in bins above."""
    from_above = counts.flip(0).cumsum(0)
    place = int(torch.searchsorted(from_above, rank))
    above = int(from_above[place - 1]) if place else 0
    return len(counts) - 1 - place, above


def _trim(found: Sequence[tuple[Tensor, Tensor]], chosen: int, rank: int) -> Trim:
    totals = torch.zeros(1 << 16, dtype=torch.int64)
    for places, counts in found:
        totals[places.long()] += counts
    lower, above = _place_of(totals, rank)
    bits = torch.tensor([(chosen << 16) | lower], dtype=torch.int32)
    left, quotas = rank - above, []
    for places, counts in found:
        here = int(counts[places == lower].sum())
        quotas.append(min(here, left))
        left -= quotas[-1]
    return Trim(float(bits.view(torch.float32)), tuple(quotas))


def ties(block: Block, setting: Setting, trims: tuple[Trim, Trim]) -> Tensor:
    """base + consensus of both deltas, each trimmed to its largest values. Trimming is by tensor
    (the paper's is over all of a model, which would need all of it at once)."""
    deltas = block.deltas
    trimmed = [trim(d, block.number) for trim, d in zip(trims, deltas, strict=True)]
    return consensus(trimmed[0], trimmed[1], setting).add_(block.base)


def drop(delta: Tensor, start: int, setting: Setting, model: str) -> Tensor:
    """DARE (Yu et al. 2024, arXiv 2311.03099): keep every value with the probability `density` and
    divide what is kept by it; density 0 gives zeros.

    Value i of a tensor hangs on seed, model, tensor name and i alone: the i-th 32 bits of a Philox
    counter sequence, entered where the block begins.
    """
    if setting.density >= 1:
        return delta
    if setting.density <= 0:
        return torch.zeros_like(delta)
    name = f"{setting.seed}/{model}/{setting.tensor}"
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "little")
    per_step = 8  # four numbers of 64 bits
    skipped = start % per_step
    source = np.random.Philox(key=key).advance(start // per_step)
    words = source.random_raw(-(-(skipped + len(delta)) // 2)).view(np.uint32)
    draws = words[skipped : skipped + len(delta)]
    below = np.uint32(min(round(setting.density * 2**32), 2**32 - 1))
    keep = torch.from_numpy((draws < below).astype(np.float32))
    return keep.mul_(delta).div_(setting.density)


def dare(block: Block, setting: Setting, _: None = None) -> Tensor:
    """base + weighted sum of both deltas after random drops."""
    deltas = _dropped(block, setting)
    terms = ((setting.vlm, deltas[0]), (setting.coder, deltas[1]))
    return combine((1.0, block.base), *terms, out=block.room.result)


def dare_ties(block: Block, setting: Setting, _: None = None) -> Tensor:
    """base + consensus of both deltas after random drops."""
    deltas = _dropped(block, setting)
    return consensus(deltas[0], deltas[1], setting).add_(block.base)


def _dropped(block: Block, setting: Setting) -> list[Tensor]:
    names = ("vlm", "coder")
    pairs = zip(block.deltas, names, strict=True)
    return [drop(delta, block.start, setting, name) for delta, name in pairs]


def row_sum(values: Tensor) -> float:
    """Sum in a fixed order: float32 within rows of 4096, float64 over the rows."""
    whole = len(values) // ROW * ROW
    rows = values[:whole].view(-1, ROW).sum(1).double().tolist()
    return math.fsum([*rows, float(values[whole:].double().sum())])


def measure_angle(each: Pass, setting: Setting, count: int) -> tuple[float, float]:
    """Factors of both tensors in SLERP, from one pass that sums squares and products."""

    def sums(block: Block) -> tuple[float, float, float]:
        vlm, coder = block.vlm.double(), block.coder.double()
        return row_sum(vlm * vlm), row_sum(coder * coder), row_sum(vlm * coder)

    vlm, coder, product = (math.fsum(parts) for parts in zip(*each(sums), strict=True))
    if vlm == 0 or coder == 0:
        return setting.vlm, setting.coder
    cosine = product / math.sqrt(vlm) / math.sqrt(coder)
    return slerp_factors(max(-1.0, min(1.0, cosine)), setting.vlm)


def slerp_factors(cosine: float, weight: float) -> tuple[float, float]:
    """sin(w * angle) / sin(angle) and sin((1 - w) * angle) / sin(angle) (Shoemake 1985); w and
    1 - w where the tensors are nearly parallel or opposed."""
    if abs(cosine) > NEARLY_PARALLEL or weight in (0.0, 1.0):
        return weight, 1.0 - weight
    angle = math.acos(cosine)
    return (
        math.sin(weight * angle) / math.sin(angle),
        math.sin((1.0 - weight) * angle) / math.sin(angle),
    )


def slerp(block: Block, _: Setting, factors: tuple[float, float]) -> Tensor:
    """Along the arc from coder (weight 0) to vlm (weight 1), over the flattened tensor."""
    weighted = (factors[0], block.vlm), (factors[1], block.coder)
    return combine(*weighted, out=block.room.result)


def _nothing(each: Pass, setting: Setting, count: int) -> None:
    return None


def _never(setting: Setting) -> bool:
    return False


def _averages(setting: Setting) -> bool:
    return setting.averages


@dataclass(frozen=True)
class Method:
    """How a tensor is merged: `measure` looks at all of it first, `blend` makes each block.

    `stays_within` tells with which setting no result is further from 0 than the largest value it is
    made of, but for rounding: a type that holds the inputs then holds the result.
    """

    blend: Callable[[Block, Setting, Any], Tensor]
    measure: Callable[[Pass, Setting, int], Any] = _nothing
    needs_base: bool = False
    stays_within: Callable[[Setting], bool] = _never


METHODS = {
    "task-arithmetic": Method(task_arithmetic, stays_within=_averages),
    "linear": Method(linear, stays_within=_averages),
    "ties": Method(ties, measure_trims, needs_base=True),
    "dare": Method(dare, needs_base=True),
    "dare-ties": Method(dare_ties, needs_base=True),
    "slerp": Method(slerp, measure_angle),
}


def needs_base(method: str, setting: Setting) -> bool:
    """Whether a method cannot do without the base."""
    return METHODS[method].needs_base or (method == "task-arithmetic" and not setting.cancels)
