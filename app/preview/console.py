"""What previewed pages say on the console: bounded, plain text, whatever they write."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from app.i18n import N_

MAX_MESSAGES = 200
MAX_LENGTH = 500

LEVELS: Mapping[str, tuple[str, str, str]] = {
    "error": (N_("Error"), "error", "bad"),
    "warning": (N_("Warning"), "warning", "warn"),
    "info": (N_("Note"), "info", "accent"),
}
"""Level -> word, icon, colour token."""

# Control characters, and marks that turn the direction of what follows.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")
_POLICY = re.compile(r"violates the following Content Security Policy|^Blocked .*sandbox", re.I)


def plain(text: str, limit: int = MAX_LENGTH) -> str:
    """Foreign text in one line that can be shown: no control characters, not too long."""
    clean = _UNPRINTABLE.sub(" ", text[: 4 * limit]).strip()
    return clean if len(clean) <= limit else f"{clean[: limit - 1]}…"


def of_policy(text: str) -> bool:
    """Whether Chromium tells of a refused resource, which the list of those shows already."""
    return bool(_POLICY.search(text[:2000]))


@dataclass(frozen=True)
class Message:
    """One line of the console: level (a key of LEVELS), line of the page's code, text."""

    level: str
    line: int
    text: str


class ConsoleLog:
    """The first messages of one page; the rest is only counted."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.count = 0
        self.errors = 0

    def clear(self) -> None:
        self.messages.clear()
        self.count = self.errors = 0

    def add(self, level: str, line: int, text: str) -> None:
        self.count += 1
        self.errors += level == "error"
        if len(self.messages) < MAX_MESSAGES:
            known = level if level in LEVELS else "info"
            self.messages.append(Message(known, max(0, line), plain(text)))
