"""A real client against a real server on 127.0.0.1: whole answers, and every way to fail."""

from __future__ import annotations

import base64
import io
import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from engine import protocol
from engine.errors import ErrorCode, VisCodexError
from engine.protocol import ConvertRequest, Done, Event, Target, TextRead, Token
from engine.remote.client import RemoteClient, probe
from engine.remote.http import Patience
from engine.remote.server import Server
from engine.tasks import TASKS
from tests.fixtures.chat_server import (
    DONE,
    JSON,
    STREAM,
    Answer,
    ChatServer,
    Hang,
    cut_off,
    message,
    raw,
    stream,
    whole,
)

KEY = "sk-very-secret-0123456789"
PAGE = "<!DOCTYPE html>\n<p>Grüße</p>\n"
FENCED = f"```html\n{PAGE}```"
PIECES = [FENCED[i : i + 3] for i in range(0, len(FENCED), 3)]


def png(size: tuple[int, int] = (300, 200)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, "white").save(buffer, "PNG")
    return buffer.getvalue()


def ask(
    answer: Answer | list[Answer],
    *,
    key: str = "",
    model: str = "see-7b",
    models: tuple[str, ...] = ("see-7b",),
    silence: float = 20.0,
    **request: Any,
) -> tuple[list[Event], ChatServer]:
    """The events of one request, and the server that was asked."""
    wanted = ConvertRequest(png(), **{"hints": "never", "target": "html", **request})
    answers = answer if isinstance(answer, list) else [answer]
    with (
        ChatServer(answers, models) as server,
        RemoteClient(
            Server.at(server.url, key), model, patience=Patience(connect=5.0, silence=silence)
        ) as client,
    ):
        events = list(client.convert(wanted))
        assert not server.trouble
    finals = [event for event in events if event.final and not isinstance(event, protocol.Ready)]
    assert finals == events[-1:], "a request ends with exactly one final event"
    return events, server


def text_of(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Token))


def done(events: list[Event]) -> Done:
    assert isinstance(events[-1], Done), events[-1]
    return events[-1]


def error(events: list[Event]) -> protocol.Error:
    assert isinstance(events[-1], protocol.Error), events[-1]
    assert "\n" not in events[-1].message + events[-1].advice
    return events[-1]


