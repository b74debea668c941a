"""The state machine of one conversion. No widgets, no Qt: a table, and the facts it keeps.

The window feeds it what the user does and what the engine says, and shows what it finds here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from app.answers import Answers
from app.versions import CONVERSION, Version, VersionTree, title

if TYPE_CHECKING:
    from engine.hints import TextLine

LEAST_SECONDS = 0.2
"""Tokens come in bundles: what came in less time than this tells nothing of the rate."""


class State(str, Enum):
    """What the session is doing."""

    EMPTY = "empty"  # no picture yet
    READY = "ready"  # a picture, no result
    LOADING = "loading"  # the model is being loaded for this conversion
    ENCODING = "encoding"  # the picture is being read
    GENERATING = "generating"  # code arrives
    COMPARING = "comparing"  # several answers are complete, each is drawn and measured
    CANCELLING = "cancelling"  # the user said stop, the engine has not answered yet
    DONE = "done"
    TRUNCATED = "truncated"  # stopped at the length limit
    CANCELLED = "cancelled"
    FAILED = "failed"


class EngineState(str, Enum):
    """What became of the model, whether a conversion runs or not."""

    IDLE = "idle"  # not loaded
    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"  # it could not be loaded
    MISSING = "missing"  # there is none
    CRASHED = "crashed"  # its process died; it starts anew on the processor


class Input(str, Enum):
    """What can happen to a session."""

    PICTURE = "picture"
    VERSION = "version"  # another version of the code comes on top
    CUT_VERSION = "cut_version"  # one that was cut off
    BEGIN = "begin"
    LOADING = "loading"
    ENCODING = "encoding"
    TOKEN = "token"
    SETTLED = "settled"  # the engine has chosen the answer that counts
    COMPARING = "comparing"
    DONE = "done"
    TRUNCATED = "truncated"
    CANCEL = "cancel"
    CANCELLED = "cancelled"
    FAILED = "failed"


WORKING = (State.LOADING, State.ENCODING, State.GENERATING, State.COMPARING)
BUSY = frozenset({*WORKING, State.CANCELLING})
CUT_OFF = frozenset({"length", "loop"})
"""The engine's words for why an answer ended that is not complete."""
RESTING = frozenset({State.READY, State.DONE, State.TRUNCATED, State.CANCELLED, State.FAILED})
LATE = (Input.LOADING, Input.ENCODING, Input.TOKEN, Input.SETTLED, Input.COMPARING)


def _table() -> Mapping[tuple[State, Input], State]:
    table: dict[tuple[State, Input], State] = {(State.EMPTY, Input.PICTURE): State.READY}
    for state in RESTING:
        table[state, Input.PICTURE] = State.READY
        table[state, Input.VERSION] = State.DONE
        table[state, Input.CUT_VERSION] = State.TRUNCATED
        table[state, Input.BEGIN] = State.LOADING
    for state in WORKING:
        table[state, Input.CANCEL] = State.CANCELLING
        # After a comparison a script that fails is written again.
        table[state, Input.TOKEN] = State.GENERATING
        table[state, Input.SETTLED] = state
        table[state, Input.DONE] = State.DONE
        table[state, Input.TRUNCATED] = State.TRUNCATED
    table[State.LOADING, Input.LOADING] = State.LOADING
    table[State.LOADING, Input.ENCODING] = State.ENCODING
    table[State.ENCODING, Input.ENCODING] = State.ENCODING
    table[State.GENERATING, Input.COMPARING] = State.COMPARING
    # Where code is changed by what is measured, nothing is written before.
    table[State.LOADING, Input.COMPARING] = State.COMPARING
    table[State.COMPARING, Input.COMPARING] = State.COMPARING
    # Late events of an engine that has not yet seen the cancel change nothing.
    for late in (*LATE, Input.CANCEL):
        table[State.CANCELLING, late] = State.CANCELLING
    # The answer may be complete by the time the cancel arrives: then it is complete.
    table[State.CANCELLING, Input.DONE] = State.DONE
    table[State.CANCELLING, Input.TRUNCATED] = State.TRUNCATED
    for state in BUSY:
        table[state, Input.CANCELLED] = State.CANCELLED
        table[state, Input.FAILED] = State.FAILED
    return table


TRANSITIONS = _table()
"""(state, input) -> next state. What is not listed is not allowed."""


class NotAllowed(Exception):
    """The session cannot take this input in its state; a fault of the caller."""


