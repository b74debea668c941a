"""The parent's end of the processes that run plotting scripts (see `plot_worker`)."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import weakref
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from engine.render.plot_fonts import keep_font_list, seed_font_list
from engine.sandbox.wall import WallState, state_of

START_SECONDS = 90.0
GRACE_SECONDS = 5.0
_BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from engine.render.plot_worker import main; sys.exit(main(sys.argv[2:]))"
)


class ProcessGone(Exception):
    """The warm process ended without an answer; `started` tells whether it had the job."""

    def __init__(self, started: bool) -> None:
        super().__init__("the plotting process ended")
        self.started = started


class CannotStart(Exception):
    """No script can run here; the message says why, in one line."""


@dataclass(frozen=True)
class Ended:
    """How a job's process ended: "exit" with a status, "signal" with its number, or stopped for
    its time ("timeout") or the room its files took ("disk")."""

    end: str
    value: int = 0


def new_root() -> Path:
    """A private temporary folder with the folder of matplotlib's settings in it."""
    root = Path(tempfile.mkdtemp(prefix="viscodex-plot-"))
    (root / "config").mkdir()
    seed_font_list(root / "config")
    return root


def new_job_folder(root: Path) -> Path:
    """A folder for one job; its script works in the subfolder `work`."""
    folder = Path(tempfile.mkdtemp(prefix="job-", dir=root))
    (folder / "work").mkdir()
    return folder


def _command(mode: str, folder: Path, wall: str) -> list[str]:
    """The same interpreter, isolated from the environment, importing what this process imports."""
    here = str(Path(__file__).resolve().parents[2])
    paths = [p for p in sys.path if p and Path(p).is_absolute()]
    search = json.dumps([here, *(p for p in paths if p != here)])
    return [sys.executable, "-I", "-X", "utf8", "-c", _BOOT, search, mode, str(folder), wall]


def _environment(root: Path) -> dict[str, str]:
    kept = {k: os.environ[k] for k in ("SYSTEMROOT", "WINDIR") if k in os.environ}
    threads = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    return {
        **kept,
        **dict.fromkeys(threads, "1"),
        "PATH": os.defpath,
        "LC_ALL": "C.UTF-8",
        "HOME": str(root),
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": str(root / "config"),
    }


def _popen(command: list[str], root: Path, **streams: Any) -> subprocess.Popen[bytes]:
    flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)
    return subprocess.Popen(
        command,
        cwd=root,
        env=_environment(root),
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        creationflags=flags,
        **streams,
    )


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a process and its group."""
    with contextlib.suppress(OSError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@dataclass
class _Waiting:
    done: threading.Event = field(default_factory=threading.Event)
    taken: bool = False
    answer: Ended | None = None


class WarmProcess:
    """One process with matplotlib imported, forking a job per request. Safe across threads."""

    def __init__(self, wall: str, nice: int = 0) -> None:
        """Start it and wait until it is ready; `state` is that of its wall. Raises CannotStart."""
        self.root = new_root()
        self._process = _popen(
            _command("nurse", self.root, wall),
            self.root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._cleaner = weakref.finalize(self, _clean, self._process, self.root)
        self._lock = threading.Lock()
        self._serial = 0
        self._waiting: dict[int, _Waiting] = {}
        self._gone = False
        if nice and hasattr(os, "setpriority"):
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, self._process.pid, nice)
        try:
            self.state = state_of(self._greet().get("wall"))
        except CannotStart:
            self.close()
            raise
        keep_font_list(self.root / "config")
        threading.Thread(target=self._listen, name="plot-answers", daemon=True).start()

    def _greet(self) -> dict[str, Any]:
        timer = threading.Timer(START_SECONDS, self._process.kill)
        timer.daemon = True
        timer.start()
        try:
            fields = json.loads(_stream(self._process.stdout).readline() or b"{}")
        except ValueError:
            fields = {}
        finally:
            timer.cancel()
        if "ready" not in fields:
            raise CannotStart(fields.get("fatal", "it ended while starting"))
        return dict(fields)

    def alive(self) -> bool:
        """False once it ended."""
        return not self._gone and self._process.poll() is None

    def run(self, folder: Path, request: dict[str, Any]) -> Ended:
        """Run one job in `folder` and wait for its end. Raises ProcessGone."""
        waiting = _Waiting()
        with self._lock:
            self._serial += 1
            serial = self._serial
            self._waiting[serial] = waiting
            line = json.dumps({**request, "id": serial, "folder": str(folder)}).encode() + b"\n"
            try:
                if self._gone:
                    raise ProcessGone(started=False)
                stdin = _stream(self._process.stdin)
                stdin.write(line)
                stdin.flush()
            except (OSError, ValueError) as error:
                del self._waiting[serial]
                raise ProcessGone(started=False) from error
        # The process keeps the time itself; this wait is longer, for one that hangs as a whole.
        waiting.done.wait(request["timeout"] + GRACE_SECONDS)
        with self._lock:
            self._waiting.pop(serial, None)
        if waiting.answer is None:
            _kill(self._process)
            raise ProcessGone(waiting.taken)
        return waiting.answer

    def _listen(self) -> None:
        """Hand out answers until the process ends (a thread of its own)."""
        stream = _stream(self._process.stdout)
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            for line in stream:
                fields = json.loads(line)
                taken = fields["end"] == "taken"
                with self._lock:
                    waiting = self._waiting.get(fields["id"])
                    if not taken:
                        self._waiting.pop(fields["id"], None)
                if waiting is None:
                    continue
                if taken:
                    waiting.taken = True
                else:
                    waiting.answer = Ended(str(fields["end"]), int(fields["value"]))
                    waiting.done.set()
        with self._lock:
            self._gone = True
            left, self._waiting = list(self._waiting.values()), {}
        for waiting in left:
            waiting.done.set()

    def close(self) -> None:
        """End the process, every job in it, and remove its folder."""
        self._gone = True
        self._cleaner()


def _clean(process: subprocess.Popen[bytes], root: Path) -> None:
    with contextlib.suppress(OSError):
        if process.stdin is not None:
            process.stdin.close()
    try:
        process.wait(3)
    except subprocess.TimeoutExpired:
        _kill(process)
    shutil.rmtree(root, ignore_errors=True)


def _stream(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise ValueError("the process has no such stream")
    return stream


def try_alone(wall: str) -> WallState:
    """Try the wall of that name in a process of its own. Raises CannotStart or OSError."""
    root = new_root()
    try:
        command = _command("trial", new_job_folder(root), wall)
        process = _popen(command, root, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        try:
            told, _ = process.communicate(timeout=START_SECONDS)
        finally:
            _kill(process)
        return state_of(json.loads(told))
    except subprocess.TimeoutExpired as error:
        raise CannotStart("the trial of the sandbox does not end") from error
    except ValueError:
        return state_of(None)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def run_alone(folder: Path, root: Path, request: dict[str, Any], wall: str) -> Ended:
    """Run one job in a process of its own, where there is no fork. Raises CannotStart."""
    (folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
    process = _popen(
        _command("once", folder, wall), root, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    )
    timer = threading.Timer(START_SECONDS, process.kill)
    timer.daemon = True
    timer.start()
    stdout = _stream(process.stdout)
    started = stdout.readline() == b"started\n"
    timer.cancel()
    try:
        if not started:
            raise CannotStart("the process that draws charts ended while starting")
        status = process.wait(request["timeout"])
    except subprocess.TimeoutExpired:
        return Ended("timeout")
    finally:
        _kill(process)
        stdout.close()
    return Ended("exit", status) if status >= 0 else Ended("signal", -status)
