"""What will become of every tensor, from configurations and headers alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from engine.errors import ErrorCode, VisCodexError
from training.checkpoint import Checkpoint, open_checkpoint
from training.merge.families import check_alike
from training.merge.methods import METHODS, Setting, needs_base
from training.merge.recipe import MergeRecipe
from training.merge.vocabulary import Rows, Runs, choose_rows
from training.names import EMBEDDING, FAMILIES, OUTPUT, has_vision, layer_of
from training.shards import Planned, Shard, plan_shards
from training.tensors import Stored, fingerprint

FORMAT = 1  # goes into the plan's hash: what an older version began is not continued
OUT_DTYPES = {"bfloat16": torch.bfloat16, "float32": torch.float32}
Action = Literal["merge", "keep", "copy"]


@dataclass(frozen=True)
class Step:
    """A tensor of the result. `merge`: its `runs` of flat values are merged, the rest is the VLM's;
    `keep`: the VLM's values in the type of the result; `copy`: bit for bit."""

    out: Planned
    canonical: str
    action: Action
    sources: Mapping[str, Stored]
    setting: Setting | None = None
    runs: Runs = ()

    @property
    def place(self) -> str:
        """Where it is told of in the report: a layer's number, embed_tokens, norm or lm_head."""
        layer = layer_of(self.canonical)
        return self.canonical.split(".")[1] if layer is None else str(layer)

    @property
    def merged_values(self) -> int:
        """How many of its values are merged."""
        return sum(stop - start for start, stop in self.runs)

    @property
    def read_bytes(self) -> int:
        """Bytes read of all models in one pass."""
        vlm = self.sources["vlm"]
        others = (stored for name, stored in self.sources.items() if name != "vlm")
        return vlm.size + sum(self.merged_values * other.dtype.itemsize for other in others)


@dataclass(frozen=True)
class Dropped:
    """A tensor that does not go into the result."""

    model: str
    stored: Stored
    reason: str


@dataclass(frozen=True)
class Plan:
    """A merge, ready to run. `hash` is that of everything the result depends on."""

    recipe: MergeRecipe
    models: Mapping[str, Checkpoint]
    steps: tuple[Step, ...]
    shards: tuple[Shard, ...]
    dropped: tuple[Dropped, ...]
    rows: Rows
    notes: tuple[str, ...]
    inputs: Mapping[str, Any]
    hash: str

    @property
    def size(self) -> int:
        """Bytes of the result."""
        return sum(shard.size for shard in self.shards)


def make_plan(recipe: MergeRecipe, folders: Mapping[str, Path]) -> Plan:
    """Open the models (`folders`: vlm, coder, perhaps base) and match them.

    Raises VisCodexError: bad_input, model_broken or model_mismatch, naming the tensor, the setting
    or the option at fault.
    """
    if "base" not in folders:
        _check_base_not_needed(recipe)
    models = {role: open_checkpoint(folder, FAMILIES, "merged") for role, folder in folders.items()}
    vlm = models["vlm"]
    notes = []
    for role in ("coder", "base"):
        if role in models:
            notes += check_alike(vlm, models[role], role)
    _check_layers(recipe, vlm)
    rows = choose_rows(models, recipe.embeddings)
    notes.append(rows.told())
    notes += _missing_files(vlm)
    steps = tuple(_steps(recipe, models, rows))
    shards = plan_shards([step.out for step in steps], int(recipe.shard_size * 1e9))
    inputs = {role: _described(role, recipe, model) for role, model in models.items()}
    return Plan(
        recipe,
        models,
        steps,
        tuple(shards),
        tuple(_dropped(models)),
        rows,
        tuple(notes),
        inputs,
        _hash(recipe, shards, inputs, rows),
    )


def _check_base_not_needed(recipe: MergeRecipe) -> None:
    for layer in (None, *(entry.first for entry in recipe.layers)):
        weights = recipe.pair(layer)
        if needs_base(recipe.method, Setting(*weights)):
            why = (
                f"{recipe.method} works on the differences from a base"
                if METHODS[recipe.method].needs_base
                else f"the weights {weights[0]:g} and {weights[1]:g} do not add up to 1"
            )
            raise VisCodexError(
                ErrorCode.bad_input,
                f"A base model is needed: {why}.",
                "Give the model both were trained from with --base.",
            )


