"""A flag in memory shared by two processes, to stop native code without waking Python.

The buffer holds two bytes, the second always 0. Seen by libc's `strlen` it is a text of length 0
or 1, which makes `strlen` itself an abort callback that needs no interpreter lock.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import tempfile
from pathlib import Path

SIZE = 2


class CancelFlag:
    """Made by the client with `create`, opened in the worker with `open`. Safe from any thread."""

    def __init__(self, view: mmap.mmap, path: Path | None, owned: bool) -> None:
        self._view = view
        self._owned = owned
        self.path = path

    @property
    def shared(self) -> bool:
        """Whether another process holds it as well, and clears it before each request."""
        return self.path is not None

    @classmethod
    def create(cls) -> CancelFlag:
        """A new flag, not set, in a temporary file that `close` removes."""
        number, name = tempfile.mkstemp(prefix="viscodex-", suffix=".flag")
        try:
            os.write(number, bytes(SIZE))
            return cls(mmap.mmap(number, SIZE), Path(name), owned=True)
        finally:
            os.close(number)

    @classmethod
    def open(cls, path: Path) -> CancelFlag:
        """The flag that another process made."""
        with path.open("r+b") as file:
            return cls(mmap.mmap(file.fileno(), SIZE), path, owned=False)

    @classmethod
    def private(cls) -> CancelFlag:
        """A flag of this process alone."""
        return cls(mmap.mmap(-1, SIZE), None, owned=False)

    def set(self) -> None:
        """Ask for the running request to stop."""
        self._put(1)

    def clear(self) -> None:
        """Begin a new request."""
        self._put(0)

    def _put(self, value: int) -> None:
        with contextlib.suppress(ValueError):  # closed: nobody is left to be asked
            self._view[0] = value

    def is_set(self) -> bool:
        """Whether a stop was asked for."""
        return self._view[0] != 0

    def buffer(self) -> ctypes.Array[ctypes.c_char]:
        """The two bytes, for native code; keep the object as long as that may look."""
        return (ctypes.c_char * SIZE).from_buffer(self._view)

    def remove_file(self) -> None:
        """Remove the file, where this side made it. Who has the flag open keeps it."""
        if self._owned and self.path is not None:
            with contextlib.suppress(OSError):  # Windows keeps it while it is open
                self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Give back memory and file, where this side made them."""
        if self._owned:
            with contextlib.suppress(BufferError):  # native code may still look
                self._view.close()
        self.remove_file()
