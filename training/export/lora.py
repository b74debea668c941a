"""LoRA adapters as peft writes them, merged while the weights stream by: W + scale * B A.

Only the stretch of rows that is being written is computed: rows a..b of the change are rows a..b of
B times A (Hu et al. 2021, arXiv 2106.09685; scale as peft has it: alpha / r, or alpha / sqrt(r)
with use_rslora).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from engine.errors import ErrorCode, VisCodexError
from training.names import OUTPUT, Tensor, listed, match_tensors
from training.tensors import Reader, Stored, broken, read_header, read_json

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
Change = Callable[[torch.Tensor, int, int], torch.Tensor]
_WRAPPED = "base_model.model."
_PART = re.compile(r"\.lora_(A|B|magnitude_vector|embedding_A|embedding_B)(?:\.weight)?$")
# What would change the weights otherwise than as W + scale * B A.
_UNKNOWN = ("use_dora", "use_qalora", "lora_bias", "fan_in_fan_out", "alora_invocation_tokens")
# Beginnings that take their part out of the base, so that the adapter does not fit it any more.
_CHANGED_BASE = ("pissa", "olora", "corda", "loftq")


@dataclass(frozen=True)
class Update:
    """One adapted matrix: `down` (r, in), `up` (out, r); or its `whole` new value."""

    scale: float = 0.0
    down: Stored | None = None
    up: Stored | None = None
    whole: Stored | None = None


def _floats(stored: Stored) -> torch.Tensor:
    with Reader() as reader:
        return reader.read(stored, 0, stored.count).float()


@dataclass(frozen=True)
class Adapter:
    """An adapter whose every tensor has its place in the checkpoint, by canonical name."""

    folder: Path
    updates: Mapping[str, Update]
    # All stretches of a matrix need its A whole; those of two matrices are under way at a time.
    _held: Callable[[Stored], torch.Tensor] = field(
        default_factory=lambda: lru_cache(maxsize=2)(_floats), compare=False, repr=False
    )

    def change(self, canonical: str, shape: tuple[int, ...]) -> Change | None:
        """What turns rows of a tensor into the merged ones (float32); None where nothing changes.

        Raises VisCodexError(model_broken) for shapes that do not fit.
        """
        update = self.updates.get(canonical)
        if update is None:
            return None
        if update.whole is not None:
            return _replace(update.whole, canonical, shape)
        assert update.down is not None and update.up is not None
        width = math.prod(shape[1:])
        rank = update.down.shape[0]
        if update.up.shape != (shape[0], rank) or update.down.count != rank * width:
            raise broken(
                f"The adapter's {update.up.shape} x {update.down.shape} does not fit "
                f"'{canonical}' {shape}.",
                "Give the checkpoint that the adapter was trained on.",
            )
        return _add(update.scale, update.down, update.up, self._held)


def _replace(whole: Stored, canonical: str, shape: tuple[int, ...]) -> Change:
    if whole.shape != shape:
        raise broken(
            f"The adapter has {whole.shape} for '{canonical}', the checkpoint {shape}.",
            "Give the checkpoint that the adapter was trained on.",
        )
    width = math.prod(shape[1:])

    def change(values: torch.Tensor, start: int, stop: int) -> torch.Tensor:
        with Reader() as reader:
            new = reader.read(whole, start * width, stop * width)
        return new.float().reshape(values.shape)

    return change


def _add(scale: float, down: Stored, up: Stored, held: Callable[[Stored], torch.Tensor]) -> Change:
    rank = down.shape[0]

    def change(values: torch.Tensor, start: int, stop: int) -> torch.Tensor:
        a = held(down).reshape(rank, -1)
        with Reader() as reader:
            b = reader.read(up, start * rank, stop * rank).float().reshape(-1, rank)
        return values.float() + (scale * (b @ a)).reshape(values.shape)

    return change


def read_adapter(folder: Path, tensors: Mapping[str, Tensor], family: str) -> Adapter:
    """Read the configuration and the headers of an adapter for a checkpoint's `tensors`.

    Raises VisCodexError: bad_input where this is no LoRA adapter that can be merged, model_broken
    that names what has no place in the checkpoint.
    """
    config = read_json(folder / CONFIG)
    if config.get("peft_type", "LORA") != "LORA":
        raise _wrong(f"The adapter is of the kind {config['peft_type']}", "Only LoRA is merged.")
    special = [key for key in _UNKNOWN if config.get(key)]
    if str(config.get("init_lora_weights")).startswith(_CHANGED_BASE):
        special.append(f"init_lora_weights {config['init_lora_weights']}")
    if special or config.get("bias", "none") != "none":
        raise _wrong(
            f"The adapter uses {', '.join(special) or 'bias ' + config['bias']}, which is more "
            "than W + scale B A",
            "Merge it with peft first.",
        )
    parts: dict[str, dict[str, Stored]] = {}
    strange = []
    for name, stored in read_header(folder / WEIGHTS).items():
        target, kind = _split(name)
        if kind in ("A", "B", "whole"):
            parts.setdefault(target, {})[kind] = stored
        else:
            strange.append(name)
    if strange:
        raise _wrong(f"The adapter holds {listed(strange)}", "Only linear layers are merged.")
    halves = [name for name, found in parts.items() if set(found) not in ({"A", "B"}, {"whole"})]
    if halves:
        raise broken(f"{listed(halves)}: lora_A or lora_B is missing.", "Copy the adapter again.")
    return Adapter(folder, _placed(parts, config, tensors, family))


def _placed(
    parts: Mapping[str, Mapping[str, Stored]],
    config: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    family: str,
) -> dict[str, Update]:
    matched = match_tensors(parts, family)
    if OUTPUT in matched and OUTPUT not in tensors:
        raise broken(
            "The adapter changes the output matrix, which the checkpoint ties to its embedding.",
            "Untie them before training, or leave lm_head out of the adapter.",
        )
    lacking = [tensor.source for name, tensor in matched.items() if name not in tensors]
    if lacking:
        raise broken(
            f"{listed(lacking)}: in the adapter, not in the checkpoint.",
            "Give the checkpoint that the adapter was trained on.",
        )
    updates = {}
    for name, tensor in matched.items():
        found = parts[tensor.source]
        if "whole" in found:
            updates[name] = Update(whole=found["whole"])
        else:
            module = tensor.source.removesuffix(".weight")
            updates[name] = Update(_scale(config, module), found["A"], found["B"])
    return updates


def _split(name: str) -> tuple[str, str]:
    """The name of the adapted tensor, and which part this is: A, B, whole, or what it is called."""
    name = name.removeprefix(_WRAPPED)
    found = _PART.search(name)
    if found is None:
        return name.replace(".modules_to_save.", ".").replace(".base_layer.", "."), "whole"
    return name[: found.start()] + ".weight", found.group(1)


def _scale(config: Mapping[str, Any], module: str) -> float:
    """alpha / r of a module; patterns name modules that have numbers of their own."""
    rank = _pattern(config.get("rank_pattern"), module, config["r"])
    alpha = _pattern(config.get("alpha_pattern"), module, config.get("lora_alpha", config["r"]))
    return float(alpha) / (math.sqrt(rank) if config.get("use_rslora") else rank)


def _pattern(patterns: Mapping[str, Any] | None, module: str, default: Any) -> Any:
    items: Iterable[tuple[str, Any]] = (patterns or {}).items()
    # As peft matches them: the end of the module's name.
    found = (value for key, value in items if re.match(rf"(.*\.)?({key})$", module))
    return next(found, default)


def _wrong(message: str, advice: str) -> VisCodexError:
    return VisCodexError(ErrorCode.bad_input, f"{message}.", advice)
