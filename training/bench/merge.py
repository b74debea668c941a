"""Merge beside a copy of the same bytes and beside mergekit: peak memory and wall time."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from engine.errors import ErrorCode, VisCodexError
from training.bench.checkpoints import SHAPES, write_random
from training.bench.measuring import Run, best, child, copy, made, workplace

MEMORY, TIME = 2 * 2**30, 1.5  # budgets: bytes, and times a copy
SEEDS: Mapping[str, int] = {"base": 1, "vlm": 2, "coder": 3}
# Our method -> options of ours, and mergekit's configuration.
METHODS: Mapping[str, tuple[list[str], dict[str, object]]] = {
    "linear": (
        ["--method", "linear"],
        {"merge_method": "linear"},
    ),
    "task-arithmetic": (
        ["--method", "task-arithmetic", "--base", "{base}"],
        {"merge_method": "task_arithmetic", "base_model": "{base}"},
    ),
    "ties": (
        ["--method", "ties", "--density", "0.5", "--base", "{base}"],
        {"merge_method": "ties", "base_model": "{base}"},
    ),
}


def measure(
    size: str,
    *,
    methods: Sequence[str],
    mergekit: Path | None,
    folder: Path | None,
    keep: bool,
    repeats: int,
) -> None:
    """Print a table. The checkpoints are made in a temporary folder and removed, unless to keep."""
    for method in methods:
        if method not in METHODS:
            raise VisCodexError(
                ErrorCode.bad_input, f"No method '{method}'.", f"Known: {', '.join(METHODS)}."
            )
    if size not in SHAPES:
        raise VisCodexError(
            ErrorCode.bad_input, f"There is no size '{size}'.", f"Known: {', '.join(SHAPES)}."
        )
    with workplace(folder, f"merge-bench-{size}", keep=keep) as work:
        models = {role: work / role for role in SEEDS}
        one = 0
        for role, seed in SEEDS.items():
            one = made(models[role], partial(write_random, shape=SHAPES[size], seed=seed, base=0))
        print(f"{size}: three models of {one / 1e9:.2f} GB, {os.cpu_count()} cores", flush=True)
        print(f"{'':17}{'':14}{'seconds':>9}{'/ copy':>8}{'CPU s':>8}{'peak GiB':>10}", flush=True)
        for method in methods:
            _compare(method, models, work, one, mergekit, repeats)


def _compare(
    method: str,
    models: Mapping[str, Path],
    work: Path,
    one: int,
    mergekit: Path | None,
    repeats: int,
) -> None:
    options, config = METHODS[method]
    sources = [models[role] for role in models if role != "base" or "--base" in options]
    named = {role: str(path) for role, path in models.items()}
    options = [option.format(**named) for option in options]
    runs = {
        "copy": best(repeats, lambda out: copy(sources, out, one), work),
        "viscodex": best(repeats, lambda out: _ours(models, options, out), work),
    }
    if mergekit is not None:
        python, file = mergekit, work / "mergekit.json"
        file.write_text(json.dumps(_mergekit_config(config, models)))
        runs["mergekit"] = best(repeats, lambda out: _theirs(python, file, out), work)
    copied = runs["copy"].seconds
    for name, run in runs.items():
        over = ""
        if name == "viscodex":
            over += "  over 2 GiB" * (run.peak > MEMORY)
            over += f"  over {TIME} copies" * (run.seconds > TIME * copied)
        print(
            f"{method:17}{name:14}{run.seconds:9.1f}{run.seconds / copied:8.2f}{run.cpu:8.1f}"
            f"{run.peak / 2**30:10.2f}{over}",
            flush=True,
        )


def _ours(models: Mapping[str, Path], options: list[str], out: Path) -> Run:
    command = ["merge", "--vlm", models["vlm"], "--coder", models["coder"], "--out", out]
    return child(
        Path(sys.executable),
        ["training.cli", *map(str, command), "--weight", "0.7", "--embeddings", "vlm", *options],
    )


def _mergekit_config(config: dict[str, object], models: Mapping[str, Path]) -> dict[str, object]:
    filled = {
        key: value.format(base=models["base"]) if isinstance(value, str) else value
        for key, value in config.items()
    }
    density = {"density": 0.5} if config["merge_method"] == "ties" else {}
    entries = [
        {"model": str(models["vlm"]), "parameters": {"weight": 0.7, **density}},
        {"model": str(models["coder"]), "parameters": {"weight": 0.3, **density}},
    ]
    return {**filled, "models": entries, "dtype": "bfloat16"}


def _theirs(python: Path, config: Path, out: Path) -> Run:
    arguments = [str(config), str(out), "--lazy-unpickle", "--no-copy-tokenizer"]
    return child(python, ["mergekit.scripts.run_yaml", *arguments])
