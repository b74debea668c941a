"""One request on a thread of its own, that can be given up at any moment.

The network part runs as a task of an event loop: unlike a blocking call it can be stopped while
it waits for a connection, for headers or for the next byte, and closes its connection then.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

from engine import protocol
from engine.errors import ErrorCode, VisCodexError
from engine.protocol import Event

T = TypeVar("T")


class Running:
    """Runs `work(self)` and hands over its events; the last one is final (`ready` for a start)."""

    def __init__(self, work: Callable[[Running], None]) -> None:
        self._work = work
        self._events: queue.Queue[Event | None] = queue.Queue()
        self._lock = threading.Lock()
        self._over = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None

    def events(self) -> Iterator[Event]:
        """Start, and yield the events as they come. Closing the iterator cancels."""
        threading.Thread(target=self._run, name="remote", daemon=True).start()
        try:
            while (event := self._events.get()) is not None:
                yield event
        finally:
            self.cancel()

    def cancel(self) -> bool:
        """Answer with `cancelled` now, and stop what goes on. False where it is over already."""
        with self._lock:
            if self._over:
                return False
            self._finish(protocol.Cancelled())
            if self._loop is not None and self._task is not None:
                self._loop.call_soon_threadsafe(self._task.cancel)
        return True

    # For `work`, on the thread of its own ---------------------------------------------------------

    def emit(self, event: Event) -> None:
        """Hand over an event. Raises VisCodexError(cancelled) where nobody wants it any more."""
        with self._lock:
            if self._over:
                raise _cancelled()
            if event.final and not isinstance(event, protocol.Ready):
                self._finish(event)
            else:
                self._events.put(event)

    def wait_for(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The result of `coroutine`. Raises VisCodexError(cancelled) as soon as that is asked."""
        try:
            return asyncio.run(self._cancellable(coroutine))
        except asyncio.CancelledError:
            raise _cancelled() from None

    async def _cancellable(self, coroutine: Coroutine[Any, Any, T]) -> T:
        with self._lock:
            self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
            over = self._over
        try:
            if over:
                coroutine.close()
                raise _cancelled()
            return await coroutine
        finally:
            with self._lock:
                self._loop = self._task = None

    def _run(self) -> None:
        try:
            self._work(self)
            last: Event | None = None
        except VisCodexError as error:
            last = protocol.Error.of(error)
        except MemoryError:
            last = protocol.Error(
                ErrorCode.out_of_memory, "There is not enough memory.", "Close other programs."
            )
        except Exception as error:  # the type only: a message may quote the picture or the key
            text = f"Asking the server failed unexpectedly ({type(error).__name__})."
            last = protocol.Error(ErrorCode.internal, text, "Report this.")
        with self._lock:
            if not self._over:
                self._finish(last)

    def _finish(self, event: Event | None) -> None:
        self._over = True
        if event is not None:
            self._events.put(event)
        self._events.put(None)


def _cancelled() -> VisCodexError:
    return VisCodexError(ErrorCode.cancelled, "Cancelled.")
