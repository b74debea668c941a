"""Serves conversions like a client, but looks at what the answers draw before one of them counts.

Of several answers the likest wins (of those to an instruction the first that draws), a script that
fails is written again, a picture beyond the model's reach is converted in parts as well. What a
listener sees: all answers as they are written, by candidate, then `comparing` and
`candidate_drawn`, and `revised` events where the first gives way to another.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Protocol

from PIL import Image

from engine.errors import ErrorCode, VisCodexError
from engine.hints import TextLine
from engine.images import ImageLimits, load_picture
from engine.improve import DEFAULT_REPAIRS, REPAIRABLE, Drawn, Judge, repair_request, settled
from engine.matching import MATCHES
from engine.matching.scene import Scene
from engine.protocol import (
    Cancelled,
    CandidateDone,
    CandidateDrawn,
    Comparing,
    ConvertRequest,
    Done,
    Error,
    Event,
    Revised,
    Target,
    TextRead,
    Token,
)
from engine.render.drawing import Drawer
from engine.split import convert_parts, within_reach
from engine.tasks import FENCE, TASKS


class Client(Protocol):
    """What this needs of `EngineClient` or `RemoteClient`."""

    @property
    def takes_instructions(self) -> bool: ...

    @property
    def corrected(self) -> bool: ...

    @property
    def reach(self) -> ImageLimits | None: ...

    def convert(self, request: ConvertRequest) -> Iterable[Event]: ...

    def cancel(self) -> None: ...


@dataclass(frozen=True)
class Wishes:
    """What is worth how much time. `best_of` answers where a request asks for one; `repairs` None
    takes as many turns as suit the target; `draw` also where there is nothing to choose; `correct`
    the answer by the picture where the model's card asks for it."""

    best_of: int = 1
    repairs: int | None = None
    split: bool = True
    correct: bool = True
    draw: bool = False
    allow_unwalled: bool = False


@dataclass
class _Heard:
    """The answers to one request, by candidate, and how it ended."""

    target: str
    answers: dict[int, str] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)
    end: Done | Error | Cancelled | None = None

    def codes(self) -> dict[str, int]:
        """The different codes in them, each with the first candidate that gave it."""
        found: dict[str, int] = {}
        for number, answer in sorted(self.answers.items()):
            try:
                found.setdefault(TASKS[self.target].extract(answer), number)
            except VisCodexError:
                continue
        return found


