"""Typed recipes: a YAML file is read into these models; an unknown key is an error."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from training.nano.build import DataPlan
from training.nano.model import ModelShape
from training.recipe import read_recipe

StageName = Literal["language", "vision", "joint", "finish"]
STAGES: tuple[StageName, ...] = get_args(StageName)  # in the order of training


class StagePlan(BaseModel):
    """One stage of training.

    `batch_tokens` bounds a batch: padded tokens for the language stages, patches for `vision`.
    The rate rises over `warmup` steps, stays, and falls to nearly nothing over the last `decay`
    share.
    `levels` are the relative shares of the levels at the start and at the end of the stage,
    `copy_share` the share of bare copying exercises.
    """

    model_config = ConfigDict(extra="forbid")

    name: StageName
    steps: int
    batch_tokens: int
    rate: float
    warmup: int = 50
    decay: float = 0.2
    levels: tuple[tuple[float, ...], tuple[float, ...]] = ((1.0,) * 4, (1.0,) * 4)
    tower_rate: float = 0.0
    copy_share: tuple[float, float] = (0.0, 0.0)


class NanoRecipe(BaseModel):
    """Everything that makes the bundled model; `best_of` and `corrected` go into its card."""

    model_config = ConfigDict(extra="forbid")

    name: str
    seed: int = 0
    data: DataPlan = Field(default_factory=DataPlan)
    model: ModelShape = Field(default_factory=ModelShape)
    image_tokens: tuple[int, int] = (16, 576)
    best_of: int = 1
    corrected: bool = False
    stages: list[StagePlan]


def load_recipe(path: Path) -> NanoRecipe:
    """Read a recipe file; VisCodexError(bad_input) names what is wrong with it."""
    return read_recipe(path, NanoRecipe)
