"""The training record: one JSON line, its pictures as files beside.

    {"id", "source", "kind": html|chart|qa|algorithm, "images": [...], "prompt", "completion",
     "license", "origin", "group", "size": [w, h], "tokens", "hints": [...] or null}

`images` are paths inside the folder of the data. `prompt` is the instruction alone and
`completion` the whole answer, fenced as the model is to write it. `origin` says where the record
comes from, `group` is the same for all records cut or varied from one original. `hints` are lines
of text as the reader gives them, in pixels of the picture; who trains brings them to the scale of
the model (`Record.text`), because that depends on the model's picture limits.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from engine.errors import ErrorCode, VisCodexError
from engine.hints import TextLine, format_hints
from engine.prompt import HINTS_EXPLAINED
from engine.tasks import TASKS, extract_code

Kind = Literal["html", "chart", "qa", "algorithm"]
KINDS: tuple[Kind, ...] = get_args(Kind)
TASK_OF_KIND: Mapping[str, str] = {"html": "html", "chart": "matplotlib"}
SPLITS = ("train", "validation")


@dataclass(frozen=True)
class Record:
    """One sample. See the module for the fields; `size` is that of the first picture, (0, 0)
    without one, `tokens` the length of the completion."""

    id: str
    source: str
    kind: Kind
    prompt: str
    completion: str
    license: str
    origin: str
    group: str
    images: tuple[str, ...] = ()
    size: tuple[int, int] = (0, 0)
    tokens: int = 0
    hints: tuple[TextLine, ...] | None = None

    @property
    def code(self) -> str:
        """The code in the completion; the completion itself where none is fenced off."""
        task = TASKS[TASK_OF_KIND.get(self.kind, "matplotlib")]
        try:
            return extract_code(self.completion, task)
        except VisCodexError:
            return self.completion

    def text(self, scale: tuple[float, float] = (1.0, 1.0), limit: int | None = None) -> str:
        """The user's text of the prompt as the application writes it: hints, then instruction."""
        if not self.hints:
            return self.prompt
        return format_hints(self.hints, scale, limit) + HINTS_EXPLAINED + self.prompt

    def with_images(self, images: Iterable[str]) -> Record:
        """The same record with other picture paths."""
        return replace(self, images=tuple(images))


def to_row(record: Record) -> dict[str, Any]:
    """A record as plain JSON values."""
    row = {name: value for name, value in vars(record).items() if name != "hints"}
    row["images"], row["size"] = list(record.images), list(record.size)
    lines = record.hints
    row["hints"] = None if lines is None else [_line_to_row(line) for line in lines]
    return row


def from_row(row: Mapping[str, Any]) -> Record:
    """A record from a row. Raises KeyError and TypeError where it is none."""
    names = Record.__dataclass_fields__
    values = {name: row[name] for name in names if name in row}
    values["images"] = tuple(row["images"])
    values["size"] = tuple(row.get("size") or (0, 0))
    lines = row.get("hints")
    values["hints"] = None if lines is None else tuple(hint_from_row(line) for line in lines)
    return Record(**values)


def _line_to_row(line: TextLine) -> dict[str, Any]:
    return {
        "text": line.text,
        "box": [round(side, 1) for side in line.box],
        "confidence": round(line.confidence, 3),
        "ink": list(line.ink),
        "ground": list(line.ground),
    }


def hint_from_row(row: Mapping[str, Any]) -> TextLine:
    """A line of the hints of a row. Raises KeyError and TypeError where it is none."""
    return TextLine(
        row["text"], tuple(row["box"]), row["confidence"], tuple(row["ink"]), tuple(row["ground"])
    )


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write JSON lines beside `path` and rename; returns how many."""
    count = 0
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            count += 1
    os.replace(part, path)
    return count


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a JSON Lines or Parquet shard, one after another."""
    if path.suffix == ".parquet":
        from pyarrow import parquet

        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=256):
                yield from batch.to_pylist()
        return
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def shard_files(folder: Path, split: str = "train") -> list[Path]:
    """The shards of a split in order. VisCodexError(bad_input) where there are none."""
    found = sorted([*folder.glob(f"{split}/*.jsonl"), *folder.glob(f"{split}/*.parquet")])
    if not found:
        raise VisCodexError(
            ErrorCode.bad_input,
            f"There is no {split} data in '{folder}'.",
            "Build it with viscodex-train data build.",
        )
    return found


def read_records(folder: Path, split: str = "train") -> Iterator[Record]:
    """The records of a data folder, read as they are asked for."""
    for path in shard_files(folder, split):
        yield from map(from_row, read_rows(path))


def load_split(folder: Path, split: str = "train", *, streaming: bool = False) -> Any:
    """A split as a `datasets` data set: mapped from disk, or streamed, never whole in memory."""
    import datasets

    files = shard_files(folder, split)
    form = "parquet" if files[0].suffix == ".parquet" else "json"
    return datasets.load_dataset(
        form,
        data_files={split: [str(path) for path in files]},
        split=split,
        features=features(),
        streaming=streaming,
    )


def features() -> Any:
    """The columns of a record as `datasets` names them."""
    from datasets import Features, List, Value

    text, whole, number = Value("string"), Value("int64"), Value("float64")
    line = {
        "text": text,
        "box": List(number),
        "confidence": number,
        "ink": List(whole),
        "ground": List(whole),
    }
    columns = dict.fromkeys(Record.__dataclass_fields__, text)
    columns |= {
        "images": List(text),
        "size": List(whole),
        "tokens": whole,
        "hints": List(line),
    }
    return Features(columns)


def write_parquet(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write a Parquet shard beside `path` and rename; returns how many rows."""
    import pyarrow
    from pyarrow import parquet

    table = pyarrow.Table.from_pylist(list(rows), schema=features().arrow_schema)
    part = path.with_name(path.name + ".part")
    parquet.write_table(table, part, compression="zstd")
    os.replace(part, path)
    return int(table.num_rows)
