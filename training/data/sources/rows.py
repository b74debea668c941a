"""Published sets as they come: rows of JSON, JSON Lines or Parquet, pictures in a zip or a folder.

MCD's file is one JSON list of gigabytes: it is read row by row. Its pictures are read straight
from the zip. A layout is a row of the table `LAYOUTS`.
"""

from __future__ import annotations

import contextlib
import json
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import model_validator

from engine.errors import ErrorCode, VisCodexError
from engine.tasks import FENCE, TASKS, task_of_code
from training.data.draft import Draft, Dropped, Picture, Tools
from training.data.record import KINDS, TASK_OF_KIND, Kind, Record, read_rows
from training.data.sources.base import Source, SourcePlan, short_hash
from training.hub import find_data_file

READ = 1 << 22  # characters of JSON at a time
_MARK = re.compile(r"\s*<image>\s*")
MAX_HEIGHT = 4096
PAGE_WIDTH = 1280
ROW_FILES = (".json", ".jsonl", ".parquet")


class RowsPlan(SourcePlan):
    """A published set. `rows` (a file, or a folder of shards) and `images` (a zip or a folder) are
    paths, or `owner/name:file` on the Hub.

    `check` says whether code is drawn again: `none`; `render` drops what does not draw; `redraw`
    puts our drawing in the place of the picture. Rows without a picture are always drawn.
    """

    type: str
    rows: str
    images: str | None = None
    check: Literal["none", "render", "redraw"] = "none"

    def inputs(self) -> list[Path]:
        """The files of the set."""
        return [find_data_file(path) for path in (self.rows, self.images) if path]

    @model_validator(mode="after")
    def _licence(self) -> RowsPlan:
        if self.license == "unknown":
            self.license = LAYOUTS[self.type].license
        return self


@dataclass(frozen=True)
class Sample:
    """A row in plain terms; pictures are names in the images or bytes."""

    pictures: list[str | bytes]
    question: str
    answer: str
    category: str


@dataclass(frozen=True)
class Layout:
    """How rows of a set are read, where its pictures lie in the zip, and its licence."""

    read: Callable[[Mapping[str, Any]], Sample]
    license: str
    prefix: str = ""


def _messages(row: Mapping[str, Any]) -> Sample:
    """MCD: {images, messages: [{role, content}], category}."""
    turns = {turn["role"]: turn["content"] for turn in reversed(row["messages"])}
    return Sample(
        list(row.get("images") or ()),
        _plain(turns["user"]),
        _plain(turns["assistant"]),
        str(row.get("category") or ""),
    )


def _conversations(row: Mapping[str, Any]) -> Sample:
    """LLaVA's layout, as of Web2Code and Chart2Code: {image, conversations: [{from, value}]}."""
    turns = {turn["from"]: turn["value"] for turn in reversed(row["conversations"])}
    images = row.get("images") or row.get("image") or []
    images = [images] if isinstance(images, str) else images
    return Sample(list(images), turns["human"], turns["gpt"], str(row.get("category") or ""))


def _websight(row: Mapping[str, Any]) -> Sample:
    """WebSight: {image: {bytes, path}, text}, Parquet."""
    image = row["image"]
    picture: Any = image
    if isinstance(image, dict):
        picture = image.get("bytes") or image["path"]
    return Sample([picture], "", row["text"], "html")


def _plain(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.get("text") or "" for part in content)


LAYOUTS: Mapping[str, Layout] = {
    # No licence on the card; parts are CC BY-NC and CC BY-SA.
    "mcd": Layout(_messages, "research only", "mcd_images/"),
    "websight": Layout(_websight, "CC-BY-4.0"),
    "web2code": Layout(_conversations, "MIT"),
    "chart2code": Layout(_conversations, "unknown"),
}
DEFAULT_KIND: Mapping[str, Kind] = {"websight": "html", "web2code": "html", "chart2code": "chart"}


def stream_list(path: Path) -> Iterator[Any]:
    """The elements of a JSON file that holds one list, one after another.

    Raises VisCodexError(bad_input) where it is none, or broken.
    """
    decoder = json.JSONDecoder()
    with path.open(encoding="utf-8") as file:
        text = ""
        while not text and (fresh := file.read(READ)):
            text = fresh.lstrip("\ufeff \t\r\n")
        if not text.startswith("["):
            raise _broken(path, "it is no list")
        at, more = 1, READ
        while True:
            while at < len(text) and text[at] in " \t\r\n,":
                at += 1
            if text[at : at + 1] == "]":
                return
            try:
                value, end = decoder.raw_decode(text, at)
                # A number where the read ended may go on, even behind its point.
                whole = text[end : end + 1] in tuple(" \t\r\n,]")
            except ValueError:
                whole = False
            if whole:
                yield value
                at = end
                continue
            fresh = file.read(more)
            if not fresh:
                raise _broken(path, "it ends too soon or holds no JSON")
            text, at = text[at:] + fresh, 0
            more = min(2 * more, 1 << 28)  # a row longer than a read is not parsed at each step
            if len(text) < 1 << 24:
                more = READ


