"""What the process of an allowed page is told: one JSON line, by a pipe and by nothing else."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from app.preview.permission import Permission, grant_of

MAX_LINE = 64_000_000
"""Bytes of a line: a document of the greatest size, were every character of it escaped."""


@dataclass(frozen=True)
class Order:
    """A document, what it may load, and how it is shown.

    `language` is that of the window around it.
    `width` in CSS pixels is the page's, 0 where it follows the window; `size` is that of the window
    in pixels.
    """

    html: str
    permission: Permission
    scripts: bool
    dark: bool
    width: int
    size: tuple[int, int]
    language: str = ""

    def line(self) -> bytes:
        """As it goes through the pipe, with its line break."""
        grants = [
            {"kind": one.directive, "uri": f"{one.origin}/"}
            for one in sorted(self.permission.grants)
        ]
        fields = {
            "html": self.html,
            "grants": grants,
            "scripts": self.scripts,
            "dark": self.dark,
            "width": self.width,
            "size": self.size,
            "language": self.language,
        }
        return json.dumps(fields).encode() + b"\n"

    @classmethod
    def read(cls, line: bytes) -> Order:
        """Raises ValueError where the line is no order."""
        try:
            fields: dict[str, Any] = json.loads(line)
            grants = [grant_of(one["kind"], one["uri"]) for one in fields["grants"]]
            across, down = fields["size"]
            return cls(
                html=str(fields["html"]),
                permission=Permission(frozenset(one for one in grants if one is not None)),
                scripts=fields["scripts"] is True,
                dark=fields["dark"] is True,
                width=int(fields["width"]),
                size=(int(across), int(down)),
                language=str(fields.get("language", "")),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not an order: {error}") from error
