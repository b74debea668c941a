"""What moves and what stands still, decided by module and held to the table of names.

A frozen tower is run without gradients: with LoRA and gradient checkpointing, transformers lets the
embeddings of its patches ask for gradients, and all activations of the tower would be kept.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from peft import LoraConfig
from torch import nn

from engine.errors import ErrorCode, VisCodexError
from training.names import listed, match_tensors
from training.sft.recipe import ATTENTION, LoraPlan, Module

_ADAPTER = re.compile(r"(?:^|\.)language_model\.layers\.\d+\.(?:self_attn|mlp)\.\w+\.lora_[AB]\.")
_NUMBER = re.compile(r"\.\d+\.")


def adapter_pattern(targets: Sequence[str]) -> str:
    """The whole names of the modules that get adapters: of the language model's layers alone. By
    their last name alone `all-linear` and `gate_proj` would be found in the tower too."""
    parts = [f"self_attn\\.{name}" if name in ATTENTION else f"mlp\\.{name}" for name in targets]
    return rf".*language_model\.layers\.\d+\.(?:{'|'.join(parts)})"


def lora_config(plan: LoraPlan) -> LoraConfig:
    """The plan in peft's terms."""
    return LoraConfig(
        r=plan.rank,
        lora_alpha=plan.alpha,
        lora_dropout=plan.dropout,
        target_modules=adapter_pattern(plan.targets),
        bias="none",
    )


def freeze(model: nn.Module, family: str, train: Sequence[Module]) -> None:
    """Let only the parameters of some modules ask for gradients; run a frozen tower without any."""
    tensors = match_tensors((name for name, _ in model.named_parameters()), family)
    module_of = {tensor.source: tensor.module for tensor in tensors.values()}
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(module_of[name] in train)
    if not {"projector", "vision"} & set(train):
        tower: Any = model.model.visual
        tower.forward = torch.no_grad()(tower.forward)


def trainable_names(model: nn.Module) -> list[str]:
    """The parameters that ask for gradients."""
    return [name for name, parameter in model.named_parameters() if parameter.requires_grad]


def check_trainable(
    model: nn.Module, family: str, train: Sequence[Module], *, lora: bool
) -> list[str]:
    """The names that are trained. Raises VisCodexError(internal) where others move than should, or
    some do not."""
    names = trainable_names(model)
    if lora:
        wrong = [name for name in names if not _ADAPTER.search(name)]
        lacking = [] if names else ["adapters"]
    else:
        every = match_tensors((name for name, _ in model.named_parameters()), family)
        wanted = {tensor.source for tensor in every.values() if tensor.module in train}
        wrong, lacking = sorted(set(names) - wanted), sorted(wanted - set(names))
    for what, culprits in (("would be trained", wrong), ("would not be trained", lacking)):
        if culprits:
            raise VisCodexError(
                ErrorCode.internal, f"{listed(culprits)} {what}.", "Report this as a fault."
            )
    return names


def summary(names: Iterable[str]) -> list[str]:
    """Names with `{}` for the number of their layer, and how many there are of each."""
    counts = Counter(_NUMBER.sub(".{}.", name, count=1) for name in names)
    return [f"{name} x {count}" if count > 1 else name for name, count in counts.items()]