def _broken(path: Path, why: str) -> VisCodexError:
    return VisCodexError(
        ErrorCode.bad_input, f"'{path.name}' cannot be read: {why}.", "Fetch it again."
    )


def items(plan: RowsPlan) -> Iterator[tuple[int, Any]]:
    """Number and row of all rows of the set, over all files where it is a folder of shards."""
    number = 0
    for path in _files(find_data_file(plan.rows)):
        read = stream_list if path.suffix == ".json" else read_rows
        try:
            for row in read(path):
                yield number, row
                number += 1
        except (UnicodeDecodeError, json.JSONDecodeError):
            raise _broken(path, "it holds no JSON") from None


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.rglob("*") if file.suffix in ROW_FILES)
    if not found:
        raise _broken(path, f"it holds no {', '.join(ROW_FILES)} files")
    return found


def make(item: tuple[int, Any], plan: RowsPlan, tools: Tools) -> Iterator[Draft]:
    """The record of a row."""
    number, row = item
    layout = LAYOUTS[plan.type]
    try:
        sample = layout.read(row)
        question, answer = _MARK.sub("\n", sample.question).strip(), sample.answer.strip()
    except (KeyError, TypeError, AttributeError):
        raise Dropped("unreadable row") from None
    kind = _kind(plan, sample)
    origin = f"{Path(plan.rows).name}#{number}"
    record = Record(
        id=f"{plan.name}/{number}",
        source=plan.name,
        kind=kind,
        prompt=question or TASKS[TASK_OF_KIND[kind]].instruction,
        completion=fenced(answer, kind),
        license=plan.license,
        origin=origin,
        group=short_hash(plan.name, number),
    )
    draft = Draft(record, [_picture(plan, name) for name in sample.pictures])
    if kind in ("html", "chart") and (plan.check != "none" or not draft.pictures):
        redraw(draft, tools, keep=plan.check == "render" and bool(draft.pictures))
    yield draft


def redraw(draft: Draft, tools: Tools, *, keep: bool) -> None:
    """Draw a draft's code; its picture stays with `keep`. Raises Dropped."""
    code = draft.record.code
    if draft.record.kind == "chart":
        picture, texts = tools.draw_chart(code)
    else:
        width = draft.pictures[0].image.width if draft.pictures else PAGE_WIDTH
        picture, texts = tools.draw_page(code, width, MAX_HEIGHT)
    if not keep:
        draft.pictures, draft.texts = [picture], texts


def fenced(answer: str, kind: str) -> str:
    """An answer with its code in a fence: bare code gets the fence of its kind."""
    task_name = TASK_OF_KIND.get(kind)
    if FENCE in answer or (task_name is None and kind != "algorithm"):
        return answer
    task = TASKS[task_name] if task_name else task_of_code(answer)
    return f"{task.prefill}{answer.strip()}\n{FENCE}"


def _kind(plan: RowsPlan, sample: Sample) -> Kind:
    """The category in our words; where a set has none, its own kind."""
    told = sample.category.casefold()
    names: Mapping[str, Kind] = {"web": "html", "stack": "qa", "algo": "algorithm", "plot": "chart"}
    for kind in KINDS:
        if kind in told:
            return kind
    for start, kind in names.items():
        if start in told:
            return kind
    if plan.type in DEFAULT_KIND:
        return DEFAULT_KIND[plan.type]
    if not sample.pictures:
        return "algorithm"
    raise Dropped("unknown category")


def _picture(plan: RowsPlan, name: str | bytes) -> Picture:
    """A picture of a row. Raises Dropped where it is not there."""
    if isinstance(name, bytes):
        return Picture(name, _suffix_of(name))
    if plan.images is None:
        raise Dropped("no picture")
    place = find_data_file(plan.images)
    prefix = LAYOUTS[plan.type].prefix
    names = [name if name.startswith(prefix) else prefix + name, name]
    data: bytes | None = None
    if place.is_dir():
        for candidate in names:
            path = (place / candidate).resolve()
            if path.is_relative_to(place.resolve()) and path.is_file():
                data = path.read_bytes()
                break
    else:
        archive = _archive(place)
        for candidate in names:
            with contextlib.suppress(KeyError):
                data = archive.read(candidate)
                break
    if data is None:
        raise Dropped("no picture")
    return Picture(data, _suffix_of(data))


@lru_cache(maxsize=4)
def _archive(path: Path) -> zipfile.ZipFile:
    """An open zip: its directory of 500,000 names is read once a process."""
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError):
        raise _broken(path, "it is no zip file") from None


def _suffix_of(data: bytes) -> str:
    starts = {b"\x89PNG": ".png", b"\xff\xd8": ".jpg", b"GIF8": ".gif", b"BM": ".bmp"}
    if data[:4] == b"RIFF":
        return ".webp"
    return next((suffix for start, suffix in starts.items() if data.startswith(start)), ".bin")


ROWS = Source(RowsPlan, items, make)
