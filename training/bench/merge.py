"""Merge beside a copy of the same bytes and beside mergekit: peak memory and wall time."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.errors import ErrorCode, VisCodexError
from training.bench.checkpoints import SHAPES, write_random

ROOT = Path(__file__).parents[2]
MEMORY, TIME = 2 * 2**30, 1.5  # budgets: bytes, and times a copy
# Runs a module's main in this process and tells the most memory it ever held.
_CHILD = """
import runpy, sys, time
name = sys.argv[1]
sys.argv = sys.argv[1:]
try:
    runpy.run_module(name, run_name="__main__", alter_sys=True)
except SystemExit as end:
    if end.code:
        raise
finally:
    peak = [line for line in open("/proc/self/status") if line.startswith("VmHWM")][0].split()[1]
    print("measured", int(peak) * 1024, time.process_time(), file=sys.stderr)
"""
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


@dataclass(frozen=True)
class Run:
    """A process: seconds, seconds of processor time, and the most bytes it held. Where other work
    shares the machine, processor time is the steadier figure."""

    seconds: float
    cpu: float
    peak: int


def measure(size: str, *, mergekit: Path | None, folder: Path | None, repeats: int) -> None:
    """Print a table. The checkpoints are made in a temporary folder and removed."""
    if size not in SHAPES:
        raise VisCodexError(
            ErrorCode.bad_input, f"There is no size '{size}'.", f"Known: {', '.join(SHAPES)}."
        )
    with tempfile.TemporaryDirectory(prefix="merge-bench-", dir=folder) as name:
        work = Path(name)
        models = {role: work / role for role in ("vlm", "coder", "base")}
        one = write_random(models["base"], SHAPES[size], 1, 0)
        for seed, role in enumerate(("vlm", "coder"), 2):
            write_random(models[role], SHAPES[size], seed, 0)
        print(f"{size}: three models of {one / 1e9:.2f} GB, {os.cpu_count()} cores", flush=True)
        print(f"{'':17}{'':14}{'seconds':>9}{'/ copy':>8}{'CPU s':>8}{'peak GiB':>10}")
        for method in METHODS:
            _compare(method, models, work, mergekit, repeats)


def _compare(
    method: str, models: Mapping[str, Path], work: Path, mergekit: Path | None, repeats: int
) -> None:
    options, config = METHODS[method]
    sources = [models[role] for role in models if role != "base" or "--base" in options]
    named = {role: str(path) for role, path in models.items()}
    options = [option.format(**named) for option in options]
    runs = {
        "copy": _best(repeats, lambda out: _copy(sources, out), work),
        "viscodex": _best(repeats, lambda out: _ours(models, options, out), work),
    }
    if mergekit is not None:
        python, file = mergekit, work / "mergekit.json"
        file.write_text(json.dumps(_mergekit_config(config, models)))
        runs["mergekit"] = _best(repeats, lambda out: _theirs(python, file, out), work)
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


def _best(repeats: int, work: Callable[[Path], Run], folder: Path) -> Run:
    runs = []
    for _ in range(repeats):
        out = folder / "out"
        os.sync()  # what others have left to write is not this run's
        runs.append(work(out))
        shutil.rmtree(out)
    return Run(
        min(run.seconds for run in runs),
        min(run.cpu for run in runs),
        max(run.peak for run in runs),
    )


def _copy(sources: list[Path], out: Path) -> Run:
    """Read all weights of the sources, and write as much as one of them has, to the disk."""
    out.mkdir()
    start, cpu = time.perf_counter(), time.process_time()
    for number, source in enumerate(sources):
        for path in sorted(source.glob("*.safetensors")):
            with path.open("rb", buffering=0) as file, (out / path.name).open("ab") as copy:
                while block := file.read(1 << 22):
                    if number == 0:
                        copy.write(block)
                copy.flush()
                os.fsync(copy.fileno())
    return Run(time.perf_counter() - start, time.process_time() - cpu, 0)


def _ours(models: Mapping[str, Path], options: list[str], out: Path) -> Run:
    command = ["merge", "--vlm", models["vlm"], "--coder", models["coder"], "--out", out]
    return _child(
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
    return _child(python, ["mergekit.scripts.run_yaml", *arguments])


def _child(python: Path, arguments: list[str]) -> Run:
    start = time.perf_counter()
    done = subprocess.run(
        [str(python), "-c", _CHILD, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - start
    if done.returncode:
        raise VisCodexError(
            ErrorCode.internal, f"{arguments[0]} failed: {done.stderr[-400:]}", "Mend it."
        )
    measured = [line for line in done.stderr.splitlines() if line.startswith("measured ")][-1]
    _, peak, cpu = measured.split()
    return Run(seconds, float(cpu), int(peak))
