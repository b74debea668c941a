"""Takes out of a text what is nobody's business: names, paths, addresses, keys, pictures.

    Redactor.of_this_machine(extra=["models.example.org"]).clean(text)

It errs on the side of taking too much: a report has to be safe to show to strangers.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

SECRET_VARIABLES = ("VISCODEX_API_KEY", "HF_TOKEN")
ADDRESS_VARIABLES = ("HF_ENDPOINT", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
SHORTEST = 3  # letters of a name that is taken out wherever it stands

# What is taken out, in this order, and what stands for it.
_RULES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), shown)
    for pattern, shown in (
        (r"data:[\w.+-]+/[\w.+-]+[^\s'\"<>]*", "<data>"),
        (r"\b([A-Za-z][A-Za-z0-9+.-]*)://[^\s'\"<>]+", r"\1://<address>"),
        (r"(?i)\b(bearer|basic)\s+[\w.~+/=-]+", r"\1 <key>"),
        (r"\b(?:sk|hf|pk|gh[a-z]|glpat|xox[a-z])[-_][\w-]{6,}", "<key>"),
        (r"\beyJ[\w-]{8,}\.[\w.-]+", "<key>"),
        (r"(?i)\b(api[_-]?key|token|password|secret)(\s*[=:]\s*)\S+", r"\1\2<key>"),
        (r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", "<mail>"),
        (r"(['\"])(?:/|~|[A-Za-z]:[\\/]|\\\\)[^'\"\n]*\1", r"\1<path>\1"),
        (r"(?<![\w/<>.~])(?:~|[A-Za-z]:[\\/]|\\\\|/)[^\s'\":,;()<>]+[^\s'\":,;()<>.]", "<path>"),
        (r"\b(?:\d{1,3}\.){3}\d{1,3}\b", "<ip>"),
        (r"(?<![\w:])(?:[0-9a-fA-F]{1,4}:){3,7}[0-9a-fA-F]{1,4}\b", "<ip>"),
        (r"\b[A-Za-z0-9+/_-]{48,}={0,2}", "<data>"),
    )
)


@dataclass(frozen=True)
class Redactor:
    """`words` are taken out wherever they stand: text -> what stands for it."""

    words: Mapping[str, str]

    @classmethod
    def of_this_machine(
        cls, extra: Iterable[str] = (), environment: Mapping[str, str] = os.environ
    ) -> Redactor:
        """Knows this user, this machine, and the secrets of the environment; `extra` are other
        names, such as hosts."""
        words: dict[str, str] = {}
        for name in SECRET_VARIABLES:
            words[environment.get(name, "").strip()] = "<key>"
        for name in ADDRESS_VARIABLES:
            parts = urlsplit(environment.get(name, "") or environment.get(name.lower(), ""))
            for part in (parts.hostname, parts.username, parts.password):
                words[part or ""] = "<address>"
        for name in extra:
            words[name] = "<address>"
        words[str(Path.home())] = "<home>"
        words[Path.home().name] = "<user>"
        with contextlib.suppress(OSError, KeyError, ImportError):  # no name for this user
            words[getpass.getuser()] = "<user>"
        words[socket.gethostname()] = "<machine>"
        return cls({word: shown for word, shown in words.items() if len(word) >= SHORTEST})

    def clean(self, text: str) -> str:
        """The text without what is private."""
        for pattern, shown in _RULES:
            text = pattern.sub(shown, text)
        for word in sorted(self.words, key=len, reverse=True):
            pattern = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)", re.IGNORECASE)
            text = pattern.sub(self.words[word], text)
        return text
