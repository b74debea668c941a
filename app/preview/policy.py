"""What keeps a generated page from reaching anything: as data, so that it can be read and tested.

Four walls: a scheme of our own, a content policy on every answer, a request interceptor with
navigation veto (preview/page.py), and Chromium flags for what the other three never see
(preconnect, STUN, WebTransport). The flags hold for the whole process.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence

from engine.render.policy import (
    CHROMIUM_FLAGS,
    NO_SANDBOX_VARIABLE,
    SETTINGS_OFF,
    document_csp,
)

__all__ = [
    "CHROMIUM_FLAGS",
    "FLAGS_VARIABLE",
    "HOST",
    "MAX_DOCUMENT_BYTES",
    "NO_SANDBOX_VARIABLE",
    "SCHEME",
    "SETTINGS_OFF",
    "SHELL_CSP",
    "SHELL_URL",
    "document_csp",
    "set_chromium_flags",
    "without_flags",
]

FLAGS_VARIABLE = "QTWEBENGINE_CHROMIUM_FLAGS"
SCHEME = "preview"
HOST = "doc"
SHELL_URL = f"{SCHEME}://{HOST}/shell"
MAX_DOCUMENT_BYTES = 8_000_000

SHELL_CSP = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    f"frame-src {SCHEME}:; form-action 'none'; base-uri 'none'"
)


def set_chromium_flags(
    environment: MutableMapping[str, str], flags: Sequence[str] = CHROMIUM_FLAGS
) -> None:
    """Add the flags to the variable that Qt reads once, when WebEngine starts."""
    present = environment.get(FLAGS_VARIABLE, "")
    wanted = list(flags)
    if environment.get(NO_SANDBOX_VARIABLE) == "1":
        wanted.append("--no-sandbox")
        environment["QTWEBENGINE_DISABLE_SANDBOX"] = "1"
    missing = [flag for flag in wanted if flag not in present]
    environment[FLAGS_VARIABLE] = " ".join([present, *missing]).strip()


def without_flags(value: str) -> str:
    """The variable as it was before the flags were added, for a process that has its own."""
    for flag in CHROMIUM_FLAGS:
        value = value.replace(flag, "")
    return " ".join(value.split())
