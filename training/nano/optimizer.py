"""Muon for the matrices inside the blocks, AdamW for everything else, as one optimizer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

MUON_RATE = 8.0  # Muon's rate as a multiple of AdamW's
LAST_RATE = 0.02  # share of the rate that is left at the end of a stage


class Optimizers:
    """Steps several optimizers together; `scale` is the schedule's factor on all rates."""

    def __init__(self, groups: Iterable[tuple[nn.Module, float]]) -> None:
        """`groups` pairs a module with its AdamW rate; a rate of 0 freezes the module."""
        matrices: list[dict[str, Any]] = []
        others: list[dict[str, Any]] = []
        for module, rate in groups:
            inside: list[nn.Parameter] = []
            rest: list[nn.Parameter] = []
            for name, parameter in module.named_parameters():
                parameter.requires_grad_(rate > 0)
                if rate <= 0:
                    continue
                block = parameter.ndim == 2 and ("layers." in name or "blocks." in name)
                (inside if block else rest).append(parameter)
            if inside:
                matrices.append({"params": inside, "lr": rate * MUON_RATE, "top": rate * MUON_RATE})
            if rest:
                others.append({"params": rest, "lr": rate, "top": rate})
        self.parts: list[torch.optim.Optimizer] = []
        if matrices:
            self.parts.append(
                torch.optim.Muon(matrices, momentum=0.95, weight_decay=0.01, ns_steps=5)
            )
        self.parts.append(torch.optim.AdamW(others, betas=(0.9, 0.97), weight_decay=0.0, eps=1e-9))
        self.parameters = [p for part in self.parts for g in part.param_groups for p in g["params"]]

    def step(self, scale: float) -> float:
        """Clip, step with all rates times `scale`, forget the gradients. Returns the norm."""
        # Hundreds of small products: on a busy machine each would wait for its slowest thread.
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        for part in self.parts:
            for group in part.param_groups:
                group["lr"] = group["top"] * scale
            part.step()
            part.zero_grad(set_to_none=True)
        torch.set_num_threads(threads)
        return float(norm)

    def state_dict(self) -> list[dict[str, Any]]:
        """States of the parts, for a checkpoint."""
        return [part.state_dict() for part in self.parts]

    def load_state_dict(self, states: list[dict[str, Any]]) -> None:
        """Restore what `state_dict` gave; the rates stay those of the recipe."""
        for part, state in zip(self.parts, states, strict=True):
            tops = [group["top"] for group in part.param_groups]
            part.load_state_dict(state)
            for group, top in zip(part.param_groups, tops, strict=True):
                group["top"] = top


def schedule(step: int, steps: int, warmup: int, decay: float) -> float:
    """Factor on the rate at `step`: linear warm-up, constant, linear fall to nearly nothing."""
    if step < warmup:
        return (step + 1) / warmup
    start = steps * (1 - decay)
    if step < start:
        return 1.0
    return 1.0 - (1.0 - LAST_RATE) * (step - start) / max(1.0, steps - start)
