"""What a merge is told: a recipe file, the options of the command, or both."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, field_validator, model_validator

MethodName = Literal["task-arithmetic", "linear", "ties", "dare", "dare-ties", "slerp"]
Embeddings = Literal["vlm", "merge"]
OutType = Literal["bfloat16", "float32"]
SPARSE = ("ties", "dare", "dare-ties")  # the methods that a density is for
UNSIGNED = ("ties", "dare-ties", "slerp")  # weights below 0 have no meaning in these
METHOD_NAMES: tuple[str, ...] = get_args(MethodName)
_RANGE = re.compile(r"(\d+):(\d+)\s*=\s*(\S+)")


class LayerWeight(BaseModel):
    """A weight of the VLM for the layers first..stop (stop excluded)."""

    model_config = ConfigDict(extra="forbid")

    first: int = Field(ge=0)
    stop: int = Field(gt=0)
    weight: FiniteFloat


class MergeRecipe(BaseModel):
    """A merge. Models are folders or Hub ids (`owner/name` or `owner/name@revision`).

    `weight` is that of the VLM; the coder's is what is left to 1 unless `coder_weight` says
    otherwise. `density` is the share of each task vector that TIES and DARE keep. `layers` gives
    layers other weights ("0:14=0.8, 14:28=0.6"). `shard_size` is in gigabytes (10^9 bytes).
    """

    model_config = ConfigDict(extra="forbid")

    vlm: str
    coder: str
    base: str | None = None
    method: MethodName = "task-arithmetic"
    weight: FiniteFloat = 0.7
    coder_weight: FiniteFloat | None = None
    density: float | None = Field(None, ge=0, le=1)
    seed: int = 0
    layers: list[LayerWeight] = []
    embeddings: Embeddings = "vlm"
    out_dtype: OutType = "bfloat16"
    shard_size: float = Field(4.0, gt=0)

    @field_validator("layers", mode="before")
    @classmethod
    def _read_layers(cls, value: object) -> object:
        return parse_layers(value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check(self) -> MergeRecipe:
        if self.density is not None and self.method not in SPARSE:
            raise ValueError(f"a density has no meaning for {self.method}")
        if self.coder_weight is not None and self.method == "slerp":
            raise ValueError("slerp has one weight; leave the coder's out")
        if self.coder_weight is not None and self.layers:
            raise ValueError("layers have one weight each; leave the coder's out")
        ordered = sorted(self.layers, key=lambda entry: entry.first)
        for entry in ordered:
            if entry.stop <= entry.first:
                raise ValueError(f"layers {entry.first}:{entry.stop} are none")
        for one, two in pairwise(ordered):
            if two.first < one.stop:
                raise ValueError(f"layer {two.first} is given two weights")
        pairs = [self.pair(None), *(self.pair(entry.first) for entry in ordered)]
        for vlm, coder in pairs:
            if self.method in UNSIGNED and min(vlm, coder) < 0:
                raise ValueError(f"{self.method} takes weights from 0 to 1")
            if vlm == coder == 0:
                raise ValueError("both weights are 0")
        return self

    def pair(self, layer: int | None) -> tuple[float, float]:
        """Weights of VLM and coder in a layer, or outside the layers."""
        if layer is not None:
            for entry in self.layers:
                if entry.first <= layer < entry.stop:
                    return entry.weight, _rest(entry.weight)
        if self.coder_weight is not None:
            return self.weight, self.coder_weight
        return self.weight, _rest(self.weight)

    @property
    def kept_share(self) -> float:
        """The density; 0.5 where the method has one and none is given, else 1."""
        if self.method not in SPARSE:
            return 1.0
        return 0.5 if self.density is None else self.density


def _rest(weight: float) -> float:
    return round(1.0 - weight, 12)  # 0.3, where a float has 0.30000000000000004


def parse_layers(text: str) -> list[LayerWeight]:
    """Read "0:14=0.8,14:28=0.6". Raises ValueError."""
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = _RANGE.fullmatch(part)
        try:
            assert match is not None
            first, stop, weight = int(match[1]), int(match[2]), float(match[3])
        except (AssertionError, ValueError):
            raise ValueError(f"'{part}' is no weight of layers such as 0:14=0.8") from None
        found.append(LayerWeight(first=first, stop=stop, weight=weight))
    return found
