"""Asking a server: the connection, and what comes back over it.

Coroutines, since only those can be stopped while they wait. Redirects are never followed: the key
and the picture are for the host that the user named.
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
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

TakeDelta = Callable[[Delta], bool]


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
    value = row.get("max_model_len")
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


async def ask(
    server: Server,
    body: dict[str, Any],
    patience: Patience,
    answered: Callable[[], None],
    take: TakeDelta,
) -> None:
    """POST a chat request; `answered` is called with the headers, `take` for each message.

    Where `take` returns True nothing more is read and the connection is closed, by which servers
    notice that they can stop. Raises VisCodexError for whatever is not a complete answer.
    """
    body = dict(body)
    try:
        async with open_client(server, patience) as client:
            while True:
                url = f"{server.base}/chat/completions"
                async with client.stream("POST", url, json=body) as response:
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
    """Hand over the messages of an answer, whether it streams or comes as one object.

    The first byte tells which; content types are not relied upon, as proxies change them.
    """
    lines, whole, ended = DataLines(), bytearray(), False
    first = b""
    try:
        async for chunk in response.aiter_bytes():
            first = first or chunk.lstrip(_SPACE)[:1]
            if not first:
                continue
            if first == b"<":
                raise failure(GARBLED, server, words="an HTML page")
            if first in (b"{", b"["):
                whole += chunk
                if len(whole) > LONGEST_BODY:
                    raise failure(GARBLED, server, words="far too much JSON")
                continue
            for payload in lines.feed(chunk):
                ended, over = _take_payload(payload, server, take, ended)
                if over:
                    return
        for payload in lines.finish():
            ended, over = _take_payload(payload, server, take, ended)
            if over:
                return
    except LineTooLong:
        raise failure(GARBLED, server, words="a line without an end") from None
    if whole:
        delta = parse_delta(bytes(whole), server)
        take(delta if delta.reason else replace(delta, reason="stop"))
    elif not lines.seen and first:
        raise failure(GARBLED, server, words="plain text")
    elif first and not ended:
        raise failure(CUT_OFF, server)


def _take_payload(payload: str, server: Server, take: TakeDelta, ended: bool) -> tuple[bool, bool]:
    """Whether the answer is complete now, and whether reading is to stop."""
    if payload == "[DONE]":
        return True, True
    if not payload:
        return ended, False
    delta = parse_delta(payload, server)
    stop = take(delta)
    return ended or delta.reason is not None, stop


async def _read(response: httpx.Response, limit: int) -> bytes:
    """The body, or its beginning."""
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) >= limit:
            break
    return bytes(body[:limit])
