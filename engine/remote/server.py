"""Which server, and what may be said to it: its address, its key, and where the key may travel."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from engine.errors import ErrorCode, VisCodexError

KEY_VARIABLE = "VISCODEX_API_KEY"
KEYRING_SERVICE = "viscodex"
ENDPOINT = re.compile(r"/(?:chat/completions|models)$")
VERSION = re.compile(r"/v\d+[a-z0-9]*$")


def _bad_address(why: str) -> VisCodexError:
    return VisCodexError(
        ErrorCode.server_address,
        f"The server's address cannot be used: {why}.",
        "Give it as in https://models.example.org or http://127.0.0.1:8080.",
    )


@dataclass(frozen=True)
class Server:
    """A server: `base` is its address up to and with /v1; `key` never shows in a repr."""

    base: str
    host: str  # with the port where one is given
    secure: bool
    loopback: bool
    key: str = field(default="", repr=False)

    @classmethod
    def at(cls, url: str, key: str = "") -> Server:
        """The server at `url`, with or without /v1 or an endpoint of it at the end.

        Raises VisCodexError(server_address), and bad_input for a key that is no line of ASCII.
        """
        try:
            parts = urlsplit(url.strip())
            name, port = parts.hostname or "", parts.port
        except ValueError:
            raise _bad_address("it is no URL") from None
        if parts.scheme not in ("http", "https") or not name:
            raise _bad_address("it must begin with http:// or https:// and name a host")
        if "@" in parts.netloc:
            raise _bad_address(f"a name or password in it would be seen; use {KEY_VARIABLE}")
        if parts.query or parts.fragment or re.search(r"[\s\\]", url.strip()):
            raise _bad_address("only scheme, host, port and path belong in it")
        if not all(33 <= ord(letter) < 127 for letter in key):
            raise VisCodexError(
                ErrorCode.bad_input,
                "The key for the server is not one word of plain letters and digits.",
                f"Check {KEY_VARIABLE}.",
            )
        path = ENDPOINT.sub("", parts.path.rstrip("/"))
        if not VERSION.search(path):
            path += "/v1"
        host = f"[{name}]" if ":" in name else name
        host += "" if port is None else f":{port}"
        secure = parts.scheme == "https"
        return cls(f"{parts.scheme}://{host}{path}", host, secure, _is_loopback(name), key)

    @property
    def key_travels(self) -> bool:
        """Whether the key is sent: encrypted, or without leaving this machine."""
        return bool(self.key) and (self.secure or self.loopback)

    @property
    def headers(self) -> dict[str, str]:
        """The headers that show the key, where it may travel."""
        return {"Authorization": f"Bearer {self.key}"} if self.key_travels else {}

    @property
    def notice(self) -> str:
        """What the user should know before anything is sent, in one line, or ""."""
        if self.secure or self.loopback:
            return ""
        held = " The key is not sent." if self.key else ""
        return (
            f"Picture and code travel to {self.host} unencrypted; anyone on the way can read them."
            f"{held} Use https where you can."
        )

    def hide_key(self, text: str) -> str:
        """`text` without the key, however a server may have quoted it."""
        return text.replace(self.key, "***") if self.key else text


def _is_loopback(name: str) -> bool:
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def find_key(url: str, environment: Mapping[str, str] = os.environ) -> str:
    """The key for a server: VISCODEX_API_KEY, or the system keyring's for its host, or "".

    In the keyring: service "viscodex", the host (with its port, where the address has one) as the
    user name.
    """
    key = environment.get(KEY_VARIABLE, "").strip()
    if key:
        return key
    try:
        import keyring

        return (keyring.get_password(KEYRING_SERVICE, urlsplit(url.strip()).netloc) or "").strip()
    except Exception:  # no keyring service, or a locked one: then there is no key
        return ""
