"""Stopping work that waits for a network: pause, go on, cancel, from any thread.

The network part runs as a task of an event loop, which can be stopped wherever it waits. A pause
ends the connection; going on asks for the rest of the file.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from engine.errors import ErrorCode, VisCodexError

T = TypeVar("T")


class Interrupted(Exception):
    """The task was stopped by a pause or a cancel; `Control.check` tells which."""


class Control:
    """One download's switch, held by whoever shows it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._paused = False
        self._cancelled = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None

    @property
    def paused(self) -> bool:
        """Whether it rests until `resume`."""
        return self._paused

    @property
    def cancelled(self) -> bool:
        """Whether it was told to end."""
        return self._cancelled

    def pause(self) -> None:
        """Rest. What is on the disk stays."""
        self._set(paused=True)

    def resume(self) -> None:
        """Go on after a pause."""
        self._set(paused=False)

    def cancel(self) -> None:
        """End. What is on the disk stays, for another time."""
        self._set(cancelled=True)

    # For the work, on its own thread --------------------------------------------------------------

    def check(self, resting: Callable[[], None] = lambda: None) -> None:
        """Rest while paused (`resting` is called once then). Raises VisCodexError(cancelled)."""
        with self._changed:
            if self._paused and not self._cancelled:
                resting()
            self._changed.wait_for(lambda: self._cancelled or not self._paused)
            if self._cancelled:
                raise VisCodexError(
                    ErrorCode.cancelled,
                    "The download was cancelled.",
                    "What is here is kept: start it again to go on.",
                )

    def sleep(self, seconds: float) -> None:
        """Wait, or less long where something is switched."""
        with self._changed:
            self._changed.wait_for(lambda: self._cancelled or self._paused, timeout=seconds)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The result of `coroutine`. Raises Interrupted as soon as something is switched."""
        try:
            return asyncio.run(self._stoppable(coroutine))
        except asyncio.CancelledError:
            raise Interrupted from None

    async def _stoppable(self, coroutine: Coroutine[Any, Any, T]) -> T:
        with self._changed:
            self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
            stop = self._paused or self._cancelled
        try:
            if stop:
                coroutine.close()
                raise asyncio.CancelledError
            return await coroutine
        finally:
            with self._changed:
                self._loop = self._task = None

    def _set(self, paused: bool | None = None, cancelled: bool = False) -> None:
        with self._changed:
            self._paused = self._paused if paused is None else paused
            self._cancelled = self._cancelled or cancelled
            if (self._paused or self._cancelled) and self._loop is not None and self._task:
                self._loop.call_soon_threadsafe(self._task.cancel)
            self._changed.notify_all()
