"""Server-sent events, as far as chat servers use them: bytes to the texts of `data:` lines."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

LONGEST_LINE = 4_000_000  # characters; an answer that needs more in one line is none


class LineTooLong(ValueError):
    """A line that goes on and on."""


class DataLines:
    """Bytes in, payloads of complete `data:` lines out, however the bytes are cut.

    Every line counts as an event of its own: chat servers write each of theirs on one line, and
    some forget the empty line between two. Comments and other fields are passed over.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")(errors="replace")
        self._parts: list[str] = []
        self._held = 0
        self.seen = False  # whether there was any `data:` line

    def feed(self, data: bytes) -> Iterator[str]:
        """The payloads that have become complete. Raises LineTooLong."""
        yield from self._take(self._decoder.decode(data))

    def finish(self) -> Iterator[str]:
        """The payload of a last line without an end."""
        yield from self._take(self._decoder.decode(b"", final=True) + "\n")

    def _take(self, text: str) -> Iterator[str]:
        *lines, rest = text.replace("\r", "\n").split("\n")
        for line in lines:
            whole = "".join((*self._parts, line))
            self._parts, self._held = [], 0
            if whole.startswith("data:"):
                self.seen = True
                yield whole[5:].strip()
        if rest:
            self._parts.append(rest)
            self._held += len(rest)
            if self._held > LONGEST_LINE:
                raise LineTooLong
