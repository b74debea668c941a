"""Several answers of a server at once, answers that loop, and what servers count."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import pytest

from engine import protocol
from engine.errors import ErrorCode
from engine.improver import Improver, Wishes
from engine.protocol import CandidateDone, ConvertRequest, Event, Token
from engine.remote.client import MOST_AT_ONCE, RemoteClient
from engine.remote.server import Server
from tests.fixtures.chat_server import (
    DONE,
    STREAM,
    Answer,
    ChatServer,
    Connection,
    Hang,
    message,
    raw,
    stream,
    whole,
)
from tests.fixtures.remote import FENCED, PAGE, PIECES, ask, done, error, png, text_of


def page(number: int) -> str:
    return f"```html\n<p>Page {number}</p>\n```"


@dataclass
class BySeed:
    """Answers by the seed that is asked for, and counts how many are written at the same time."""

    answers: dict[int, Answer]
    together: int = 0
    most: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, connection: Connection) -> None:
        with self._lock:
            self.together += 1
            self.most = max(self.most, self.together)
        try:
            self.answers[connection.asked.json["seed"]](connection)
        finally:
            with self._lock:
                self.together -= 1


def answers_of(events: list[Event]) -> dict[int, str]:
    found: dict[int, str] = {}
    for event in events:
        if isinstance(event, Token):
            found[event.candidate] = found.get(event.candidate, "") + event.text
    return found


class TestSeveral:
    def test_they_are_written_at_the_same_time_but_not_too_many(self) -> None:
        by_seed = BySeed({n: stream(page(n), pause=0.3, tokens=10 + n) for n in range(6)})
        events, server = ask(by_seed, candidates=6)
        assert answers_of(events) == {n: page(n) for n in range(6)}
        assert by_seed.most == MOST_AT_ONCE
        bodies = {chat.json["seed"]: chat.json for chat in server.chats}
        assert sorted(bodies) == list(range(6))
        assert bodies[0]["temperature"] == 0.0
        assert all(bodies[n]["temperature"] > 0.5 for n in range(1, 6))
        assert all(body["messages"] == bodies[0]["messages"] for body in bodies.values())
        ends = [event for event in events if isinstance(event, CandidateDone)]
        assert sorted(end.candidate for end in ends) == list(range(6))
        assert done(events).stats["tokens"] == sum(range(10, 16))
        assert done(events).stats["prompt_tokens"] == 321

    @pytest.mark.parametrize("failing", [0, 1, 2])
    def test_one_that_fails_costs_only_itself(self, failing: int) -> None:
        answers: dict[int, Answer] = {n: stream(page(n)) for n in range(3)}
        answers[failing] = whole(429, b"")
        events, _ = ask(BySeed(answers), candidates=3)
        assert answers_of(events) == {n: page(n) for n in range(3) if n != failing}
        assert done(events).reason == "fence"

    def test_where_all_fail_the_first_says_why(self) -> None:
        refused = {0: whole(500, b""), 1: whole(401, b""), 2: stream("I cannot do that.")}
        events, _ = ask(BySeed(refused), candidates=3)
        assert error(events).code is ErrorCode.server_failed

    def test_cancel_ends_all(self) -> None:
        hangs = [Hang(chunks=(message("```html\n<p>"),)) for _ in range(3)]
        with (
            ChatServer([BySeed(dict(enumerate(hangs)))]) as server,
            RemoteClient(Server.at(server.url), "m") as client,
        ):
            events = []
            for event in client.convert(ConvertRequest(png(), "html", "never", candidates=3)):
                events.append(event)
                if len(answers_of(events)) == 3:
                    client.cancel()
            assert events[-1] == protocol.Cancelled()
            assert all(hang.gone.wait(30) for hang in hangs)

    def test_the_likest_of_them_is_kept(self) -> None:
        """Also where the first one is no code at all."""
        pink, white = (f'<body style="background: {name}"></body>\n' for name in ("pink", "white"))
        for first in (f"```html\n{pink}```", "I cannot do that."):
            by_seed = BySeed({0: stream(first), 1: stream(f"```html\n{white}```")})
            with (
                ChatServer([by_seed]) as server,
                RemoteClient(Server.at(server.url), "m") as client,
                Improver(client, Wishes(best_of=2)) as improver,
            ):
                events = list(improver.convert(ConvertRequest(png(), "html", "never")))
            assert improver.chosen is not None and improver.chosen.code == white
            revised = [event for event in events if isinstance(event, protocol.Revised)]
            assert [event.answer for event in revised] == [f"```html\n{white}```"]
            assert done(events).reason == "fence"


class TestLoops:
    def test_an_answer_that_loops_is_cut(self) -> None:
        hang = Hang(chunks=(message("```html\n"), *[message("<li>Home</li>\n")] * 500))
        events, _ = ask(hang)
        assert done(events).reason == done(events).stats["finish_reason"] == "loop"
        assert text_of(events).startswith("```html\n<li>Home</li>\n")
        assert len(text_of(events)) < 200 * len("<li>Home</li>\n")
        assert hang.gone.wait(30), "the server goes on writing"

    def test_a_long_table_is_none(self) -> None:
        rows = [f"<tr><td>{n}</td><td>{n * 37 % 101}</td></tr>\n" for n in range(100)]
        events, _ = ask(stream("```html\n<table>\n", *rows, "</table>\n```"))
        assert done(events).reason == "fence"
        assert text_of(events).count("<tr>") == 100


class TestCounts:
    def test_they_are_waited_for_when_the_fence_is_closed(self) -> None:
        events, _ = ask(stream(*PIECES, tokens=42))
        stats = done(events).stats
        assert (stats["tokens"], stats["prompt_tokens"]) == (42, 321)
        assert text_of(events) == FENCED

    def test_but_not_long(self) -> None:
        hang = Hang(chunks=tuple(map(message, PIECES)))
        began = time.perf_counter()
        events, _ = ask(hang, silence=30.0)
        assert time.perf_counter() - began < 15  # not the silence that is allowed before
        assert done(events).stats["tokens"] == len(PIECES)
        assert hang.gone.wait(30)

    def test_nor_over_further_words(self) -> None:
        hang = Hang(chunks=(message(FENCED), message("\n"), message("This"), *[message("x")] * 9))
        events, _ = ask(hang)
        assert text_of(events) == FENCED
        assert done(events).stats["tokens"] == 1

    def test_a_connection_that_breaks_then_breaks_nothing(self) -> None:
        def answer(connection: Connection) -> None:
            connection.head(200, STREAM)
            connection.send(message(FENCED))

        events, _ = ask(answer)
        assert text_of(events) == FENCED
        assert done(events).reason == "fence"

    def test_counts_with_every_message_and_thoughts_before_the_code(self) -> None:
        def thought(text: bytes) -> bytes:
            return message().replace(b'"delta": {}', b'"delta": {"reasoning_content": "%b"}' % text)

        usage = {"prompt_tokens": 7, "completion_tokens": 3}
        chunks = (thought(b"hm"), message("```html\n", usage=usage))
        more = message(f"{PAGE}```", usage={**usage, "completion_tokens": 9})

        def answer(connection: Connection) -> None:
            connection.head(200, STREAM)
            for chunk in (*chunks, more, DONE):
                time.sleep(0.2)
                connection.send(chunk)
            connection.end()

        events, _ = ask(answer)
        stats = done(events).stats
        assert (stats["tokens"], stats["prompt_tokens"]) == (9, 7)
        assert 0 < stats["tokens_per_second"] < 8 / 0.35  # thinking took its time as well

    def test_a_server_that_refuses_to_count(self) -> None:
        refusal = whole(422, {"detail": [{"loc": ["body", "stream_options"], "msg": "extra"}]})
        events, server = ask([refusal, raw(*map(message, PIECES), message(reason="stop"), DONE)])
        assert done(events).stats["tokens"] == len(PIECES)
        assert done(events).stats["tokens_per_second"] > 0
        assert "stream_options" not in server.chats[1].json
