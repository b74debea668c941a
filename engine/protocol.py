"""What client and worker say to each other: one JSON object a line, over stdin and stdout.

A frame is `{"type": ..., "id": ..., fields...}`. Every request has a number; the events it causes
carry the same one, so that late events of an abandoned request are told apart. A request ends with
exactly one of `done`, `cancelled` and `error` (`ready` for a load).
"""

from __future__ import annotations

import json
from typing import IO, Any

from engine.errors import ErrorCode, VisCodexError
from engine.events import (
    EVENTS,
    Cancelled,
    CandidateDone,
    CandidateDrawn,
    Comparing,
    Done,
    Encoding,
    Error,
    Event,
    Hello,
    Loading,
    Notice,
    Prefilling,
    Ready,
    Revised,
    Target,
    TextRead,
    Token,
)
from engine.requests import (
    HINT_MODES,
    MOST_CANDIDATES,
    REQUESTS,
    TARGETS,
    VARIED,
    CancelRequest,
    ConvertRequest,
    LoadRequest,
    ReadTextRequest,
    Request,
    ShutdownRequest,
    variants,
)

__all__ = [
    "EVENTS",
    "HINT_MODES",
    "MAX_FRAME_BYTES",
    "MOST_CANDIDATES",
    "REQUESTS",
    "TARGETS",
    "VARIED",
    "VERSION",
    "CancelRequest",
    "Cancelled",
    "CandidateDone",
    "CandidateDrawn",
    "Comparing",
    "ConvertRequest",
    "Done",
    "Encoding",
    "Error",
    "Event",
    "FrameError",
    "Hello",
    "LoadRequest",
    "Loading",
    "Notice",
    "Prefilling",
    "ReadTextRequest",
    "Ready",
    "Request",
    "Revised",
    "ShutdownRequest",
    "Target",
    "TextRead",
    "Token",
    "decode_event",
    "decode_request",
    "encode",
    "read_line",
    "variants",
]

VERSION = 1
MAX_FRAME_BYTES = 128_000_000  # a picture of the largest size allowed, in base64


class FrameError(ValueError):
    """A line that is no frame of this protocol. `id` is its number where that could be read."""

    def __init__(self, message: str, number: int | None = None) -> None:
        super().__init__(message)
        self.id = number


def encode(message: Request | Event, number: int | None) -> bytes:
    """One line, ASCII only, ended by a newline.

    Raises VisCodexError(bad_input) where it would be longer than any reader takes.
    """
    name = message.event if isinstance(message, Event) else message.request
    body = {"type": name, "id": number, **message.to_json()}
    line = json.dumps(body, separators=(",", ":")).encode("ascii") + b"\n"
    if len(line) > MAX_FRAME_BYTES:
        raise VisCodexError(
            ErrorCode.bad_input,
            f"Picture and text have {len(line) // 1_000_000} MB together; "
            f"the limit is {MAX_FRAME_BYTES // 1_000_000}.",
            "Give a smaller picture, or refine shorter code.",
        )
    return line


def read_line(stream: IO[bytes]) -> bytes:
    """The next line of a stream with its newline, b"" at the end.

    Raises FrameError where it is too long; the rest of it is then still to be read.
    """
    line = stream.readline(MAX_FRAME_BYTES + 1)
    if len(line) > MAX_FRAME_BYTES:
        raise FrameError("the frame is too long")
    return line


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
