"""A run packed small enough for the repository: weights in bfloat16, tokenizer, metrics, place.

The optimizer's state stays behind; it comes back within a few dozen steps.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from engine.errors import ErrorCode, VisCodexError
from training.nano.stages import state_file
from training.nano.trainer import save_atomic

WEIGHTS, PLACE = "weights.safetensors", "place.json"
BESIDE = ("shape.json", "metrics.jsonl")


def pack(work: Path, stage: str | None, out: Path) -> Path:
    """Pack the newest state of `stage` (default: of the last one begun) into the folder `out`."""
    source = state_file(work, stage)
    state = torch.load(source, weights_only=True)
    out.mkdir(parents=True, exist_ok=True)
    # The output matrix is the embedding: safetensors refuses to write the same memory twice.
    tensors = {
        name: value.to(torch.bfloat16)
        for name, value in state["model"].items()
        if name != "lm_head.weight"
    }
    save_file(tensors, out / f"{WEIGHTS}.part")
    (out / f"{WEIGHTS}.part").replace(out / WEIGHTS)
    place = {"stage": source.stem, "step": state["step"], "seconds": state["seconds"]}
    (out / PLACE).write_text(json.dumps(place, indent=1) + "\n")
    for name in BESIDE:
        shutil.copy(work / name, out / name)
    shutil.copytree(work / "tokenizer", out / "tokenizer", dirs_exist_ok=True)
    return out


def unpack(packed: Path, work: Path, stage: str | None = None) -> str:
    """Lay a packed run out in `work`, which must hold no state yet; returns what it is.

    With `stage` the weights become the beginning of that stage instead of its own place.
    """
    if not (packed / PLACE).exists():
        raise VisCodexError(
            ErrorCode.bad_input, f"There is no packed run in '{packed}'.", "Check the folder."
        )
    if any(work.glob("*.pt")):
        raise VisCodexError(
            ErrorCode.bad_input, f"'{work}' holds a run already.", "Give an empty folder."
        )
    place = json.loads((packed / PLACE).read_text())
    if stage is not None:
        place = {"stage": stage, "step": 0, "seconds": 0.0}
    work.mkdir(parents=True, exist_ok=True)
    for name in BESIDE:
        shutil.copy(packed / name, work / name)
    shutil.copytree(packed / "tokenizer", work / "tokenizer", dirs_exist_ok=True)
    model = {name: value.float() for name, value in load_file(packed / WEIGHTS).items()}
    model["lm_head.weight"] = model["model.language_model.embed_tokens.weight"]
    state = {"model": model, "extra": {}, "optimizer": None} | {
        key: place[key] for key in ("step", "seconds")
    }
    save_atomic(state, work / f"{place['stage']}.pt")
    return f"stage {place['stage']}, step {place['step']}"
