"""A real client against a real server on 127.0.0.1: whole answers, and every way to fail."""

from __future__ import annotations

import base64
import io
import socket
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from engine import protocol
from engine.errors import ErrorCode, VisCodexError
from engine.protocol import ConvertRequest, Target, TextRead, Token
from engine.remote.client import RemoteClient
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
from tests.fixtures.remote import FENCED, KEY, PAGE, PIECES, ask, done, error, png, text_of


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


def test_a_server_is_not_asked_to_write_on() -> None:
    with RemoteClient(Server.at("http://127.0.0.1:9"), "m") as client:
        assert client.goes_on is False
        with pytest.raises(VisCodexError, match="do not go on") as refused:
            list(client.convert(ConvertRequest(png(), begun="<p>")))
    assert refused.value.code is ErrorCode.bad_input
