"""What the card of one answer shows, as data: while it is written, compared, and afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.answers import Answer
from app.i18n import N_, _, ngettext
from app.session import Session, State
from app.versions import Version

PARTS = (
    ("layout", N_("layout {percent} %")),
    ("colour", N_("colour {percent} %")),
    ("pixels", N_("pixels {percent} %")),
    ("text", N_("text {percent} %")),
)


@dataclass(frozen=True)
class Face:
    """`key` is the number of the version, or of the answer while it is at work; `source` holds the
    picture it draws as `png`, where there is one."""

    key: int
    text: str
    name: str
    tip: str
    chosen: bool
    source: Any = None
    icon: str = "code"


def of_versions(versions: Sequence[Version], current: Version | None) -> list[Face]:
    """Answers that are complete, in this order."""
    return [
        Face(
            version.id,
            _score(version.similarity, version.problem),
            _name(place, len(versions), _facts(version.similarity, version.problem)),
            _tip(version.likeness, version.problem, version.candidate + 1),
            version is current,
            version,
        )
        for place, version in enumerate(versions, 1)
    ]


def of_answers(session: Session) -> list[Face]:
    """Answers at work, by their number."""
    answers = session.result.answers
    ordered = sorted(answers.by_number.items())
    compared = session.compared[0] - 1 if session.state is State.COMPARING else -1
    faces = []
    for place, (number, answer) in enumerate(ordered, 1):
        text, facts, icon = _at_work(answer, place - 1 == compared)
        drawn = answer.drawn
        tip = facts if drawn is None else _tip(drawn.likeness, drawn.problem, number + 1)
        name = _name(place, len(ordered), facts)
        faces.append(Face(number, text, name, tip, number == answers.watched, drawn, icon))
    return faces


def _at_work(answer: Answer, compared: bool) -> tuple[str, str, str]:
    """Short text, facts, and icon of an answer that is written or compared."""
    words = ngettext("{count} token", "{count} tokens", answer.tokens)
    tokens = words.format(count=answer.tokens)
    if answer.drawn is not None:
        alike = (answer.drawn.likeness or {}).get("total")
        problem = answer.drawn.problem
        return _score(alike, problem), _facts(alike, problem), "code"
    if compared:
        return _("Comparing…"), _("being compared, {tokens}").format(tokens=tokens), "busy"
    if answer.complete:
        return tokens, _("complete, {tokens}").format(tokens=tokens), "done"
    return tokens, _("being written, {tokens}").format(tokens=tokens), "edit"


def _score(alike: float | None, problem: str) -> str:
    if problem:
        return _("Draws nothing")
    return "–" if alike is None else f"{round(100 * alike)} %"


def _facts(alike: float | None, problem: str) -> str:
    if problem:
        return problem
    if alike is None:
        return _("not compared")
    return _("{percent} % alike").format(percent=round(100 * alike))


def _name(place: int, count: int, facts: str) -> str:
    # L10N: facts say how like the picture it is, or what is wrong with it.
    name = _("Candidate {number} of {total}, {facts}")
    return name.format(number=place, total=count, facts=facts)


def _tip(figures: Mapping[str, float | None] | None, problem: str, number: int) -> str:
    if not figures:
        return problem or _("Candidate {number}").format(number=number)
    parts = [
        _(words).format(percent=round(100 * value))
        for key, words in PARTS
        if (value := figures.get(key)) is not None
    ]
    return _("Likeness to the picture: {parts}").format(parts=", ".join(parts))
