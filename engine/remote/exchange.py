"""An answer on its way from the server's messages to events, and the figures of a request."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from engine import protocol
from engine.protocol import Event
from engine.remote.answer import RemoteAnswer
from engine.remote.chat import REASONS, Delta
from engine.remote.failures import EMPTY, USED_UP, failure
from engine.remote.http import Wanted
from engine.remote.server import Server

Emit = Callable[[Event], None]


class Clock:
    """Seconds since the start of a request, by name; a name keeps its first time."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self.marks: dict[str, float] = {}

    def now(self) -> float:
        return time.perf_counter() - self._began

    def leave_out(self, seconds: float) -> None:
        """What is counted on its own."""
        self._began += seconds

    def mark(self, name: str) -> None:
        self.marks.setdefault(name, self.now())


@dataclass
class Exchange:
    """One of the answers to a request, the one with this number.

    `reason` is why it ended, `tokens` and `prompt_tokens` what the server counted (0: untold) and
    `pieces` the messages that held text, which are about as many as tokens.
    """

    server: Server
    answer: RemoteAnswer
    clock: Clock
    emit: Emit
    number: int = 0
    pieces: int = 0
    reason: str = ""
    tokens: int = 0
    prompt_tokens: int = 0
    began: float | None = None  # to write, thoughts included
    ended: float = 0.0
    _told: bool = False

    def answered(self) -> None:
        """The server sent its headers."""
        self.clock.mark("encode")

    def take(self, delta: Delta) -> Wanted:
        """Take over a message; what else there is to wait for."""
        if delta.tokens is not None:
            self.tokens = delta.tokens
        if delta.prompt_tokens is not None:
            self.prompt_tokens = delta.prompt_tokens
        if delta.reason is not None:
            self.reason = REASONS.get(delta.reason, "stop")
        if self.began is None and (delta.text or delta.thinking):
            self.began = self.clock.now()
        already = self.answer.reason
        if already:
            return Wanted.nothing if delta.text.strip() or self.tokens else Wanted.counts
        if delta.text:
            if "first_token" not in self.clock.marks:
                self.clock.mark("first_token")
                self.emit(protocol.Encoding(1.0))
            self.pieces += 1
            self._pass_on(self.answer.take(delta.text))
        self.ended = self.clock.now()
        if not self.answer.reason:
            return Wanted.all
        looping = self.answer.reason == "loop"  # the server would go on for long
        return Wanted.nothing if looping or self.tokens else Wanted.counts

    def finish(self) -> None:
        """The last text. Raises VisCodexError(no_code) where the answer holds none."""
        if self.answer.silent:
            raise failure(USED_UP if self.reason == "length" else EMPTY, self.server)
        self._pass_on(self.answer.finish())
        self.reason = self.answer.reason or self.reason or "stop"

    def _pass_on(self, text: str) -> None:
        if not text:
            return
        task = self.answer.task
        if task is not None and self.answer.wanted is None and not self._told and not self.number:
            self._told = True
            self.emit(protocol.Target(task.name, None))
        self.emit(protocol.Token(text, self.number))


def figures(done: Sequence[Exchange], clock: Clock) -> dict[str, Any]:
    """The figures of `done` for answers that are complete, the one that counts first."""
    tokens = sum(one.tokens or one.pieces for one in done)
    writing = max(one.ended for one in done) - min(one.began or 0.0 for one in done)
    further = tokens - len(done)
    task = done[0].answer.task
    assert task is not None
    return {
        **{name: round(value, 4) for name, value in clock.marks.items()},
        "total": round(clock.now(), 4),
        "prompt_tokens": max(one.prompt_tokens for one in done),
        "reused_tokens": 0,
        "tokens": tokens,
        "tokens_per_second": round(further / writing, 2) if further > 0 and writing > 0 else 0.0,
        "finish_reason": done[0].reason,
        "target": task.name,
    }
