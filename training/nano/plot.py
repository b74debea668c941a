"""The loss plot of a training run."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path


def plot_losses(metrics: Path, picture: Path) -> None:
    """Draw loss over hours, a panel a stage, from the JSON lines in `metrics`."""
    from matplotlib.figure import Figure

    stages: dict[str, list[tuple[float, float]]] = defaultdict(list)
    if not metrics.exists():
        return
    for text in metrics.read_text().splitlines():
        line = json.loads(text)
        stages[line["stage"]].append((line["seconds"] / 3600, line["loss"]))
    figure = Figure(figsize=(4 * len(stages), 3), dpi=100)
    for number, (name, points) in enumerate(stages.items()):
        axes = figure.add_subplot(1, len(stages), number + 1)
        hours, losses = zip(*points, strict=True)
        axes.plot(hours, losses, linewidth=0.6, color="#9bf")
        width = max(1, len(losses) // 40)
        smooth = [
            sum(losses[max(0, i - width) : i + 1]) / len(losses[max(0, i - width) : i + 1])
            for i in range(len(losses))
        ]
        axes.plot(hours, smooth, color="#15c")
        axes.set_title(name)
        axes.set_xlabel("hours")
        axes.set_ylabel("loss")
        axes.set_yscale("log")
        axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(picture)
