"""Export beside a copy of the same bytes and beside llama.cpp's converter and quantizer."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.errors import ErrorCode, VisCodexError
from training.bench.measuring import Run, best, child, copy, made, workplace
from training.shapes import SHAPES, write_random

MEMORY, TIME = 3 * 2**30, 1.5  # budgets: bytes, and times a copy where nothing is computed
COPIED = ("BF16", "F16", "F32")
# "0.5B" is a text model of Qwen2.5's smallest with a tower of few blocks.
SIZES: Mapping[str, Mapping[str, Any]] = {
    "0.5B": {
        "text_config": {
            "vocab_size": 151936,
            "hidden_size": 1024,
            "intermediate_size": 4864,
            "num_hidden_layers": 20,
            "num_attention_heads": 8,
            "num_key_value_heads": 2,
            "tie_word_embeddings": True,
        },
        "vision_config": {
            "out_hidden_size": 1024,
            "depth": 8,
            "fullatt_block_indexes": [3, 7],
        },
        "tie_word_embeddings": True,
    },
    "3B": SHAPES["qwen2.5-vl-3b"],
    "7B": SHAPES["qwen2.5-vl-7b"],
}


def measure(
    size: str,
    *,
    quants: Sequence[str],
    sources: Path | None,
    folder: Path | None,
    keep: bool,
    repeats: int,
) -> None:
    """Print a table. The checkpoint is made in a temporary folder and removed, unless to keep."""
    if size not in SIZES:
        raise VisCodexError(
            ErrorCode.bad_input, f"There is no size '{size}'.", f"Known: {', '.join(SIZES)}."
        )

    def make(folder: Path) -> None:
        write_random(SIZES[size], folder)
        _write_scale(folder)

    with workplace(folder, f"export-bench-{size}", keep=keep) as work:
        checkpoint = work / "checkpoint"
        stored = made(checkpoint, make)
        print(f"{size}: a checkpoint of {stored / 1e9:.2f} GB, {os.cpu_count()} cores", flush=True)
        print(f"{'':10}{'':12}{'seconds':>9}{'/ copy':>8}{'CPU s':>8}{'peak GiB':>10}")
        for kind in quants:
            _compare(kind, checkpoint, work, sources, repeats)


def _write_scale(checkpoint: Path) -> None:
    """What the converter wants of pictures."""
    (checkpoint / "preprocessor_config.json").write_text(
        '{"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}'
    )


def _compare(kind: str, checkpoint: Path, work: Path, sources: Path | None, repeats: int) -> None:
    written: list[int] = []

    def ours(out: Path) -> Run:
        options = ["--out", str(out), "--quant", kind, "--no-verify", "--mmproj-type"]
        options.append(kind if kind in (*COPIED, "Q8_0") else "Q8_0")
        run = child(Path(sys.executable), ["training.cli", "export", str(checkpoint), *options])
        written.append(sum(path.stat().st_size for path in out.glob("*.gguf")))
        return run

    def theirs(out: Path) -> Run:
        out.mkdir()
        module = ["training.bench.converter", str(sources), str(checkpoint), str(out), kind]
        return child(Path(sys.executable), module)

    runs = {"viscodex": best(repeats, ours, work)}
    runs["copy"] = best(repeats, lambda out: copy([checkpoint], out, written[0]), work)
    if sources is not None:
        runs["llama.cpp"] = best(repeats, theirs, work)
    copied = runs["copy"].seconds
    for name in ("copy", "viscodex", "llama.cpp"):
        run = runs.get(name)
        if run is None:
            continue
        over = ""
        if name == "viscodex":
            over += "  over 3 GiB" * (run.peak > MEMORY)
            over += f"  over {TIME} copies" * (kind in COPIED and run.seconds > TIME * copied)
        print(
            f"{kind:10}{name:12}{run.seconds:9.1f}{run.seconds / copied:8.2f}{run.cpu:8.1f}"
            f"{run.peak / 2**30:10.2f}{over}",
            flush=True,
        )
