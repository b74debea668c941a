"""What callers hold: an engine in a child process that may crash without taking them along.

No llama.cpp and no Qt in here. All methods may be called from any thread; requests are served one
after the other.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from engine import protocol
from engine.cancel import CancelFlag
from engine.errors import ErrorCode, VisCodexError
from engine.hints import TextLine
from engine.images import ImageLimits
from engine.models.store import ModelFiles, find_model
from engine.protocol import ConvertRequest, Event
from engine.remembered import Memory, model_id

HELLO_SECONDS = 60.0
CANCEL_GRACE = 1.5  # seconds a worker has to obey before it is killed
CLOSE_GRACE = 2.0
SMALL_MODEL = 500_000_000  # bytes
ROOT = Path(__file__).resolve().parents[1]


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
        self._process: _Process | None = None
        self._numbers = itertools.count(1)
        self._busy = threading.Lock()  # held for the length of a request
        self._state = threading.Lock()  # held for moments
        self._ready: protocol.Ready | None = None
        self._running: int | None = None
        self._cancelled: int | None = None
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

    @property
    def best_of(self) -> int:
        """How many answers to write where nothing else is asked for."""
        return 1 if self._model is None else self._model.card.best_of

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
        guard = threading.Timer(self._cancel_grace, self._kill_if_running, (number, process))
        guard.daemon = True
        guard.start()

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
            process = self._started()
            if not _needs_no_model(request):
                model = self._model = self._model or find_model()
                if request is None or self._loaded != model:
                    process = yield from self._load(process, model, number)
                    if request is None or self._loaded != model:
                        return
            if request is not None:
                yield from self._exchange(process, request, number)
        except VisCodexError as error:
            self._over(number)
            yield protocol.Error.of(error)
        finally:
            self._over(number)

    def _load(
        self, process: _Process, model: ModelFiles, number: int
    ) -> Generator[Event, None, _Process]:
        """Load a model; returns the process that holds it.

        One that dies while it tries a graphics device is replaced, and from then on this client
        leaves graphics devices alone; later ones leave that device alone with this model.
        """
        if self._loaded == model and self._ready is not None:
            yield self._ready
            return process
        self._loaded = None
        card, device = model.card.to_json(), ""
        request = protocol.LoadRequest(model.model, model.mmproj, card, self._graphics)
        for event in self._exchange(process, request, number):
            if isinstance(event, protocol.Loading):
                device = event.device or device
            elif isinstance(event, protocol.Ready):
                self._loaded, self._ready = model, event
            elif device and self._graphics and _is_death(event):
                self._graphics = False
                with contextlib.suppress(OSError):  # a model that has just been removed
                    Memory().died(model_id(model.model, model.mmproj), device)
                break
            yield event
        else:
            return process
        with self._state:
            self._running = number
        return (yield from self._load(self._started(), model, number))

    def _started(self) -> _Process:
        with self._state:
            if self._closed:
                raise VisCodexError(
                    ErrorCode.internal, "The engine was closed.", "Start a new one."
                )
            if self._process is not None and self._process.alive():
                self._process.flag.clear()
                return self._process
            old, self._process = self._process, None
            self._loaded = None
        if old is not None:
            old.kill()
        process = _Process(patient=_is_small(self._model))
        with self._state:
            self._process = process
        process.wait_for_hello()
        return process

    def _exchange(
        self, process: _Process, request: protocol.Request, number: int
    ) -> Iterator[Event]:
        """Send a request and yield its events up to the last one, whatever happens."""
        if self._cancelled == number:
            self._over(number)
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
                if finished and not isinstance(event, protocol.Ready):
                    self._over(number)
                yield event
        finally:
            if not finished:  # the caller stopped listening in the middle
                self.cancel()
                while not self._next(process, number).final:
                    pass

    def _over(self, number: int) -> None:
        with self._state:
            if self._running == number:
                self._running = None

    def _next(self, process: _Process, number: int) -> Event:
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
            if mine == number:
                return event
            # Events of a request that was given up, or of none.

    def _kill_if_running(self, number: int, process: _Process) -> None:
        with self._state:
            stuck = self._running == number
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


class _Process:
    """A worker process with the threads that empty its pipes. `frames` ends with None."""

    def __init__(self, *, patient: bool) -> None:
        """With `patient`, threads of llama.cpp sleep while they wait instead of spinning."""
        self.flag = CancelFlag.create()
        self.frames: queue.Queue[tuple[int | None, Event] | None] = queue.Queue()
        self._last_words: deque[str] = deque(maxlen=40)
        self._write = threading.Lock()
        self._hello = threading.Event()
        self._broken = False
        command = [sys.executable, "-m", "engine.worker", "--flag", str(self.flag.path)]
        if getattr(sys, "frozen", False):
            command = [sys.executable, "--engine", "--flag", str(self.flag.path)]
        environment = dict(os.environ, GGML_NO_BACKTRACE="1", PYTHONIOENCODING="utf-8")
        if patient:
            environment.setdefault("OMP_WAIT_POLICY", "passive")
        environment.pop("GGML_BACKEND_PATH", None)
        extra: dict[str, Any] = {}
        if os.name == "nt":
            extra["creationflags"] = subprocess.CREATE_NO_WINDOW  # type: ignore[attr-defined,unused-ignore]
        self._popen = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env=environment,
            # A Ctrl-C at the terminal is for the caller, who then cancels in order.
            start_new_session=os.name == "posix",
            **extra,
        )
        self.pid = self._popen.pid
        for name, work in (("frames", self._read_frames), ("words", self._read_words)):
            threading.Thread(target=work, name=f"engine-{name}", daemon=True).start()

    def alive(self) -> bool:
        return self._popen.poll() is None and not self._broken

    def wait_for_hello(self) -> None:
        """Wait until the worker speaks. Raises VisCodexError where it does not."""
        if self._hello.wait(HELLO_SECONDS) and not self._broken and self.alive():
            return
        self.kill()
        raise self.death()

    def send(self, request: protocol.Request, number: int) -> None:
        """Write a request. Raises OSError or ValueError where the worker is gone."""
        stream = self._popen.stdin
        assert stream is not None
        with self._write:
            stream.write(protocol.encode(request, number))
            stream.flush()

    def kill(self) -> None:
        """End it now."""
        with contextlib.suppress(OSError):
            self._popen.kill()
        self._clean()

    def end(self) -> None:
        """Let it end, or kill it."""
        self.flag.set()
        with contextlib.suppress(OSError, ValueError):
            self.send(protocol.ShutdownRequest(), 0)
        try:
            self._popen.wait(CLOSE_GRACE)
        except subprocess.TimeoutExpired:
            self._popen.kill()
        self._clean()

    def _clean(self) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(CLOSE_GRACE)
        if self._popen.stdin is not None:
            with contextlib.suppress(OSError):
                self._popen.stdin.close()
        self.flag.close()

    def death(self) -> VisCodexError:
        """Why it ended, as an error."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(CLOSE_GRACE)
        code = self._popen.returncode
        words = " ".join(self._last_words).lower()
        if any(sign in words for sign in ("failed to allocate", "out of memory", "bad_alloc")):
            return VisCodexError(
                ErrorCode.out_of_memory,
                "The engine ran out of memory.",
                "Close other programs, snip a smaller region, or choose a smaller model.",
            )
        if self._broken:
            how = "it sent something unreadable"
        elif code is not None and code < 0:
            name = f"signal {-code}"
            with contextlib.suppress(ValueError):
                name = signal.Signals(-code).name
            how = f"it was ended by {name}"
        else:
            how = f"exit status {code}"
        return VisCodexError(
            ErrorCode.worker_died,
            f"The engine stopped unexpectedly: {how}.",
            "Try again; it starts anew by itself. If this repeats, memory may be short.",
        )

    def _read_frames(self) -> None:
        stream = self._popen.stdout
        assert stream is not None
        with stream:
            for line in stream:
                try:
                    number, event = protocol.decode_event(line)
                except protocol.FrameError:
                    self._broken = True
                    with contextlib.suppress(OSError):
                        self._popen.kill()
                    break
                if isinstance(event, protocol.Hello):
                    self._broken = event.version != protocol.VERSION
                    self._hello.set()
                else:
                    self.frames.put((number, event))
        self.frames.put(None)
        if not self._hello.is_set():
            self._hello.set()

    def _read_words(self) -> None:
        stream = self._popen.stderr
        assert stream is not None
        debug = bool(os.environ.get("VISCODEX_DEBUG"))
        with stream:
            for line in stream:
                text = line.decode("utf-8", errors="replace").rstrip()
                self._last_words.append(text)
                if debug:
                    print(text, file=sys.stderr)
