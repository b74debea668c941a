"""A file that is not whole yet: FILE.part, and FILE.part.json that tells what it is a part of."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from engine.errors import ErrorCode, VisCodexError
from engine.models.transfer import Source

BLOCK = 1 << 20


class PartFile:
    """The part of a file, locked against other processes; a context manager.

    `length` bytes are here and went into the sum. It is used again only for the same SHA-256.
    """

    def __init__(self, source: Source, target: Path) -> None:
        self.path = target.with_name(target.name + ".part")
        self.length = 0
        self.etag = ""
        self._notes = target.with_name(target.name + ".part.json")
        self._source = source
        self._target = target
        self._sum = hashlib.sha256()
        self._file: IO[bytes] | None = None

    def __enter__(self) -> PartFile:
        # Unbuffered, so that a full disk is noticed at the write it happens to.
        file = open(self.path, "a+b", buffering=0)
        try:
            lock_file(file)
        except OSError:
            file.close()
            raise VisCodexError(
                ErrorCode.bad_input,
                f"{self._source.name} is being downloaded already.",
                "Wait for the other download, or end it.",
            ) from None
        self._file = file
        return self

    def __exit__(self, *ignored: object) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    @property
    def _open(self) -> IO[bytes]:
        assert self._file is not None, "used outside of `with`"
        return self._file

    def take_up(self, watch: Callable[[int, int], None]) -> bool:
        """Read what is here into the sum, telling `watch` (done, total); False where it belongs
        to another file and was thrown away."""
        size = os.fstat(self._open.fileno()).st_size
        notes = self._read_notes()
        if notes.get("sha256") != self._source.sha256 or size > self._source.size:
            self.restart()
            return size == 0
        self.etag = str(notes.get("etag", ""))
        self._open.seek(0)
        while block := self._open.read(BLOCK):
            self._sum.update(block)
            self.length += len(block)
            watch(self.length, size)
        return True

    def remember(self, etag: str) -> None:
        """Note what the server calls this content, to ask for the rest of the same."""
        self.etag = etag
        notes = {"sha256": self._source.sha256, "size": self._source.size, "etag": etag}
        beside = self._notes.with_name(self._notes.name + ".new")
        beside.write_text(json.dumps(notes), encoding="utf-8")
        os.replace(beside, self._notes)

    def write(self, data: bytes) -> None:
        """Add to the end. Raises OSError; what was written of it is read again next time."""
        rest = memoryview(data)
        while rest:
            written = self._open.write(rest)
            rest = rest[written:]
        self._sum.update(data)
        self.length += len(data)

    def restart(self) -> None:
        """Begin with nothing."""
        self._open.truncate(0)
        self._open.seek(0)
        self._sum = hashlib.sha256()
        self.length = 0
        self.etag = ""

    def right(self) -> bool:
        """Whether what is here has the sum that it should have."""
        return self._sum.hexdigest() == self._source.sha256

    def finish(self) -> None:
        """Give the whole file its name."""
        os.fsync(self._open.fileno())
        self.__exit__()
        os.replace(self.path, self._target)
        self._notes.unlink(missing_ok=True)

    def throw_away(self) -> None:
        """Remove part and notes."""
        self.__exit__()
        self.path.unlink(missing_ok=True)
        self._notes.unlink(missing_ok=True)

    def _read_notes(self) -> dict[str, Any]:
        try:
            notes = json.loads(self._notes.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return notes if isinstance(notes, dict) else {}


def lock_file(file: IO[bytes]) -> None:
    """Take the file for this process alone. Raises OSError where another has it."""
    if sys.platform == "win32":
        import msvcrt

        file.seek(0x7FFF_0000)  # beyond the content: a lock there keeps nobody from reading it
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
