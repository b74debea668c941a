"""What client and worker say to each other: one JSON object a line, over stdin and stdout.

A frame is `{"type": ..., "id": ..., fields...}`. Every request has a number; the events it causes
carry the same one, so that late events of an abandoned request are told apart. A request ends with
exactly one of `done`, `cancelled` and `error` (`ready` for a load).
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar

from engine.errors import ErrorCode, VisCodexError
from engine.hints import TextLine

VERSION = 1
MAX_FRAME_BYTES = 128_000_000  # a picture of the largest size allowed, in base64

TARGETS = ("auto", "html", "matplotlib", "text")
HINT_MODES = ("auto", "always", "never")
MOST_CANDIDATES = 8
VARIED = 0.7  # least temperature of the second and further candidates


class FrameError(ValueError):
    """A line that is no frame of this protocol. `id` is its number where that could be read."""

    def __init__(self, message: str, number: int | None = None) -> None:
        super().__init__(message)
        self.id = number


# Requests ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LoadRequest:
    """Load a model. `card` is the content of viscodex.json (or what stands in for it)."""

    request: ClassVar[str] = "load"
    model: Path
    mmproj: Path
    card: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {"model": str(self.model), "mmproj": str(self.mmproj), "card": self.card}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> LoadRequest:
        card = data.get("card", {})
        if not isinstance(card, dict):
            raise ValueError("card is no object")
        return cls(Path(_text(data, "model")), Path(_text(data, "mmproj")), card)


@dataclass(frozen=True)
class ConvertRequest:
    """Turn a picture (a path, or the bytes of a picture file) into code, or only read its text.

    `refine` is (instruction, code to change). What is None is the model's default; temperature 0
    is greedy. `max_tokens` is the longest answer in tokens, `candidates` how many answers are
    written at once: the first as asked, the others so that they differ.
    """

    request: ClassVar[str] = "convert"
    image: Path | bytes
    target: str = "auto"
    hints: str = "auto"
    max_tokens: int | None = None
    seed: int = 0
    temperature: float | None = None
    refine: tuple[str, str] | None = None
    candidates: int = 1

    def __post_init__(self) -> None:
        problem = None
        if self.target not in TARGETS:
            problem = f"There is no target '{self.target}'. Choose one of {', '.join(TARGETS)}."
        elif self.hints not in HINT_MODES:
            problem = f"Hints are {', '.join(HINT_MODES)}, not '{self.hints}'."
        elif self.max_tokens is not None and self.max_tokens < 1:
            problem = "The longest answer has at least one token."
        elif not 0 <= self.seed < 2**32:
            problem = "The seed lies between 0 and 4294967295."
        elif self.temperature is not None and not 0.0 <= self.temperature <= 5.0:
            problem = "The temperature lies between 0 and 5."
        elif not 1 <= self.candidates <= MOST_CANDIDATES:
            problem = f"There are 1 to {MOST_CANDIDATES} candidates, not {self.candidates}."
        if problem:
            raise VisCodexError(ErrorCode.bad_input, problem)

    def to_json(self) -> dict[str, Any]:
        return {
            "image": _picture_to_json(self.image),
            "target": self.target,
            "hints": self.hints,
            "max_tokens": self.max_tokens,
            "seed": self.seed,
            "temperature": self.temperature,
            "refine": None if self.refine is None else list(self.refine),
            "candidates": self.candidates,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ConvertRequest:
        refine = data.get("refine")
        if refine is not None:
            instruction, code = refine
            refine = (str(instruction), str(code))
        tokens, temperature = data.get("max_tokens"), data.get("temperature")
        return cls(
            image=_picture_from_json(data.get("image")),
            target=_text(data, "target"),
            hints=_text(data, "hints"),
            max_tokens=None if tokens is None else int(tokens),
            seed=int(data.get("seed", 0)),
            temperature=None if temperature is None else float(temperature),
            refine=refine,
            candidates=int(data.get("candidates", 1)),
        )


def variants(request: ConvertRequest) -> list[ConvertRequest]:
    """A request for each candidate: the first as asked, the others so that they differ."""
    first = replace(request, candidates=1)
    warmer = max(request.temperature or 0.0, VARIED)
    return [first] + [
        replace(first, temperature=warmer, seed=(request.seed + number) % 2**32)
        for number in range(1, request.candidates)
    ]


@dataclass(frozen=True)
class ReadTextRequest:
    """Read the text of a picture; answered by `text_read` and `done`. Needs no model."""

    request: ClassVar[str] = "read_text"
    image: Path | bytes

    def to_json(self) -> dict[str, Any]:
        return {"image": _picture_to_json(self.image)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ReadTextRequest:
        return cls(_picture_from_json(data.get("image")))


@dataclass(frozen=True)
class CancelRequest:
    """Stop the request that has this number, if it still runs. Answered by that request."""

    request: ClassVar[str] = "cancel"

    def to_json(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> CancelRequest:
        return cls()


@dataclass(frozen=True)
class ShutdownRequest:
    """Free everything and exit."""

    request: ClassVar[str] = "shutdown"

    def to_json(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ShutdownRequest:
        return cls()


Request = LoadRequest | ConvertRequest | ReadTextRequest | CancelRequest | ShutdownRequest

# Events -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Event:
    event: ClassVar[str]
    final: ClassVar[bool] = False

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Any:
        """From the fields of a frame; unknown ones are ignored, missing ones are an error."""
        names = {item.name for item in fields(cls)}
        return cls(**{name: value for name, value in data.items() if name in names})


@dataclass(frozen=True)
class Hello(_Event):
    """The first frame of a worker."""

    event: ClassVar[str] = "hello"
    version: int
    pid: int


@dataclass(frozen=True)
class Loading(_Event):
    """The model is being loaded; `fraction` 0..1."""

    event: ClassVar[str] = "loading"
    fraction: float


@dataclass(frozen=True)
class Ready(_Event):
    """The model is loaded: its name, the device it runs on, its context in cells.

    `note` says in words what was chosen and why.
    """

    event: ClassVar[str] = "ready"
    final: ClassVar[bool] = True
    model: str
    device: str
    context: int
    note: str = ""


@dataclass(frozen=True)
class TextRead(_Event):
    """The text found in the picture, boxes in pixels of the picture as it was given."""

    event: ClassVar[str] = "text_read"
    lines: list[TextLine]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TextRead:
        lines = []
        for row in data["lines"]:
            x0, y0, x1, y1 = (float(v) for v in row["box"])
            (r, g, b), (gr, gg, gb) = row["ink"], row["ground"]
            lines.append(
                TextLine(
                    str(row["text"]),
                    (x0, y0, x1, y1),
                    float(row["confidence"]),
                    (int(r), int(g), int(b)),
                    (int(gr), int(gg), int(gb)),
                )
            )
        return cls(lines)


@dataclass(frozen=True)
class Encoding(_Event):
    """The model looks at the picture; `fraction` 0..1."""

    event: ClassVar[str] = "encoding"
    fraction: float


@dataclass(frozen=True)
class Prefilling(_Event):
    """The model reads a long prompt; `fraction` 0..1."""

    event: ClassVar[str] = "prefilling"
    fraction: float


@dataclass(frozen=True)
class Target(_Event):
    """With target auto: what the model will write, and how sure it is of that, 0..1.

    `confidence` is None where that is not known (a server tells only what it writes).
    """

    event: ClassVar[str] = "target"
    name: str
    confidence: float | None


@dataclass(frozen=True)
class Token(_Event):
    """The next stretch of the answer. All of them joined are the answer, fences included."""

    event: ClassVar[str] = "token"
    text: str
    candidate: int = 0


@dataclass(frozen=True)
class Notice(_Event):
    """Something the user should know that does not stop the request, in one line."""

    event: ClassVar[str] = "notice"
    message: str


@dataclass(frozen=True)
class Revised(_Event):
    """The answer so far gives way to `answer`: "" where another one is written now.

    `note` says why, for people. Comes from `engine.improver`, never from a worker.
    """

    event: ClassVar[str] = "revised"
    answer: str
    note: str


@dataclass(frozen=True)
class CandidateDone(_Event):
    """One of several answers is complete."""

    event: ClassVar[str] = "candidate_done"
    candidate: int
    reason: str


@dataclass(frozen=True)
class Done(_Event):
    """The request is done. `reason`: stop, fence, length, loop; read where only text was wanted.

    `stats`, all seconds unless said otherwise: load (of the model, in the first request after it,
    else 0), encode, hints, first_token and total (from the start of the request, without load);
    prompt_tokens, reused_tokens, tokens (counts), tokens_per_second, finish_reason, target;
    hint_lines in the prompt, and hints_left_out because the context has no room for them.
    """

    event: ClassVar[str] = "done"
    final: ClassVar[bool] = True
    reason: str
    stats: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Cancelled(_Event):
    """The request was cancelled."""

    event: ClassVar[str] = "cancelled"
    final: ClassVar[bool] = True


@dataclass(frozen=True)
class Error(_Event):
    """The request failed: what is wrong, and what to do."""

    event: ClassVar[str] = "error"
    final: ClassVar[bool] = True
    code: ErrorCode
    message: str
    advice: str = ""

    def to_json(self) -> dict[str, Any]:
        return {"code": self.code.value, "message": self.message, "advice": self.advice}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Error:
        return cls(ErrorCode(data["code"]), str(data["message"]), str(data.get("advice", "")))

    @classmethod
    def of(cls, error: VisCodexError) -> Error:
        """The event that tells of an exception."""
        return cls(error.code, error.message, error.advice)

    def exception(self) -> VisCodexError:
        """The exception that tells of this event."""
        return VisCodexError(self.code, self.message, self.advice)


Event = (
    Hello
    | Loading
    | Ready
    | TextRead
    | Encoding
    | Prefilling
    | Target
    | Token
    | Notice
    | Revised
    | CandidateDone
    | Done
    | Cancelled
    | Error
)

REQUESTS: Mapping[str, type[Request]] = {
    kind.request: kind
    for kind in (LoadRequest, ConvertRequest, ReadTextRequest, CancelRequest, ShutdownRequest)
}
EVENTS: Mapping[str, type[Event]] = {
    kind.event: kind
    for kind in (
        Hello,
        Loading,
        Ready,
        TextRead,
        Encoding,
        Prefilling,
        Target,
        Token,
        Notice,
        Revised,
        CandidateDone,
        Done,
        Cancelled,
        Error,
    )
}

# Frames -----------------------------------------------------------------------------------------


def encode(message: Request | Event, number: int | None) -> bytes:
    """One line, ASCII only, ended by a newline."""
    name = message.event if isinstance(message, _Event) else message.request
    body = {"type": name, "id": number, **message.to_json()}
    return json.dumps(body, separators=(",", ":")).encode("ascii") + b"\n"


def decode_request(line: bytes) -> tuple[int, Request]:
    """The number and content of a request. Raises FrameError, or VisCodexError(bad_input)."""
    number, body = _open(line)
    kind = REQUESTS.get(body["type"])
    if kind is None:
        raise FrameError(f"unknown request '{body['type'][:40]}'", number)
    if number is None:
        raise FrameError("a request without a number")
    try:
        return number, kind.from_json(body)
    except (KeyError, TypeError, ValueError) as error:
        raise FrameError(f"broken {kind.request} request: {error}", number) from error


def decode_event(line: bytes) -> tuple[int | None, Event]:
    """The number and content of an event. Raises FrameError."""
    number, body = _open(line)
    kind = EVENTS.get(body["type"])
    if kind is None:
        raise FrameError(f"unknown event '{body['type'][:40]}'", number)
    try:
        event: Event = kind.from_json(body)
        return number, event
    except (KeyError, TypeError, ValueError) as error:
        raise FrameError(f"broken {kind.event} event: {error}", number) from error


def _open(line: bytes) -> tuple[int | None, dict[str, Any]]:
    if len(line) > MAX_FRAME_BYTES:
        raise FrameError("the frame is too long")
    try:
        body = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise FrameError("the line is no JSON") from error
    number = body.get("id") if isinstance(body, dict) else None
    if number is not None and (not isinstance(number, int) or isinstance(number, bool)):
        raise FrameError("the number of a frame is an integer")
    if not isinstance(body, dict) or not isinstance(body.get("type"), str):
        raise FrameError("the line is no frame", number)
    return number, body


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data[name]
    if not isinstance(value, str):
        raise ValueError(f"{name} is no text")
    return value


def _picture_to_json(image: Path | bytes) -> dict[str, str]:
    if isinstance(image, bytes):
        return {"data": base64.b64encode(image).decode("ascii")}
    return {"path": str(image.absolute())}


def _picture_from_json(data: Any) -> Path | bytes:
    if not isinstance(data, dict):
        raise ValueError("the picture is no object")
    if "path" in data:
        return Path(_text(data, "path"))
    try:
        return base64.b64decode(_text(data, "data"), validate=True)
    except binascii.Error as error:
        raise ValueError("the picture is no base64") from error
