"""A recipe for `viscodex-train run`: a section a stage, each written out or named as a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from engine.errors import ErrorCode, VisCodexError
from engine.tasks import TASKS
from training.data.recipe import DataRecipe
from training.merge.recipe import MergeRecipe
from training.recipe import check_recipe, read_recipe, read_section, read_yaml
from training.sft.recipe import SftRecipe

Part = TypeVar("Part", bound=BaseModel)
HERE = ("local", "torchrun", "accelerate")  # ways to launch that train on this machine
# Sections that are recipes of their own.
SECTIONS: Mapping[str, type[BaseModel]] = {
    "merge": MergeRecipe,
    "data": DataRecipe,
    "coder": SftRecipe,
    "sft": SftRecipe,
}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ExportPlan(_Part):
    """Types of the files, the first of `quant` being the one that the folder stands for; texts to
    calibrate K-quants with, or an importance matrix. As the options of `viscodex-train export`."""

    quant: list[str] = Field(default=["Q8_0"], min_length=1)
    mmproj_type: str = "Q8_0"
    calibrate: str | None = None
    imatrix: str | None = None
    verify: bool = True


class VerifyPlan(_Part):
    """How many held-out pictures go through checkpoint and export, and the tokens written."""

    pictures: int = Field(default=4, ge=1)
    tokens: int = Field(default=16, ge=1)


class EvaluatePlan(_Part):
    """`held_out` generated pictures that nothing was trained on, and a folder of real `snips`
    (pages/ and charts/); `best_of` and `repair` as in the application where they are not given,
    `correct` answers by the picture where the card asks for it."""

    held_out: int = Field(default=60, ge=0)
    snips: str | None = None
    max_tokens: int = Field(default=1200, ge=1)
    best_of: int | None = Field(default=None, ge=1, le=8)
    repair: int | None = Field(default=None, ge=0)
    correct: bool = True

    @model_validator(mode="after")
    def _check(self) -> EvaluatePlan:
        if not self.held_out and self.snips is None:
            raise ValueError("there is nothing to measure: give held_out or snips")
        return self


class CardPlan(_Part):
    """What the engine cannot know of a model: see engine.models.card.ModelCard. `prompt`, `system`
    and `image_tokens` (least and most) are those of sft, and given here only where it is left out.
    """

    prompt: Literal["short", "full"] | None = None
    system: str | None = None
    image_tokens: tuple[int, int] | None = None
    hints: Literal["always", "auto", "never"] = "auto"
    context: int | None = Field(default=None, ge=256)
    best_of: int = Field(default=1, ge=1, le=8)
    corrected: bool = False
    targets: list[str] = list(TASKS)
    sampling: dict[str, float] = {}
    licence: str = ""

    @model_validator(mode="after")
    def _check(self) -> CardPlan:
        strange = sorted(set(self.targets) - set(TASKS))
        if strange or not self.targets:
            raise ValueError(f"targets: choose from {', '.join(TASKS)}")
        return self


class PipelineRecipe(_Part):
    """From checkpoints to a model folder. Paths are relative to where the command is run.

    A stage runs where its section is there; `export`, and the card, always. `unpack` names a packed
    run (`viscodex-train pack`) that becomes the VLM; `coder` trains the code model to merge from
    that VLM. What an earlier stage makes (`model` and `data` of sft, `vlm` and `coder` of merge) is
    filled in; sections written out leave it out. `launch` says how sft is started.
    """

    name: str = Field(min_length=1)
    unpack: str | None = None
    merge: MergeRecipe | None = None
    data: DataRecipe | None = None
    coder: SftRecipe | None = None
    sft: SftRecipe | None = None
    launch: Literal["local", "torchrun", "accelerate", "slurm", "ray"] = "local"
    export: ExportPlan
    verify: VerifyPlan = Field(default_factory=VerifyPlan)
    evaluate: EvaluatePlan | None = None
    card: CardPlan = Field(default_factory=CardPlan)

    @model_validator(mode="after")
    def _check(self) -> PipelineRecipe:
        if self.merge is None and self.sft is None and self.unpack is None:
            raise ValueError("there is nothing to export: give merge, sft or unpack")
        if self.coder is not None and self.merge is None:
            raise ValueError("coder: a code model is trained to be merged; give merge")
        given = self.card.prompt, self.card.system, self.card.image_tokens
        if self.sft is not None and given != (None, None, None):
            raise ValueError("card: prompt, system and image_tokens are sft's; leave them out")
        if self.data is not None and self.data.format != "jsonl":
            raise ValueError("data.format: sft reads jsonl")
        nodes = 1 if self.sft is None else self.sft.machines.nodes
        if nodes > 1 and self.launch in HERE:
            raise ValueError(
                f"launch: {self.launch} starts one machine, sft.machines names {nodes}; "
                "choose slurm or ray"
            )
        return self


def is_pipeline(values: Mapping[str, Any]) -> bool:
    """Whether a recipe is one for this package; one with `stages` makes a model from nothing."""
    return "export" in values and "stages" not in values


def load_pipeline(path: Path, folder: Path | None = None) -> PipelineRecipe:
    """Read a recipe whose results go into `folder` (default: runs/NAME).

    Raises VisCodexError(bad_input) that names the key at fault, or the file of a section.
    """
    values = read_yaml(path)
    if not is_pipeline(values):
        raise VisCodexError(
            ErrorCode.bad_input,
            f"'{path.name}' is no recipe to run: it has neither `export` nor `stages`.",
            "A recipe of one stage goes to its own command (merge, data build, sft).",
        )
    folder = folder or default_folder(values)
    sections = {name: _section(values, name, path) for name in SECTIONS if name in values}
    for name, made in _made(values | sections, folder).items():
        if name not in sections:
            continue
        own = values[name]
        twice = sorted(set(made) & set(own)) if isinstance(own, dict) else []
        if twice:
            raise VisCodexError(
                ErrorCode.bad_input,
                f"The recipe '{path.name}' is wrong: {name}.{twice[0]}: an earlier stage makes it",
                "Leave it out.",
            )
        sections[name] |= made
    return check_recipe(values | sections, PipelineRecipe, path)


def default_folder(values: Mapping[str, Any]) -> Path:
    """Where the results go unless the command says otherwise."""
    return Path("runs") / str(values.get("name") or "model")


def _section(values: Mapping[str, Any], name: str, path: Path) -> dict[str, Any]:
    found = values[name]
    if isinstance(found, str):  # what is wrong in it is told under its own name
        read_recipe(path.parent / found, SECTIONS[name])
    section = read_section(path, name)
    if "name" in SECTIONS[name].model_fields:
        section.setdefault("name", str(values.get("name", "")))
    return section


def _made(values: Mapping[str, Any], folder: Path) -> dict[str, dict[str, Any]]:
    """What stages take from earlier ones, by section and key."""
    made: dict[str, dict[str, Any]] = {name: {} for name in SECTIONS}
    start = str(folder / "base" / "checkpoint")
    if "unpack" in values:
        made["merge"]["vlm"] = made["coder"]["model"] = made["sft"]["model"] = start
    if "coder" in values:
        made["merge"]["coder"] = str(folder / "coder" / "model")
    if "merge" in values:
        made["sft"]["model"] = str(folder / "merged")
    if isinstance(values.get("data"), dict):
        shards = {"data": [str(folder / "data" / "train" / "*.jsonl")]}
        if values["data"].get("validation"):
            shards["held_out_data"] = [str(folder / "data" / "validation" / "*.jsonl")]
        made["coder"] |= shards
        made["sft"] |= shards
    return made


def filled_in(recipe: PipelineRecipe) -> dict[str, set[str]]:
    """Keys by section that are places in the work folder, not choices of the recipe."""
    there = recipe.model_dump(exclude_none=True)
    return {name: set(keys) for name, keys in _made(there, Path()).items()}
