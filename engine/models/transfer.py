"""What is downloaded, and what can go wrong on the way: for good, or to be tried again.

Every failure ends as a VisCodexError in one line. Those that another try may mend are raised as
`Retry` around it; `engine.models.download.persist` decides how often.
"""

from __future__ import annotations

import errno
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

import httpx

from engine.errors import ErrorCode, VisCodexError

LONGEST_WAIT = 300.0  # seconds that a server may ask us to wait
FULL = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})


@dataclass(frozen=True)
class Source:
    """A file on a server: exact size in bytes and SHA-256 are known before it is asked for.

    `headers` are for that server alone and never show in a repr.
    """

    url: str
    name: str
    size: int
    sha256: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    revision: str = ""

    @property
    def host(self) -> str:
        """The server's name for people."""
        return httpx.URL(self.url).netloc.decode("ascii", "replace")


@dataclass(frozen=True)
class Patience:
    """Seconds: for a connection, without a byte, and before the next try (doubled each time);
    how many tries in a row may bring nothing."""

    connect: float = 20.0
    silence: float = 30.0
    first_wait: float = 1.0
    tries: int = 5

    @property
    def timeout(self) -> httpx.Timeout:
        """The same for httpx."""
        return httpx.Timeout(self.silence, connect=self.connect)


class Retry(Exception):
    """A failure that another try may mend; `after` seconds, where the server says so."""

    def __init__(self, error: VisCodexError, after: float | None = None) -> None:
        super().__init__(error.message)
        self.error = error
        self.after = after


def open_client(patience: Patience, secure: bool) -> httpx.AsyncClient:
    """A client that trusts what the system trusts and uses the environment's proxies."""
    verify: ssl.SSLContext | bool = True
    if secure:
        verify = httpx.create_ssl_context()
        verify.load_default_certs()  # a company's own authority, where the system knows it
    return httpx.AsyncClient(timeout=patience.timeout, verify=verify, follow_redirects=False)


def failed(message: str, advice: str) -> VisCodexError:
    """A download that cannot be done."""
    return VisCodexError(ErrorCode.download_failed, message, advice)


def disk_full(needed: int, free: int) -> VisCodexError:
    """Bytes that are still to be written, and bytes that are free."""
    return VisCodexError(
        ErrorCode.disk_full,
        f"The disk is full: {needed / 1e9:.2f} GB are still needed, {free / 1e9:.2f} GB are free.",
        "Make room; what is already here is kept, and the download goes on from there.",
    )


_TOKEN = "Accept its terms on the Hub and set HF_TOKEN, or download its files in a browser."
_REFUSED: Mapping[int, tuple[str, str]] = {
    401: ("{host} wants to know who asks (401).", _TOKEN),
    403: ("{host} does not allow this download (403).", _TOKEN),
    404: (
        "{host} has no such file (404).",
        "It may have been renamed: download it by hand and use `viscodex models add`.",
    ),
    407: ("The proxy wants a name and a password (407).", "Put them into HTTPS_PROXY."),
}
_PASSING = frozenset({408, 425, 429})


def refuse_status(response: httpx.Response, host: str) -> None:
    """Raise for a status from 400 on: Retry where it may pass, VisCodexError where not."""
    status = response.status_code
    if status in _PASSING or status >= 500:
        what = "gets too many requests" if status == 429 else "cannot answer just now"
        error = failed(f"{host} {what} ({status}).", "Try again later; what is here is kept.")
        raise Retry(error, wait_asked(response.headers.get("retry-after", "")))
    words, advice = _REFUSED.get(
        status, ("{host} refuses the download ({status}).", "Try again later, or another model.")
    )
    raise failed(words.format(host=host, status=status), advice)


def wait_asked(value: str, now: float | None = None) -> float | None:
    """The seconds of a Retry-After header, given as a number or as a date; None without one."""
    value = value.strip()
    if value.isdigit():
        return min(float(value), LONGEST_WAIT)
    try:
        seconds = parsedate_to_datetime(value).timestamp() - (time.time() if now is None else now)
    except (ValueError, TypeError, IndexError):
        return None
    return min(max(seconds, 0.0), LONGEST_WAIT)


def of_transport(error: Exception, host: str) -> Exception:
    """What a failed connection means: Retry, but for an untrusted certificate or a bad address."""
    if _certificate(error):
        return VisCodexError(
            ErrorCode.server_untrusted,
            f"{host} cannot prove who it is (its certificate is not trusted).",
            "A proxy may stand between; if it is your company's, set SSL_CERT_FILE.",
        )
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol | httpx.TooManyRedirects):
        return failed(f"{host} sends us to an address that cannot be used.", "Try again later.")
    if isinstance(error, httpx.TimeoutException) and not isinstance(error, httpx.ConnectTimeout):
        stalled = VisCodexError(
            ErrorCode.download_stalled,
            f"{host} has stopped sending.",
            "Start again later: what is here is kept, and the download goes on from there.",
        )
        return Retry(stalled)
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError):
        return Retry(
            failed(
                f"{host} cannot be reached.",
                "Check the network, and HTTPS_PROXY where one is needed.",
            )
        )
    return Retry(dropped(host))


def dropped(host: str) -> VisCodexError:
    """A connection that ended before the file did."""
    return failed(
        f"The connection to {host} was cut off.",
        "Start again: what is here is kept, and the download goes on from there.",
    )


def _certificate(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