class Improver:
    """`cancel` and `close` belong to it; the client itself is closed by whoever made it.

    After a conversion `tried` holds all that was drawn, in order, and `chosen` what counts (None
    where no answer held code).
    """

    def __init__(self, client: Client, wishes: Wishes | None = None) -> None:
        self._client = client
        self._wishes = wishes or Wishes()
        self._stopped = threading.Event()
        self._drawer = Drawer(allow_unwalled=self._wishes.allow_unwalled, stopped=self._stopped)
        self._lines: list[TextLine] = []
        self.tried: list[Drawn] = []
        self.chosen: Drawn | None = None

    def __enter__(self) -> Improver:
        return self

    def __exit__(self, *ignored: object) -> None:
        self.close()

    def warm_up(self) -> None:
        """Start the renderers in the background where every conversion will need them."""
        if self._wishes.best_of > 1 or self._wishes.draw:
            self._drawer.start()

    def close(self) -> None:
        """End the renderers."""
        self._drawer.close()

    def cancel(self) -> None:
        """Stop the conversion that runs, whether it is written or drawn just now."""
        self._stopped.set()
        self._client.cancel()
        self._drawer.close()  # a script that still runs ends with its process

    def convert(self, request: ConvertRequest) -> Iterator[Event]:
        """The events of a conversion; `revised`, `comparing` and `candidate_drawn` are ours, all
        others the client's."""
        self._stopped.clear()
        self._lines, self.tried, self.chosen = [], [], None
        heard = _Heard(request.target)
        yield from self._listen(self._widened(request), heard)
        if isinstance(heard.end, Done):
            yield from self._improve(request, heard)
        if self._stopped.is_set() and not isinstance(heard.end, Error):
            yield Cancelled()
        elif heard.end is not None:
            yield heard.end

    def appraise(
        self, image: bytes, code: str, target: str, lines: Sequence[TextLine] = ()
    ) -> Iterator[Event]:
        """Draw code that is there already and compare it with the picture `image`; `lines` is the
        text read in it. One `candidate_drawn`."""
        yield _told(Judge(self._drawer, load_picture(image), lines).judge(code, target), 0, 1)

    def match(
        self, what: str, image: bytes, code: str, target: str, lines: Sequence[TextLine] = ()
    ) -> Iterator[Event]:
        """Change code by what is measured in the picture `image`; no model has a part in it.

        `what` is a key of `engine.matching.MATCHES`, `lines` the text read in the picture. Comes as
        the events of a conversion: `comparing`, `revised` with the code as it is, `revised` with
        the changed code, `candidate_drawn`, `done`; or `cancelled`.
        """
        self._stopped.clear()
        yield Comparing(0, 1)
        yield Revised(_fenced(code, target), MATCHES[what].note)
        scene = Scene(self._drawer, load_picture(image), lines, target)
        with contextlib.suppress(VisCodexError):  # cancelled
            code = MATCHES[what].change(code, scene)
        drawn = scene.judge(code)
        if self._stopped.is_set():
            yield Cancelled()
            return
        yield Revised(_fenced(code, target), "")
        yield _told(drawn, 0, 1)
        yield Done("stop", {"target": target})

    def _widened(self, request: ConvertRequest) -> ConvertRequest:
        if request.candidates > 1 or request.begun:
            return request
        return replace(request, candidates=self._wishes.best_of)

    # Writing ------------------------------------------------------------------------------------

    def _listen(self, request: ConvertRequest, heard: _Heard) -> Iterator[Event]:
        """Pass on and remember what comes; the end is kept back."""
        for event in self._client.convert(request):
            if isinstance(event, (Done, Error, Cancelled)):
                if isinstance(event, Done):
                    heard.target = str(event.stats.get("target") or heard.target)
                    heard.reasons.setdefault(0, event.reason)
                heard.end = event
                return
            if isinstance(event, CandidateDone):
                heard.reasons[event.candidate] = event.reason
            elif isinstance(event, Token):
                number = event.candidate
                heard.answers[number] = heard.answers.get(number, "") + event.text
            elif isinstance(event, Target):
                heard.target = event.name
            elif isinstance(event, TextRead):
                self._lines = event.lines
            yield event

    # Looking ------------------------------------------------------------------------------------

    def _improve(self, request: ConvertRequest, heard: _Heard) -> Iterator[Event]:
        """Draw what was written and settle on the best; changes `heard.end` to its reason."""
        codes, target = heard.codes(), heard.target
        if not codes:
            return
        shown = next((code for code, number in codes.items() if number == 0), "")
        self.chosen = Drawn(next(iter(codes)), target)
        old = None if request.refine is None else request.refine[1]
        repairs = self._wishes.repairs
        if repairs is None:
            repairs = DEFAULT_REPAIRS.get(target, 0)
        picture = load_picture(request.image)
        reach = self._reach(request, target, picture)
        correct = self._wishes.correct and self._client.corrected and old is None
        look = repairs or self._wishes.draw or reach or correct
        if not (len(codes) > 1 or not shown or look):
            return
        judge = Judge(self._drawer, picture, self._lines)
        for code in codes:
            yield from self._drawn(judge, code, target, len(codes))
            if self._stopped.is_set():
                return
        if reach is not None and not self._stopped.is_set():
            one = replace(request, target=target, candidates=1)
            # What fails here costs nothing: there is an answer already.
            with contextlib.suppress(VisCodexError):
                page = convert_parts(picture, reach, lambda png: self._ask(replace(one, image=png)))
                if page is not None:
                    yield from self._drawn(judge, page, target)
        for turn in range(1, repairs + 1):
            failed = settled(self.tried, old)
            if failed.problem is None or failed.problem.code not in REPAIRABLE:
                break
            if self._stopped.is_set():
                return
            yield Revised("", f"{failed.problem.message.rstrip('.')}; trying again")
            shown = ""
            again = _Heard(target)
            told = self._client.takes_instructions
            yield from self._listen(
                repair_request(request, failed, turn, takes_instructions=told), again
            )
            for code in again.codes():
                yield from self._drawn(judge, code, target)
                shown = code
        if self._stopped.is_set():
            return
        chosen = self.chosen = settled(self.tried, old)
        if correct and chosen.problem is None:
            shown = ""
            yield from self._correct(judge, picture, chosen)
        if self._stopped.is_set():
            return
        if self.chosen.code != shown:
            yield Revised(_fenced(self.chosen.code, target), "")
        number = codes.get(chosen.code)
        if isinstance(heard.end, Done) and number in heard.reasons:
            reason = heard.reasons[number]
            stats = {**heard.end.stats, "finish_reason": reason}
            heard.end = replace(heard.end, reason=reason, stats=stats)

    def _drawn(self, judge: Judge, code: str, target: str, total: int = 0) -> Iterator[Event]:
        """Draw and compare a code, remember it, and tell of both."""
        number = len(self.tried)
        total = max(total, number + 1)
        if total > 1:
            yield Comparing(number, total)
        self.tried.append(judge.judge(code, target))
        yield _told(self.tried[-1], number, total)

    def _correct(self, judge: Judge, picture: Image.Image, chosen: Drawn) -> Iterator[Event]:
        """Change the chosen code by what is measured in the picture; it counts if that draws."""
        scene = Scene(self._drawer, picture, self._lines, chosen.target, judge)
        code = chosen.code
        with contextlib.suppress(VisCodexError):  # cancelled
            for kind in MATCHES.values():
                yield Revised(_fenced(code, chosen.target), kind.note)
                code = kind.change(code, scene)
        if code != chosen.code and not self._stopped.is_set():
            yield from self._drawn(judge, code, chosen.target)
            if self.tried[-1].problem is None:
                self.chosen = self.tried[-1]

    def _reach(
        self, request: ConvertRequest, target: str, picture: Image.Image
    ) -> ImageLimits | None:
        """The model's limits where the picture should be converted in parts as well."""
        reach = self._client.reach
        if target != "html" or not self._wishes.split or request.refine is not None:
            return None
        # Parts put together would neither keep to a grammar nor go on with what was begun.
        if request.grammar is not None or request.begun:
            return None
        return None if reach is None or within_reach(picture.size, reach) else reach

    def _ask(self, request: ConvertRequest) -> str:
        """The code of a request that nobody watches. Raises VisCodexError."""
        if self._stopped.is_set():
            raise VisCodexError(ErrorCode.cancelled, "Cancelled.")
        heard = _Heard(request.target)
        for _ in self._listen(request, heard):
            pass
        if isinstance(heard.end, Error):
            raise heard.end.exception()
        if isinstance(heard.end, Cancelled):
            raise VisCodexError(ErrorCode.cancelled, "Cancelled.")
        return TASKS[request.target].extract(heard.answers.get(0, ""))


def _fenced(code: str, target: str) -> str:
    """Code as an answer holds it; a fence closes on a line of its own."""
    line = code if code.endswith("\n") else f"{code}\n"
    return f"{TASKS[target].prefill}{line}{FENCE}"


def _told(one: Drawn, number: int, total: int) -> CandidateDrawn:
    """The event that tells of a drawing."""
    likeness = None if one.likeness is None else asdict(one.likeness)
    problem = "" if one.problem is None else one.problem.message
    return CandidateDrawn(number, total, one.code, one.target, one.png, likeness, problem)
