"""What the engine tells while it serves a request. Each event is one JSON object."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar

from engine.errors import ErrorCode, VisCodexError
from engine.hints import TextLine

# What a field may hold in JSON, by its annotation.
_SHAPES: Mapping[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "bool": (bool,),
    "float": (float, int),
    "float | None": (float, int, type(None)),
    "dict[str, Any]": (dict,),
    "dict[str, float | None] | None": (dict, type(None)),
    "bytes | None": (bytes, type(None)),
}


@dataclass(frozen=True)
class _Event:
    event: ClassVar[str]
    final: ClassVar[bool] = False

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Any:
        """From the fields of a frame; unknown ones are ignored, missing ones are an error.

        Raises TypeError for values of another kind: who shows an event relies on them.
        """
        values = {item.name: data[item.name] for item in fields(cls) if item.name in data}
        for item in fields(cls):
            value = values.get(item.name)
            wanted = _SHAPES[str(item.type)]
            odd = isinstance(value, bool) != (wanted == (bool,)) or not isinstance(value, wanted)
            if item.name in values and odd:
                raise TypeError(f"{item.name} is no {item.type}")
        return cls(**values)


@dataclass(frozen=True)
class Hello(_Event):
    """The first frame of a worker."""

    event: ClassVar[str] = "hello"
    version: int
    pid: int


@dataclass(frozen=True)
class Loading(_Event):
    """The model is being loaded; `fraction` 0..1.

    `device` names a graphics device that is tried: a driver may end the whole process.
    """

    event: ClassVar[str] = "loading"
    fraction: float
    device: str = ""


@dataclass(frozen=True)
class Ready(_Event):
    """The model is loaded: its name, the device it runs on, its context in cells.

    `note` says in words what was chosen and why, `graphics` whether a graphics device computes.
    """

    event: ClassVar[str] = "ready"
    final: ClassVar[bool] = True
    model: str
    device: str
    context: int
    note: str = ""
    graphics: bool = False


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
class Comparing(_Event):
    """Code number `candidate` of `total` is drawn and compared with the picture now.

    Comes before each `candidate_drawn` where there are several, from `engine.improver`.
    """

    event: ClassVar[str] = "comparing"
    candidate: int
    total: int


@dataclass(frozen=True)
class CandidateDrawn(_Event):
    """Code that was drawn and compared with the picture, as number `candidate` of `total`.

    `png` is what it draws, `likeness` the figures of `engine.compare.Similarity` by name; both are
    None where it draws nothing, and `problem` says why. Those of repairs are numbered on. Comes
    from `engine.improver`, never from a worker.
    """

    event: ClassVar[str] = "candidate_drawn"
    candidate: int
    total: int
    code: str
    target: str
    png: bytes | None = None
    likeness: dict[str, float | None] | None = None
    problem: str = ""

    def to_json(self) -> dict[str, Any]:
        png = None if self.png is None else base64.b64encode(self.png).decode("ascii")
        return {**asdict(self), "png": png}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> CandidateDrawn:
        png = data.get("png")
        made: CandidateDrawn = super().from_json(
            {**data, "png": None if png is None else base64.b64decode(png, validate=True)}
        )
        return made


@dataclass(frozen=True)
class Done(_Event):
    """The request is done. `reason`: stop, fence, length, loop, grammar (no token of the model fits
    it any more); read where only text was wanted.

    `stats`, all seconds unless said otherwise: load (of the model, in the first request after it,
    else 0), encode, hints, first_token and total (from the start of the request, without load);
    prompt_tokens, reused_tokens, tokens (counts), tokens_per_second, finish_reason, target;
    hint_lines in the prompt, and hints_left_out because the context has no room for them; limit,
    the most tokens of one answer, and room, how many the context would have held.
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
    | Comparing
    | CandidateDrawn
    | Done
    | Cancelled
    | Error
)

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
        Comparing,
        CandidateDrawn,
        Done,
        Cancelled,
        Error,
    )
}
