"""The engine client on a thread of its own; its events come back as queued signals.

Events are handed over in batches: however fast tokens arrive, the window is woken once until it
has looked.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from PySide6.QtCore import QObject, Qt, Signal

_LOG = logging.getLogger(__name__)


class Client(Protocol):
    """What the bridge needs of `engine.client.EngineClient`."""

    @property
    def takes_instructions(self) -> bool: ...

    def warm_up(self) -> Iterable[Any]: ...

    def convert(self, request: Any) -> Iterable[Any]: ...

    def appraise(self, image: bytes, code: str, target: str, lines: Any) -> Iterable[Any]: ...

    def cancel(self) -> None: ...

    def close(self) -> None: ...


Work = Callable[[Client], Iterable[Any]]
"""What is asked of a client: one of its methods, called on the thread."""


class EngineBridge(QObject):
    """Runs one request after the other. `events(list of (run, event))` arrives on the GUI thread.

    An event is what the engine sends, an Exception where a request failed as a whole, or None at
    the end of a request. Run 0 is the warm-up, negative ones are those of `app.asides`.
    """

    events = Signal(list)
    _wake = Signal()

    def __init__(self, make_client: Callable[[], Client], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._make_client = make_client
        self._jobs: queue.Queue[tuple[int, Work] | None] = queue.Queue()
        self._arrived: deque[tuple[int, Any]] = deque()
        self._woken = threading.Event()
        self._client: Client | None = None
        self._lock = threading.Lock()
        self._closing = False
        self._started = 0
        self._cancelled: set[int] = set()
        self._thread = threading.Thread(target=self._work, name="engine", daemon=True)
        self._wake.connect(self._drain, Qt.ConnectionType.QueuedConnection)

    def start(self) -> None:
        """Start the thread and load the model in the background."""
        if not self._thread.is_alive():
            self._thread.start()
            self._jobs.put((0, _warm_up))

    def convert(self, run: int, request: Any) -> None:
        """Queue a conversion; its events carry the number `run`."""
        self.ask(run, lambda client: client.convert(request))

    def ask(self, run: int, work: Work) -> None:
        """Queue whatever yields events."""
        self.start()
        self._jobs.put((run, work))

    def change_client(self, make_client: Callable[[], Client]) -> None:
        """Use another model from the next request on."""
        with self._lock:
            self._make_client = make_client
            old, self._client = self._client, None
        if old is not None:
            threading.Thread(target=old.close, name="engine-close", daemon=True).start()
        if self._thread.is_alive():
            self._jobs.put((0, _warm_up))

    @property
    def takes_instructions(self) -> bool | None:
        """Whether the model can be told what to change; None while there is none."""
        with self._lock:
            return None if self._client is None else self._client.takes_instructions

    def cancel(self, run: int) -> bool:
        """Ask the engine to stop `run`; never blocks. True where it had not even begun."""
        with self._lock:
            self._cancelled.add(run)
            client, begun = self._client, self._started >= run
        if begun and client is not None:
            threading.Thread(target=client.cancel, name="engine-cancel", daemon=True).start()
        return not begun

    def close(self) -> None:
        """End the engine; events still on their way are dropped."""
        self._closing = True
        self._jobs.put(None)
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()
        if self._thread.is_alive():
            self._thread.join(3.0)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            run, work = job
            with self._lock:
                if run in self._cancelled:
                    continue
                self._started = max(run, self._started)
            try:
                client = self._get_client()
                repeated = False
                for event in work(client):
                    self._send(run, event)
                    if run in self._cancelled and not repeated:
                        # The first call may have come before the request was on its way.
                        repeated = True
                        client.cancel()
            except Exception as error:  # the thread must outlive every failing request
                if not self._closing:
                    _LOG.debug("request %s failed", run, exc_info=True)
                self._send(run, error)
            self._send(run, None)

    def _get_client(self) -> Client:
        with self._lock:
            if self._client is not None:
                return self._client
            make = self._make_client
        client = make()
        with self._lock:
            self._client = client
        return client

    def _send(self, run: int, event: Any) -> None:
        if self._closing:
            return
        self._arrived.append((run, event))
        if not self._woken.is_set():
            self._woken.set()
            self._wake.emit()

    def _drain(self) -> None:
        self._woken.clear()
        batch = []
        while self._arrived:
            batch.append(self._arrived.popleft())
        if batch and not self._closing:
            self.events.emit(batch)


def _warm_up(client: Client) -> Iterable[Any]:
    return client.warm_up()
