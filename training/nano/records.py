"""Shards of generated samples on disk: one JSON line a sample, pictures packed in one file beside.

A record follows the one format of the training data (id, source, kind, images, prompt, completion,
license); `images` names the packed file with offset and length. Beside that it keeps the lines of
text with their boxes (true ones, and for some samples what the reader saw) and the regions that
the vision stage learns from.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from engine.hints import TextLine


@dataclass(frozen=True)
class Region:
    """A thing drawn in the picture: `kind` is a row of `labels.KINDS`, `box` in picture pixels."""

    kind: str
    box: tuple[float, float, float, float]
    radius: float = 0.0
    border: bool = False


@dataclass
class Sample:
    """One generated picture with its code and what the renderer knows of it."""

    id: str
    kind: str  # html or chart
    level: int
    code: str
    png: bytes
    lines: list[TextLine]
    read_lines: list[TextLine] | None = None
    regions: list[Region] = field(default_factory=list)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture, without decoding it."""
        return Image.open(io.BytesIO(self.png)).size

    def picture(self) -> Image.Image:
        """The picture at its own size, RGB."""
        return Image.open(io.BytesIO(self.png)).convert("RGB")


def _line_to_row(line: TextLine) -> list[Any]:
    box = [round(v, 1) for v in line.box]
    return [line.text, box, round(line.confidence, 3), list(line.ink), list(line.ground)]


def line_from_row(row: Sequence[Any]) -> TextLine:
    """A line of text as a record holds it: text, box, confidence, ink, ground."""
    text, box, confidence, ink, ground = row
    return TextLine(text, tuple(box), confidence, tuple(ink), tuple(ground))


def write_shard(folder: Path, name: str, samples: Sequence[Sample]) -> None:
    """Write `name`.jsonl and `name`.bin; the first appears last and only when all is on disk."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    with (folder / f"{name}.bin").open("wb") as packed:
        for sample in samples:
            offset = packed.tell()
            packed.write(sample.png)
            rows.append(
                {
                    "id": sample.id,
                    "source": "nano/pages" if sample.kind == "html" else "nano/charts",
                    "kind": sample.kind,
                    "level": sample.level,
                    "images": [f"{name}.bin#{offset}:{len(sample.png)}"],
                    "completion": sample.code,
                    "license": "Apache-2.0",
                    "lines": [_line_to_row(line) for line in sample.lines],
                    "read": None
                    if sample.read_lines is None
                    else [_line_to_row(line) for line in sample.read_lines],
                    "regions": [
                        [r.kind, [round(v, 1) for v in r.box], round(r.radius, 1), int(r.border)]
                        for r in sample.regions
                    ],
                }
            )
    part = folder / f"{name}.jsonl.part"
    part.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    os.replace(part, folder / f"{name}.jsonl")


def read_shard(path: Path) -> Iterator[Sample]:
    """Yield the samples of the shard whose .jsonl file is `path`."""
    packed = path.with_suffix(".bin").read_bytes()
    with path.open() as lines:
        for text in lines:
            row = json.loads(text)
            offset, length = map(int, row["images"][0].split("#")[1].split(":"))
            yield Sample(
                row["id"],
                row["kind"],
                row["level"],
                row["completion"],
                packed[offset : offset + length],
                [line_from_row(line) for line in row["lines"]],
                None if row["read"] is None else [line_from_row(line) for line in row["read"]],
                [
                    Region(k, tuple(b), radius, bool(border))
                    for k, b, radius, border in row["regions"]
                ],
            )


def shard_files(folder: Path) -> list[Path]:
    """The finished shards of a data folder in order."""
    return sorted(folder.glob("shard-*.jsonl"))
