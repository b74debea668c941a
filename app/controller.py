"""Joins session, engine and ways in; the window only shows what this tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from PySide6.QtCore import QObject, QTimer

from app.answers import best_of
from app.asides import Asides
from app.bridge import EngineBridge, Work
from app.incoming import Region, failure_of
from app.intake import cut
from app.model_desk import LOADS, ModelDesk
from app.phrases import translated
from app.session import CUT_OFF, Failure, Picture, State
from app.stream import live_code
from app.versions import (
    AGAIN,
    AGAIN_WORDS,
    CONTINUED_WORDS,
    CONVERSION,
    PART,
    PART_WORDS,
    REFINE,
    REPEAT_WORDS,
)
from engine.errors import VisCodexError
from engine.tasks import TASKS

__all__ = ["Controller", "failure_of"]

CODE_INTERVAL_MS = 50
"""Reasons of the engine for an end that is not the end of the code."""
TRY_TEMPERATURE = 0.7
"""Another try has to differ, also with a model that is greedy by itself."""
SEEDS = 8
"""Seeds of one try: as many as it may have candidates."""


class Controller(ModelDesk):
    """The application without its widgets.

    See PictureDesk and VersionDesk for its signals.
    """

    def __init__(
        self,
        bridge: EngineBridge,
        make_request: Callable[..., Any],
        parent: QObject | None = None,
    ) -> None:
        """`make_request(picture, target, **wishes)`; the wishes are those of `wiring`."""
        super().__init__(bridge, Asides(bridge, make_request), parent)
        self._make_request = make_request
        self._part: tuple[int, int] | None = None  # where what is converted lies in the picture
        self._last: Callable[[], None] | None = None  # asks for the last conversion once more
        self._code_timer = QTimer(self)
        self._code_timer.setSingleShot(True)
        self._code_timer.setInterval(CODE_INTERVAL_MS)
        self._code_timer.timeout.connect(self._show_code)
        self.session.subscribe(self._stepped)
        bridge.events.connect(self._take_events)

    def _stepped(self, before: State, now: State) -> None:
        """Tokens come by the hundred: those that follow the first are told with their code."""
        if not (before is now is State.GENERATING):
            self.changed.emit()

    # Conversion -------------------------------------------------------------

    def set_target(self, target: str) -> None:
        """ "auto", "html" or "matplotlib", from the next conversion on."""
        self.session.target = target
        self.changed.emit()

    def generate(self) -> None:
        """Start a conversion if the session allows it; a second one is one more version."""
        if self.session.versions.current is None:
            self._begin(CONVERSION, "")
        else:
            self._begin(AGAIN, REPEAT_WORDS)

    def again(self) -> None:
        """Convert once more with other random numbers."""
        self._tries += 1
        kind = CONVERSION if self.session.versions.current is None else AGAIN
        self._begin(kind, AGAIN_WORDS, seed=SEEDS * self._tries, temperature=TRY_TEMPERATURE)

    @property
    def can_go_on(self) -> bool:
        """Whether there is code that was cut off at the length limit, and a model that goes on."""
        session = self.session
        return (
            session.state is State.TRUNCATED
            and session.result.reason == "length"
            and self._bridge.goes_on
        )

    @property
    def can_raise(self) -> bool:
        """Whether the model has room for twice as much as the limit lets it write."""
        result = self.session.result
        return self.can_go_on and 0 < 2 * result.limit <= result.room

    def go_on(self, raised: bool = False) -> None:
        """Write on where the code was cut off, `raised` up to twice as much as before.

        The last line is written again: it may be half.
        """
        self.seal()
        code = self.session.result.code
        begun = code[: code.rfind("\n") + 1] or code
        if self.can_go_on and begun.strip():
            result = self.session.result
            wishes: dict[str, Any] = {"begun": begun}
            if raised and self.can_raise:
                wishes["max_tokens"] = 2 * result.limit
            self._begin(AGAIN, CONTINUED_WORDS, target=result.target, **wishes)

    def refine(self, instruction: str, region: Region | None = None) -> None:
        """Let the model change the code on top; `region` says what it is about."""
        self.seal()
        code = self.session.result.code
        if not code.strip() or not instruction.strip():
            return
        wishes: dict[str, Any] = {"refine": (instruction.strip(), code)}
        if region is not None:
            wishes["region"] = tuple(float(value) for value in region)
        self._begin(REFINE, instruction.strip(), **wishes)

    def match(self, what: str, instruction: str) -> None:
        """Change the code on top by what is measured in the picture, without the model; `what` is
        the engine's word for it."""
        self.seal()
        picture, result = self.session.picture, self.session.result
        if picture is None or not result.code.strip():
            return
        asked = (what, picture.png, result.code, result.target or "html", self.session.lines)
        self._begin(REFINE, instruction, work=lambda client: client.match(*asked))

    def convert_part(self, region: Region) -> None:
        """Convert only a part of the picture; the picture stays."""
        picture = self.session.picture
        if picture is None or not self.session.can_generate:
            return
        x0, y0, x1, y1 = region
        words = f"{PART_WORDS}{x0}, {y0} ({x1 - x0} × {y1 - y0})"

        def arrived(part: Picture) -> None:
            if self.session.picture is picture:
                self._begin(PART, words, part, (x0, y0))

        self.tasks.run(partial(cut, picture, region), arrived, self._told)

    def _begin(
        self,
        kind: str,
        instruction: str,
        part: Picture | None = None,
        place: tuple[int, int] | None = None,
        target: str = "",
        work: Work | None = None,
        **wishes: Any,
    ) -> None:
        """Start what makes a version: `work`, or a conversion with `wishes`."""
        picture = part or self.session.picture
        if not self.session.can_generate or picture is None:
            return
        self.seal()
        self._part = place
        self._drawn = []
        self._last = partial(self._begin, kind, instruction, part, place, target, work, **wishes)
        run = self.session.begin(kind, instruction)
        self.code_changed.emit("", False)
        if work is not None:
            self._bridge.ask(run, work)
            return
        request = self._make_request(picture, target or self.session.target, **wishes)
        self._bridge.convert(run, request)

    def retry(self) -> None:
        """Once more what has just failed: the same conversion, or loading the model."""
        session = self.session
        if session.state is State.FAILED and self._last is not None:
            self._last()
        elif session.picture is not None and session.versions.current is None:
            self.generate()
        else:
            self.load()

    def retry_on_processor(self) -> None:
        """The same without the graphics card, which is left alone from now on."""
        self._bridge.leave_graphics()
        self.retry()

    def watch(self, candidate: int) -> None:
        """Look at another one of several answers while they are written or compared."""
        if self.session.watch(candidate):
            self._show_code()

    def cancel(self) -> None:
        """Stop the conversion; acknowledged at once, finished when the engine says so."""
        self.stop_loading()
        if self.session.can_cancel:
            self.session.cancel()
            if self._bridge.cancel(self.session.run):
                self._stopped()
                self._go_on()

    def leave_picture(self) -> None:
        self._code_timer.stop()
        self._last = None
        super().leave_picture()

    def close(self) -> None:
        self._code_timer.stop()
        self.seal()
        self.tasks.close()
        self._bridge.close()

    # Engine events ----------------------------------------------------------

    def _take_events(self, batch: list[tuple[int, Any]]) -> None:
        for run, event in batch:
            if run < 0:
                self._asides.take(run, event)
            elif isinstance(event, Exception):
                self._failed(run, failure_of(event))
            elif event is None:
                self._ended(run)
            else:
                handler = _HANDLERS.get(event.event)
                if handler is not None:
                    handler(self, run, event)

    def _encoding(self, run: int, event: Any) -> None:
        if self._current(run) and self.session.state is not State.GENERATING:
            self.session.encoding(event.fraction)

    def _text_read(self, run: int, event: Any) -> None:
        if self._current(run) and self._part is None:
            self._take_lines(event.lines)
        elif self._current(run) and not self.session.lines and self._part is not None:
            self._take_lines([moved(line, *self._part) for line in event.lines])

    def _candidate_done(self, run: int, event: Any) -> None:
        if self._current(run):
            answers = self.session.result.answers
            answer = answers.by_number.get(event.candidate)
            code = self._code_in("" if answer is None else answer.text)
            answers.complete(event.candidate, code, event.reason)
            self.answers_changed.emit()

    def _code_in(self, text: str) -> str:
        """The code of a complete answer; "" where there is none."""
        try:
            return TASKS[self.session.result.target or "html"].extract(text).rstrip("\n")
        except VisCodexError:
            return ""

    def _comparing(self, run: int, event: Any) -> None:
        if self._current(run):
            self._show_code()
            self.session.comparing(event.candidate + 1, event.total)

    def _candidate_drawn(self, run: int, event: Any) -> None:
        if self._current(run):
            self._drawn.append(event)
            self.session.result.answers.draw(event)
            if event.total > 1:
                self.answers_changed.emit()
                self.compared.emit(event.candidate + 1, event.total)

    def _target(self, run: int, event: Any) -> None:
        if self._current(run):
            self.session.target_chosen(event.name, event.confidence)

    def _token(self, run: int, event: Any) -> None:
        if self._current(run):
            self.session.token(event.text, event.candidate)
            if not self._code_timer.isActive():
                self._code_timer.start()

    def _revised(self, run: int, event: Any) -> None:
        if self._current(run):
            self.session.revised(event.answer, translated(event.note))
            self.changed.emit()
            if self.session.result.answers.picked is None:
                self.code_changed.emit("", False)
            self._show_code()

    def _done(self, run: int, event: Any) -> None:
        if not self._current(run):
            return
        self._code_timer.stop()
        stats, result = event.stats, self.session.result
        result.target = result.target or str(stats.get("target") or "html")
        try:
            result.code = TASKS[result.target].extract(result.answers.final).rstrip("\n")
        except VisCodexError as error:
            self._failed(run, failure_of(error))
            return
        result.reason, result.note = event.reason, ""
        result.limit, result.room = int(stats.get("limit", 0)), int(stats.get("room", 0))
        self.session.done(
            truncated=event.reason in CUT_OFF,
            tokens=int(stats.get("tokens", 0)),
            per_second=float(stats.get("tokens_per_second", 0.0)),
        )
        self._record(self._drawn)
        self.code_changed.emit(result.code, True)
        self._keep_choice()

    def _cancelled(self, run: int, event: Any) -> None:
        if self._current(run):
            self._stopped()

    def _stopped(self) -> None:
        """The conversion was cancelled: answers that are complete stay, else what there is."""
        self._show_code()
        result = self.session.result
        kept = [*self._drawn, *result.answers.finished()]
        code = best_of(kept, result.answers)
        if code:
            result.code = code
            result.target = result.target or next((one.target for one in self._drawn), "html")
            self._record(kept)
        else:
            self._put_back()
        self.session.cancelled()
        self._load_ended()
        self.code_changed.emit(self.session.result.code, True)

    def _error(self, run: int, event: Any) -> None:
        code = getattr(event.code, "value", event.code)
        self._failed(run, Failure(code, event.message))

    def _failed(self, run: int, failure: Failure) -> None:
        if self._current(run):
            if failure.code == "cancelled":
                self._stopped()
                return
            self._show_code()
            self._put_back()
            failure = self._blamed(failure)
            self.session.failed(failure)
            picture = self.session.picture
            self.queue.note_failure("" if picture is None else picture.name)
            self.trouble.emit(failure)
            self.code_changed.emit(self.session.result.code, bool(self.session.result.code))
        elif run == LOADS and failure.code != "cancelled":
            self._load_failed(failure)

    def _ended(self, run: int) -> None:
        """A request is over; one that ended without a last word counts as a failure."""
        if run == LOADS:
            self._load_ended()
        elif self._current(run):
            if self.session.state is State.CANCELLING:
                self._stopped()
            else:
                self._failed(run, self._without_answer())
        if run == self.session.run:
            self._go_on()

    def _show_code(self) -> None:
        self._code_timer.stop()
        self.answers_changed.emit()
        code = live_code(self.session.result.answer)
        if code != self.session.result.code:
            self.session.result.code = code
            self.code_changed.emit(code, False)


_HANDLERS: dict[str, Callable[[Controller, int, Any], None]] = {
    "loading": Controller._loading,
    "ready": Controller._ready,
    "encoding": Controller._encoding,
    "prefilling": Controller._encoding,
    "text_read": Controller._text_read,
    "target": Controller._target,
    "token": Controller._token,
    "candidate_done": Controller._candidate_done,
    "comparing": Controller._comparing,
    "candidate_drawn": Controller._candidate_drawn,
    "revised": Controller._revised,
    "done": Controller._done,
    "cancelled": Controller._cancelled,
    "error": Controller._error,
}


def moved(line: Any, across: int, down: int) -> Any:
    """A line of text read in a part, where it lies in the whole picture."""
    x0, y0, x1, y1 = line.box
    return replace(line, box=(x0 + across, y0 + down, x1 + across, y1 + down))
