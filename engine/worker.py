"""The child process that owns the model: requests on stdin, events on stdout.

Native code may print or abort as it likes: stdout is taken away from it first, and a crash ends
this process only. Nothing a model or a picture says is written anywhere but into event frames.
"""

from __future__ import annotations

import argparse
import os
import queue
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from engine import protocol
from engine.cancel import CancelFlag
from engine.errors import ErrorCode, VisCodexError, tells_of_memory

if TYPE_CHECKING:
    from engine.converter import Converter, TextReader
    from engine.fit import Plan
    from engine.models.card import ModelCard


class EventWriter:
    """Writes frames, from any thread, each whole."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def write(self, event: protocol.Event, number: int | None) -> None:
        """Write and flush one event."""
        with self._lock:
            self._stream.write(protocol.encode(event, number))
            self._stream.flush()


class Worker:
    """Takes requests one after the other; `listen` runs on a thread of its own."""

    def __init__(self, requests: BinaryIO, events: EventWriter, flag: CancelFlag) -> None:
        self._requests = requests
        self._events = events
        self._flag = flag
        self._queue: queue.Queue[tuple[int, protocol.Request]] = queue.Queue()
        self._turn = threading.Lock()
        self._current: int | None = None
        self._converter: Converter | None = None
        self._reader: TextReader | None = None
        self._load_seconds = 0.0

    def run(self) -> None:
        """Work until a shutdown request. The end of stdin ends the process at once."""
        self._events.write(protocol.Hello(protocol.VERSION, os.getpid()), None)
        threading.Thread(target=self.listen, name="requests", daemon=True).start()
        while True:
            number, request = self._queue.get()
            if isinstance(request, protocol.ShutdownRequest):
                self._unload()
                return
            with self._turn:
                self._current = number
                if not self._flag.shared:
                    self._flag.clear()
            try:
                self._serve(number, request)
            except VisCodexError as error:
                self._failed(number, error)
            except Exception as error:
                if isinstance(error, MemoryError) or tells_of_memory(str(error)):
                    self._failed(number, _no_memory())
                    continue
                # The type only: a message may quote what the picture or the model said.
                text = f"The engine failed unexpectedly ({type(error).__name__})."
                self._failed(number, VisCodexError(ErrorCode.internal, text, "Report this."))
                _debug_traceback()

    def listen(self) -> None:
        """Take frames from stdin until it ends; then nobody is left to work for."""
        while line := self._next_line():
            try:
                number, request = protocol.decode_request(line)
            except protocol.FrameError as error:
                self._refuse(error)
                continue
            except VisCodexError as error:
                self._events.write(protocol.Error.of(error), None)
                continue
            except MemoryError:
                self._events.write(protocol.Error.of(_no_memory()), None)
                continue
            if isinstance(request, protocol.CancelRequest):
                self._cancel(number)
                continue
            self._queue.put((number, request))
        os._exit(0)

    def _cancel(self, number: int) -> None:
        # A shared flag was set by the client itself. Setting it here as well, a moment later,
        # could hit the request after the one that is meant.
        with self._turn:
            if number == self._current and not self._flag.shared:
                self._flag.set()

    def _next_line(self) -> bytes:
        """The next whole line, b"" at the end; what is too long for a frame is refused."""
        while True:
            try:
                line = protocol.read_line(self._requests)
                return line if line.endswith(b"\n") else b""
            except protocol.FrameError as error:
                while (rest := self._requests.readline(1 << 20)) and not rest.endswith(b"\n"):
                    pass
                self._refuse(error)

    def _refuse(self, error: protocol.FrameError) -> None:
        event = protocol.Error(
            ErrorCode.bad_input,
            f"The engine got a request it cannot read: {error}.",
            "App and engine may be of two versions.",
        )
        self._events.write(event, error.id)

    def _failed(self, number: int, error: VisCodexError) -> None:
        cancelled = error.code is ErrorCode.cancelled
        event = protocol.Cancelled() if cancelled else protocol.Error.of(error)
        self._events.write(event, number)

    def _serve(self, number: int, request: protocol.Request) -> None:
        def emit(event: protocol.Event) -> None:
            self._events.write(event, number)

        if isinstance(request, protocol.LoadRequest):
            self._load(request, number)
        elif isinstance(request, protocol.ReadTextRequest):
            self._read(request.image, number)
        elif isinstance(request, protocol.ConvertRequest):
            if request.target == "text":
                self._read(request.image, number)
                return
            if self._converter is None:
                raise VisCodexError(
                    ErrorCode.model_missing, "No model is loaded.", "Load a model first."
                )
            seconds, self._load_seconds = self._load_seconds, 0.0
            self._converter.convert(request, emit, seconds)

    def _read(self, image: Path | bytes, number: int) -> None:
        from engine.converter import read_text

        read_text(image, self._text_reader(), lambda event: self._events.write(event, number))

    def _text_reader(self) -> TextReader:
        from engine.converter import TextReader

        if self._reader is None:
            self._reader = TextReader(self._flag)
        return self._reader

    def _load(self, request: protocol.LoadRequest, number: int) -> None:
        began = time.perf_counter()
        self._unload()
        self._events.write(protocol.Loading(0.0), number)
        from engine.converter import Converter
        from engine.loading import load

        shown = 0.0

        def progress(fraction: float) -> None:
            nonlocal shown
            if fraction - shown >= 0.02:
                shown = round(min(1.0, fraction), 3)
                self._events.write(protocol.Loading(shown), number)

        def before(card: ModelCard) -> None:
            if card.hints != "never":
                self._text_reader().warm_up()

        def trying(plan: Plan) -> None:
            if plan.device:
                self._events.write(protocol.Loading(shown, plan.device), number)

        loaded = load(request, self._flag, progress, before, trying)
        session, plan = loaded.session, loaded.plan
        self._converter = Converter(
            session, loaded.card, self._text_reader(), self._flag, loaded.layout
        )
        self._load_seconds = round(time.perf_counter() - began, 4)
        device = plan.device or f"CPU, {session.threads} threads"
        ready = protocol.Ready(
            loaded.card.name, device, session.context_cells, plan.reason, bool(plan.device)
        )
        self._events.write(ready, number)

    def _unload(self) -> None:
        converter, self._converter = self._converter, None
        if converter is not None:
            converter.session.close()


def _no_memory() -> VisCodexError:
    return VisCodexError(
        ErrorCode.out_of_memory,
        "There is not enough memory.",
        "Close other programs, or choose a smaller model.",
    )


def _debug_traceback() -> None:
    if os.environ.get("VISCODEX_DEBUG"):
        import traceback

        traceback.print_exc()


def _take_stdout() -> BinaryIO:
    """The real stdout for frames alone; what else prints to descriptor 1 goes to stderr."""
    real = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return os.fdopen(real, "wb")


def main(arguments: list[str] | None = None) -> int:
    """Entry point of the child process."""
    parser = argparse.ArgumentParser(prog="engine.worker")
    parser.add_argument("--flag", type=Path, help="file that holds the shared cancel flag")
    options = parser.parse_args(arguments)
    events = EventWriter(_take_stdout())
    os.environ["GGML_NO_BACKTRACE"] = "1"
    flag = CancelFlag.open(options.flag) if options.flag else CancelFlag.private()
    Worker(sys.stdin.buffer, events, flag).run()
    # Without waiting for a text reader that may still be at work.
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