@dataclass(frozen=True)
class Picture:
    """The source picture: PNG bytes, size in pixels, and a name for people.

    `full` is the size it had before it was made smaller, None where it was not.
    """

    png: bytes
    width: int
    height: int
    name: str
    full: tuple[int, int] | None = None


@dataclass(frozen=True)
class Failure:
    """What went wrong: a code of `messages.ERRORS`, what happened, and what to do where that is
    another advice than the one of the table."""

    code: str
    message: str
    advice: str = ""


@dataclass
class Result:
    """What one conversion has brought so far."""

    target: str = ""  # "html" or "matplotlib"; "" while the model decides
    confidence: float | None = None
    reason: str = ""  # why the engine stopped
    answers: Answers = field(default_factory=Answers)  # raw texts of the model
    code: str = ""  # the code in it, or what the user made of it
    tokens: int = 0
    seconds: float = 0.0
    tokens_per_second: float = 0.0
    edited: bool = False
    note: str = ""  # why the code is written again just now
    limit: int = 0  # the most tokens of one answer; 0 where it is not known
    room: int = 0  # how many the model could have written
    kind: str = CONVERSION  # of the version that comes of it, see app.versions
    instruction: str = ""  # what was asked for beyond the conversion

    @property
    def answer(self) -> str:
        """The raw text that is shown."""
        return self.answers.shown


