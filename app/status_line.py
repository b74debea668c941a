"""A line on stderr that says what goes on, where somebody watches."""

from __future__ import annotations

from typing import TypeVar

from rich.console import Console

Line = TypeVar("Line", bound="StatusLine")


class StatusLine:
    """A context manager; `watched` is whether stderr is a terminal, and only then a line shows."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._status = console.status("") if console.is_terminal else None

    @property
    def watched(self) -> bool:
        return self._status is not None

    def __enter__(self: Line) -> Line:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(self, *ignored: object) -> None:
        if self._status is not None:
            self._status.stop()

    def say(self, text: str) -> None:
        """Replace what the line says."""
        if self._status is not None:
            self._status.update(text)
