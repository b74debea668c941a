"""A worker process as its client sees it: pipes, the cancel flag, its death and the reason."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path
from typing import Any

from engine import protocol
from engine.cancel import CancelFlag
from engine.errors import ErrorCode, VisCodexError, tells_of_memory
from engine.protocol import Event

HELLO_SECONDS = 60.0
CLOSE_GRACE = 2.0  # seconds a process has to end in order
ROOT = Path(__file__).resolve().parents[1]


class EngineProcess:
    """A worker process with the threads that empty its pipes. `frames` ends with None.

    `answered` is the number of the last request that it has sent the last event of.
    """

    def __init__(self, *, patient: bool) -> None:
        """With `patient`, threads of llama.cpp sleep while they wait instead of spinning."""
        self.frames: queue.Queue[tuple[int | None, Event] | None] = queue.Queue()
        self.answered: int | None = None
        self._last_words: deque[str] = deque(maxlen=40)
        self._write = threading.Lock()
        self._hello = threading.Event()
        self._broken = self._retired = False
        try:
            self.flag = CancelFlag.create()
            try:
                self._popen = self._spawn(patient)
            except OSError:
                self.flag.close()
                raise
        except OSError as error:
            raise VisCodexError(
                ErrorCode.worker_died,
                f"The engine cannot be started: {error.strerror or error}.",
                "Close other programs and make room on the disk, then try again.",
            ) from error
        self.pid = self._popen.pid
        self._readers = [
            threading.Thread(target=work, name=f"engine-{name}", daemon=True)
            for name, work in (("frames", self._read_frames), ("words", self._read_words))
        ]
        for thread in self._readers:
            thread.start()

    def _spawn(self, patient: bool) -> subprocess.Popen[bytes]:
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
        return subprocess.Popen(
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

    def alive(self) -> bool:
        """Whether it can take a request."""
        return self._popen.poll() is None and not self._broken and not self._retired

    def wait_for_hello(self) -> None:
        """Wait until the worker speaks. Raises VisCodexError where it does not."""
        spoke = self._hello.wait(HELLO_SECONDS)
        if spoke and self.alive():
            self.flag.remove_file()  # it has it open: whatever happens now, no file is left
            return
        self.kill()
        if spoke:
            raise self.death()
        raise VisCodexError(
            ErrorCode.worker_died,
            f"The engine did not start within {HELLO_SECONDS:.0f} seconds.",
            "Close other programs, then try again.",
        )

    def send(self, request: protocol.Request, number: int) -> None:
        """Write a request. Raises OSError or ValueError where the worker is gone.

        Waits for as long as the worker does not read. Raises VisCodexError where the request is
        too long for a frame.
        """
        frame = protocol.encode(request, number)
        stream = self._popen.stdin
        assert stream is not None
        with self._write:
            self._last_words.clear()  # they would explain a death they have nothing to do with
            stream.write(frame)
            stream.flush()

    def retire(self) -> None:
        """Take no more requests: it is about to be killed."""
        self._retired = True

    def kill(self) -> None:
        """End it now, even where it is stopped or hangs."""
        self.retire()
        with contextlib.suppress(OSError):
            self._popen.kill()
        self._clean()

    def end(self) -> None:
        """Let it end, or kill it."""
        self.retire()
        self.flag.set()
        # A worker that hangs does not empty its pipe: only a thread may wait for it.
        threading.Thread(target=self._say_goodbye, name="engine-end", daemon=True).start()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(CLOSE_GRACE)
        self.kill()

    def _say_goodbye(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self.send(protocol.ShutdownRequest(), 0)

    def _clean(self) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(CLOSE_GRACE)
        if self._popen.stdin is not None:
            with contextlib.suppress(OSError, ValueError):  # two threads may close it
                self._popen.stdin.close()
        for thread in self._readers:  # they close the other pipes, and hear the last words
            thread.join(CLOSE_GRACE)
        self.flag.close()

    def death(self) -> VisCodexError:
        """Why it ended, as an error. To be called after `kill`."""
        code = self._popen.returncode
        if tells_of_memory(" ".join(self._last_words)):
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
            try:
                # A line that does not end was cut off by the end of the process.
                while (line := protocol.read_line(stream)).endswith(b"\n"):
                    number, event = protocol.decode_event(line)
                    if isinstance(event, protocol.Hello):
                        self._broken = event.version != protocol.VERSION
                        self._hello.set()
                        continue
                    if event.final and not isinstance(event, protocol.Ready):
                        self.answered = number
                    self.frames.put((number, event))
            except protocol.FrameError:
                self._broken = True
                with contextlib.suppress(OSError):
                    self._popen.kill()
        self.frames.put(None)
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
