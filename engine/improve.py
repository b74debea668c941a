"""Quality from rendering: what an answer draws is compared with the picture it should draw.

Figures are trusted, not models: of several answers the one that looks most like the picture wins,
and a repaired one replaces the old only if it measures better.
"""

from __future__ import annotations

import ast
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from PIL import Image

from engine.compare import Similarity, similarity
from engine.errors import ErrorCode, VisCodexError
from engine.hints import TextLine
from engine.protocol import ConvertRequest
from engine.render.html import HtmlRenderer
from engine.render.python import PlotRunner
from engine.tasks import TASKS

EQUAL = 0.005  # likenesses that differ by less count as equal
REPAIR = "The code fails with this error: {problem} Correct it and change nothing else."
DEFAULT_REPAIRS: Mapping[str, int] = {"matplotlib": 1}  # turns; pages draw whatever is wrong


@dataclass(frozen=True)
class Drawn:
    """Code with what it draws: PNG and likeness to the picture, or one line on why there is none.

    `png` is None exactly where `problem` is not.
    """

    code: str
    target: str
    png: bytes | None = None
    likeness: Similarity | None = None
    problem: str | None = None


class Judge:
    """Draws code and compares it with a picture. Holds the renderers: close it."""

    def __init__(self) -> None:
        self._pages = HtmlRenderer()
        self._plots = PlotRunner()

    def __enter__(self) -> Judge:
        return self

    def __exit__(self, *ignored: object) -> None:
        self.close()

    def close(self) -> None:
        """End the renderers."""
        self._pages.close()
        self._plots.close()

    def judge(
        self, code: str, target: str, picture: Image.Image, lines: Sequence[TextLine] = ()
    ) -> Drawn:
        """Draw `code` at the size of `picture` and compare; `lines` is the text read in it."""
        try:
            png, texts = self._draw(code, target, picture.size)
        except VisCodexError as error:
            return Drawn(code, target, problem=f"{error.message.rstrip('.')}.")
        drawn = [_line(text) for text in texts]
        read = list(lines) or None
        likeness = similarity(picture, Image.open(io.BytesIO(png)), read, drawn if read else None)
        return Drawn(code, target, png, likeness)

    def _draw(
        self, code: str, target: str, size: tuple[int, int]
    ) -> tuple[bytes, Iterable[Mapping[str, Any]]]:
        if target == "html":
            problem = TASKS[target].check(code)
            if problem:
                raise VisCodexError(ErrorCode.render_failed, problem)
            page = self._pages.render(code, *size, describe=True)
            return page.png, (page.description or {}).get("texts", ())
        try:
            ast.parse(code)
        except (SyntaxError, ValueError) as error:
            line = getattr(error, "lineno", None)
            message = f"{type(error).__name__}: {getattr(error, 'msg', error)} (line {line})"
            raise VisCodexError(ErrorCode.render_failed, message) from None
        plot = self._plots.run(code, describe=True)
        if plot.png is None:
            raise VisCodexError(ErrorCode.render_failed, plot.error or "No figure was made.")
        return plot.png, (plot.description or {}).get("texts", ())


def _line(text: Mapping[str, Any]) -> TextLine:
    x0, y0, x1, y1 = (float(side) for side in text["box"])
    return TextLine(str(text["text"]), (x0, y0, x1, y1), 1.0, (0, 0, 0), (255, 255, 255))


def better(new: Drawn, old: Drawn) -> bool:
    """Whether `new` should replace `old`: it draws, looks more alike, or is shorter and as good."""
    if new.likeness is None or old.likeness is None:
        return old.likeness is None and new.likeness is not None
    gain = new.likeness.total - old.likeness.total
    if abs(gain) < EQUAL:
        return len(new.code) < len(old.code)
    return gain > 0


def best(drawn: Sequence[Drawn]) -> int:
    """The number of the best; the earlier one where nothing tells them apart."""
    winner = 0
    for number, one in enumerate(drawn):
        if better(one, drawn[winner]):
            winner = number
    return winner


def repair_request(
    request: ConvertRequest, failed: Drawn, turn: int, *, takes_instructions: bool
) -> ConvertRequest:
    """What to ask for after `failed`, in repair turn 1, 2 and so on.

    A model that takes no instructions cannot be told of the error: it tries again by chance.
    """
    again = replace(request, target=failed.target, candidates=1)
    if takes_instructions:
        return replace(again, refine=(REPAIR.format(problem=failed.problem), failed.code))
    warmer = max(request.temperature or 0.0, 0.5)
    return replace(again, temperature=warmer, seed=(request.seed + turn) % 2**32)
