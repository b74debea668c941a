"""What can go wrong with a server, each in one line with an advice; tables, not chains of ifs."""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from engine.errors import ErrorCode, VisCodexError
from engine.remote.server import KEY_VARIABLE, Server

LONGEST_QUOTE = 200  # characters of a server's own words that are passed on


@dataclass(frozen=True)
class _Row:
    """`{host}`, `{status}`, `{words}` and `{wait}` are filled in."""

    code: ErrorCode
    message: str
    advice: str


_DENIED = f"Set {KEY_VARIABLE} to a key that this server accepts."
STATUS: Mapping[int, _Row] = {
    401: _Row(ErrorCode.server_denied, "{host} wants a valid key (401).", _DENIED),
    403: _Row(ErrorCode.server_denied, "{host} does not allow this with the key (403).", _DENIED),
    404: _Row(
        ErrorCode.server_address,
        "{host} has no such address or model (404){words}.",
        "Check --server and --model; `viscodex models list --server URL` names its models.",
    ),
    405: _Row(
        ErrorCode.server_address,
        "{host} does not take chat requests at this address (405).",
        "Check --server: give the address that ends in /v1, or the part before it.",
    ),
    413: _Row(
        ErrorCode.image_too_large,
        "{host} refuses a request of this size (413).",
        "Snip a smaller region, or let the server take larger requests.",
    ),
    429: _Row(
        ErrorCode.server_busy,
        "{host} gets too many requests (429).",
        "Try again {wait}.",
    ),
    503: _Row(
        ErrorCode.server_busy,
        "{host} is not ready (503){words}.",
        "It may be loading its model. Try again {wait}.",
    ),
}
OTHER_STATUS: Mapping[int, _Row] = {  # by hundreds
    3: _Row(
        ErrorCode.server_address,
        "{host} sends requests on to {words} ({status}); they are not followed.",
        "Give that address as the server if you trust it.",
    ),
    4: _Row(
        ErrorCode.server_failed,
        "{host} refuses the request ({status}){words}.",
        "Check that --model names a chat model that sees pictures.",
    ),
    5: _Row(
        ErrorCode.server_failed,
        "{host} failed ({status}){words}.",
        "Try again; if this repeats, its log says why.",
    ),
}
# What servers say in their own words, whatever the status they say it with.
WORDS: tuple[tuple[re.Pattern[str], _Row], ...] = (
    (
        re.compile(
            r"mmproj|not a multi-?modal|at most 0 image|no (?:image|vision) support"
            r"|missing data required for image|not support (?:image|vision|multi-?modal)"
            r"|image_url.{0,20}only supported|found that support image|allowed values: \['text'\]"
            r"|\b(?:image|vision)\w*\b.{0,40}\b(?:not supported|unsupported|not enabled)",
            re.IGNORECASE | re.DOTALL,
        ),
        _Row(
            ErrorCode.server_blind,
            "The model on {host} cannot see pictures.",
            "Choose one that can with --model, or start the server with its vision file.",
        ),
    ),
    (
        re.compile(
            r"context (?:length|size|window)|exceeds?.{0,30}context|too many tokens|prompt is too"
            r" long|maximum (?:model|input|prompt) length",
            re.IGNORECASE,
        ),
        _Row(
            ErrorCode.context_full,
            "The request does not fit the context of the model on {host}.",
            "Snip a smaller region, refine shorter code, or lower --max-tokens.",
        ),
    ),
)
# In this order: the first that fits counts.
EXCEPTIONS: tuple[tuple[type[Exception], _Row], ...] = (
    (
        httpx.ConnectTimeout,
        _Row(
            ErrorCode.server_unreachable,
            "{host} does not answer.",
            "Check the address, the network and that the server runs.",
        ),
    ),
    (
        httpx.TimeoutException,
        _Row(
            ErrorCode.timeout,
            "{host} said nothing for too long.",
            "It may be busy with others; try again later.",
        ),
    ),
    (
        httpx.ProxyError,
        _Row(
            ErrorCode.server_unreachable,
            "The proxy does not let requests through to {host}.",
            "Check the proxy settings of this machine (HTTPS_PROXY, NO_PROXY).",
        ),
    ),
    (
        httpx.ConnectError,
        _Row(
            ErrorCode.server_unreachable,
            "{host} cannot be reached.",
            "Check the address, the network and that the server runs.",
        ),
    ),
    (
        httpx.UnsupportedProtocol,
        _Row(ErrorCode.server_address, "{host} cannot be asked this way.", "Use http or https."),
    ),
    (
        httpx.TransportError,
        _Row(
            ErrorCode.server_garbled,
            "The connection to {host} broke off in the middle.",
            "Try again; if this repeats, the server's log says why.",
        ),
    ),
    (
        httpx.InvalidURL,
        _Row(ErrorCode.server_address, "The address of {host} is no URL.", "Check --server."),
    ),
)
UNTRUSTED = _Row(
    ErrorCode.server_untrusted,
    "The certificate of {host} cannot be trusted{words}.",
    "If it is your own, name it in SSL_CERT_FILE; nothing was sent.",
)
NOT_TLS = _Row(
    ErrorCode.server_untrusted,
    "{host} does not speak TLS as it should.",
    "Check whether its address begins with https:// or http://; nothing was sent.",
)
GARBLED = _Row(
    ErrorCode.server_garbled,
    "{host} answered with something that is no chat answer ({words}).",
    "Check --server: it must be an OpenAI-compatible server.",
)
CUT_OFF = _Row(
    ErrorCode.server_garbled,
    "The answer of {host} was cut off before its end.",
    "Try again; if this repeats, the server's log says why.",
)
WITHHELD = _Row(
    ErrorCode.no_code,
    "{host} withheld the answer ({words}).",
    "Try another picture or another model.",
)
EMPTY = _Row(
    ErrorCode.no_code,
    "{host} sent an empty answer.",
    "Try again, or choose another model; it must be one that sees pictures.",
)

