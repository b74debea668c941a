"""Training records on disk: JSON Lines, found by their place in the file, pictures by reference.

A record is `{"id", "source", "kind", "images", "prompt", "completion", "license"}`; more keys may
stand beside. `images` are paths from the folder of the file (of the data set, for the shards that
`data build` wrote), or stretches of a packed file, `name#offset:length`. MCD's own rows,
`{"images", "messages", "category"}`, are read as they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from engine.hints import TextLine
from engine.images import load_picture
from engine.tasks import AUTO_INSTRUCTION, AUTO_INSTRUCTION_SHORT, FENCE, TASKS
from training.data.record import SPLITS, hint_from_row
from training.nano.records import line_from_row

# Kind of a record -> the task of the engine its answer is for.
TASK_OF_KIND = {"html": "html", "chart": "matplotlib"}
_PACKED = re.compile(r"(.+)#(\d+):(\d+)")
_PLACEHOLDER = re.compile(r"\s*<image>\s*")


class RecordError(ValueError):
    """A record that cannot be trained on; the text says why, in a few words that can be counted."""


@dataclass(frozen=True)
class Record:
    """A question, its answer as it is to be written, its pictures, and lines read from them.

    `hints` are the lines that go into the prompt where the data set has decided that; else they are
    drawn from `lines`, the true ones, and `read_lines`.
    """

    id: str
    instruction: str
    completion: str
    images: tuple[str, ...]
    lines: tuple[TextLine, ...] = ()
    read_lines: tuple[TextLine, ...] | None = None
    general: str = ""
    hints: tuple[TextLine, ...] | None = None


def folder_of(path: Path) -> Path:
    """The folder that the pictures of a file's records are named from."""
    above = path.parent.parent
    is_shard = path.parent.name in SPLITS and (above / "report.json").exists()
    return above if is_shard else path.parent


def places(path: Path) -> Iterator[int]:
    """The byte at which each line of a file begins; empty lines are left out."""
    with path.open("rb") as file:
        place = 0
        for line in file:
            if line.strip():
                yield place
            place += len(line)


def read_record(path: Path, place: int, *, short: bool) -> Record:
    """The record at a place. Raises RecordError. With `short`, instructions are the short ones."""
    with path.open("rb") as file:
        file.seek(place)
        line = file.readline()
    try:
        row = json.loads(line)
    except ValueError:
        raise RecordError("no JSON") from None
    if not isinstance(row, dict):
        raise RecordError("no JSON object")
    try:
        if "messages" in row:
            return _from_messages(row, f"{path.name}:{place}")
        return _from_row(row, f"{path.name}:{place}", short)
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        if isinstance(error, RecordError):
            raise
        raise RecordError("keys missing or of the wrong kind") from None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise RecordError("keys missing or of the wrong kind")
    return value


def _from_row(row: Mapping[str, Any], fallback: str, short: bool) -> Record:
    task = TASKS.get(TASK_OF_KIND.get(row.get("kind", ""), ""))
    prompt = row.get("prompt")
    if task is not None and prompt == task.instruction:
        prompt = None  # what `data build` writes where a record has no prompt of its own
    if prompt is None and task is None:
        raise RecordError("no prompt")
    instruction = task.short_instruction if task and short else task.instruction if task else ""
    completion = _text(row["completion"])
    if task is not None and FENCE not in completion:
        completion = f"{task.prefill}{completion.strip(chr(10))}\n{FENCE}"
    read, hints = row.get("read"), row.get("hints")
    return Record(
        str(row.get("id", fallback)),
        instruction if prompt is None else _PLACEHOLDER.sub("", _text(prompt)),
        completion,
        tuple(map(_text, row.get("images") or ())),
        tuple(map(line_from_row, row.get("lines") or ())),
        None if read is None else tuple(map(line_from_row, read)),
        "" if prompt is not None else AUTO_INSTRUCTION_SHORT if short else AUTO_INSTRUCTION,
        None if hints is None else tuple(map(hint_from_row, hints)),
    )


def _from_messages(row: Mapping[str, Any], fallback: str) -> Record:
    turns = [turn for turn in row["messages"] if turn["role"] != "system"]
    if [turn["role"] for turn in turns] != ["user", "assistant"]:
        raise RecordError("more than one question")
    question, answer = (_text(turn["content"]) for turn in turns)
    return Record(
        str(row.get("id", fallback)),
        _PLACEHOLDER.sub("", question),
        answer,
        tuple(map(_text, row.get("images") or ())),
    )


def load_image(folder: Path, reference: str) -> Image.Image:
    """The picture behind a reference, RGB. Raises VisCodexError, or OSError for a missing pack."""
    packed = _PACKED.fullmatch(reference)
    if packed is None:
        return load_picture(folder / reference)
    with (folder / packed[1]).open("rb") as file:
        file.seek(int(packed[2]))
        return load_picture(file.read(int(packed[3])))
