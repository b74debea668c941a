"""Quality from rendering: what an answer draws is compared with the picture it should draw.

Figures are trusted, not models: of several answers the one that looks most like the picture wins,
and a repaired one replaces the old only if it measures better.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from PIL import Image

from engine.compare import Reference, Similarity
from engine.errors import ErrorCode, VisCodexError
from engine.hints import TextLine
from engine.protocol import ConvertRequest
from engine.render.drawing import Drawer, Drawing

EQUAL = 0.005  # likenesses that differ by less count as equal
REPAIR = "The code fails: {problem} Correct that and change nothing else."
REPAIRABLE = (ErrorCode.render_failed, ErrorCode.timeout)
DEFAULT_REPAIRS: Mapping[str, int] = {"matplotlib": 1}  # turns; pages draw whatever is wrong
LEAST_CHANCE = 0.5  # temperature of a second try without instructions


@dataclass(frozen=True)
class Drawn:
    """Code with what it draws: PNG and likeness to the picture, or why there is none."""

    code: str
    target: str
    png: bytes | None = None
    likeness: Similarity | None = None
    problem: VisCodexError | None = None


class Judge:
    """Draws code, the same code once, and compares it with one picture; `lines` is the text read
    in it."""

    def __init__(
        self, drawer: Drawer, picture: Image.Image, lines: Sequence[TextLine] = ()
    ) -> None:
        self._drawer = drawer
        self._drawings: dict[tuple[str, str], Drawing] = {}
        self._size = picture.size
        self._reference = Reference(picture, list(lines) or None)

    def draw(self, code: str, target: str) -> Drawing:
        """What `code` draws at the size of the picture. Raises VisCodexError as Drawer.draw."""
        known = self._drawings.get((code, target))
        if known is None:
            known = self._drawings[code, target] = self._drawer.draw(code, target, self._size)
        return known

    def judge(self, code: str, target: str) -> Drawn:
        """Draw `code` and compare."""
        try:
            drawing = self.draw(code, target)
        except VisCodexError as error:
            return Drawn(code, target, problem=error)
        drawn = Image.open(io.BytesIO(drawing.png))
        likeness = self._reference.compare(drawn, drawing.texts)
        return Drawn(code, target, drawing.png, likeness)


def better(new: Drawn, old: Drawn) -> bool:
    """Whether `new` should replace `old`: it draws, looks more alike, or is shorter and as good."""
    if new.likeness is None or old.likeness is None:
        return old.likeness is None and new.likeness is not None
    gain = new.likeness.total - old.likeness.total
    if abs(gain) < EQUAL:
        return len(new.code) < len(old.code)
    return gain > 0


def best(drawn: Sequence[Drawn]) -> Drawn:
    """The best one; the earliest where nothing tells them apart."""
    winner = drawn[0]
    for one in drawn[1:]:
        if better(one, winner):
            winner = one
    return winner


def settled(drawn: Sequence[Drawn], old: str | None) -> Drawn:
    """Which one counts: the best.

    `old` is the code that an instruction was about. Likeness cannot tell whether an instruction was
    followed: the old code may well be the likest. So of such answers the first counts that draws
    and changes something; the others stay to be picked.
    """
    if old is None:
        return best(drawn)
    draws = [one for one in drawn if one.problem is None]
    changed = [one for one in draws if one.code.strip() != old.strip()]
    return (changed or draws or drawn)[0]


def repair_request(
    request: ConvertRequest, failed: Drawn, turn: int, *, takes_instructions: bool
) -> ConvertRequest:
    """What to ask for after `failed`, in repair turn 1, 2 and so on.

    A model that takes no instructions cannot be told of the error: it tries again by chance.
    """
    again = replace(request, target=failed.target, candidates=1)
    if takes_instructions and failed.problem is not None:
        return replace(again, refine=(REPAIR.format(problem=failed.problem.message), failed.code))
    warmer = max(request.temperature or 0.0, LEAST_CHANCE)
    return replace(again, temperature=warmer, seed=(request.seed + turn) % 2**32)