class TestAnswers:
    def test_a_stream_becomes_the_events_of_a_local_model(self) -> None:
        events, server = ask(stream(*PIECES, tokens=None))
        assert text_of(events) == FENCED
        assert done(events).reason == "fence"
        assert [type(event) for event in events[:2]] == [protocol.Encoding, protocol.Encoding]
        assert len([event for event in events if isinstance(event, Token)]) > 5
        stats = done(events).stats
        assert 0 < stats["encode"] <= stats["first_token"] <= stats["total"]
        assert stats["tokens"] > 5
        assert stats["tokens_per_second"] > 0
        assert stats["target"] == "html"
        assert server.chats[0].line == "POST /v1/chat/completions HTTP/1.1"

    def test_what_is_sent(self) -> None:
        _, server = ask(
            stream(FENCED), max_tokens=99, seed=5, temperature=0.5, refine=("bluer", "<p>x</p>")
        )
        body = server.chats[0].json
        assert (body["model"], body["stream"]) == ("see-7b", True)
        assert (body["max_tokens"], body["seed"], body["temperature"]) == (99, 5, 0.5)
        assert [turn["role"] for turn in body["messages"]] == ["system", "user"]
        picture, text = body["messages"][-1]["content"]
        url = picture["image_url"]["url"]
        assert url.startswith("data:image/png;base64,")
        seen = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
        assert seen.format == "PNG" and seen.width % 28 == seen.height % 28 == 0
        assert "<p>x</p>" in text["text"] and text["text"].endswith("bluer")
        assert "authorization" not in server.chats[0].headers

    def test_hints_are_read_here_and_sent_along(self, samples: Path) -> None:
        picture = samples / "login.png"
        with (
            ChatServer([stream(FENCED)]) as server,
            RemoteClient(Server.at(server.url), "see-7b") as client,
        ):
            events = list(client.convert(ConvertRequest(picture, "html", hints="always")))
            (read,) = [event for event in events if isinstance(event, TextRead)]
            assert "Welcome back" in [line.text for line in read.lines]
            sent = server.chats[0].json["messages"][-1]["content"][1]["text"]
            assert ">Welcome back</\n" in sent
            assert done(events).stats["hints"] > 0
            # Text alone needs no server.
            only = list(client.convert(ConvertRequest(picture, "text")))
            assert isinstance(only[0], TextRead) and done(only).reason == "read"
            assert len(server.asked) == 1

    def test_counts_of_the_server_are_taken_over(self) -> None:
        events, _ = ask(stream("```html\n<p>", "x</p>\n", reason="length", tokens=77))
        stats = done(events).stats
        assert (stats["tokens"], stats["prompt_tokens"]) == (77, 321)
        assert done(events).reason == stats["finish_reason"] == "length"

    def test_reading_stops_after_the_closing_fence(self) -> None:
        hang = Hang(chunks=tuple(message(piece) for piece in (*PIECES, "\n\nThis page shows")))
        events, _ = ask(hang)
        assert text_of(events) == FENCED
        assert done(events).reason == "fence"
        assert hang.gone.wait(5), "the connection stays open and the server goes on writing"

    @pytest.mark.parametrize(
        ("texts", "target", "code"),
        [
            (["Sure! Here it is:\n\n```ht", f"ml\n{PAGE}``", "`\nEnjoy"], "html", PAGE),
            (["<think>a ```html\n<b>\n``` </th", f"ink>\n{FENCED}"], "html", PAGE),
            ([f"```\n{PAGE}```"], "html", PAGE),
            (["```bash\nls\n```\nthen\n", FENCED], "html", PAGE),
            (["<!DOCTYPE html>\n<html>", "<p>x</p></html>\nIt shows x."], "html", None),
            (["import matplotlib\n", "print(1)\n"], "matplotlib", "import matplotlib\nprint(1)\n"),
            (["from the picture I see:\n```python\nx = 1\n```"], "matplotlib", "x = 1\n"),
            (["The page: <div>x</div>"], "html", "<div>x</div>\n"),
        ],
    )
    @pytest.mark.parametrize("auto", [False, True])
    def test_beginnings(self, texts: list[str], target: str, code: str | None, auto: bool) -> None:
        events, _ = ask(stream(*texts), target="auto" if auto else target)
        answer = text_of(events)
        task = TASKS[target]
        assert answer.startswith(task.prefill)
        expected = "<!DOCTYPE html>\n<html><p>x</p></html>\n" if code is None else code
        assert task.extract(answer) == expected
        told = [event for event in events if isinstance(event, Target)]
        assert told == ([Target(target, None)] if auto else [])
        assert done(events).stats["target"] == target

    def test_an_answer_in_one_piece(self) -> None:
        choice = {"message": {"content": FENCED}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 9, "completion_tokens": 11}
        events, _ = ask(whole(200, {"choices": [choice], "usage": usage}))
        assert text_of(events) == FENCED
        assert done(events).stats["tokens"] == 11

    @pytest.mark.parametrize("step", [1, 2, 7, 100_000])
    @pytest.mark.parametrize("end", ["\n\n", "\r\n\r\n", "\n"])
    def test_bytes_cut_anywhere(self, step: int, end: str) -> None:
        lines = b"".join([b": keep-alive\n\n", *(message(piece) for piece in PIECES[:6])])
        lines += b"event: x\nid: 4\n: more\n" + message("ü " + "".join(PIECES[6:])) + DONE
        data = lines.replace(b"\n\n", end.encode())
        chunks = [data[i : i + step] for i in range(0, len(data), step)]
        events, _ = ask(raw_at_once(chunks))
        assert text_of(events) == "".join(PIECES[:6]) + "ü " + "".join(PIECES[6:])

    def test_the_content_type_does_not_matter(self) -> None:
        events, _ = ask(raw(message(FENCED), DONE, headers={"Content-Type": "text/plain"}))
        assert text_of(events) == FENCED

    def test_a_slow_server_is_waited_for(self) -> None:
        events, _ = ask(stream(*PIECES[:6], FENCED[18:], pause=0.15), silence=1.0)
        assert text_of(events) == FENCED
        assert done(events).stats["total"] > 0.9

    def test_a_field_the_server_refuses_is_left_out(self) -> None:
        refusal = whole(400, {"error": {"message": "unknown field stream_options"}})
        events, server = ask([refusal, stream(FENCED)])
        assert text_of(events) == FENCED
        assert "stream_options" in server.chats[0].json
        assert "stream_options" not in server.chats[1].json

    def test_the_only_model_of_a_server_is_found(self) -> None:
        events, server = ask(stream(FENCED), model="", models=("the-one",))
        assert protocol.Loading(0.0) in events
        (ready,) = [event for event in events if isinstance(event, protocol.Ready)]
        assert (ready.model, ready.context) == ("the-one", 4096)
        assert server.chats[0].json["model"] == "the-one"
        assert done(events).stats["load"] > 0

    def test_of_several_models_one_must_be_named(self) -> None:
        events, server = ask(stream(FENCED), model="", models=("one", "two"))
        assert error(events).code is ErrorCode.server_address
        assert "one, two" in error(events).message
        assert not server.chats


