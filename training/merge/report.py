"""What stands beside the weights: configuration, tokenizer, merge.json and a plot."""

from __future__ import annotations

import io
import json
import math
import shutil
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from training.merge.likeness import Likeness
from training.merge.plan import Plan
from training.tensors import INDEX, write_beside

REPORT, PLOT = "merge.json", "merge.png"
# All that belongs to a model and is no weight; its README tells of another model.
BESIDE = ("*.json", "*.jinja", "*.txt", "*.model", "LICENSE*", "NOTICE*")
PACKAGES = ("viscodex", "torch", "safetensors", "numpy")
_OUTSIDE = ("embed_tokens", "norm", "lm_head")


def write_report(plan: Plan, out: Path, figures: Mapping[str, Likeness], aside: Path) -> None:
    """Complete a checkpoint whose shards are written; merge.json comes last. Files are begun in the
    folder `aside`."""
    folder = plan.models["vlm"].folder
    for pattern in BESIDE:
        for path in sorted(folder.glob(pattern)):
            if path.name not in ("config.json", INDEX, REPORT) and path.is_file():
                write_beside(out / path.name, path.read_bytes(), aside)
    templates = folder / "additional_chat_templates"
    if templates.is_dir():
        shutil.copytree(templates, out / templates.name, dirs_exist_ok=True)
    write_beside(out / "config.json", json.dumps(_config(plan), indent=2) + "\n", aside)
    layers = layer_figures(plan, figures)
    write_beside(out / PLOT, plot_layers(layers, with_base="base" in plan.models), aside)
    write_beside(out / REPORT, json.dumps(_report(plan, layers), indent=2) + "\n", aside)


def _config(plan: Plan) -> dict[str, Any]:
    """The VLM's, with the type of the merged weights where a type is told."""
    config = json.loads(json.dumps(plan.models["vlm"].config))
    for section in (config, config.get("text_config", {})):
        for key in ("dtype", "torch_dtype"):
            if key in section:
                section[key] = plan.recipe.out_dtype
    if not {"dtype", "torch_dtype"} & set(config):
        config["dtype"] = plan.recipe.out_dtype
    return dict(config)


def _report(plan: Plan, layers: list[dict[str, Any]]) -> dict[str, Any]:
    recipe = plan.recipe
    return {
        "method": recipe.method,
        "weight": recipe.weight,
        "coder_weight": recipe.pair(None)[1],
        "layer_weights": [entry.model_dump() for entry in recipe.layers],
        "density": recipe.kept_share if recipe.kept_share < 1 else recipe.density,
        "seed": recipe.seed,
        "embeddings": recipe.embeddings,
        "out_dtype": recipe.out_dtype,
        "vocabulary": {"rows": dict(plan.rows.counts), "merged_rows": plan.rows.merged_count},
        "inputs": plan.inputs,
        "tensors": {
            action: sum(step.action == action for step in plan.steps)
            for action in ("merge", "keep", "copy")
        },
        "dropped": [
            {"model": d.model, "tensor": d.stored.name, "reason": d.reason} for d in plan.dropped
        ],
        "notes": list(plan.notes),
        "figures_of": "task vectors" if "base" in plan.models else "weights",
        "layers": layers,
        "versions": {name: version(name) for name in PACKAGES},
        "plan_sha256": plan.hash,
    }


def layer_figures(plan: Plan, figures: Mapping[str, Likeness]) -> list[dict[str, Any]]:
    """Per layer (and for what is outside the layers): norms of both task vectors, their cosine and
    the share of equal signs where both are not 0. Without a base the norms and cosine are those of
    the weights, and `distance` is the norm of their difference divided by the VLM's norm."""
    groups: dict[str, list[Likeness]] = {}
    weights: dict[str, float] = {}
    for step in plan.steps:
        if step.setting is not None and step.out.name in figures:
            groups.setdefault(step.place, []).append(figures[step.out.name])
            weights[step.place] = step.setting.vlm
    order = sorted(groups, key=lambda p: (1, _OUTSIDE.index(p)) if p in _OUTSIDE else (0, int(p)))
    rows = []
    for place in order:
        parts = groups[place]
        first, second, product, difference = (
            math.fsum(getattr(part, name) for part in parts)
            for name in ("first", "second", "product", "difference")
        )
        row: dict[str, Any] = {
            "layer": int(place) if place.isdigit() else place,
            "weight": weights[place],
            "vlm_norm": _short(math.sqrt(first)),
            "coder_norm": _short(math.sqrt(second)),
            "cosine": _ratio(product, math.sqrt(first) * math.sqrt(second)),
        }
        if "base" in plan.models:
            agree, both = sum(p.agree for p in parts), sum(p.both for p in parts)
            row["sign_agreement"] = _ratio(agree, both)
        row["distance"] = _ratio(math.sqrt(difference), math.sqrt(first))
        rows.append(row)
    return rows


def _short(value: float) -> float:
    return float(f"{value:.6g}")


def _ratio(value: float, by: float) -> float | None:
    return _short(value / by) if by else None


def plot_layers(layers: list[dict[str, Any]], *, with_base: bool) -> bytes:
    """A PNG of the figures per layer, three panels side by side."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    rows = [row for row in layers if isinstance(row["layer"], int)]
    numbers = [row["layer"] for row in rows]
    what = "task vector" if with_base else "weights"
    panels: list[tuple[str, dict[str, str]]] = [
        (f"norm of the {what}", {"vlm_norm": "VLM", "coder_norm": "coder"}),
        (f"cosine of both {what}{'s' if with_base else ''}", {"cosine": ""}),
    ]
    if with_base:
        panels.append(("share of equal signs", {"sign_agreement": ""}))
    else:
        panels.append(("distance / norm of the VLM", {"distance": ""}))
    figure = Figure(figsize=(12, 3.4), dpi=100, layout="constrained")
    for axes, (title, lines) in zip(figure.subplots(1, len(panels)), panels, strict=True):
        drawn = [[math.nan if row[key] is None else row[key] for row in rows] for key in lines]
        for values, label, colour in zip(drawn, lines.values(), ("#15c", "#d60"), strict=False):
            axes.plot(numbers, values, color=colour, label=label, marker=".", linewidth=1.2)
        known = [value for values in drawn for value in values if not math.isnan(value)]
        # From 0, and to 1 where that is the most there can be: small differences look small.
        top = 1.1 * max(known, default=1) if len(lines) > 1 else max([1.0, *known])
        axes.set_ylim(min([0.0, *known]), top or 1.0)
        axes.set_title(title)
        axes.set_xlabel("layer")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        if len(lines) > 1:
            axes.legend()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
