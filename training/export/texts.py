"""Texts to measure and to calibrate with: held-out answers, and those of a person's own."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import ErrorCode, VisCodexError
from engine.tasks import TASKS, Task
from training.nano.build import HELD_OUT_FROM
from training.nano.charts import make_chart
from training.nano.pages import make_page
from training.nano.words import WordSource

HELD_OUT = 8
LINES = (".jsonl", ".ndjson")
TEXTS = (".txt", ".md", ".html", ".py", *LINES)
# Where a record of training data has its text, in the order in which it is read.
PARTS = ("prompt", "completion", "text", "code", "answer")


@dataclass(frozen=True)
class Answer:
    """What was asked, and the text that answers it."""

    prompt: str
    text: str


def held_out_answers(count: int = HELD_OUT, *, short: bool = False) -> list[Answer]:
    """Pages and charts as code, by turns, that no model of ours was trained on. Instructions are
    the `short` or the full ones; the picture they would come with is left out."""
    answers = []
    for number in range(count):
        rng = random.Random(f"viscodex-export {HELD_OUT_FROM + number}")
        words = WordSource(rng, "held_out")
        if number % 2:
            task, code = TASKS["matplotlib"], make_chart(rng, number % 3, words).code
        else:
            task, code = TASKS["html"], make_page(rng, number % 4, words).html
        answers.append(Answer(_instruction(task, short), code if short else _fenced(task, code)))
    return answers


def _instruction(task: Task, short: bool) -> str:
    return task.short_instruction if short else task.instruction


def _fenced(task: Task, code: str) -> str:
    return f"{task.prefill}{code}\n```"


def read_texts(place: Path) -> list[str]:
    """The texts of a file or of all files in a folder: plain text, code, or JSON lines with
    `messages` or some of PARTS.

    Raises VisCodexError(bad_input) where there are none.
    """
    if place.is_dir():
        paths = sorted(p for p in place.rglob("*") if p.is_file() and p.suffix.lower() in TEXTS)
    else:
        paths = [place]
    texts = [text for path in paths for text in _texts_of(path) if text.strip()]
    if not texts:
        raise VisCodexError(
            ErrorCode.bad_input,
            f"There is no text to calibrate with in '{place}'.",
            f"Give a text file, JSON lines with {', '.join(PARTS)} or messages, or a folder.",
        )
    return texts


def _texts_of(path: Path) -> Iterator[str]:
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise VisCodexError(
            ErrorCode.bad_input, f"'{path}' cannot be read as text.", "Give a text file."
        ) from error
    if path.suffix.lower() not in LINES:
        yield content
        return
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        if not isinstance(record, dict):
            raise VisCodexError(
                ErrorCode.bad_input, f"Line {number} of '{path}' is no JSON object.", "Mend it."
            )
        yield "\n".join(_strings(record))


def _strings(record: dict[str, Any]) -> Iterator[str]:
    for message in record.get("messages", ()):
        content = message.get("content", "")
        parts = content if isinstance(content, list) else [{"text": content}]
        yield from (part["text"] for part in parts if isinstance(part.get("text"), str))
    yield from (record[part] for part in PARTS if isinstance(record.get(part), str))