def _check_layers(recipe: MergeRecipe, vlm: Checkpoint) -> None:
    layers = vlm.text.integer("num_hidden_layers")
    for entry in recipe.layers:
        if entry.stop > layers:
            raise VisCodexError(
                ErrorCode.bad_input,
                f"Weights are given for layers {entry.first}:{entry.stop}; "
                f"the models have {layers}.",
                f"Give ranges within 0:{layers}.",
            )


def _missing_files(vlm: Checkpoint) -> list[str]:
    wanted: dict[str, tuple[str, ...]] = {
        "generation_config.json": (),
        "tokenizer_config.json": (),
        "tokenizer.json": ("vocab.json",),
    }
    if has_vision(vlm.family):
        wanted["preprocessor_config.json"] = ("processor_config.json",)
    return [
        f"the VLM has no {name}, so the result will have none"
        for name, others in wanted.items()
        if not any((vlm.folder / file).exists() for file in (name, *others))
    ]


def _steps(recipe: MergeRecipe, models: Mapping[str, Checkpoint], rows: Rows) -> Iterable[Step]:
    """In the order of the VLM's files, so that those are read from start to end."""
    vlm, dtype = models["vlm"], OUT_DTYPES[recipe.out_dtype]
    tensors = vlm.tensors.values()
    for tensor in sorted(tensors, key=lambda t: _place(vlm.stored[t.source])):
        mine = vlm.stored[tensor.source]
        if tensor.module != "language":
            out = Planned(mine.name, mine.dtype, mine.shape)
            yield Step(out, tensor.canonical, "copy", {"vlm": mine})
            continue
        out = Planned(mine.name, dtype, mine.shape)
        sources = {role: model.values(tensor.canonical) for role, model in models.items()}
        runs = _runs(tensor.canonical, sources, rows)
        if not runs:
            yield Step(out, tensor.canonical, "keep", {"vlm": mine})
            continue
        weights = recipe.pair(layer_of(tensor.canonical))
        setting = Setting(*weights, recipe.kept_share, recipe.seed, tensor.canonical)
        yield Step(out, tensor.canonical, "merge", sources, setting, runs)


def _place(stored: Stored) -> tuple[str, int]:
    return stored.path.name, stored.offset


def _runs(canonical: str, sources: Mapping[str, Stored], rows: Rows) -> Runs:
    """The flat values that are merged; shapes must agree, but for the rows of a vocabulary."""
    mine = sources["vlm"]
    by_row = canonical in (EMBEDDING, OUTPUT)
    for role, other in sources.items():
        fits = other.shape == mine.shape
        if by_row:
            expected = (rows.counts[role], *mine.shape[1:])
            fits = other.shape == expected
        if not fits:
            raise VisCodexError(
                ErrorCode.model_mismatch,
                f"The tensor '{mine.name}' has the shape {list(mine.shape)} in the VLM; "
                f"'{other.name}' has {list(other.shape)} in the {role}.",
                "Merge models that come from the same base.",
            )
    if not by_row:
        return ((0, mine.count),)
    width = mine.count // mine.shape[0]
    return tuple((start * width, stop * width) for start, stop in rows.merged)


def _dropped(models: Mapping[str, Checkpoint]) -> Iterable[Dropped]:
    for role, model in models.items():
        for name in model.unused:
            yield Dropped(role, model.stored[name], "the output is tied to the embedding")
        if role == "vlm":
            continue
        for tensor in model.tensors.values():
            if tensor.module != "language":
                yield Dropped(role, model.stored[tensor.source], "only the language is merged")


def _described(role: str, recipe: MergeRecipe, model: Checkpoint) -> dict[str, Any]:
    paths = sorted({stored.path for stored in model.stored.values()})
    return {
        "model": getattr(recipe, role),
        "family": model.family,
        "config_sha256": hashlib.sha256((model.folder / "config.json").read_bytes()).hexdigest(),
        "files": {
            path.name: {"bytes": path.stat().st_size, "fingerprint": fingerprint(path)}
            for path in paths
        },
    }


def _hash(
    recipe: MergeRecipe, shards: Iterable[Shard], inputs: Mapping[str, Any], rows: Rows
) -> str:
    headers = [shard.header()[0].decode("latin-1") for shard in shards]
    whole = [FORMAT, recipe.model_dump(mode="json"), headers, inputs, rows.merged]
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()
