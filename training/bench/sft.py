"""Our fine-tuning beside TRL's plain way with the same settings: time of a step.

Plain is what TRL's example script for vision models does: rows of texts and pictures, its own
collator, its own trainer. Both freeze the tower, group by length and take the same batches' sizes.
The first steps, which warm up, are left out.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from engine.errors import ErrorCode, VisCodexError

ROOT = Path(__file__).parents[2]
STEPS, WARM = 24, 6
BATCH = 8
WAYS = ("plain", "viscodex")


def measure(checkpoint: Path | None, *, repeats: int, side: int) -> None:
    """Run both in processes of their own, in turns, and print the best median of each."""
    from training.bench.records import write_records

    with tempfile.TemporaryDirectory(prefix="sft-bench-") as name:
        work = Path(name)
        model = checkpoint or _tiny(work / "model")
        records = write_records(work / "data", 96, side=side)
        found: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
        for repeat in range(repeats):
            for way in WAYS:
                out = work / f"{way}-{repeat}"
                found[way].append(_child(way, model, records, out))
        best = {way: min(seconds for seconds, _ in runs) for way, runs in found.items()}
        cpu = {way: min(used for _, used in runs) for way, runs in found.items()}
        print(f"{'':10}{'ms / step':>11}{'CPU ms / step':>15}")
        for way in WAYS:
            print(f"{way:10}{1000 * best[way]:11.1f}{1000 * cpu[way]:15.1f}")
        ratio, used = best["viscodex"] / best["plain"], cpu["viscodex"] / cpu["plain"]
        print(f"ratio     {ratio:11.2f}{used:15.2f}{'  over 1.0' if ratio > 1 else ''}")


def _tiny(folder: Path) -> Path:
    from training.nano.model import ModelShape, build_model
    from training.nano.tokenizer import train_tokenizer

    text = "<!DOCTYPE html>\n<p>Sign in to your account</p>\nWrite the HTML of this page.\n"
    tokenizer = train_tokenizer([("html", text)] * 8, 480, spaced_words=2)
    shape = ModelShape(vocab_size=512, layers=2, vision_depth=2, feed_forward=512)
    build_model(shape, tokenizer, 0).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _child(way: str, model: Path, records: Path, out: Path) -> tuple[float, float]:
    command = [sys.executable, "-m", "training.bench.sft", way, model, records, out]
    done = subprocess.run(
        list(map(str, command)), cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise VisCodexError(ErrorCode.internal, f"{way} failed: {done.stderr[-600:]}", "Mend it.")
    wall, used = json.loads(done.stdout.strip().splitlines()[-1])
    return float(wall), float(used)


def recipe_of(model: Path, records: Path) -> Any:
    """The settings of both ways."""
    from training.sft.recipe import SftRecipe

    return SftRecipe.model_validate(
        {
            "name": "bench", "model": str(model), "data": [str(records)], "held_out": 0,
            "prompt": {"instruction": "short", "system": ""}, "longest": 2048,
            "picture": {"min_tokens": 4, "max_tokens": 576},
            "steps": STEPS, "batch": BATCH, "device_batch": BATCH, "rate": 1e-4, "warmup": 0.0,
            "precision": "fp32", "gradient_checkpointing": False, "log_every": 1,
            "save_every": 1000, "samples": {"count": 0},
        }
    )  # fmt: skip


def _clock() -> Any:
    from transformers import TrainerCallback

    class Clock(TrainerCallback):
        """Notes wall and processor time at the end of every step."""

        def __init__(self) -> None:
            self.ends: list[tuple[float, float]] = []

        def on_step_end(self, *ignored: Any, **also: Any) -> None:
            self.ends.append((time.perf_counter(), time.process_time()))

        def medians(self) -> tuple[float, float]:
            """Wall and processor seconds of a step."""
            ends = self.ends[WARM:]
            return (
                statistics.median(b[0] - a[0] for a, b in itertools.pairwise(ends)),
                statistics.median(b[1] - a[1] for a, b in itertools.pairwise(ends)),
            )

    return Clock()


def plain_processor(checkpoint: Path) -> Any:
    """transformers' processor of Qwen2.5-VL without videos, which would want torchvision."""
    from transformers import AutoTokenizer
    from transformers.models.qwen2_5_vl.processing_qwen2_5_vl import Qwen2_5_VLProcessor
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    class Processor(Qwen2_5_VLProcessor):
        """Takes no video processor."""

        def check_argument_for_proper_class(self, name: str, argument: Any) -> Any:
            """All parts are made right here."""
            return type(argument)

    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    images = Qwen2VLImageProcessorPil(min_pixels=4 * 784, max_pixels=576 * 784)
    return Processor(images, tokenizer, None, chat_template=tokenizer.chat_template)


