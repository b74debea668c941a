"""Giving up on a server in every phase, and asking one what it has."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine import protocol
from engine.errors import ErrorCode, VisCodexError
from engine.protocol import ConvertRequest, Token
from engine.remote.client import RemoteClient, probe
from engine.remote.server import Server
from tests.fixtures.chat_server import (
    ChatServer,
    Hang,
    message,
    stream,
)
from tests.fixtures.remote import FENCED, KEY, ask, error, png, text_of


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

    @pytest.mark.parametrize(
        ("facts", "context"),
        [
            ({"max_model_len": 2048}, 2048),  # vLLM
            ({"meta": {"n_ctx": 8192, "n_ctx_train": 32768}}, 8192),  # llama-server
            ({"meta": None, "max_model_len": None}, 0),
            ({"meta": {"n_ctx": True}, "max_model_len": "many"}, 0),
            ({"meta": {"n_ctx": -1}}, 0),
            ({}, 0),
        ],
    )
    def test_contexts_as_servers_tell_them(self, facts: dict[str, Any], context: int) -> None:
        with ChatServer([], facts=facts) as server:
            assert probe(Server.at(server.url)).contexts == (context,)

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
