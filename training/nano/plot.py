"""The loss plot of a training run."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path


def read_metrics(metrics: Path) -> dict[str, list[dict[str, float]]]:
    """The logged lines of a run by stage. A step that was run again after a stop counts once."""
    stages: dict[str, dict[float, dict[str, float]]] = defaultdict(dict)
    if metrics.exists():
        for text in metrics.read_text().splitlines():
            line = json.loads(text)
            stages[line["stage"]][line["step"]] = line
    return {name: [lines[step] for step in sorted(lines)] for name, lines in stages.items()}


def plot_losses(metrics: Path, picture: Path) -> None:
    """Draw loss over hours, a panel a stage, from the JSON lines in `metrics`."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullLocator

    stages = read_metrics(metrics)
    if not stages:
        return
    figure = Figure(figsize=(4 * len(stages), 3), dpi=100)
    for number, (name, lines) in enumerate(stages.items()):
        axes = figure.add_subplot(1, len(stages), number + 1)
        hours = [line["seconds"] / 3600 for line in lines]
        losses = [line["loss"] for line in lines]
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
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_locator(NullLocator())
        axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(picture)
