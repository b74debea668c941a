"""The card of a model that was made by a recipe: viscodex.json for the engine, README.md for
people. All of it is read from what the stages left."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from engine.images import ImageLimits
from engine.models.card import ModelCard
from training.checkpoint import Checkpoint, open_checkpoint
from training.export.checkpoint import FAMILIES
from training.nano.card import figure_tables
from training.pipeline.work import SCORES, VERIFIED, Work
from training.tensors import read_json

GENERAL_SYSTEM = "You are a helpful assistant."
LONGEST_CONTEXT = 8192  # cells, where the card does not say: what a laptop has room for
LAST = 10  # logged losses that the loss at the end is the mean of
PACKAGES = ("viscodex", "torch", "transformers", "trl", "peft", "llama-cpp-python", "gguf")
README = """# {name}

{what}

{parts}

`viscodex convert PICTURE --model DIR` runs it (DIR is this folder).

Licence: {licence}
"""


def engine_card(
    work: Work,
    sums: Mapping[str, str] | None = None,
    training: Mapping[str, Any] | None = None,
    evaluation: Mapping[str, Any] | None = None,
) -> ModelCard:
    """The card the engine reads: prompts and pictures as the model was trained on them."""
    recipe, plan = work.recipe, work.recipe.card
    checkpoint = open_checkpoint(work.trained, FAMILIES)
    sft = recipe.sft
    prompt, system = plan.prompt or "full", plan.system
    tokens = plan.image_tokens or (ImageLimits.min_tokens, ImageLimits.max_tokens)
    if sft is not None:
        prompt, system = sft.prompt.instruction, sft.prompt.system
        tokens = sft.picture.min_tokens, sft.picture.max_tokens
    positions = checkpoint.text.integer("max_position_embeddings")
    return ModelCard(
        name=recipe.name,
        family=checkpoint.family,
        targets=tuple(plan.targets),
        hints=plan.hints,
        prompt=prompt,
        system=GENERAL_SYSTEM if system is None else system,
        image=ImageLimits(_token_side(checkpoint), *tokens),
        context=plan.context or min(LONGEST_CONTEXT, positions),
        best_of=plan.best_of,
        corrected=plan.corrected,
        sampling=plan.sampling,
        licence=plan.licence,
        sha256=sums or {},
        training=training or {},
        evaluation=evaluation or {},
    )


def _token_side(checkpoint: Checkpoint) -> int:
    vision = checkpoint.vision
    return int(vision.get("patch_size", 14) * vision.get("spatial_merge_size", 2))


@dataclass(frozen=True)
class Trained:
    """A training in figures; `loss` is the mean of the last ones, `held_out` the last on held-out
    records, None where none was logged."""

    steps: int
    hours: float
    loss: float | None
    held_out: float | None


@dataclass(frozen=True)
class Facts:
    """What the stages left, read again. `models` are those merged, by role; `data` are
    records by split and kind, and by source and licence."""

    merge: Mapping[str, Any] | None
    models: Mapping[str, str]
    data: tuple[Mapping[tuple[str, str], int], Mapping[tuple[str, str], int]] | None
    trained: Mapping[str, Trained]
    export: Mapping[str, Any]
    verified: Mapping[str, Any]
    evaluation: Mapping[str, Any]

    def training(self) -> dict[str, Any]:
        """For viscodex.json."""
        found: dict[str, Any] = {}
        if self.merge is not None:
            keys = ("method", "weight", "coder_weight", "embeddings")
            found["merge"] = {key: self.merge[key] for key in keys} | {"models": dict(self.models)}
        if self.data is not None:
            found["data"] = {f"{split}/{kind}": n for (split, kind), n in self.data[0].items()}
        for name, told in self.trained.items():
            found[name] = {"steps": told.steps, "hours": round(told.hours, 2), "loss": told.loss}
        return found


def facts_of(work: Work) -> Facts:
    """Read what the stages of a recipe left."""
    recipe = work.recipe
    trainings = [name for name in ("coder", "sft") if getattr(recipe, name) is not None]
    measured = {} if recipe.evaluate is None else read_json(work.folder / SCORES)["summary"]
    merge = None if recipe.merge is None else read_json(work.merged / "merge.json")
    return Facts(
        merge,
        {} if merge is None else _models(work, merge),
        None if recipe.data is None else _data(work.data),
        {name: _trained(work.folder / name / "metrics.jsonl") for name in trainings},
        read_json(work.model / "export.json"),
        read_json(work.folder / VERIFIED),
        measured,
    )


def _models(work: Work, merge: Mapping[str, Any]) -> dict[str, str]:
    """Names of the models merged. A card goes to others, whom our folders do not concern."""
    found = {}
    for role, told in merge["inputs"].items():
        path = Path(told["model"])
        if path.is_relative_to(work.folder):
            found[role] = f"{path.relative_to(work.folder)} of this recipe"
        else:
            found[role] = path.name if path.is_dir() else str(path)
    return found


def _data(folder: Path) -> tuple[dict[tuple[str, str], int], dict[tuple[str, str], int]]:
    from training.data.stats import count

    found = count(folder, samples=0)
    return dict(found.records), dict(found.licences)


def _trained(log: Path) -> Trained:
    from training.sft.trainer import read_log

    train, held = read_log(log)
    train = [line for line in train if "loss" in line]
    last = [float(line["loss"]) for line in train[-LAST:]]
    return Trained(
        max((int(line["step"]) for line in (*train, *held)), default=0),
        _seconds(log) / 3600,
        float(f"{sum(last) / len(last):.4g}") if last else None,
        held[-1]["eval_loss"] if held else None,
    )


def _seconds(log: Path) -> float:
    """The time of all goes of a training; each counts from 0."""
    whole = before = 0.0
    for text in log.read_text(encoding="utf-8").splitlines():
        now = json.loads(text)["seconds"]
        if now < before:
            whole += before
        before = now
    return whole + before


def readme(work: Work, card: ModelCard, facts: Facts) -> str:
    """The card for people."""
    parts = {
        "Merged": _merged(facts),
        "Data": _records(facts),
        "Training": _training(work, facts),
        "Files": _files(facts),
        "Figures": figure_tables(card.evaluation) or "Not measured.",
        "Versions": _table(("package", "version"), [(p, version(p)) for p in PACKAGES]),
    }
    checkpoint = open_checkpoint(work.trained, FAMILIES)
    count = sum(checkpoint.values(name).count for name in checkpoint.tensors)
    what = (
        f"A vision-language model ({card.family}, {count / 1e6:,.1f} M parameters) that turns a "
        f"picture into code ({', '.join(card.targets)}). Text read from the picture goes into the "
        f"prompt: {card.hints}."
    )
    return README.format(
        name=card.name,
        what=what,
        parts="\n\n".join(f"## {title}\n\n{text}" for title, text in parts.items() if text),
        licence=card.licence or "not stated.",
    )


def _table(head: tuple[str, ...], rows: list[tuple[object, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def _merged(facts: Facts) -> str:
    told = facts.merge
    if told is None:
        return ""
    weights = {"vlm": told["weight"], "coder": told["coder_weight"], "base": "–"}
    rows: list[tuple[object, ...]] = [
        (role, name, weights[role]) for role, name in facts.models.items()
    ]
    how = f"{told['method']} on the language model; embeddings: {told['embeddings']}."
    return f"{_table(('role', 'model', 'weight'), rows)}\n\n{how}"


def _records(facts: Facts) -> str:
    if facts.data is None:
        return ""
    kinds, licences = facts.data
    first = _table(
        ("split", "kind", "records"),
        [(split, kind, f"{n:,}") for (split, kind), n in sorted(kinds.items())],
    )
    second = _table(
        ("source", "licence", "records"),
        [(source, licence, f"{n:,}") for (source, licence), n in sorted(licences.items())],
    )
    return f"{first}\n\n{second}"


def _training(work: Work, facts: Facts) -> str:
    rows: list[tuple[object, ...]] = []
    for name, told in facts.trained.items():
        recipe = getattr(work.recipe, name)
        what = "adapters (LoRA)" if recipe.lora else " and ".join(recipe.train)
        losses = ("–" if n is None else f"{n:.4g}" for n in (told.loss, told.held_out))
        rows.append((name, what, told.steps, f"{told.hours:.2f}", *losses))
    head = ("stage", "trained", "steps", "hours", "loss at the end", "held-out loss")
    return _table(head, rows) if rows else ""


def _files(facts: Facts) -> str:
    scores = {entry["type"]: entry for entry in facts.export.get("quantizations", ())}
    rows: list[tuple[object, ...]] = []
    for file in facts.export["files"]:
        kind = file["name"].removesuffix(".gguf").partition("-")[2]
        told = scores.get(kind, {}) if file["name"].startswith("model-") else {}
        rows.append(
            (
                file["name"],
                f"{file['size'] / 1e6:,.1f}",
                _figure(told, "bits_per_weight", ".2f"),
                _figure(told, "perplexity", ".4g"),
                file["sha256"][:16],
            )
        )
    checks = facts.verified["checks"]
    least = min(check["cosine"] for check in checks)
    told = (
        f"{len(checks)} pictures through {facts.verified['model']} and the checkpoint: embeddings "
        f"at least {least:.6f} alike."
    )
    head = ("file", "MB", "bits a weight", "perplexity", "SHA-256")
    return f"{_table(head, rows)}\n\n{told}"


def _figure(told: Mapping[str, Any], key: str, form: str) -> str:
    return f"{told[key]:{form}}" if key in told else "–"
