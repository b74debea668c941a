"""The result of a training as a checkpoint under the published names, which merge and export read.

It is written over the checkpoint it began with: tensors that did not move are copied byte for byte,
adapters are added to the matrices they belong to, a tensor at a time, so that a 33B needs no more
memory than its largest tensor.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from engine.errors import ErrorCode, VisCodexError
from training.checkpoint import Checkpoint
from training.merge.report import BESIDE
from training.names import hugging_face_name, listed, match_tensors
from training.shards import Planned, ShardWriter, index_of, plan_shards
from training.tensors import INDEX, Reader, broken, write_beside

SHARD = 4_000_000_000
STATE = ".saving"
_OURS = ("config.json", INDEX)
Change = Callable[[str, Tensor], Tensor]  # canonical name, values of the base -> new values


def write_trained(base: Checkpoint, out: Path, change: Change, changed: frozenset[str]) -> Path:
    """Write `base` with `change` applied to the tensors `changed` (canonical names).

    The folder appears whole. Raises VisCodexError(model_broken) for NaN or infinity.
    """
    part = out.with_name(f"{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    (part / STATE).mkdir(parents=True)
    planned = {
        name: Planned(
            hugging_face_name(name, base.family), base.values(name).dtype, base.values(name).shape
        )
        for name in base.tensors
    }
    canonical = {tensor.name: name for name, tensor in planned.items()}
    shards = plan_shards(list(planned.values()), SHARD)
    with Reader() as reader:
        for shard in shards:
            writer = ShardWriter(part, part / STATE, shard)
            try:
                for tensor in shard.tensors:
                    name = canonical[tensor.name]
                    stored = base.values(name)
                    values = reader.read(stored, 0, stored.count)
                    if name in changed:
                        values = _checked(change(name, values.view(stored.shape)), tensor)
                    writer.write(tensor, 0, values.flatten())
                    writer.note(tensor, None)
                writer.finish()
            finally:
                writer.close()
    write_beside(part / INDEX, index_of(shards))
    for pattern in BESIDE:
        for path in sorted(base.folder.glob(pattern)):
            if path.is_file() and path.name not in _OURS:
                shutil.copy(path, part / path.name)
    write_beside(part / "config.json", json.dumps(base.config, indent=2) + "\n")
    shutil.rmtree(part / STATE)
    shutil.rmtree(out, ignore_errors=True)
    part.replace(out)
    return out


def _checked(values: Tensor, tensor: Planned) -> Tensor:
    if tuple(values.shape) != tensor.shape:
        raise broken(
            f"'{tensor.name}' has the shape {tuple(values.shape)}, not {tensor.shape}.",
            "Train from the checkpoint that the recipe names.",
        )
    if not torch.isfinite(values).all():
        raise broken(
            f"The trained tensor '{tensor.name}' holds NaN or infinity.",
            "Train again with a smaller rate.",
        )
    return values.to(tensor.dtype).contiguous()


def write_full(base: Checkpoint, out: Path, weights: Mapping[str, Tensor]) -> Path:
    """Write trained weights, named as in transformers; only those given differ from `base`."""
    tensors = match_tensors(weights, base.family)
    strange = set(tensors) - set(base.tensors)
    if strange:
        raise broken(f"{listed(strange)}: not in the checkpoint trained from.", "Train again.")

    def change(name: str, _: Tensor) -> Tensor:
        return weights[tensors[name].source].detach().cpu()

    return write_trained(base, out, change, frozenset(tensors))


class Adapter:
    """LoRA matrices on disk, as peft saves them, by the canonical name of what they change."""

    def __init__(self, folder: Path, family: str) -> None:
        config: dict[str, Any] = json.loads((folder / "adapter_config.json").read_text())
        self.scale: float = config["lora_alpha"] / config["r"]
        with safe_open(folder / "adapter_model.safetensors", framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        self._halves: dict[str, tuple[Tensor, Tensor]] = {}
        sources = {
            name.removeprefix("base_model.model.").replace(".lora_A.weight", ".weight"): name
            for name in tensors
            if name.endswith(".lora_A.weight")
        }
        for canonical, tensor in match_tensors(sources, family).items():
            first = sources[tensor.source]
            second = first.replace(".lora_A.", ".lora_B.")
            self._halves[canonical] = tensors.pop(first), tensors.pop(second)
        if tensors or not self._halves:
            raise VisCodexError(
                ErrorCode.model_broken,
                f"The adapter in '{folder}' is not one of this training.",
                "Train again.",
            )

    @property
    def names(self) -> frozenset[str]:
        """What is changed."""
        return frozenset(self._halves)

    def add(self, name: str, values: Tensor) -> Tensor:
        """The matrix with `scale` B A added, in float32."""
        first, second = self._halves[name]
        return values.float() + self.scale * (second.float() @ first.float())


def write_merged(base: Checkpoint, out: Path, adapter: Path) -> Path:
    """Write `base` with an adapter added."""
    matrices = Adapter(adapter, base.family)
    return write_trained(base, out, matrices.add, matrices.names)
