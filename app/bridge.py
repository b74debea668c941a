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

    @property
    def goes_on(self) -> bool: ...

    def warm_up(self) -> Iterable[Any]: ...

    def leave_graphics(self) -> None: ...

    def convert(self, request: Any) -> Iterable[Any]: ...

    def appraise(self, image: bytes, code: str, target: str, lines: Any) -> Iterable[Any]: ...

    def match(
        self, what: str, image: bytes, code: str, target: str, lines: Any
    ) -> Iterable[Any]: ...

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
        self._serving: tuple[int, Client] | None = None  # the run that is served, and by whom
        self._generation = 0  # of the way to make clients
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

    def load(self) -> None:
        """Load the model in the background where it is not loaded."""
        if self._thread.is_alive():
            self._jobs.put((0, _warm_up))
        else:
            self.start()

    def leave_graphics(self) -> None:
        """Load the model anew on the processor alone, before anything that is asked later."""
        self.start()
        self._jobs.put((0, _leave_graphics))

    def cancel_load(self) -> None:
        """Stop a load that runs for itself; never blocks."""
        with self._lock:
            serving = self._serving
        if serving is not None and serving[0] == 0:
            threading.Thread(target=serving[1].cancel, name="engine-cancel", daemon=True).start()

    def ask(self, run: int, work: Work) -> None:
        """Queue whatever yields events."""
        self.start()
        self._jobs.put((run, work))

    def change_client(self, make_client: Callable[[], Client]) -> None:
        """Use another model from the next request on; a conversion that runs comes to its end."""
        with self._lock:
            self._make_client = make_client
            self._generation += 1
            old, self._client = self._client, None
            converts = self._serving is not None and self._serving[0] > 0
        if old is not None and not converts:
            _close_aside(old)
        if self._thread.is_alive():
            self._jobs.put((0, _warm_up))

    @property
    def takes_instructions(self) -> bool | None:
        """Whether the model can be told what to change; None while there is none."""
        with self._lock:
            return None if self._client is None else self._client.takes_instructions

    @property
    def goes_on(self) -> bool:
        """Whether the model can write on where code was cut off."""
        with self._lock:
            return self._client is not None and self._client.goes_on

    def cancel(self, run: int) -> bool:
        """Ask the engine to stop `run`; never blocks. True where it had not even begun."""
        with self._lock:
            self._cancelled.add(run)
            serving, begun = self._serving, self._started >= run
        if begun and serving is not None:
            threading.Thread(target=serving[1].cancel, name="engine-cancel", daemon=True).start()
        return not begun

    def close(self) -> None:
        """End the engine; events still on their way are dropped."""
        self._closing = True
        self._jobs.put(None)
        with self._lock:
            clients = {self._client, self._serving[1] if self._serving else None}
            self._client = None
        for client in clients:
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
            client: Client | None = None
            try:
                client = self._take_client(run)
                repeated = False
                for event in work(client):
                    if run == 0 and client is not self._client:
                        continue  # what became of a model that is no longer wanted
                    self._send(run, event)
                    if run in self._cancelled and not repeated:
                        # The first call may have come before the request was on its way.
                        repeated = True
                        client.cancel()
            except Exception as error:  # the thread must outlive every failing request
                if not self._closing:
                    _LOG.debug("request %s failed", run, exc_info=True)
                if client is None or run > 0 or client is self._client:
                    self._send(run, error)
            with self._lock:
                self._serving = None
                replaced = client is not None and client is not self._client and run > 0
            if replaced and client is not None and not self._closing:
                _close_aside(client)
            self._send(run, None)

    def _take_client(self, run: int) -> Client:
        """The client of the present choice, marked as serving `run`."""
        while True:
            with self._lock:
                if self._client is not None:
                    self._serving = (run, self._client)
                    return self._client
                make, generation = self._make_client, self._generation
            client = make()
            with self._lock:
                if generation == self._generation:
                    self._client = client
                    continue
            client.close()

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


def _leave_graphics(client: Client) -> Iterable[Any]:
    client.leave_graphics()
    return client.warm_up()


def _close_aside(client: Client) -> None:
    """Ending an engine may take a moment."""
    threading.Thread(target=client.close, name="engine-close", daemon=True).start()
