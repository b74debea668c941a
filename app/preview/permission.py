"""What one page may load from elsewhere: hosts and kinds, the policy and the flags made of them.

A page can report what it likes, and what it reports ends in a header and in Chromium's flags. So
an origin is taken apart and put together again from what is surely a host name and a port.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from app.preview.refused import Refused
from engine.render.policy import CHROMIUM_FLAGS, document_csp

PORTS: Mapping[str, int] = {"http": 80, "https": 443}

DIRECTIVES: Mapping[str, str] = {
    "img-src": "img-src",
    "style-src": "style-src",
    "style-src-elem": "style-src",
    "script-src": "script-src",
    "script-src-elem": "script-src",
    "font-src": "font-src",
    "media-src": "media-src",
    "connect-src": "connect-src",
}
"""What was refused under the first can be granted under the second. Nothing else can: no frames,
embedded objects, workers or forms."""

MAX_ORIGINS = 50
LONGEST_NAME = 253
_NAME = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?\Z")


@dataclass(frozen=True, order=True)
class Grant:
    """One kind of resource (a directive of the policy) from one origin."""

    directive: str
    scheme: str
    host: str
    port: int

    @property
    def address(self) -> str:
        """Host and port, as in an address."""
        return f"{self.host}:{self.port}"

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.address}"

    @property
    def name(self) -> str:
        """The host as people read it: without the port that goes without saying."""
        return self.host if PORTS[self.scheme] == self.port else self.address


def grant_of(directive: str, uri: str) -> Grant | None:
    """What would have to be granted for this report; None for what is never granted.

    That is also every address in figures of IPv6: a content policy cannot name one.
    """
    kind = DIRECTIVES.get(directive)
    try:
        parts = urlsplit(uri)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return None
    if kind is None or parts.scheme not in PORTS:
        return None
    if len(host) > LONGEST_NAME or not _NAME.match(host):
        return None
    return Grant(kind, parts.scheme, host, PORTS[parts.scheme] if port is None else port)


@dataclass(frozen=True)
class Permission:
    """Everything that one page may load from elsewhere; by default nothing."""

    grants: frozenset[Grant] = frozenset()

    @classmethod
    def of(cls, refused: Iterable[Refused], scripts: bool) -> Permission:
        """Exactly what was refused and can be granted; of more than MAX_ORIGINS origins the first.

        Without `scripts` the page runs none, hence loads none.
        """
        wanted = [grant_of(one.directive, one.uri) for one in refused]
        found = [one for one in wanted if one and (scripts or one.directive != "script-src")]
        origins = list(dict.fromkeys(one.origin for one in found))[:MAX_ORIGINS]
        return cls(frozenset(one for one in found if one.origin in origins))

    @property
    def hosts(self) -> list[str]:
        """The hosts as people read them, each once."""
        return sorted({one.name for one in self.grants})

    def allows(self, directive: str, uri: str) -> bool:
        """Whether this kind may be loaded from there."""
        return grant_of(directive, uri) in self.grants

    def csp(self, scripts: bool) -> str:
        """The policy of the document: that of every previewed page, and the origins."""
        parts = []
        for part in document_csp(scripts).split("; "):
            name, _, sources = part.partition(" ")
            origins = sorted({one.origin for one in self.grants if one.directive == name})
            if origins:
                own = [] if sources == "'none'" else [sources]
                part = " ".join([name, *own, *origins])
            parts.append(part)
        return "; ".join(parts)

    def flags(self) -> tuple[str, ...]:
        """Chromium's flags: the dead proxy and the blind resolver stay for all but the origins.

        So what neither policy nor interceptor sees (preconnect, say) reaches no other host either,
        and no other port of the same host.
        """
        origins = sorted({one.origin for one in self.grants})
        places = sorted({one.address for one in self.grants})
        changed = {
            "--proxy-bypass-list": ";".join(["<-loopback>", *origins]),
            "--host-resolver-rules": ", ".join(
                [*(f"MAP {place} {place}" for place in places), "MAP * ~NOTFOUND"]
            ),
        }
        flags = []
        for flag in CHROMIUM_FLAGS:
            name = flag.partition("=")[0]
            flags.append(f'{name}="{changed[name]}"' if name in changed else flag)
        return (*flags, *FEATURES_OFF)


FEATURES_OFF = ("--disable-quic",)
