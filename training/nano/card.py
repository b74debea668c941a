"""The bundled model's card: viscodex.json for the engine, README.md for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.images import ImageLimits
from engine.models.card import ModelCard
from training.config import NanoRecipe
from training.nano.plot import read_metrics

FIGURES = (
    ("rendered", "answers that parse and render without error"),
    ("word_recall", "words of the picture found in the rendering (mean)"),
    ("similarity", "likeness of rendering and picture (mean)"),
    ("blank", "likeness of a blank page, for comparison"),
    ("other", "likeness of another random picture, for comparison"),
    ("tokens", "tokens of an answer (mean)"),
    ("seconds", "seconds from picture to complete code, text reading included (median)"),
)
README = """# {name}

A very small vision-language model (Qwen2.5-VL's architecture, {millions:.1f} M parameters) that
turns a picture of an interface or a chart into HTML or matplotlib code. It was made here from
nothing: no pretrained weights, only generated pages and charts, on a CPU.

It learns structure, layout and colours from the picture, and copies the words from the text that a
reader finds in it (`hints: always`). The application lets it write {best_of} answers at once and
keeps the one whose picture is most like the original; its words and colours are then corrected by
what is measured in the picture.

## Training

{training}

`viscodex-train run training/recipes/nano.yaml` makes one like it.

## Figures

{figures}

## Limits

It knows the plain components and chart kinds of its generator. On real snips expect rough structure
and the right words, not the right page. Long pages, icons, photographs, unusual layouts, 3-D charts
and several axes are beyond it. Pictures larger than about 670 x 670 pixels are seen reduced.

Licence: Apache-2.0. The word list of its generator comes from SCOWL (see `training/nano/data`).
"""


def training_figures(metrics: Path) -> dict[str, Any]:
    """Steps, hours and last loss of each stage from the log of a run."""
    stages = read_metrics(metrics)
    return {
        name: {
            "steps": lines[-1]["step"],
            "hours": round(lines[-1]["seconds"] / 3600, 2),
            "loss": round(sum(line["loss"] for line in lines[-10:]) / len(lines[-10:]), 3),
        }
        for name, lines in stages.items()
    }


def summaries(scores: Mapping[str, Path]) -> dict[str, Any]:
    """The summaries of score files by what they measured; missing files are left out."""
    return {
        name: json.loads(path.read_text())["summary"]
        for name, path in scores.items()
        if path.exists()
    }


def model_card(
    recipe: NanoRecipe, training: Mapping[str, Any], evaluation: Mapping[str, Any]
) -> ModelCard:
    """The card the engine reads."""
    low, high = recipe.image_tokens
    return ModelCard(
        name=recipe.name,
        family="qwen2_5_vl",
        hints="always",
        prompt="short",
        image=ImageLimits(min_tokens=low, max_tokens=high),
        context=recipe.model.context,
        best_of=recipe.best_of,
        corrected=recipe.corrected,
        sampling={"temperature": 0.0, "max_tokens": 1500},
        licence="Apache-2.0",
        training=dict(training),
        evaluation=dict(evaluation),
    )


def readme(card: ModelCard, parameters: int, samples: int) -> str:
    """The card for people."""
    hours = sum(float(stage["hours"]) for stage in card.training.values())
    rows = [
        f"{samples:,} generated samples (pages and charts), {hours:.1f} hours on two cores.",
        "",
    ]
    rows += ["| stage | steps | hours | loss at the end |", "|---|---|---|---|"]
    rows += [
        f"| {name} | {stage['steps']} | {stage['hours']:.2f} | {stage['loss']:.3f} |"
        for name, stage in card.training.items()
    ]
    return README.format(
        name=card.name,
        best_of=card.best_of,
        millions=parameters / 1e6,
        training="\n".join(rows),
        figures=figure_tables(card.evaluation) or "Not measured yet.",
    )


def figure_tables(evaluation: Mapping[str, Any]) -> str:
    """What was measured, a table a set of pictures; empty where nothing was."""
    tables: list[str] = []
    for what, groups in evaluation.items():
        count = groups["all"]["snips"]
        tables += [f"{what} ({count} pictures)", "", "| figure | " + " | ".join(groups) + " |"]
        tables.append("|---" * (len(groups) + 1) + "|")
        for key, words in FIGURES:
            cells = " | ".join(
                "–" if group[key] is None else f"{group[key]:.2f}" for group in groups.values()
            )
            tables.append(f"| {words} | {cells} |")
        tables.append("")
    return "\n".join(tables).strip()
