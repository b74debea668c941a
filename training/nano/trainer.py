"""Runs one stage of training: resumable, logged, in the arithmetic this machine is fastest at."""

from __future__ import annotations

import ctypes
import json
import os
import random
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import Qwen2_5_VLForConditionalGeneration

from training.nano.objectives import Outcome
from training.nano.optimizer import Optimizers, schedule

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # names of mallopt's settings in glibc
CHECKPOINT_SECONDS = 480.0
LOG_EVERY = 10


@dataclass(frozen=True)
class StageRun:
    """What a stage needs beside the model: `batch(rng, share)` draws data, `outcome` scores it.

    `share` is how far the stage has come, 0..1.
    """

    name: str
    steps: int
    warmup: int
    decay: float
    seed: int
    batch: Callable[[random.Random, float], Any]
    outcome: Callable[[Any], Outcome]
    modules: list[tuple[nn.Module, float]]


def keep_memory() -> None:
    """Let glibc keep freed memory: giving every large tensor back costs half the speed on a CPU.

    Measured on 2 cores, 10,240 tokens a step: 2.2 s instead of 4.0 s.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # not glibc: its own ways are as good
        return
    mallopt(M_MMAP_MAX, 0)
    mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def fastest_dtype() -> torch.dtype:
    """float32 or bfloat16, whichever multiplies matrices of our shapes faster on this machine."""
    times = {}
    for dtype in (torch.float32, torch.bfloat16):
        a, b = torch.ones(4096, 256, dtype=dtype), torch.ones(256, 768, dtype=dtype)
        a @ b
        began = time.perf_counter()
        for _ in range(5):
            a @ b
        times[dtype] = time.perf_counter() - began
    return min(times, key=lambda dtype: times[dtype])


def save_atomic(state: Any, path: Path) -> None:
    """torch.save beside, then rename."""
    part = path.with_suffix(".part")
    torch.save(state, part)
    os.replace(part, path)


def run_stage(
    model: Qwen2_5_VLForConditionalGeneration,
    stage: StageRun,
    folder: Path,
    *,
    deadline: float | None = None,
    report: Callable[[str], None] = print,
) -> bool:
    """Train until the stage's steps are done (True) or `deadline` (time.time()) is reached (False).

    Resumes from `folder/<stage>.pt`, writes it every few minutes, and logs JSON lines to
    `folder/metrics.jsonl`.
    """
    keep_memory()
    path = folder / f"{stage.name}.pt"
    optimizer = Optimizers(stage.modules)
    own = {id(parameter) for parameter in model.parameters()}
    extra = nn.ModuleList(
        module
        for module, _ in stage.modules
        if not any(id(parameter) in own for parameter in module.parameters())
    )
    step, spent = 0, 0.0
    if path.exists():
        state = torch.load(path, weights_only=True)
        model.load_state_dict(state["model"])
        model.tie_weights()
        if state["optimizer"] is not None:  # None after coming out of an archive
            extra.load_state_dict(state["extra"])
            optimizer.load_state_dict(state["optimizer"])
        step, spent = state["step"], state["seconds"]
    dtype = fastest_dtype()
    report(f"{stage.name}: step {step} of {stage.steps}, arithmetic {dtype}")
    model.train()
    began, saved = time.time(), time.time()

    def draw(number: int) -> Any:
        return stage.batch(
            random.Random(f"{stage.seed} {stage.name} {number}"), number / stage.steps
        )

    def save() -> None:
        save_atomic(
            {
                "model": model.state_dict(),
                "extra": extra.state_dict(),
                "optimizer": optimizer.state_dict(),
                "step": step,
                "seconds": spent + time.time() - began,
            },
            path,
        )

    window: list[dict[str, float]] = []
    with ThreadPoolExecutor(1) as pool:
        coming: Future[Any] = pool.submit(draw, step)
        while step < stage.steps and (deadline is None or time.time() < deadline):
            batch = coming.result()
            coming = pool.submit(draw, step + 1)
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
                outcome = stage.outcome(batch)
            outcome.loss.backward()
            norm = optimizer.step(schedule(step, stage.steps, stage.warmup, stage.decay))
            step += 1
            window.append({"loss": outcome.loss.item(), "norm": norm, **outcome.figures})
            if step % LOG_EVERY == 0 or step == stage.steps:
                means = {k: sum(w[k] for w in window) / len(window) for k in window[0]}
                line = {"stage": stage.name, "step": step, "seconds": spent + time.time() - began}
                line |= {k: round(v, 4) for k, v in means.items()}
                with (folder / "metrics.jsonl").open("a") as log:
                    log.write(json.dumps(line) + "\n")
                report(json.dumps(line))
                window.clear()
            if time.time() - saved > CHECKPOINT_SECONDS:
                save()
                saved = time.time()
        coming.cancel()
    save()
    return step >= stage.steps
