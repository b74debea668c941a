"""Questions with pictures from a StackExchange dump, with their accepted answers.

Posts.xml is read as a stream: a question waits for its accepted answer, which always comes later.
Pictures are files the user has; nothing is fetched.
"""

from __future__ import annotations

import bz2
import gzip
import re
from collections.abc import Callable, Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import IO, Any, TypedDict
from urllib.parse import urlsplit
from xml.etree import ElementTree

from pydantic import Field

from engine.errors import ErrorCode, VisCodexError
from engine.tasks import FENCE
from training.data.draft import Draft, Dropped, Picture, Tools
from training.data.record import Record
from training.data.sources.base import Source, SourcePlan, must_exist, short_hash

OPENERS: Mapping[str, Callable[[Path], Any]] = {
    ".xml": lambda path: path.open("rb"),
    ".bz2": bz2.BZ2File,
    ".gz": gzip.GzipFile,
}
_TAG = re.compile(r"[<|]([^<>|]+)")
# What a fence says, by what a question is tagged with.
LANGUAGES: Mapping[str, str] = {
    "python": "python",
    "matplotlib": "python",
    "pandas": "python",
    "numpy": "python",
    "seaborn": "python",
    "html": "html",
    "css": "html",
    "javascript": "javascript",
}


class QaPlan(SourcePlan):
    """`posts` is Posts.xml, plain or as .bz2 or .gz; `images` a folder of the pictures by their
    names. Questions need one of `tags` and `score`, and with `pictures` at least one picture;
    their answers need `answer_score` and code."""

    license: str = "CC-BY-SA-4.0"
    posts: str
    images: str | None = None
    site: str = "stackoverflow.com"
    tags: tuple[str, ...] = ("python", "matplotlib", "html", "css")
    score: int = 1
    answer_score: int = 1
    pictures: bool = True
    longest: int = Field(8000, gt=0)

    def inputs(self) -> list[Path]:
        """The dump and the folder of pictures."""
        return [must_exist(path) for path in (self.posts, self.images) if path]


class Pair(TypedDict):
    """A question and its accepted answer, HTML as in the dump."""

    id: str
    title: str
    question: str
    answer: str
    tags: list[str]


def items(plan: QaPlan) -> Iterator[Pair]:
    """All pairs of a dump that pass its plan's scores and tags, in the order of the answers."""
    path = must_exist(plan.posts)
    opener = OPENERS.get(path.suffix.lower())
    if opener is None:
        raise VisCodexError(
            ErrorCode.bad_input,
            f"'{path.name}' cannot be read as it is.",
            "Unpack Posts.xml first (7z x FILE Posts.xml).",
        )
    waiting: dict[str, Pair] = {}
    wanted = set(plan.tags)
    try:
        with opener(path) as file:
            for row in _rows(file):
                kind, score = row.get("PostTypeId"), int(row.get("Score", 0))
                if kind == "1":
                    tags = _TAG.findall(row.get("Tags", ""))
                    accepted, body = row.get("AcceptedAnswerId"), row.get("Body", "")
                    shown = not plan.pictures or "<img" in body
                    if accepted and score >= plan.score and wanted & set(tags) and shown:
                        waiting[accepted] = {
                            "id": row["Id"],
                            "title": row.get("Title", ""),
                            "question": body,
                            "answer": "",
                            "tags": tags,
                        }
                elif kind == "2" and row.get("Id") in waiting:
                    pair = waiting.pop(row["Id"])
                    if score >= plan.answer_score:
                        yield {**pair, "answer": row.get("Body", "")}
    except (ElementTree.ParseError, OSError, EOFError) as error:
        raise VisCodexError(
            ErrorCode.bad_input, f"'{path.name}' is broken: {error}.", "Fetch it again."
        ) from None


def _rows(file: IO[bytes]) -> Iterator[dict[str, str]]:
    """The attributes of all rows; what was read is forgotten at once."""
    root = None
    for event, element in ElementTree.iterparse(file, ("start", "end")):
        if root is None:
            root = element
        if event == "end" and element.tag == "row":
            yield dict(element.attrib)
            root.clear()


def make(item: Pair, plan: QaPlan, tools: Tools) -> Iterator[Draft]:
    """The record of a pair."""
    tags = item["tags"]
    language = next((LANGUAGES[tag] for tag in tags if tag in LANGUAGES), "")
    question, names = to_markdown(item["question"], language)
    answer, _ = to_markdown(item["answer"], language)
    if FENCE not in answer:
        raise Dropped("answer without code")
    if len(question) + len(answer) > plan.longest:
        raise Dropped("too long")
    pictures = [_picture(plan, name) for name in names]
    if plan.pictures and not pictures:
        raise Dropped("no picture")
    record = Record(
        id=f"{plan.name}/{item['id']}",
        source=plan.name,
        kind="qa",
        prompt=f"{item['title']}\n\n{question}".strip(),
        completion=answer,
        license=plan.license,
        origin=f"https://{plan.site}/q/{item['id']}",
        group=short_hash(plan.name, item["id"]),
    )
    yield Draft(record, pictures)


def _picture(plan: QaPlan, address: str) -> Picture:
    name = urlsplit(address).path.rpartition("/")[2]
    path = None if plan.images is None else must_exist(plan.images) / name
    if not name or path is None or not path.is_file():
        raise Dropped("no picture")
    return Picture(path.read_bytes(), path.suffix.lower())


def to_markdown(body: str, language: str = "") -> tuple[str, list[str]]:
    """A post's HTML as Markdown, and the addresses of its pictures in order."""
    writer = _Markdown(language)
    writer.feed(body)
    writer.close()
    text = re.sub(r"\n{3,}", "\n\n", "".join(writer.out))
    return text.strip(), writer.pictures


class _Markdown(HTMLParser):
    """The few elements that posts are made of."""

    AROUND: Mapping[str, tuple[str, str]] = {
        "p": ("", "\n\n"),
        "li": ("- ", "\n"),
        "ul": ("", "\n"),
        "ol": ("", "\n"),
        "strong": ("**", "**"),
        "b": ("**", "**"),
        "em": ("*", "*"),
        "i": ("*", "*"),
        "h1": ("# ", "\n\n"),
        "h2": ("## ", "\n\n"),
        "h3": ("### ", "\n\n"),
        "blockquote": ("> ", "\n"),
    }

    def __init__(self, language: str) -> None:
        super().__init__()
        self.out: list[str] = []
        self.pictures: list[str] = []
        self._language, self._block = language, False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "pre":
            self._block = True
            self.out.append(f"{FENCE}{self._language}\n")
        elif tag == "code" and not self._block:
            self.out.append("`")
        elif tag == "img":
            self.pictures.append(dict(attrs).get("src") or "")
        elif tag in ("br", "hr"):
            self.out.append("\n")
        elif not self._block:
            self.out.append(self.AROUND.get(tag, ("", ""))[0])

    def handle_endtag(self, tag: str) -> None:
        if tag == "pre":
            self._block = False
            ended = bool(self.out) and self.out[-1].endswith("\n")
            self.out.append(f"{'' if ended else chr(10)}{FENCE}\n\n")
        elif tag == "code" and not self._block:
            self.out.append("`")
        elif not self._block:
            self.out.append(self.AROUND.get(tag, ("", ""))[1])

    def handle_data(self, data: str) -> None:
        self.out.append(data if self._block else re.sub(r"\s+", " ", data))


QA = Source(QaPlan, items, make)
