"""The answers of one conversion while they are written, compared and watched. No Qt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from app.versions import Drawn


@dataclass
class Answer:
    """One answer as far as it has come. `code` and why it ended (`reason`, the engine's word) are
    set once it is complete, `drawn` once it was compared."""

    text: str = ""
    tokens: int = 0
    code: str = ""
    reason: str = ""
    complete: bool = False
    drawn: Drawn | None = None


@dataclass(frozen=True)
class Undrawn:
    """The code of a complete answer that was not drawn any more; has the shape of `Drawn`."""

    code: str
    png: bytes | None = None
    likeness: Mapping[str, float | None] | None = None
    problem: str = ""


@dataclass
class Answers:
    """All of them by number. `watched` is the one on screen, `picked` the user's own choice among
    those that are compared, `settled` the text the engine has settled on in the end."""

    by_number: dict[int, Answer] = field(default_factory=dict)
    watched: int = 0
    picked: int | None = None
    settled: str | None = None

    def __len__(self) -> int:
        return len(self.by_number)

    @property
    def shown(self) -> str:
        """The text on screen."""
        if self.picked is None and self.settled is not None:
            return self.settled
        return self.by_number.get(self.watched, Answer()).text

    @property
    def final(self) -> str:
        """The text that counts in the end, unless the user has picked another one."""
        return self.by_number.get(0, Answer()).text if self.settled is None else self.settled

    @property
    def choice(self) -> Answer | None:
        """The answer that the user has picked, where there is code in it."""
        chosen = None if self.picked is None else self.by_number[self.picked]
        return chosen if chosen is not None and chosen.code else None

    def add(self, text: str, number: int) -> None:
        """One more token of an answer."""
        answer = self.by_number.setdefault(number, Answer())
        answer.text += text
        answer.tokens += 1

    def give_way(self, text: str) -> None:
        """Begin anew for "", else settle on `text`."""
        if text:
            self.settled = text
        else:
            self.by_number, self.watched = {0: Answer()}, 0
            self.picked = self.settled = None

    def complete(self, number: int, code: str, reason: str) -> None:
        """An answer has ended; `code` is "" where there is none in it."""
        answer = self.by_number.setdefault(number, Answer())
        answer.complete, answer.code, answer.reason = True, code, reason

    def draw(self, drawn: Drawn) -> None:
        """Code was drawn: that of every answer which reads the same."""
        for answer in self.by_number.values():
            if answer.code and answer.code == drawn.code.rstrip("\n"):
                answer.drawn = drawn

    def finished(self) -> list[Undrawn]:
        """Complete answers with code that were not drawn yet."""
        return [
            Undrawn(answer.code)
            for _, answer in sorted(self.by_number.items())
            if answer.complete and answer.code and answer.drawn is None
        ]


def best_of(kept: Sequence[Drawn], answers: Answers) -> str:
    """The code to show of those that are kept: the one the user looks at, else the likest; "" where
    none of them draws anything."""
    wanted = answers.watched if answers.picked is None else answers.picked
    chosen = answers.by_number.get(wanted)
    usable = [one for one in kept if not one.problem]
    if chosen is not None and (answers.picked is not None or wanted):
        for one in usable:
            if one.code.rstrip("\n") == chosen.code:
                return chosen.code
    best = max(usable, key=_likeness, default=None)
    return "" if best is None else best.code.rstrip("\n")


def _likeness(one: Drawn) -> float:
    return (one.likeness or {}).get("total") or 0.0
