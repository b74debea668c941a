"""The stages of a recipe in order: data, tokenizer, vision, language, joint, finish."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedTokenizerFast, Qwen2_5_VLForConditionalGeneration

from engine.errors import ErrorCode, VisCodexError
from engine.images import ImageLimits
from training.config import STAGES, NanoRecipe, StagePlan
from training.nano.batches import PromptEncoder
from training.nano.build import build
from training.nano.corpus import Corpus, language_batches, vision_batches
from training.nano.model import ModelShape, build_model
from training.nano.objectives import PatchHeads, language_outcome, vision_outcome
from training.nano.reader_noise import ReaderNoise
from training.nano.tokenizer import train_tokenizer
from training.nano.trainer import StageRun, run_stage

TOKENIZER_SAMPLES = 4000
PICTURED = ("joint", "finish")  # stages that see pictures and write code


def load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """The tokenizer that `run_recipe` left in `folder`."""
    return PreTrainedTokenizerFast.from_pretrained(folder / "tokenizer")


def _tokenizer(folder: Path, recipe: NanoRecipe, corpus: Corpus) -> PreTrainedTokenizerFast:
    if not (folder / "tokenizer" / "tokenizer.json").exists():
        samples = ((s.kind, s.code) for s in corpus.samples[:TOKENIZER_SAMPLES])
        train_tokenizer(samples, recipe.model.vocab_size).save_pretrained(folder / "tokenizer")
    return load_tokenizer(folder)


def _blend(levels: tuple[tuple[float, ...], tuple[float, ...]], share: float) -> list[float]:
    return [a + (b - a) * share for a, b in zip(*levels, strict=True)]


def stage_run(
    plan: StagePlan,
    recipe: NanoRecipe,
    model: Qwen2_5_VLForConditionalGeneration,
    corpus: Corpus,
    tokenizer: PreTrainedTokenizerFast,
) -> StageRun:
    """Bind a stage of the recipe to model and data."""
    limits = ImageLimits(min_tokens=recipe.image_tokens[0], max_tokens=recipe.image_tokens[1])
    common: dict[str, Any] = {
        "name": plan.name,
        "steps": plan.steps,
        "warmup": plan.warmup,
        "decay": plan.decay,
        "seed": recipe.seed,
    }
    visual, language = model.model.visual, model.model.language_model
    blocks = nn.ModuleDict({"patch_embed": visual.patch_embed, "blocks": visual.blocks})
    if plan.name == "vision":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            heads = PatchHeads(recipe.model.vision_hidden)
        return StageRun(
            batch=lambda rng, _: vision_batches(corpus, limits, plan.batch_tokens, rng),
            outcome=lambda batch: vision_outcome(model, heads, batch),
            modules=[(blocks, plan.rate), (visual.merger, 0.0), (heads, plan.rate)],
            **common,
        )
    encoder, noise = PromptEncoder(tokenizer), ReaderNoise()
    pictured = plan.name in PICTURED
    return StageRun(
        batch=lambda rng, share: language_batches(
            corpus,
            encoder,
            limits,
            plan.batch_tokens,
            _blend(plan.levels, share),
            rng,
            noise,
            with_picture=pictured,
            copy=plan.copy_share[0] + (plan.copy_share[1] - plan.copy_share[0]) * share,
        ),
        outcome=lambda batch: language_outcome(model, batch, train_tower=plan.tower_rate > 0),
        modules=[
            (language, plan.rate),
            (visual.merger, plan.rate if pictured else 0.0),
            (blocks, plan.tower_rate),
        ],
        **common,
    )


def _unfinished(recipe: NanoRecipe, folder: Path) -> list[StagePlan]:
    """The stages from the last one that was begun; each state holds all that came before it."""
    begun = [n for n, plan in enumerate(recipe.stages) if (folder / f"{plan.name}.pt").exists()]
    return recipe.stages[max(begun, default=0) :]


def run_recipe(
    recipe: NanoRecipe,
    folder: Path,
    *,
    deadline: float | None = None,
    report: Callable[[str], None] = print,
) -> bool:
    """Run all stages that are not finished; True when the last one is. Resumable at any point."""
    folder.mkdir(parents=True, exist_ok=True)
    build(folder / "data", recipe.data, progress=lambda a, b: report(f"data: shard {a} of {b}"))
    corpus = Corpus(folder / "data")
    tokenizer = _tokenizer(folder, recipe, corpus)
    (folder / "shape.json").write_text(recipe.model.model_dump_json(indent=1) + "\n")
    model = build_model(recipe.model, tokenizer, recipe.seed)
    for plan in _unfinished(recipe, folder):
        if not run_stage(
            model,
            stage_run(plan, recipe, model, corpus, tokenizer),
            folder,
            deadline=deadline,
            report=report,
        ):
            return False
    save_checkpoint(model, tokenizer, folder / "checkpoint")
    return True


def save_checkpoint(
    model: Qwen2_5_VLForConditionalGeneration, tokenizer: PreTrainedTokenizerFast, folder: Path
) -> None:
    """Write the model as a transformers checkpoint with tokenizer and template."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def state_file(folder: Path, stage: str | None = None) -> Path:
    """The file with the state of `stage`, by default of the last one begun."""
    begun = [folder / f"{name}.pt" for name in STAGES if (folder / f"{name}.pt").exists()]
    chosen = [path for path in begun if stage in (None, path.stem)]
    if not chosen:
        what = "trained state" if stage is None else f"state of stage '{stage}'"
        raise VisCodexError(ErrorCode.bad_input, f"There is no {what} in '{folder}'.", "Train it.")
    return chosen[-1]


def snapshot_stage(folder: Path, stage: str | None = None) -> Path:
    """Write weights as a transformers checkpoint (see `state_file`); returns its folder."""
    state = torch.load(state_file(folder, stage), weights_only=True)["model"]
    tokenizer = load_tokenizer(folder)
    shape = ModelShape.model_validate_json((folder / "shape.json").read_text())
    model = build_model(shape, tokenizer, 0)
    model.load_state_dict(state)
    save_checkpoint(model, tokenizer, folder / "checkpoint")
    return folder / "checkpoint"
