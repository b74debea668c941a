"""TRL's SFTTrainer with our rows: order by seed and epoch, loss over tokens, logs as JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin, is_peft_model
from datasets import Dataset
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.utils.data import Sampler, SequentialSampler
from transformers import TrainerCallback
from trl import SFTConfig, SFTTrainer

from training.sft.order import LengthOrder

METRICS = "metrics.jsonl"
RENAMED = {"learning_rate": "rate", "grad_norm": "norm", "mean_token_accuracy": "right"}
DIGITS = 6


class RowTrainer(SFTTrainer):
    """Trains on rows that are token numbers already; `batch` counts samples of a whole step."""

    def __init__(self, *, batch: int, **settings: Any) -> None:
        self._batch = batch
        super().__init__(**settings)
        # Qwen2.5-VL says that it takes no count of the batch's tokens; but the loss of TRL, which
        # is the one in use, does: with it four samples at once weigh as four one by one.
        self.model_accepts_loss_kwargs: bool = True
        if not is_peft_model(self.model):
            # States under published names would be loaded by no name at all: a resumed run would
            # silently begin with the weights of the base.
            self.model.save_pretrained = partial(
                self.model.save_pretrained, save_original_format=False
            )

    def create_accelerator_and_postprocess(self) -> None:
        """accelerate spreads weights over cards alone; over processors it is as well possible."""
        super().create_accelerator_and_postprocess()
        state = self.accelerator.state
        if self.args.fsdp and state.distributed_type == DistributedType.MULTI_CPU:
            plugin = FullyShardedDataParallelPlugin(**self.args.fsdp_plugin_args)
            shared = type(state)._shared_state
            shared["distributed_type"] = DistributedType.FSDP
            shared["fsdp_plugin"] = plugin
            self.is_fsdp_enabled = True

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> Sampler[int]:
        rows = self.train_dataset if train_dataset is None else train_dataset
        return LengthOrder(rows["length"][:], self._batch, self.args.seed)

    def _get_eval_sampler(self, eval_dataset: Dataset) -> Sampler[int]:
        return SequentialSampler(eval_dataset)

    def _send_telemetry(self) -> None:
        """TRL tells its makers of every run; nothing leaves this machine."""

    def create_model_card(self, *ignored: Any, **also: Any) -> None:
        """A card comes with the finished model, not with every state of the training."""


class JsonLines(TrainerCallback):
    """Writes what is logged as JSON lines, and reports it. A step run again comes again."""

    def __init__(self, path: Path, report: Callable[[str], None]) -> None:
        self._path, self._report = path, report
        self._began = time.time()

    def on_log(
        self, args: SFTConfig, state: Any, control: Any, logs: Any = None, **also: Any
    ) -> None:
        """One line, of training (`loss`) or of validation (`eval_loss`)."""
        if not state.is_world_process_zero or "train_runtime" in logs:
            return
        line: dict[str, Any] = {"stage": "sft", "step": state.global_step}
        line["seconds"] = round(time.time() - self._began, 2)
        for key, value in logs.items():
            line[RENAMED.get(key, key)] = _short(value)
        text = json.dumps(line)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(text + "\n")
        self._report(text)


def _short(value: Any) -> Any:
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def read_log(path: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Lines of training and of validation, each step as it was last run."""
    train: dict[int, dict[str, Any]] = {}
    held: dict[int, dict[str, Any]] = {}
    if path.exists():
        for text in path.read_text(encoding="utf-8").splitlines():
            line = json.loads(text)
            (held if "eval_loss" in line else train)[line["step"]] = line
    return [train[n] for n in sorted(train)], [held[n] for n in sorted(held)]


def plot_log(path: Path, picture: Path) -> None:
    """Draw the losses of training and validation over steps."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    train, held = read_log(path)
    train = [line for line in train if "loss" in line]
    if not train:
        return
    figure = Figure(figsize=(7, 4), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    axes.plot(_of(train, "step"), _of(train, "loss"), color="#9bf", linewidth=0.8, label="training")
    axes.plot(_of(train, "step"), _smooth(_of(train, "loss")), color="#15c", label="smoothed")
    if held:
        axes.plot(
            _of(held, "step"), _of(held, "eval_loss"), color="#d60", marker="o", label="held out"
        )
    axes.set_xlabel("step")
    axes.set_ylabel("loss per token of the answer")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(picture, metadata={"Software": None})


def _of(lines: Sequence[dict[str, Any]], key: str) -> list[float]:
    return [line[key] for line in lines]


def _smooth(values: list[float]) -> list[float]:
    width = max(1, len(values) // 30)
    return [
        sum(values[max(0, n - width) : n + 1]) / len(values[max(0, n - width) : n + 1])
        for n in range(len(values))
    ]


def full_weights(trainer: SFTTrainer, names: Sequence[str]) -> dict[str, Tensor]:
    """The trained tensors whole, gathered one by one (every process must call this, in which the
    first alone keeps them)."""
    model: nn.Module = trainer.accelerator.unwrap_model(trainer.model)
    parameters = dict(model.named_parameters())
    whole: dict[str, Tensor] = {}
    for name in names:
        value = parameters[name].detach()
        if isinstance(value, DTensor):
            value = value.full_tensor()
        if trainer.args.should_save:
            whole[name] = value.cpu()
    return whole
