"""Asking a server: the connection, and what comes back over it.

Coroutines, since only those can be stopped while they wait. Redirects are never followed: the key
and the picture are for the host that the user named.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any

import httpx

from engine.remote.chat import Delta, parse_delta
from engine.remote.failures import CUT_OFF, GARBLED, clip, failure, of_exception, of_status
from engine.remote.server import Server
from engine.remote.sse import DataLines, LineTooLong

LONGEST_BODY = 16_000_000  # bytes of an answer that comes in one piece
LONGEST_ERROR = 65_536  # bytes of an error's body that are looked at
OPTIONAL = ("stream_options", "seed")  # what a strict server may refuse and we can do without
_SPACE = b" \t\r\n\xef\xbb\xbf"

LINGER = 0.5  # seconds to wait for the counts of an answer that is complete


class Wanted(Enum):
    """What is still to be read of an answer."""

    all = auto()
    counts = auto()  # the code is complete; only how many tokens it was would be good to know
    nothing = auto()


TakeDelta = Callable[[Delta], Wanted]


@dataclass(frozen=True)
class Patience:
    """Seconds to wait: for a connection, and for the next byte of a server that computes."""

    connect: float = 10.0
    silence: float = 300.0

    @property
    def timeout(self) -> httpx.Timeout:
        """The same for httpx. A large picture over a slow line is given a minute a write."""
        return httpx.Timeout(
            self.silence, connect=self.connect, write=max(60.0, self.connect), pool=self.connect
        )


@dataclass(frozen=True)
class ServerFacts:
    """What a server says of itself: its models' names, their contexts in tokens (0: untold), the
    seconds it took to say so, and whether all of them are run by llama.cpp's own server."""

    models: tuple[str, ...]
    contexts: tuple[int, ...]
    seconds: float
    llama_server: bool = False


def open_client(server: Server, patience: Patience) -> httpx.AsyncClient:
    """A client for one server. Proxies of the environment are used, but not to reach ourselves."""
    verify: ssl.SSLContext | bool = httpx.create_ssl_context() if server.secure else True
    return httpx.AsyncClient(
        headers={**server.headers, "Accept-Encoding": "identity"},
        timeout=patience.timeout,
        follow_redirects=False,
        trust_env=not server.loopback,
        verify=verify,
    )


async def ask_models(server: Server, patience: Patience) -> ServerFacts:
    """GET /v1/models. Raises VisCodexError."""
    began = time.perf_counter()
    try:
        async with (
            open_client(server, patience) as client,
            client.stream("GET", f"{server.base}/models") as response,
        ):
            if response.status_code != 200:
                raise of_status(response, await _read(response, LONGEST_ERROR), server)
            body = await _read(response, LONGEST_BODY)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise of_exception(error, server) from error
    seconds = time.perf_counter() - began
    try:
        rows = [row for row in json.loads(body)["data"] if isinstance(row["id"], str)]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise failure(GARBLED, server, words="no list of models") from None
    names = tuple(clip(row["id"], server) for row in rows)
    ours = bool(rows) and all(row.get("owned_by") == "llamacpp" for row in rows)
    return ServerFacts(names, tuple(_context(row) for row in rows), round(seconds, 4), ours)


def _context(row: dict[str, Any]) -> int:
    meta = row.get("meta")
    told = (row.get("max_model_len"), meta.get("n_ctx") if isinstance(meta, dict) else None)
    whole = (value for value in told if isinstance(value, int) and not isinstance(value, bool))
    return max(0, next(whole, 0))


async def ask(
    server: Server,
    body: dict[str, Any],
    patience: Patience,
    answered: Callable[[], None],
    take: TakeDelta,
) -> None:
    """POST a chat request; `answered` is called with the headers, `take` for each message.

    As soon as `take` wants nothing more the connection is closed, by which servers notice that
    they can stop; where it only wants the counts, they are waited for LINGER at most.
    Raises VisCodexError for whatever is not a complete answer.
    """
    body = dict(body)
    try:
        while True:  # each time over a new connection: a server may close one that it answered on
            async with (
                open_client(server, patience) as client,
                client.stream("POST", f"{server.base}/chat/completions", json=body) as response,
            ):
                if response.status_code == 200:
                    answered()
                    await _receive(response, server, take)
                    return
                said = await _read(response, LONGEST_ERROR)
                if not _drop_refused(body, response.status_code, said):
                    raise of_status(response, said, server)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise of_exception(error, server) from error


def _drop_refused(body: dict[str, Any], status: int, said: bytes) -> bool:
    """Leave out a field that the server does not know. False where that is not the trouble."""
    if status not in (400, 422):
        return False
    for name in OPTIONAL:
        if name in body and name.encode() in said:
            del body[name]
            return True
    return False


async def _receive(response: httpx.Response, server: Server, take: TakeDelta) -> None:
    """Hand over the messages of an answer until it has all that is wanted."""
    incoming = _Incoming(server, take)
    chunks = response.aiter_bytes()
    while True:
        lingering = incoming.wanted is Wanted.counts
        try:
            chunk = await asyncio.wait_for(anext(chunks), LINGER if lingering else None)
        except StopAsyncIteration:
            break
        except (asyncio.TimeoutError, httpx.HTTPError):
            if lingering:  # nothing is missing but a number
                return
            raise
        incoming.feed(chunk)
        if incoming.wanted is Wanted.nothing:
            return
    incoming.finish()


class _Incoming:
    """The bytes of an answer, whether it streams or comes as one object.

    The first byte tells which; content types are not relied upon, as proxies change them.
    """

    def __init__(self, server: Server, take: TakeDelta) -> None:
        self.wanted = Wanted.all
        self._server, self._take = server, take
        self._lines, self._whole = DataLines(), bytearray()
        self._first = b""
        self._ended = False

    def feed(self, chunk: bytes) -> None:
        self._first = self._first or chunk.lstrip(_SPACE)[:1]
        if not self._first:
            return
        if self._first == b"<":
            raise failure(GARBLED, self._server, words="an HTML page")
        if self._first in (b"{", b"["):
            self._whole += chunk
            if len(self._whole) > LONGEST_BODY:
                raise failure(GARBLED, self._server, words="far too much JSON")
            return
        try:
            self._take_all(self._lines.feed(chunk))
        except LineTooLong:
            raise failure(GARBLED, self._server, words="a line without an end") from None

    def finish(self) -> None:
        """The connection has ended. Raises VisCodexError where that is too soon."""
        self._take_all(self._lines.finish())
        if self._whole:
            delta = parse_delta(bytes(self._whole), self._server)
            self._take(delta if delta.reason else replace(delta, reason="stop"))
        elif not self._lines.seen and self._first:
            raise failure(GARBLED, self._server, words="plain text")
        elif self._first and not self._ended and self.wanted is Wanted.all:
            raise failure(CUT_OFF, self._server)

    def _take_all(self, payloads: Iterable[str]) -> None:
        for payload in payloads:
            if payload == "[DONE]":
                self._ended, self.wanted = True, Wanted.nothing
            elif payload:
                delta = parse_delta(payload, self._server)
                self._ended = self._ended or delta.reason is not None
                self.wanted = self._take(delta)
            if self.wanted is Wanted.nothing:
                return


async def _read(response: httpx.Response, limit: int) -> bytes:
    """The body, or its beginning."""
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) >= limit:
            break
    return bytes(body[:limit])
