"""What a previewed page wanted from elsewhere and did not get."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from app.i18n import N_, _
from app.preview.console import plain

MAX_REFUSED = 200
MAX_HOST = 60
MAX_URI = 300

KINDS: Mapping[str, str] = {
    "img-src": N_("Picture"),
    "style-src": N_("Style sheet"),
    "style-src-elem": N_("Style sheet"),
    "script-src": N_("Script"),
    "script-src-elem": N_("Script"),
    "font-src": N_("Font"),
    "media-src": N_("Sound or film"),
    "connect-src": N_("Connection"),
    "frame-src": N_("Page inside the page"),
    "object-src": N_("Embedded object"),
    "worker-src": N_("Script in the background"),
    "form-action": N_("Form"),
    "manifest-src": N_("Manifest"),
}
"""Directive of the content policy -> what it holds back, in words."""


@dataclass(frozen=True)
class Refused:
    """One resource: what it is, its host and its address there; all plain and shortened.

    `directive` and `uri` are as they were reported: never to be shown, nor believed.
    """

    kind: str
    host: str
    address: str
    directive: str = field(default="", compare=False)
    uri: str = field(default="", compare=False)

    @property
    def report(self) -> dict[str, str]:
        """What `refused_of` makes this of again, in another process."""
        return {"uri": self.uri, "kind": self.directive}


def shorten(text: str, limit: int) -> str:
    """Cut the middle out: the end of a host name says whose it is."""
    if len(text) <= limit:
        return text
    tail = limit * 2 // 3
    return f"{text[: limit - tail - 1]}…{text[-tail:]}"


def refused_of(reports: Any) -> list[Refused]:
    """What the shell reports, believing nothing: a page can send it what it likes."""
    found: dict[Refused, None] = {}
    for report in reports if isinstance(reports, list) else ():
        if not isinstance(report, dict):
            continue
        uri, kind = report.get("uri"), report.get("kind")
        if not isinstance(uri, str) or not isinstance(kind, str):
            continue
        found[_one(uri, kind)] = None
        if len(found) >= MAX_REFUSED:
            break
    return list(found)


def _one(uri: str, kind: str) -> Refused:
    address = plain(uri, MAX_URI)
    try:
        parts = urlsplit(address)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        host = ""
    if host:
        address = f"{parts.path}?{parts.query}" if parts.query else parts.path or "/"
    return Refused(
        _(KINDS.get(kind, N_("Resource"))),
        shorten(host or address.partition(":")[0] or _("unknown"), MAX_HOST),
        shorten(address, 160),
        kind[:MAX_URI],
        uri[:MAX_URI],
    )


def hosts_of(refused: Iterable[Refused]) -> list[str]:
    """The hosts, each once, in the order they were asked for."""
    return list(dict.fromkeys(one.host for one in refused))
