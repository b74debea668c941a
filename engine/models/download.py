"""A download that can be broken off at any moment and goes on where it was; checked at the end.

    download(source, folder / source.name, control=control, report=print)

The file appears under its name only whole and with the right SHA-256; before that it is
NAME.part, with NAME.part.json beside it.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import httpx

from engine.errors import ErrorCode, VisCodexError
from engine.models.control import Control, Interrupted
from engine.models.part import PartFile
from engine.models.progress import (
    Checking,
    Finished,
    Listener,
    Meter,
    Paused,
    Restarted,
    Waiting,
)
from engine.models.transfer import (
    FULL,
    LONGEST_WAIT,
    Patience,
    Retry,
    Source,
    disk_full,
    dropped,
    failed,
    of_transport,
    open_client,
    refuse_status,
)

T = TypeVar("T")
MARGIN = 1 << 20  # bytes left free
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


def download(
    source: Source,
    target: Path,
    *,
    control: Control,
    report: Listener,
    patience: Patience = Patience(),  # noqa: B008 - frozen
    before: int = 0,
    whole: int | None = None,
) -> None:
    """Fetch a file to `target`, whose folder is there. `before` and `whole` are for the reports.

    Raises VisCodexError: download_failed, download_stalled, checksum_mismatch, disk_full,
    server_untrusted, cancelled; bad_input where another process downloads the same file.
    """
    name = source.name
    meter = Meter(report, name, source.size, before, source.size if whole is None else whole)
    with PartFile(source, target) as part:
        if not part.take_up(lambda done, total: report(Checking(name, done, total))):
            report(Restarted(name, "the file on the server is another one now"))
        needed, free = source.size - part.length, shutil.disk_usage(target.parent).free
        if needed + MARGIN > free:
            raise disk_full(needed, free)
        meter.at(part.length)

        def attempt() -> Coroutine[Any, Any, None]:
            meter.rest()
            return _fetch(source, part, meter, report, patience)

        try:
            if part.length < source.size:
                persist(attempt, name, control, report, patience, lambda: part.length)
        except OSError as error:
            if error.errno in FULL:
                left = source.size - part.length
                raise disk_full(left, shutil.disk_usage(target.parent).free) from error
            raise
        if not part.right():
            part.throw_away()
            raise VisCodexError(
                ErrorCode.checksum_mismatch,
                f"{name} is not what was published: its SHA-256 is another one.",
                "It was removed. Download it again; if it happens again, the network changes it.",
            )
        part.finish()
    report(Finished(name))


def persist(
    attempt: Callable[[], Coroutine[Any, Any, T]],
    name: str,
    control: Control,
    report: Listener,
    patience: Patience,
    progress: Callable[[], int] = lambda: 0,
) -> T:
    """Try until it succeeds, or fails for good, or brings nothing several times in a row.

    `progress` is a number that grows while something comes. Raises VisCodexError.
    """
    fruitless, had = 0, progress()
    while True:
        control.check(lambda: report(Paused(name)))
        try:
            return control.run(attempt())
        except Interrupted:
            continue
        except Retry as trouble:
            fruitless, had = (0 if progress() > had else fruitless + 1), progress()
            if fruitless >= patience.tries:
                raise trouble.error from None
            wait = trouble.after
            if wait is None:
                wait = min(patience.first_wait * 2 ** max(0, fruitless - 1), LONGEST_WAIT)
            report(Waiting(name, trouble.error.message, wait))
            control.sleep(wait)


async def _fetch(
    source: Source, part: PartFile, meter: Meter, report: Listener, patience: Patience
) -> None:
    """One connection's worth of the file. Raises Retry, VisCodexError, OSError."""
    headers = {**source.headers, "Accept-Encoding": "identity"}
    if part.length:
        headers["Range"] = f"bytes={part.length}-"
        if part.etag and not part.etag.startswith("W/"):
            headers["If-Range"] = part.etag
    secure = source.url.startswith("https:")
    try:
        async with (
            open_client(patience, secure) as client,
            client.stream("GET", source.url, headers=headers, follow_redirects=True) as response,
        ):
            _accept(response, source, part, report)
            async for chunk in response.aiter_raw():
                if part.length + len(chunk) > source.size:
                    part.throw_away()
                    raise _wrong_length(source, "more")
                part.write(chunk)
                meter.at(part.length)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise of_transport(error, source.host) from error
    if part.length < source.size:
        raise Retry(dropped(source.host))


def _accept(response: httpx.Response, source: Source, part: PartFile, report: Listener) -> None:
    """Check by its headers that an answer is the rest of the file, or all of it anew."""
    if source.url.startswith("https:") and response.url.scheme != "https":
        raise failed(f"{source.host} sends us to a server without encryption.", "Try again later.")
    if response.status_code == 416:  # what is here reaches beyond what the server has
        part.restart()
        report(Restarted(source.name, "the server has no such part of the file"))
        raise Retry(_wrong_length(source, "less"))
    if response.status_code >= 400:
        refuse_status(response, source.host)
    if response.headers.get("content-type", "").lower().startswith("text/html"):
        raise failed(
            f"A web page came instead of {source.name}.",
            "A network that wants a sign-in may stand between: open a browser first.",
        )
    etag = response.headers.get("etag", "")
    start, total = _place(response, source)
    if response.status_code == 206 and (
        start != part.length or (part.etag and etag and etag != part.etag)
    ):
        part.restart()
        report(Restarted(source.name, "the file on the server is another one now"))
        raise Retry(failed(f"{source.host} sent another part of the file.", "Try again later."))
    if total is not None and total != source.size:
        raise _wrong_length(source, "more" if total > source.size else "less")
    if response.status_code != 206 and part.length:
        same = part.etag and etag == part.etag
        part.restart()
        why = "the server sends whole files only" if same else "the file on the server has changed"
        report(Restarted(source.name, why))
    if not part.length or etag != part.etag:
        part.remember(etag)


def _place(response: httpx.Response, source: Source) -> tuple[int, int | None]:
    """Where the answer begins in the file, and how long the file is by what the server says."""
    if response.status_code == 206:
        found = _RANGE.fullmatch(response.headers.get("content-range", ""))
        if found is None:
            raise failed(f"{source.host} does not say which part it sends.", "Try again later.")
        return int(found[1]), int(found[2])
    length = response.headers.get("content-length", "")
    return 0, int(length) if length.isdigit() else None


def _wrong_length(source: Source, how: str) -> VisCodexError:
    return failed(
        f"{source.host} has {how} of {source.name} than the {source.size} bytes it was said to be.",
        "The repository may be changing just now: try again later.",
    )