def raw_at_once(chunks: list[bytes]) -> Answer:
    def answer(connection: Any) -> None:
        connection.head(200, STREAM)
        for chunk in chunks:
            connection.send(chunk)
        connection.end()

    return answer


def said(text: str) -> dict[str, Any]:
    return {"error": {"message": text, "type": "x"}}


FAULTS: dict[str, tuple[Answer, ErrorCode, str]] = {
    "401": (whole(401, said(f"bad key {KEY}")), ErrorCode.server_denied, "401"),
    "403": (whole(403, said(f"bad key {KEY}")), ErrorCode.server_denied, "403"),
    "404": (whole(404, said("model vision-7b is not here")), ErrorCode.server_address, "is not"),
    "413": (whole(413, b"too large", {}), ErrorCode.image_too_large, "413"),
    "429": (whole(429, b"", {"Retry-After": "17"}), ErrorCode.server_busy, "17 seconds"),
    "500": (whole(500, said("tensor fell over")), ErrorCode.server_failed, "tensor fell over"),
    "500 with a page": (
        whole(500, b"<html><h1>Oops</h1>", {"Content-Type": "text/html"}),
        ErrorCode.server_failed,
        "(500).",
    ),
    "503": (whole(503, said("Loading model")), ErrorCode.server_busy, "Loading model"),
    "status 204": (whole(204, b""), ErrorCode.server_garbled, "204"),
    "a key quoted": (whole(500, said(f"key {KEY} expired")), ErrorCode.server_failed, "***"),
    "a key cut by the length of the quote": (
        whole(500, said("x" * 180 + KEY)),
        ErrorCode.server_failed,
        "***",
    ),
    "a page": (
        whole(200, b"<!DOCTYPE html><p>Welcome to nginx", {"Content-Type": "text/html"}),
        ErrorCode.server_garbled,
        "HTML",
    ),
    "plain text": (whole(200, b"hello", {}), ErrorCode.server_garbled, "no chat answer"),
    "other JSON": (whole(200, {"a": 1}), ErrorCode.server_garbled, "choices"),
    "broken JSON": (whole(200, b'{"choices": [', JSON), ErrorCode.server_garbled, "broken JSON"),
    "a broken line": (
        raw(message("```html\n"), b"data: {oops\n\n", DONE),
        ErrorCode.server_garbled,
        "broken JSON",
    ),
    "cut off": (
        cut_off([message("```html\n<p>")], cleanly=False),
        ErrorCode.server_garbled,
        "broke off",
    ),
    "ended too soon": (
        cut_off([message("```html\n<p>")], cleanly=True),
        ErrorCode.server_garbled,
        "cut off",
    ),
    "no answer at all": (lambda connection: None, ErrorCode.server_garbled, "broke off"),
    "an error in the middle": (
        raw(message("```html\n"), b'data: {"error": {"message": "CUDA error"}}\n\n'),
        ErrorCode.server_failed,
        "CUDA error",
    ),
    "no eyes (llama-server)": (
        whole(500, said("image input is not supported - hint: you may need to provide the mmproj")),
        ErrorCode.server_blind,
        "cannot see",
    ),
    "no eyes (vLLM)": (
        whole(400, said("text-7b is not a multimodal model")),
        ErrorCode.server_blind,
        "cannot see",
    ),
    "no eyes (Ollama)": (
        whole(500, {"error": "this model is missing data required for image input"}),
        ErrorCode.server_blind,
        "cannot see",
    ),
    "no eyes (text only)": (
        whole(400, {"detail": [{"msg": "content.type is invalid, allowed values: ['text']"}]}),
        ErrorCode.server_blind,
        "cannot see",
    ),
    "too long": (
        whole(400, said("This model's maximum context length is 2048 tokens.")),
        ErrorCode.context_full,
        "context",
    ),
    "withheld": (raw(message(reason="content_filter"), DONE), ErrorCode.no_code, "content_filter"),
    "empty": (raw(message(reason="stop"), DONE), ErrorCode.no_code, "empty"),
    "only thoughts": (
        raw(message(reason="length"), DONE),
        ErrorCode.no_code,
        "--max-tokens",
    ),
    "nothing": (raw(b""), ErrorCode.no_code, "empty"),
    "no code": (stream("I cannot do that."), ErrorCode.no_code, "no code"),
}


