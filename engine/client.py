"""What callers hold: an engine in a child process that may crash without taking them along.

No llama.cpp and no Qt in here. All methods may be called from any thread; requests are served one
after the other.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import threading
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path

from PIL import Image

from engine import protocol
from engine.errors import ErrorCode, VisCodexError
from engine.hints import TextLine
from engine.images import ImageLimits
from engine.models.store import ModelFiles, find_model
from engine.process import EngineProcess
from engine.protocol import ConvertRequest, Event
from engine.remembered import Memory, model_id

CANCEL_GRACE = 1.5  # seconds a worker has to obey before it is killed
SMALL_MODEL = 500_000_000  # bytes


class EngineClient:
    """One worker process with one model; started by the first request, restarted after a death.

    Every request ends with exactly one of `done`, `cancelled` and `error` (a load with `ready`):
    errors come as events, not as exceptions.
    """

    def __init__(
        self, model: ModelFiles | None = None, *, cancel_grace: float = CANCEL_GRACE
    ) -> None:
        self._model = model
        self._graphics = True  # until a process dies of it
        self._loaded: ModelFiles | None = None
        self._cancel_grace = cancel_grace
        self._process: EngineProcess | None = None
        self._numbers = itertools.count(1)
        self._busy = threading.Lock()  # held for the length of a request
        self._state = threading.Lock()  # held for moments
        self._ready: protocol.Ready | None = None
        self._running: int | None = None
        self._cancelled: int | None = None
        self._guard: threading.Timer | None = None  # kills the worker if it does not obey
        self._closed = False

    def __enter__(self) -> EngineClient:
        return self

    def __exit__(self, *ignored: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """The process number of the worker, None while there is none."""
        process = self._process
        return process.pid if process is not None and process.alive() else None

    @property
    def model_name(self) -> str:
        """The name of the model, "" as long as none is chosen."""
        return self._model.name if self._model is not None else ""

    @property
    def takes_instructions(self) -> bool:
        """Whether the model can be told what to change."""
        return self._model is not None and self._model.card.prompt != "short"

    goes_on = True
    """Answers can be written on from where they were cut off (`ConvertRequest.begun`)."""

    @property
    def best_of(self) -> int:
        """How many answers to write where nothing else is asked for."""
        return 1 if self._model is None else self._model.card.best_of

    @property
    def corrected(self) -> bool:
        """Whether answers are corrected by the picture where nothing else is asked for."""
        return self._model is not None and self._model.card.corrected

    @property
    def reach(self) -> ImageLimits | None:
        """At what size the model sees pictures; None as long as none is chosen."""
        return None if self._model is None else self._model.card.image

    def start(self, model: ModelFiles | None = None) -> Iterator[Event]:
        """Start the worker and load a model (default: the one given before, or the bundled one).

        Yields loading events, then `ready`; nothing but `ready` costs time if it is loaded already.
        """
        with self._busy:
            if model is not None:
                self._model = model
            yield from self._guarded(None)

    def leave_graphics(self) -> None:
        """Compute on the processor alone from now on; the next request loads the model anew where
        a graphics device holds it."""
        with self._busy:
            self._graphics = False
            if self._ready is not None and self._ready.graphics:
                self._loaded = None

    def convert(self, request: ConvertRequest) -> Iterator[Event]:
        """Serve a request; the model is loaded first where it is not yet."""
        with self._busy:
            yield from self._guarded(request)

    def read_text(self, picture: Image.Image | Path | bytes) -> list[TextLine]:
        """The text in a picture, in reading order. Raises VisCodexError. Needs no model."""
        if isinstance(picture, Image.Image):
            buffer = io.BytesIO()
            picture.save(buffer, "PNG", compress_level=1)
            picture = buffer.getvalue()
        lines: list[TextLine] = []
        with self._busy:
            for event in self._guarded(protocol.ReadTextRequest(picture)):
                if isinstance(event, protocol.TextRead):
                    lines = event.lines
                elif isinstance(event, protocol.Error):
                    raise event.exception()
                elif isinstance(event, protocol.Cancelled):
                    raise VisCodexError(ErrorCode.cancelled, "Cancelled.")
        return lines

    def cancel(self) -> None:
        """Ask the running request to stop; a worker that does not obey in time is killed.

        Returns at once. Does nothing where no request runs.
        """
        with self._state:
            number, process = self._running, self._process
            if number is None or self._cancelled == number:
                return
            self._cancelled = number
            if process is None:
                return  # still starting; the request looks again when that is done
            process.flag.set()
            work = (number, process)
            self._guard = threading.Timer(self._cancel_grace, self._kill_if_running, work)
            self._guard.daemon = True
            self._guard.start()

    def close(self) -> None:
        """End the worker. A running request ends as cancelled; later ones are refused."""
        with self._state:
            self._closed = True
            process, self._process = self._process, None
            if self._running is not None:
                self._cancelled = self._running
        if process is not None:
            process.end()

    # One request --------------------------------------------------------------------------------

    def _guarded(self, request: protocol.Request | None) -> Iterator[Event]:
        """Load if need be, then serve `request`; None only loads.

        Load and request carry one number, so that a cancel between them stops the second.
        """
        number = next(self._numbers)
        with self._state:
            self._running = number
        try:
            with contextlib.closing(self._steps(request, number)) as events:
                for event in events:
                    if event.final and (request is None or not isinstance(event, protocol.Ready)):
                        self._over(number)
                    yield event
        except VisCodexError as error:
            self._over(number)
            asked = self._cancelled == number
            yield protocol.Cancelled() if asked else protocol.Error.of(error)
        finally:
            self._over(number)

    def _steps(self, request: protocol.Request | None, number: int) -> Generator[Event, None, None]:
        process = self._started(number)
        if not _needs_no_model(request):
            model = self._model = self._model or find_model()
            if request is None or self._loaded != model:
                process = yield from self._load(process, model, number)
                if request is None or self._loaded != model:
                    return
        if request is not None:
            yield from self._exchange(process, request, number)

    def _load(
        self, process: EngineProcess, model: ModelFiles, number: int
    ) -> Generator[Event, None, EngineProcess]:
        """Load a model; returns the process that holds it.

        One that dies while it tries a graphics device is replaced, and from then on this client
        leaves graphics devices alone; later ones leave that device alone with this model.
        """
        if self._loaded == model and self._ready is not None:
            yield self._ready
            return process
        self._loaded = None
        card, device, shown = model.card.to_json(), "", 0.0
        while True:
            died = False
            request = protocol.LoadRequest(model.model, model.mmproj, card, self._graphics)
            with contextlib.closing(self._exchange(process, request, number)) as events:
                for event in events:
                    if isinstance(event, protocol.Loading):
                        device = event.device or device
                        shown = max(shown, event.fraction)
                        event = replace(event, fraction=shown)  # a second try may start anew
                    elif isinstance(event, protocol.Ready):
                        self._loaded, self._ready = model, event
                    elif device and self._graphics and _is_death(event):
                        died, self._graphics = True, False
                        with contextlib.suppress(OSError):  # a model that has just been removed
                            Memory().died(model_id(model.model, model.mmproj), device)
                        break
                    yield event
            if not died:
                return process
            process = self._started(number)

    def _started(self, number: int) -> EngineProcess:
        """A process that has said hello. Raises VisCodexError: worker_died, cancelled, internal."""
        with self._state:
            self._check_open()
            process = self._process
            if process is not None and process.alive():
                process.flag.clear()
            else:
                self._process = self._loaded = None
        if self._process is None:
            if process is not None:
                process.kill()
            process = EngineProcess(patient=_is_small(self._model))
            with self._state:
                self._process = None if self._closed else process
                asked = self._cancelled == number  # while there was no process to tell
            if self._process is None:
                process.kill()
            self._check_open()
            if asked:
                raise VisCodexError(ErrorCode.cancelled, "Cancelled.")
        assert process is not None
        process.wait_for_hello()
        return process

    def _check_open(self) -> None:
        if self._closed:
            raise VisCodexError(ErrorCode.internal, "The engine was closed.", "Start a new one.")

    def _exchange(
        self, process: EngineProcess, request: protocol.Request, number: int
    ) -> Generator[Event, None, None]:
        """Send a request and yield its events up to the last one, whatever happens."""
        if self._cancelled == number:
            yield protocol.Cancelled()
            return
        try:
            process.send(request, number)
        except (OSError, ValueError):
            process.kill()
        finished = False
        try:
            while not finished:
                event = self._next(process, number)
                finished = event.final
                yield event
        finally:
            if not finished:  # the caller stopped listening in the middle
                self.cancel()
                while not self._next(process, number).final:
                    pass

    def _over(self, number: int) -> None:
        with self._state:
            if self._running != number:
                return
            self._running = None
            guard, self._guard = self._guard, None
        if guard is not None:
            guard.cancel()

    def _next(self, process: EngineProcess, number: int) -> Event:
        """The next event of a request; the death of the worker is the last one."""
        while True:
            frame = process.frames.get()
            if frame is None:
                process.frames.put(None)
                with self._state:
                    if self._process is process:
                        self._process = None
                    asked = self._cancelled == number
                process.kill()
                return protocol.Cancelled() if asked else protocol.Error.of(process.death())
            mine, event = frame
            # An error without a number tells that the request itself could not be read.
            if mine == number or (mine is None and isinstance(event, protocol.Error)):
                if isinstance(event, protocol.Error) and event.code is ErrorCode.out_of_memory:
                    # Native code is not fit for use after that: an encoder that was refused
                    # memory crashed on the next picture. A new process has all memory back.
                    process.kill()
                return event
            # Events of a request that was given up, or of none.

    def _kill_if_running(self, number: int, process: EngineProcess) -> None:
        with self._state:
            stuck = self._running == number and process.answered != number
            if stuck:
                process.retire()  # before the request ends and the next one wants a process
        if stuck:
            process.kill()


def _is_death(event: Event) -> bool:
    return isinstance(event, protocol.Error) and event.code is ErrorCode.worker_died


def _is_small(model: ModelFiles | None) -> bool:
    """Whether threads would wait for each other longer than they work.

    Beside other programs a spinning thread keeps the one it waits for from the core: measured
    on two busy cores with 18 MB of model, 0.4 s to the first token instead of 2.4 s.
    """
    try:
        return model is None or model.model.stat().st_size < SMALL_MODEL
    except OSError:
        return True


def _needs_no_model(request: protocol.Request | None) -> bool:
    if isinstance(request, ConvertRequest):
        return request.target == "text"
    return isinstance(request, protocol.ReadTextRequest)
