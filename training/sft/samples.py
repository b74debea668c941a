"""Answers to held-out records while a model is trained: written greedily, drawn, compared."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from PIL import Image, ImageOps
from transformers import PreTrainedTokenizerFast, TrainerCallback
from trl import SFTConfig, SFTTrainer

from engine.compare import similarity
from engine.errors import VisCodexError
from engine.render.drawing import Drawer
from engine.tasks import TASK_OF_FENCE, Task, extract_code, task_of_code
from training.sft.collate import Collator
from training.sft.recipe import SamplePlan
from training.sft.records import load_image
from training.tensors import write_beside

FOLDER = "samples"
_FENCED = re.compile(r"```(\w+)")
GAP = 12


@dataclass(frozen=True)
class Sample:
    """An answer. `error` is why it could not be drawn; `similarity` is that of the two pictures."""

    id: str
    answer: str
    error: str | None = None
    similarity: float | None = None
    picture: str | None = None


class Samples(TrainerCallback):
    """At every evaluation writes answers of the first held-out rows to FOLDER/step-N."""

    def __init__(
        self,
        trainer: SFTTrainer,
        rows: Dataset,
        plan: SamplePlan,
        collator: Collator,
        tokenizer: PreTrainedTokenizerFast,
        stop: int,
        out: Path,
        report: Callable[[str], None],
    ) -> None:
        self._trainer, self._plan, self._collator = trainer, plan, collator
        self._rows = [rows[n] for n in range(min(plan.count, len(rows)))]
        self._tokenizer, self._stop, self._out, self._report = tokenizer, stop, out, report

    def on_evaluate(self, args: SFTConfig, state: Any, control: Any, **also: Any) -> None:
        """Sharded weights need every process to take part; else the first writes alone."""
        main = state.is_world_process_zero
        if main or self._trainer.is_fsdp_enabled:
            answers = self._answers()
            if main:
                self._write(answers, self._out / FOLDER / f"step-{state.global_step:06}")
        self._trainer.accelerator.wait_for_everyone()

    @torch.no_grad()
    def _answers(self) -> list[str]:
        model: Any = self._trainer.accelerator.unwrap_model(self._trainer.model)
        training, device = model.training, self._trainer.accelerator.device
        model.eval()
        answers = []
        for row in self._rows:
            batch = self._collator([{**row, "completion": []}])
            del batch["labels"]
            with self._trainer.compute_loss_context_manager():
                written = model.generate(
                    **{name: value.to(device) for name, value in batch.items()},
                    do_sample=False,
                    max_new_tokens=self._plan.max_tokens,
                    eos_token_id=self._stop,
                    pad_token_id=self._stop,
                )
            tokens = written[0, len(row["prompt"]) :]
            answers.append(self._tokenizer.decode(tokens, skip_special_tokens=True))
        model.train(training)
        return answers

    def _write(self, answers: Sequence[str], folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        found = []
        with Drawer() as drawer:
            for number, (row, answer) in enumerate(zip(self._rows, answers, strict=True)):
                sample = Sample(row["id"], answer)
                if self._plan.render and len(row["pictures"]) == 1:
                    sample = _drawn(drawer, row, answer, folder / f"{number}.png")
                found.append(sample)
        write_beside(
            folder / "answers.jsonl",
            "".join(json.dumps(asdict(sample), ensure_ascii=False) + "\n" for sample in found),
        )
        likeness = [sample.similarity for sample in found if sample.similarity is not None]
        mean = f", likeness {sum(likeness) / len(likeness):.3f}" if likeness else ""
        self._report(f"samples: {folder}, {len(likeness)} of {len(found)} drawn{mean}")


def _drawn(drawer: Drawer, row: dict[str, Any], answer: str, path: Path) -> Sample:
    wanted = load_image(Path(row["folder"]), row["pictures"][0])
    try:
        task = _task_of(answer)
        code = extract_code(answer, task)
        png = drawer.draw(code, task.name, (wanted.width, None)).png
    except (VisCodexError, OSError) as error:
        write_beside(path, _png(wanted))
        text = error.message if isinstance(error, VisCodexError) else str(error)
        return Sample(row["id"], answer, error=text, picture=path.name)
    drawn = Image.open(io.BytesIO(png)).convert("RGB")
    write_beside(path, _png(side_by_side(wanted, drawn)))
    likeness = round(similarity(wanted, drawn).total, 4)
    return Sample(row["id"], answer, similarity=likeness, picture=path.name)


def _task_of(answer: str) -> Task:
    fence = _FENCED.search(answer)
    return (TASK_OF_FENCE.get(fence[1]) if fence else None) or task_of_code(answer)


def side_by_side(wanted: Image.Image, drawn: Image.Image) -> Image.Image:
    """Two pictures on grey, the wanted one on the left, each with a thin frame."""
    framed = [ImageOps.expand(picture, 1, "#888888") for picture in (wanted, drawn)]
    width = sum(picture.width for picture in framed) + 3 * GAP
    height = max(picture.height for picture in framed) + 2 * GAP
    sheet = Image.new("RGB", (width, height), "#e4e4e4")
    sheet.paste(framed[0], (GAP, GAP))
    sheet.paste(framed[1], (2 * GAP + framed[0].width, GAP))
    return sheet


def _png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()