class TestFaults:
    @pytest.mark.parametrize("case", FAULTS)
    def test_each_is_told_in_one_line(self, case: str) -> None:
        answer, code, word = FAULTS[case]
        events, server = ask(answer, key=KEY)
        assert error(events).code is code, error(events)
        told = f"{error(events).message} {error(events).advice}"
        assert word in told
        assert server.chats[0].headers["authorization"] == f"Bearer {KEY}"
        for start in range(len(KEY) - 8):
            assert KEY[start : start + 8] not in told

    def test_silence_ends_in_time(self) -> None:
        for hang in (Hang(begun=False), Hang(), Hang(chunks=(message("```html\n<p>"),))):
            events, _ = ask(hang, silence=0.4)
            assert error(events).code is ErrorCode.timeout

    def test_nobody_listens(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        with RemoteClient(Server.at(f"http://127.0.0.1:{port}"), "m") as client:
            events = list(client.convert(ConvertRequest(png(), hints="never")))
        assert error(events).code is ErrorCode.server_unreachable
        assert f"127.0.0.1:{port}" in error(events).message

    def test_no_tls_where_https_was_asked_for(self) -> None:
        with (
            ChatServer([stream(FENCED)]) as server,
            RemoteClient(Server.at(server.url.replace("http", "https"), KEY), "m") as client,
        ):
            events = list(client.convert(ConvertRequest(png(), hints="never")))
            assert error(events).code is ErrorCode.server_untrusted
            assert not server.chats

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_a_redirect_is_not_followed(self, status: int) -> None:
        with ChatServer([stream(FENCED)]) as other:
            place = other.url.replace("127.0.0.1", "localhost") + "/v1/chat/completions"
            events, _ = ask(whole(status, b"", {"Location": place}), key=KEY)
            assert error(events).code is ErrorCode.server_address
            assert "http://localhost" in error(events).message
            assert not other.asked

    def test_a_broken_picture_reaches_no_server(self) -> None:
        with (
            ChatServer([stream(FENCED)]) as server,
            RemoteClient(Server.at(server.url)) as client,
        ):
            events = list(client.convert(ConvertRequest(b"no picture", hints="never")))
            assert error(events).code is ErrorCode.unsupported_image
            assert not server.asked

    def test_after_a_failure_the_next_request_works(self) -> None:
        with (
            ChatServer([whole(500, b""), stream(FENCED)]) as server,
            RemoteClient(Server.at(server.url), "m") as client,
        ):
            request = ConvertRequest(png(), "html", hints="never")
            assert error(list(client.convert(request))).code is ErrorCode.server_failed
            assert text_of(list(client.convert(request))) == FENCED


# Cancelling -------------------------------------------------------------------------------------


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port that takes no connection and refuses none: its queue is full."""
    if sys.platform != "linux":
        pytest.skip("only there a full queue keeps silent")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = []
        for _ in range(8):
            extra = socket.socket()
            extra.setblocking(False)
            extra.connect_ex(listener.getsockname())
            waiting.append(extra)
        time.sleep(0.1)
        yield listener.getsockname()[1]
        for extra in waiting:
            extra.close()


def cancelled_in(client: RemoteClient, ready: threading.Event | None) -> tuple[float, float]:
    """Seconds from cancel to the answer, and what the call itself took."""
    times: dict[str, float] = {}

    def stop() -> None:
        assert ready is None or ready.wait(10)
        time.sleep(0.3)
        times["asked"] = time.perf_counter()
        client.cancel()
        times["returned"] = time.perf_counter()

    thread = threading.Thread(target=stop)
    thread.start()
    events = list(client.convert(ConvertRequest(png(), "html", hints="never")))
    ended = time.perf_counter()
    thread.join()
    assert events[-1] == protocol.Cancelled()
    return ended - times["asked"], times["returned"] - times["asked"]


class TestCancel:
    @pytest.mark.parametrize(
        "hang",
        [Hang(begun=False), Hang(), Hang(chunks=(message("```html\n<p>"),))],
        ids=["before the headers", "before the first byte", "in the middle"],
    )
    def test_of_a_silent_server(self, hang: Hang) -> None:
        with (
            ChatServer([hang, stream(FENCED)]) as server,
            RemoteClient(Server.at(server.url), "m") as client,
        ):
            answered, call = cancelled_in(client, hang.reached)
            assert call < 0.5 and answered < 1.0  # the budget is 0.1 s on a quiet machine
            assert hang.gone.wait(2), "the connection is still open"
            again = list(client.convert(ConvertRequest(png(), "html", hints="never")))
            assert text_of(again) == FENCED

    def test_while_connecting(self, deaf_port: int) -> None:
        before = threading.active_count()
        with RemoteClient(Server.at(f"http://127.0.0.1:{deaf_port}"), "m") as client:
            answered, _ = cancelled_in(client, None)
            assert answered < 1.0
        end = time.monotonic() + 2
        while threading.active_count() > before and time.monotonic() < end:
            time.sleep(0.02)
        assert threading.active_count() <= before, "the request goes on in the background"

    def test_while_asking_for_the_models(self, deaf_port: int) -> None:
        with RemoteClient(Server.at(f"http://127.0.0.1:{deaf_port}")) as client:
            answered, _ = cancelled_in(client, None)
            assert answered < 1.0

    def test_while_the_text_is_read(self, samples: Path) -> None:
        with (
            ChatServer([stream(FENCED)]) as server,
            RemoteClient(Server.at(server.url), "m") as client,
        ):
            threading.Timer(0.4, client.cancel).start()
            began = time.perf_counter()
            picture = samples / "login.png"
            events = list(client.convert(ConvertRequest(picture, "html", hints="always")))
            assert events[-1] == protocol.Cancelled()
            assert time.perf_counter() - began < 1.4
            assert not server.chats

    def test_by_closing(self) -> None:
        hang = Hang()
        with ChatServer([hang]) as server:
            client = RemoteClient(Server.at(server.url), "m")
            threading.Thread(target=lambda: hang.reached.wait(10) and client.close()).start()
            events = list(client.convert(ConvertRequest(png(), "html", hints="never")))
            assert events[-1] == protocol.Cancelled()
            assert hang.gone.wait(2)
            refused = list(client.convert(ConvertRequest(png(), "html", hints="never")))
            assert error(refused).code is ErrorCode.internal

    def test_by_not_listening_any_more(self) -> None:
        hang = Hang(chunks=(message("```html\n<p>"),))
        with (
            ChatServer([hang, stream(FENCED)]) as server,
            RemoteClient(Server.at(server.url), "m") as client,
        ):
            request = ConvertRequest(png(), "html", hints="never")
            events = client.convert(request)
            while not isinstance(next(events), Token):
                pass
            events.close()  # type: ignore[attr-defined]
            assert hang.gone.wait(2)
            assert text_of(list(client.convert(request))) == FENCED

    def test_of_nothing_does_nothing(self) -> None:
        with (
            ChatServer([stream(FENCED)]) as server,
            RemoteClient(Server.at(server.url), "m") as client,
        ):
            client.cancel()
            request = ConvertRequest(png(), "html", hints="never")
            assert text_of(list(client.convert(request))) == FENCED


class TestProbe:
    def test_models_and_time(self) -> None:
        with ChatServer([], ("one", "two\x1b[31m")) as server:
            facts = probe(Server.at(server.url, KEY))
            assert facts.models == ("one", "two [31m")
            assert facts.contexts == (4096, 4096)
            assert 0 < facts.seconds < 10
            (asked,) = server.asked
            assert asked.line == "GET /v1/models HTTP/1.1"
            assert asked.headers["authorization"] == f"Bearer {KEY}"

    def test_a_server_that_is_not_there(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        with pytest.raises(VisCodexError) as caught:
            probe(Server.at(f"http://127.0.0.1:{port}"))
        assert caught.value.code is ErrorCode.server_unreachable

    def test_start_tells_the_model(self) -> None:
        with (
            ChatServer([], ("one", "two")) as server,
            RemoteClient(Server.at(server.url), "two") as client,
        ):
            ready = list(client.start())[-1]
            assert ready == protocol.Ready("two", Server.at(server.url).host, 4096)

    def test_every_byte_of_a_request_is_json_as_it_should_be(self) -> None:
        _, server = ask(stream(FENCED))
        assert json.loads(server.chats[0].body)["messages"]
        assert server.chats[0].headers["content-type"] == "application/json"
