"""What a fine-tuning is told: one recipe file, read before any weight is."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from engine.images import ImageLimits

Module = Literal["language", "projector", "vision"]
Precision = Literal["auto", "bf16", "fp32"]
Schedule = Literal["cosine", "linear", "constant"]
ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
FEED_FORWARD = ("gate_proj", "up_proj", "down_proj")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class LoraPlan(_Part):
    """Adapters of `rank` beside matrices of the language model's layers; all else stands still.

    What an adapter adds is `alpha / rank` times its product. `quantize` keeps the frozen weights in
    4 bits while training (QLoRA, needs bitsandbytes); the result is merged into the unquantized.
    """

    rank: int = Field(default=16, ge=1)
    alpha: int = Field(default=32, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    targets: list[str] = [*ATTENTION, *FEED_FORWARD]
    quantize: Literal["nf4"] | None = None

    @field_validator("targets")
    @classmethod
    def _known(cls, targets: list[str]) -> list[str]:
        strange = sorted(set(targets) - {*ATTENTION, *FEED_FORWARD})
        if strange or not targets:
            raise ValueError(f"choose from {', '.join([*ATTENTION, *FEED_FORWARD])}")
        return targets


class PromptPlan(_Part):
    """How records become prompts. `instruction` is for records without a prompt of their own;
    `hints` is the share of records with lines of text that show them (hints that `data build` has
    given are always shown); `system` opens the prompt. Without `pictures` answers are learnt from
    the hints alone, as a model of code does."""

    instruction: Literal["short", "full"] = "full"
    system: str = "You are a helpful assistant."
    hints: float = Field(default=0.0, ge=0, le=1)
    pictures: bool = True


class PicturePlan(_Part):
    """How many tokens a picture takes (one is 28 x 28 pixels in Qwen2.5-VL)."""

    min_tokens: int = Field(default=16, ge=1)
    max_tokens: int = Field(default=1536, ge=1)

    def limits(self, factor: int) -> ImageLimits:
        """As the engine has them."""
        return ImageLimits(factor, self.min_tokens, self.max_tokens)


class SamplePlan(_Part):
    """Answers to the first `count` held-out records at every evaluation, drawn if `render`."""

    count: int = Field(default=4, ge=0)
    max_tokens: int = Field(default=1024, ge=1)
    render: bool = True


class Machines(_Part):
    """What it is meant to run on: `nodes` machines with `processes` devices each.

    With `fsdp` weights and states of the optimizer are spread over all of them (FSDP2);
    without, every device holds all. `wrap` is the class of the language model's layers, which are
    gathered one by one. `hours` and `memory` (GB of a device) are what a scheduler is asked for.
    """

    nodes: int = Field(default=1, ge=1)
    processes: int = Field(default=1, ge=1)
    fsdp: bool = False
    offload: bool = False
    wrap: str = "Qwen2_5_VLDecoderLayer"
    device: Literal["gpu", "cpu"] = "gpu"
    hours: float = Field(default=24.0, gt=0)
    memory: float = Field(default=80.0, gt=0)

    @property
    def world(self) -> int:
        """Processes in all."""
        return self.nodes * self.processes


class SftRecipe(_Part):
    """A fine-tuning. Paths are relative to where the command is run.

    `model` is a folder or a Hub id; `data` JSON Lines files (patterns such as `data/*.jsonl`), of
    which `held_out` records are kept for validation, unless `held_out_data` names other files.
    `batch` counts samples of one step on all devices, `device_batch` those that one computes at a
    time. Samples over `longest` tokens are dropped. `train` says which modules move; the rest is
    run without gradients. `early_stop` is after how many evaluations without progress to end.
    """

    name: str
    model: str
    data: list[str] = Field(min_length=1)
    held_out_data: list[str] = []
    held_out: int = Field(default=200, ge=0)
    seed: int = 0

    train: list[Module] = ["language"]
    lora: LoraPlan | None = None
    prompt: PromptPlan = Field(default_factory=PromptPlan)
    picture: PicturePlan = Field(default_factory=PicturePlan)
    longest: int = Field(default=8192, ge=64)

    epochs: float = Field(default=1.0, gt=0)
    steps: int | None = Field(default=None, ge=1)
    batch: int = Field(default=128, ge=1)
    device_batch: int = Field(default=1, ge=1)
    rate: float = Field(default=1e-5, gt=0)
    schedule: Schedule = "cosine"
    warmup: float = Field(default=0.03, ge=0, lt=1)
    weight_decay: float = Field(default=0.0, ge=0)
    clip: float = Field(default=1.0, gt=0)
    precision: Precision = "auto"
    gradient_checkpointing: bool = True
    workers: int = Field(default=0, ge=0)

    log_every: int = Field(default=10, ge=1)
    evaluate_every: int = Field(default=500, ge=1)
    save_every: int = Field(default=500, ge=1)
    keep: int = Field(default=2, ge=1)
    early_stop: int | None = Field(default=None, ge=1)
    samples: SamplePlan = Field(default_factory=SamplePlan)
    machines: Machines = Field(default_factory=Machines)

    @model_validator(mode="after")
    def _check(self) -> SftRecipe:
        if not self.train:
            raise ValueError("train names no module")
        if self.lora is not None and self.train != ["language"]:
            raise ValueError("LoRA trains adapters of the language model alone; leave train out")
        if self.lora is not None and self.lora.quantize and self.machines.fsdp:
            raise ValueError("4-bit weights are not spread over devices; leave fsdp out")
        if self.lora is not None and self.lora.quantize and self.machines.device == "cpu":
            raise ValueError("lora.quantize: 4-bit weights need a card; machines.device is cpu")
        if self.lora is not None and self.lora.quantize and self.precision == "fp32":
            raise ValueError("lora.quantize: 4-bit weights are computed with in bf16")
        if self.early_stop is not None:
            if not (self.held_out or self.held_out_data):
                raise ValueError("early_stop needs held-out records")
            if self.save_every % self.evaluate_every:
                raise ValueError("with early_stop, save_every is a multiple of evaluate_every")
        self.accumulate(self.machines.world)
        return self

    def accumulate(self, world: int) -> int:
        """How many times each of `world` processes computes before a step. Raises ValueError."""
        together = self.device_batch * world
        if self.batch % together:
            raise ValueError(
                f"batch: {self.batch} samples do not divide among {world} process(es) of "
                f"{self.device_batch}"
            )
        return self.batch // together


def files_of(patterns: list[str]) -> list[Path]:
    """The files that some patterns name, in order, each once."""
    found: dict[Path, None] = {}
    for pattern in patterns:
        path = Path(pattern).expanduser()
        if path.is_file():
            found[path] = None
            continue
        root = Path(path.anchor) if path.is_absolute() else Path()
        relative = str(path.relative_to(path.anchor)) if path.is_absolute() else str(path)
        found |= dict.fromkeys(sorted(root.glob(relative)))
    return list(found)