def plain_rows(records: Path) -> list[dict[str, Any]]:
    """The records as TRL takes them."""
    from training.sft.records import places, read_record

    rows = []
    for place in places(records):
        record = read_record(records, place, short=True)
        content: list[dict[str, Any]] = [{"type": "image"} for _ in record.images]
        content.append({"type": "text", "text": record.instruction})
        rows.append(
            {
                "images": [str(records.parent / image) for image in record.images],
                "prompt": [{"role": "user", "content": content}],
                "completion": [
                    {
                        "role": "assistant",
                        "content": [{"type": "text", "text": record.completion}],
                    }
                ],
                "length": len(record.completion) + 100 * len(record.images),
            }
        )
    return rows


def _plain(model: Path, records: Path, out: Path) -> tuple[float, float]:
    import torch
    from datasets import Dataset, Image
    from datasets import Sequence as Several
    from transformers import AutoModelForImageTextToText
    from trl import SFTConfig, SFTTrainer

    recipe = recipe_of(model, records)
    network = AutoModelForImageTextToText.from_pretrained(model, dtype=torch.float32)
    network.model.visual.requires_grad_(False)
    rows = Dataset.from_list(plain_rows(records)).cast_column("images", Several(Image()))
    clock = _clock()
    trainer = SFTTrainer(
        model=network,
        args=SFTConfig(
            output_dir=str(out),
            max_steps=recipe.steps,
            per_device_train_batch_size=BATCH,
            learning_rate=recipe.rate,
            lr_scheduler_type=recipe.schedule,
            gradient_checkpointing=False,
            train_sampling_strategy="group_by_length",
            remove_unused_columns=False,  # else the lengths are gone
            bf16=False,
            use_cpu=True,
            max_length=None,
            logging_steps=1,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
        ),
        train_dataset=rows,
        processing_class=plain_processor(model),
        callbacks=[clock],
    )
    trainer.train()
    return clock.medians()


def _ours(model: Path, records: Path, out: Path) -> tuple[float, float]:
    from training.sft.run import open_base, prepare, trainer_of

    recipe = recipe_of(model, records)
    begun = open_base(recipe)
    rows = prepare(begun, out, resume=False, report=lambda text: None)
    clock = _clock()
    trainer, _ = trainer_of(begun, rows, out, 1, bf16=False, tell=lambda text: None)
    trainer.add_callback(clock)
    trainer.train()
    return clock.medians()


def main() -> None:
    """One way in this process: WAY MODEL RECORDS OUT; prints the seconds of a step."""
    import os

    os.environ["CI"] = "1"  # TRL tells its makers of every run unless it takes this for a test
    parser = argparse.ArgumentParser()
    parser.add_argument("way", choices=WAYS)
    for name in ("model", "records", "out"):
        parser.add_argument(name, type=Path)
    given = parser.parse_args()
    run = _plain if given.way == "plain" else _ours
    print(json.dumps(run(given.model, given.records, given.out)))


if __name__ == "__main__":
    main()
