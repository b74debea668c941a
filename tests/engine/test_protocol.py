"""Frames: every message comes back as it went, and no line of bytes does harm."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ErrorCode, VisCodexError
from engine.hints import TextLine
from engine.protocol import (
    EVENTS,
    MAX_FRAME_BYTES,
    REQUESTS,
    Cancelled,
    CancelRequest,
    CandidateDone,
    CandidateDrawn,
    Comparing,
    ConvertRequest,
    Done,
    Encoding,
    Error,
    Event,
    FrameError,
    Hello,
    Loading,
    LoadRequest,
    Notice,
    Prefilling,
    ReadTextRequest,
    Ready,
    Request,
    Revised,
    ShutdownRequest,
    Target,
    TextRead,
    Token,
    decode_event,
    decode_request,
    encode,
    read_line,
)

SAMPLE_REQUESTS: list[Request] = [
    LoadRequest(Path("/a/model.gguf"), Path("/a/ä mmproj.gguf"), {"name": "x", "context": 4}),
    LoadRequest(Path("/a/model.gguf"), Path("/a/mmproj.gguf"), graphics=False),
    ConvertRequest(Path("/a/b.png")),
    ConvertRequest(
        b"\x89PNG\x00\xff",
        target="html",
        hints="never",
        max_tokens=5,
        seed=7,
        temperature=0.5,
        refine=("bluer", "<p>\n</p>"),
        begun="<p>\n",
        region=(0.0, 1.5, 20.0, 30.0),
    ),
    ReadTextRequest(b""),
    CancelRequest(),
    ShutdownRequest(),
]
SAMPLE_EVENTS: list[Event] = [
    Hello(1, 42),
    Loading(0.5),
    Ready("m", "CPU", 2048),
    Ready("m", "Vulkan0", 2048, "the whole model", graphics=True),
    TextRead([TextLine("a\nb", (0.0, 1.5, 2.0, 3.0), 0.75, (1, 2, 3), (4, 5, 6))]),
    TextRead([]),
    Encoding(1.0),
    Prefilling(0.5),
    Target("html", 0.9),
    Target("matplotlib", None),
    Notice("The picture travels in clear."),
    Revised("", "It failed; trying again"),
    Token("é\u2028\x00\U0001f600", 2),
    CandidateDone(1, "stop"),
    CandidateDrawn(0, 2, "<p>", "html", b"\x89PNG", {"total": 0.5, "text": None}),
    Comparing(1, 2),
    CandidateDrawn(1, 2, "<q>", "html", problem="It draws nothing."),
    Done("fence", {"tokens": 3, "image_size": [28, 56]}),
    Cancelled(),
    Error(ErrorCode.context_full, "full", "shorter"),
]


@pytest.mark.parametrize("request_", SAMPLE_REQUESTS, ids=lambda r: r.request)
def test_requests_come_back(request_: Request) -> None:
    line = encode(request_, 3)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode_request(line) == (3, request_)


@pytest.mark.parametrize("event", SAMPLE_EVENTS, ids=lambda e: e.event)
def test_events_come_back(event: Event) -> None:
    line = encode(event, None)
    assert line.count(b"\n") == 1
    assert decode_event(line) == (None, event)


def test_the_samples_are_all_there_is() -> None:
    assert {request.request for request in SAMPLE_REQUESTS} == set(REQUESTS)
    assert {event.event for event in SAMPLE_EVENTS} == set(EVENTS)


def test_exactly_these_events_end_a_request() -> None:
    final = {name for name, kind in EVENTS.items() if kind.final}
    assert final == {"ready", "done", "cancelled", "error"}


def test_a_relative_path_becomes_absolute() -> None:
    _, request = decode_request(encode(ConvertRequest(Path("a.png")), 1))
    assert isinstance(request, ConvertRequest)
    assert request.image == Path.cwd() / "a.png"


@given(st.text())
def test_any_text_survives(text: str) -> None:
    # Lone surrogates cannot come out of a decoder.
    text = text.encode("utf-8", "replace").decode()
    assert decode_event(encode(Token(text), 1))[1] == Token(text)


@given(st.binary(max_size=200))
def test_garbage_is_refused(line: bytes) -> None:
    for decode in (decode_request, decode_event):
        with pytest.raises(FrameError):
            decode(line)


@pytest.mark.parametrize(
    "body",
    [
        {"type": "dance", "id": 5},
        {"type": "convert", "id": 5},
        {"type": "convert", "id": 5, "image": {"data": "%%"}, "target": "html", "hints": "auto"},
        {"type": "convert", "id": 5, "image": "a.png", "target": "html", "hints": "auto"},
        {"type": "load", "id": 5, "model": 7, "mmproj": "b"},
    ],
)
def test_a_broken_request_is_told_by_its_number(body: dict[str, object]) -> None:
    with pytest.raises(FrameError) as caught:
        decode_request(json.dumps(body).encode())
    assert caught.value.id == 5


@pytest.mark.parametrize(
    "body",
    [
        {"type": "token", "text": 7},
        {"type": "token", "text": None},
        {"type": "token", "text": "a", "candidate": "0"},
        {"type": "loading", "fraction": "half"},
        {"type": "encoding", "fraction": True},
        {"type": "done", "reason": "stop", "stats": []},
        {"type": "target", "name": "html", "confidence": {}},
        {"type": "text_read", "lines": [7]},
        {"type": "error", "code": "tired", "message": ""},
    ],
)
def test_an_event_of_the_wrong_shape_is_refused(body: dict[str, object]) -> None:
    with pytest.raises(FrameError) as caught:
        decode_event(json.dumps({"id": 5, **body}).encode())
    assert caught.value.id == 5


def test_no_frame_is_longer_than_a_reader_takes() -> None:
    with pytest.raises(VisCodexError) as caught:
        encode(ReadTextRequest(bytes(MAX_FRAME_BYTES)), 1)
    assert caught.value.code is ErrorCode.bad_input
    with pytest.raises(FrameError):
        read_line(io.BytesIO(b"x" * (MAX_FRAME_BYTES + 1)))


def test_numbers_must_be_numbers() -> None:
    for number in ("5", True, 1.5, None):
        with pytest.raises(FrameError):
            decode_request(json.dumps({"type": "cancel", "id": number}).encode())


@pytest.mark.parametrize(
    "options",
    [
        {"target": "svg"},
        {"hints": "maybe"},
        {"max_tokens": 0},
        {"seed": -1},
        {"temperature": -0.1},
        {"temperature": float("nan")},
    ],
)
def test_a_request_checks_itself(options: dict[str, object]) -> None:
    with pytest.raises(VisCodexError) as caught:
        ConvertRequest(b"", **options)  # type: ignore[arg-type]
    assert caught.value.exit_code == 2
