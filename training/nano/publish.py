"""From the newest state of a run to the model folder: export, check, card, loss plot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from safetensors import safe_open

from engine.errors import ErrorCode, VisCodexError
from engine.models.store import find_model
from training.config import load_recipe
from training.export import export_checkpoint
from training.export.held_out import verify_samples
from training.export.verify import VerifyReport
from training.nano.build import held_out_samples
from training.nano.card import model_card, readme, summaries, training_figures
from training.nano.plot import plot_losses
from training.nano.records import Sample
from training.nano.stages import snapshot_stage

CHECKED = 5
# What is told of a model, and where `viscodex-train evaluate --out` left it in the work folder.
SCORES = {
    "Held-out generated pictures": "held_out.json",
    "The same, one answer alone, neither repaired nor corrected": "held_out_single.json",
    "Real snips": "snips.json",
}


def publish(
    recipe_file: Path, work: Path, stage: str | None, out: Path, *, report: Callable[[str], None]
) -> Path:
    """Write the model folder; raises VisCodexError where the F32 export differs from the model."""
    recipe = load_recipe(recipe_file)
    checkpoint = snapshot_stage(work, stage)
    training = training_figures(work / "metrics.jsonl")
    card = model_card(recipe, training, summaries({k: work / v for k, v in SCORES.items()}))
    pictures = list(held_out_samples(CHECKED))
    exact = work / "gguf-f32"
    export_checkpoint(checkpoint, exact, card=card, text_type="F32", mmproj_type="F32")
    _must_pass(_verify(checkpoint, exact, pictures), report)
    written = export_checkpoint(checkpoint, out, card=card)
    _must_pass(_verify(checkpoint, out, pictures), report)
    with safe_open(checkpoint / "model.safetensors", framework="pt") as weights:
        parameters = sum(weights.get_tensor(name).numel() for name in weights.keys())  # noqa: SIM118
    (out / "README.md").write_text(readme(card, parameters, recipe.data.samples))
    plot_losses(work / "metrics.jsonl", out / "losses.png")
    report(f"{written.size / 1e6:.1f} MB")
    return out


def _verify(checkpoint: Path, folder: Path, samples: list[Sample]) -> VerifyReport:
    return verify_samples(checkpoint, find_model(folder), samples)


def _must_pass(found: VerifyReport, report: Callable[[str], None]) -> None:
    least = min(check.cosine for check in found.checks)
    report(f"{found.model}: {len(found.checks)} pictures, embeddings at least {least:.6f} alike")
    if not found.passed:
        raise VisCodexError(
            ErrorCode.model_broken,
            f"The export differs from the model: {found.problems[0]}.",
            "Do not ship it.",
        )