USED_UP = _Row(
    ErrorCode.no_code,
    "{host} reached the longest answer before it had written anything.",
    "Models that think first do this: allow more with --max-tokens.",
)


def failure(row: _Row, server: Server, **values: str) -> VisCodexError:
    """The error of a row of the tables."""
    filled = {"words": "", "wait": "in a moment", **values}
    told = row.message.format(host=server.host, **filled)
    advice = row.advice.format(host=server.host, **filled)
    if row.code is ErrorCode.server_denied and server.key and not server.key_travels:
        advice = "The key was not sent, as the connection is not encrypted: use https."
    return VisCodexError(row.code, server.hide_key(told), server.hide_key(advice))


def of_exception(error: Exception, server: Server) -> VisCodexError:
    """What an exception of the connection means."""
    cause: BaseException | None = error
    for _ in range(8):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return failure(UNTRUSTED, server, words=f" ({cause.verify_message})")
        if isinstance(cause, ssl.SSLError):
            return failure(NOT_TLS, server)
        cause = cause and (cause.__cause__ or cause.__context__)
    for kind, row in EXCEPTIONS:
        if isinstance(error, kind):
            return failure(row, server)
    raise error


def of_status(response: httpx.Response, body: bytes, server: Server) -> VisCodexError:
    """What an answer with a status other than 200 means; `body` is (the beginning of) its body."""
    status = response.status_code
    said = _error_text(body, server)
    if status in (401, 403):  # servers like to quote the key here
        said = ""
    elif status >= 400 and status != 404:  # a model that is not there may be named "vision"
        known = of_words(said, server)
        if known is not None:
            return known
    if status // 100 == 3:
        place = urlsplit(response.headers.get("location", ""))
        words = f"{place.scheme}://{place.hostname}" if place.hostname else "another place"
    else:
        words = f": {said}" if said else ""
    row = STATUS.get(status) or OTHER_STATUS.get(status // 100) or GARBLED
    if row is GARBLED:
        words = f"status {status}"
    wait = _wait(response.headers.get("retry-after", ""))
    return failure(row, server, status=str(status), words=words, wait=wait)


def of_words(said: str, server: Server) -> VisCodexError | None:
    """What a server's own words mean, where they are known."""
    for pattern, row in WORDS:
        if said and pattern.search(said):
            return failure(row, server)
    return None


def of_error_object(found: Any, server: Server) -> VisCodexError:
    """An error that a server sends in the middle of an answer."""
    said = _message(found, server)
    words = f": {said}" if said else ""
    known = of_words(said, server)
    return known or failure(OTHER_STATUS[5], server, status="in the middle", words=words)


def _wait(header: str) -> str:
    """Retry-After in words: seconds, or a date."""
    header = header.strip()
    if re.fullmatch(r"\d{1,6}", header):
        return f"in {int(header)} seconds"
    if re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", header, re.ASCII):
        return f"after {header}"
    return "in a moment"


def _error_text(body: bytes, server: Server) -> str:
    """What a body says went wrong; nothing where it is a page or no text."""
    try:
        return _message(json.loads(body), server)
    except (ValueError, RecursionError):
        pass
    text = body[:2000].decode("utf-8", errors="replace").strip()
    return "" if text.startswith("<") or "\ufffd" in text else clip(text, server)


def _message(found: Any, server: Server) -> str:
    """The message in an error object, in the forms that servers give it."""
    for _ in range(4):
        if isinstance(found, str):
            return clip(found, server)
        if isinstance(found, list) and found:
            found = found[0]
        if not isinstance(found, dict):
            return ""
        found = next((found[k] for k in ("error", "message", "detail", "msg") if k in found), None)
    return ""


def clip(text: str, server: Server) -> str:
    """A server's words as one short printable line, without the key."""
    text = server.hide_key(text)  # first: half a key would not be found any more
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split()).rstrip(".")
    return line if len(line) <= LONGEST_QUOTE else line[: LONGEST_QUOTE - 1] + "…"
