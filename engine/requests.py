"""What the engine can be asked for. Each request is one JSON object (see `engine.protocol`)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from engine.errors import ErrorCode, VisCodexError

TARGETS = ("auto", "html", "matplotlib", "text")
HINT_MODES = ("auto", "always", "never")
MOST_CANDIDATES = 8
VARIED = 0.7  # least temperature of the second and further candidates


@dataclass(frozen=True)
class LoadRequest:
    """Load a model. `card` is the content of viscodex.json (or what stands in for it).

    Without `graphics` only the processor is used.
    """

    request: ClassVar[str] = "load"
    model: Path
    mmproj: Path
    card: dict[str, Any] = field(default_factory=dict)
    graphics: bool = True

    def to_json(self) -> dict[str, Any]:
        return {
            "model": str(self.model),
            "mmproj": str(self.mmproj),
            "card": self.card,
            "graphics": self.graphics,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> LoadRequest:
        card = data.get("card", {})
        if not isinstance(card, dict):
            raise ValueError("card is no object")
        graphics = bool(data.get("graphics", True))
        return cls(Path(_text(data, "model")), Path(_text(data, "mmproj")), card, graphics)


@dataclass(frozen=True)
class ConvertRequest:
    """Turn a picture (a path, or the bytes of a picture file) into code, or only read its text.

    `refine` is (instruction, code to change). What is None is the model's default; temperature 0
    is greedy. `max_tokens` is the longest answer in tokens, `candidates` how many answers are
    written at once: the first as asked, the others so that they differ. `grammar` (GBNF, its root
    describes the code without fences) is kept to by every answer. `region` (x0, y0, x1, y1 in
    pixels of the picture) is the part that a change is limited to. `begun` is code that an
    answer to the same picture began with: it is written on from there.
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
    grammar: str | None = None
    region: tuple[float, float, float, float] | None = None
    begun: str = ""

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
        elif self.grammar is not None and self.target == "text":
            problem = "Text is read from the picture, not written: it takes no grammar."
        elif self.begun and self.grammar is not None:
            problem = "A grammar describes whole code: it cannot go on with what was begun."
        elif self.region is not None and not (
            self.region[0] < self.region[2] and self.region[1] < self.region[3]
        ):
            problem = "The region has no pixels."
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
            "grammar": self.grammar,
            "region": None if self.region is None else list(self.region),
            "begun": self.begun,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ConvertRequest:
        refine = data.get("refine")
        if refine is not None:
            instruction, code = refine
            refine = (str(instruction), str(code))
        tokens, temperature = data.get("max_tokens"), data.get("temperature")
        grammar = data.get("grammar")
        return cls(
            image=_picture_from_json(data.get("image")),
            target=_text(data, "target"),
            hints=_text(data, "hints"),
            max_tokens=None if tokens is None else int(tokens),
            seed=int(data.get("seed", 0)),
            temperature=None if temperature is None else float(temperature),
            refine=refine,
            candidates=int(data.get("candidates", 1)),
            grammar=None if grammar is None else str(grammar),
            region=_box(data.get("region")),
            begun=str(data.get("begun", "")),
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

REQUESTS: Mapping[str, type[Request]] = {
    kind.request: kind
    for kind in (LoadRequest, ConvertRequest, ReadTextRequest, CancelRequest, ShutdownRequest)
}


def _box(data: Any) -> tuple[float, float, float, float] | None:
    if data is None:
        return None
    x0, y0, x1, y1 = (float(value) for value in data)
    return x0, y0, x1, y1


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