@dataclass
class Session:
    """One conversion after the other on one window.

    `clock` gives seconds and exists for tests. Listeners are called after every change.
    """

    clock: Callable[[], float] = time.monotonic
    state: State = State.EMPTY
    picture: Picture | None = None
    lines: Sequence[TextLine] = ()  # the text read in the picture
    words: str = ""  # the same without places, as far as it is known
    versions: VersionTree = field(default_factory=VersionTree)
    takes_instructions: bool | None = None  # None while no model is loaded
    target: str = "auto"
    result: Result = field(default_factory=Result)
    failure: Failure | None = None
    progress: float | None = None  # of the present phase, 0..1; None where unknown
    compared: tuple[int, int] = (0, 0)  # which of how many is compared just now
    run: int = 0  # number of the conversion; events of older ones are stale
    engine: EngineState = EngineState.IDLE
    load_progress: float | None = None
    model: str = ""
    device: str = ""
    graphics: bool = False  # whether that is a graphics device
    device_note: str = ""  # what was chosen to compute on, and why
    _began: float = 0.0
    _first_token: float = 0.0
    _listeners: list[Callable[[State, State], None]] = field(default_factory=list)

    @property
    def busy(self) -> bool:
        """Whether the engine works for this session."""
        return self.state in BUSY

    @property
    def can_generate(self) -> bool:
        return (self.state, Input.BEGIN) in TRANSITIONS

    @property
    def can_cancel(self) -> bool:
        return self.busy and self.state is not State.CANCELLING

    @property
    def can_stop_loading(self) -> bool:
        """Whether a model is loaded that no conversion waits for."""
        return not self.busy and self.engine is EngineState.LOADING

    @property
    def elapsed(self) -> float:
        """Seconds since the conversion began; its whole duration once it has ended."""
        return self.clock() - self._began if self.busy else self.result.seconds

    def subscribe(self, listener: Callable[[State, State], None]) -> None:
        """Call `listener(before, after)` after each input taken."""
        self._listeners.append(listener)

    def set_picture(self, picture: Picture) -> None:
        """Take a new picture and drop the old result. Raises NotAllowed during a conversion."""
        self._check(Input.PICTURE)
        self.picture = picture
        self.lines, self.words = (), ""
        self.versions = VersionTree()
        self.result = Result()
        self.failure = None
        self.progress = None
        self._step(Input.PICTURE)

    def show_version(self, version: Version) -> None:
        """The code of a version counts from now on. Raises NotAllowed during a conversion."""
        given = Input.CUT_VERSION if version.reason in CUT_OFF else Input.VERSION
        self._check(given)
        self.result = Result(
            target=version.target,
            code=version.code,
            kind=version.kind,
            note=title(version),
            reason=version.reason,
            limit=self.result.limit,
            room=self.result.room,
        )
        self.failure = None
        self._step(given)

    def begin(self, kind: str = CONVERSION, instruction: str = "") -> int:
        """Start a conversion and return its number."""
        self._check(Input.BEGIN)
        target = "" if self.target == "auto" else self.target
        self.result = Result(target=target, kind=kind, instruction=instruction)
        self.failure = None
        self.progress = None
        self.run += 1
        self._began = self.clock()
        self._first_token = 0.0
        self._step(Input.BEGIN)
        return self.run

    def engine_loading(self, fraction: float | None) -> None:
        """The model is being loaded, for a conversion or ahead of one."""
        self.engine, self.load_progress = EngineState.LOADING, fraction
        if self.state is State.LOADING:
            self.progress = fraction
            self._step(Input.LOADING)
        else:
            self._tell(self.state)

    def engine_ready(self, model: str, device: str, note: str = "", graphics: bool = False) -> None:
        """Remember what answers; possible in every state, since engines also start idle."""
        self.model, self.device, self.device_note = model, device, note
        self.graphics = graphics
        self.engine_changed(EngineState.READY)

    def engine_changed(self, state: EngineState) -> None:
        """The model is something else now; possible in every state."""
        self.engine, self.load_progress = state, None
        if state is not EngineState.READY:
            self.graphics = False
        self._tell(self.state)

    def encoding(self, fraction: float | None) -> None:
        self.progress = fraction
        self._step(Input.ENCODING)

    def text_read(self, lines: Sequence[TextLine]) -> None:
        """The text of the picture; possible in every state, since it can be asked for alone."""
        self.lines = tuple(lines)
        self.words = "\n".join(line.text for line in lines)
        self._tell(self.state)

    def target_chosen(self, name: str, confidence: float | None) -> None:
        """The model has said what kind of picture it is."""
        self.result.target = name
        self.result.confidence = confidence
        self._tell(self.state)

    def token(self, text: str, candidate: int = 0) -> None:
        """Add a piece of an answer."""
        self._check(Input.TOKEN)
        if self.state is not State.CANCELLING:
            now = self.clock()
            self._first_token = self._first_token or now
            self.result.answers.add(text, candidate)
            self.result.tokens += 1
            self.progress = None
            passed = now - self._first_token
            if passed >= LEAST_SECONDS:
                self.result.tokens_per_second = (self.result.tokens - 1) / passed
        self._step(Input.TOKEN)

    def revised(self, answer: str, note: str) -> None:
        """The answer so far gives way to another one, or to one that was there before."""
        given = Input.SETTLED if answer else Input.TOKEN
        self._check(given)
        self.result.answers.give_way(answer)
        self.result.code = ""
        self.result.note = note
        self.progress = None
        self._step(given)

    def comparing(self, number: int, total: int) -> None:
        """Answer `number` (from 1) of `total` is drawn and compared now."""
        self._check(Input.COMPARING)
        self.compared = (number, total)
        self.result.note = ""
        self.progress = (number - 1) / total
        self._step(Input.COMPARING)

    @property
    def can_watch(self) -> bool:
        """Whether there are several answers at work to look at."""
        return self.state in {State.GENERATING, State.COMPARING} and len(self.result.answers) > 1

    def watch(self, candidate: int) -> bool:
        """Show another answer; while they are compared it is the user's own choice, which wins."""
        answers = self.result.answers
        if not self.can_watch or candidate not in answers.by_number:
            return False
        answers.watched = candidate
        if self.state is State.COMPARING:
            answers.picked = candidate
        self._tell(self.state)
        return True

    def done(self, truncated: bool = False, tokens: int = 0, per_second: float = 0.0) -> None:
        """The answer is complete, or cut off at the length limit."""
        self._close()
        self.result.tokens = tokens or self.result.tokens
        self.result.tokens_per_second = per_second or self.result.tokens_per_second
        self._step(Input.TRUNCATED if truncated else Input.DONE)

    def cancel(self) -> None:
        self._step(Input.CANCEL)

    def cancelled(self) -> None:
        self._close()
        self._step(Input.CANCELLED)

    def failed(self, failure: Failure) -> None:
        self._check(Input.FAILED)
        self._close()
        self.failure = failure
        self._step(Input.FAILED)

    def edit(self, code: str) -> None:
        """The user changed the code by hand."""
        self.result.code = code
        self.result.edited = True

    def _close(self) -> None:
        if self.busy:
            self.result.seconds = self.clock() - self._began
        self.progress = None

    def _check(self, given: Input) -> State:
        try:
            return TRANSITIONS[self.state, given]
        except KeyError:
            raise NotAllowed(f"{given.value} while {self.state.value}") from None

    def _step(self, given: Input) -> None:
        before = self.state
        self.state = self._check(given)
        self._tell(before)

    def _tell(self, before: State) -> None:
        for listener in list(self._listeners):
            listener(before, self.state)
