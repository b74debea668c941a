"""Matplotlib scripts to PNG, each in a process of its own.

`PlotRunner` keeps one warm process with matplotlib imported and forks it for each script
(`plot_worker`); where a system cannot fork it starts a plain process per script. Either way a
script runs within limits of time, memory and files (`plot_limits`) and behind a wall
(`engine.sandbox`), in a temporary folder that is deleted afterwards. The wall is tried before the
first script; where it does not stand nothing is run, unless the caller allows it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import stat
import struct
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import ErrorCode, VisCodexError
from engine.render.plot_disk import DISK_BYTES, MAX_FILES
from engine.render.plot_job import (
    MAX_OUTPUT,
    MAX_PIXELS,
    PICTURE_FILE,
    RESULT_FILE,
    VECTOR_FILE,
)
from engine.render.plot_limits import FILE_BYTES
from engine.render.plot_process import (
    CannotStart,
    Ended,
    ProcessGone,
    WarmProcess,
    new_job_folder,
    new_root,
    run_alone,
    try_alone,
)
from engine.sandbox.choose import wall_name
from engine.sandbox.wall import CPU_SECONDS, WallState

MAX_CODE = 1_000_000
_MAX_RESULT_BYTES = 8_000_000
_PNG_START = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"


@dataclass(frozen=True)
class PlotResult:
    """What became of a script: a picture, or one line that says why there is none.

    `error` ends with the line number of the script where there is one; `stdout` is what the script
    printed (capped). `description` is that of `plot_describe.describe`, where asked for; so is
    `svg`, which the script may have written itself: show it as a picture only.
    """

    png: bytes | None
    width: int
    height: int
    error: str | None
    stdout: str
    description: Mapping[str, Any] | None
    svg: bytes | None = None


class PlotRunner:
    """Runs matplotlib scripts; starts its process at the first one and again after a crash.

    Safe to use from several threads: their scripts run at the same time.
    """

    def __init__(
        self,
        *,
        nice: int = 0,
        fork: bool | None = None,
        wall: str | None = None,
        allow_unwalled: bool = False,
        stopped: threading.Event | None = None,
    ) -> None:
        """`fork` False starts a process per script; None decides by the system. While `stopped` is
        set scripts are refused (VisCodexError, cancelled); `close` ends those that run.

        `wall` is a name of `engine.sandbox.choose.WALLS`, None that of this system. With
        `allow_unwalled` scripts run even where the wall does not stand: they can then do whatever
        the user can, so it is for scripts of our own and for users who were told and agreed.
        """
        self._wall = wall_name() if wall is None else wall
        self._allow_unwalled = allow_unwalled
        self._stopped = stopped or threading.Event()
        self._state: WallState | None = None
        self._nice = nice
        self._fork = hasattr(os, "fork") if fork is None else fork
        self._lock = threading.Lock()
        self._warm: WarmProcess | None = None

    def __enter__(self) -> PlotRunner:
        return self

    def __exit__(self, *ignored: object) -> None:
        self.close()

    def start(self) -> None:
        """Start the process ahead of the first script. Raises VisCodexError as `run` does."""
        self._check_wall()
        if self._fork:
            self._running()

    def wall(self) -> WallState:
        """What trying the wall showed, tried once. Raises VisCodexError (render_failed)."""
        if self._state is None:
            if self._fork:
                self._running()
            else:
                try:
                    self._state = try_alone(self._wall)
                except (CannotStart, OSError) as error:
                    raise _cannot_start(error) from error
        assert self._state is not None
        return self._state

    def _check_wall(self) -> None:
        if self._allow_unwalled or self.wall().ok:
            return
        self.close()
        raise VisCodexError(
            ErrorCode.no_sandbox,
            f"The script was not run: nothing would hold it here ({self.wall().reason()}).",
            "Read the code; if you trust it, allow it in the menu or with --unwalled.",
        )

    def close(self) -> None:
        """End the process and every script in it. A later script starts a new one."""
        with self._lock:
            warm, self._warm = self._warm, None
        if warm is not None:
            warm.close()

    def run(
        self,
        code: str,
        *,
        timeout: float = 20.0,
        describe: bool = False,
        svg: bool = False,
        dpi: float | None = None,
        params: Mapping[str, object] | None = None,
    ) -> PlotResult:
        """Run `code`; the picture is what it saved first itself, otherwise its first figure.

        `dpi` replaces the figure's own. `describe` and `params` (rcParams set before the script)
        are for scripts of our own; `svg` asks for the picture as SVG too. Whatever is wrong with
        a script is told in `error`; raises VisCodexError only where no script can run at all
        (render_failed) or may run (no_sandbox).
        """
        self._check_wall()
        if len(code) > MAX_CODE:
            return _failed(f"The script is longer than {MAX_CODE:,} characters")
        request: dict[str, Any] = {
            "code": code,
            "timeout": timeout,
            "describe": describe,
            "svg": svg,
            "allow_unwalled": self._allow_unwalled,
            "dpi": dpi,
            "params": dict(params) if params else None,
        }
        return self._run_forked(request) if self._fork else _run_alone(request, self._wall)

    def _run_forked(self, request: dict[str, Any]) -> PlotResult:
        while True:
            warm = self._running()
            if self._stopped.is_set():  # maybe while the process started
                raise VisCodexError(ErrorCode.cancelled, "Cancelled.")
            folder = None
            try:
                folder = new_job_folder(warm.root)
                return _result(folder, warm.run(folder, request), request["timeout"])
            except (ProcessGone, FileNotFoundError) as error:
                # One that was gone before it took the script is replaced; the loop ends because
                # a process that cannot be started raises.
                if isinstance(error, ProcessGone) and error.started:
                    return _failed("The process that draws charts ended while the script ran")
                warm.close()
            finally:
                if folder is not None:
                    shutil.rmtree(folder, ignore_errors=True)

    def _running(self) -> WarmProcess:
        with self._lock:
            if self._warm is None or not self._warm.alive():
                if self._warm is not None:
                    self._warm.close()
                try:
                    self._warm = WarmProcess(self._wall, self._nice)
                except (CannotStart, OSError) as error:
                    raise _cannot_start(error) from error
                self._state = self._warm.state
            return self._warm


def _run_alone(request: dict[str, Any], wall: str) -> PlotResult:
    root = new_root()
    try:
        folder = new_job_folder(root)
        return _result(folder, run_alone(folder, root, request, wall), request["timeout"])
    except (CannotStart, OSError) as error:
        raise _cannot_start(error) from error
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _cannot_start(error: Exception) -> VisCodexError:
    return VisCodexError(
        ErrorCode.render_failed,
        f"Charts cannot be drawn: {error}.",
        "Run `viscodex doctor`; is matplotlib installed?",
    )


def _failed(error: str, stdout: str = "") -> PlotResult:
    return PlotResult(None, 0, 0, error, stdout, None)


def _result(folder: Path, ended: Ended, timeout: float) -> PlotResult:
    """Read what a script left, believing nothing: it may have written these files itself."""
    if ended.end == "timeout":
        return _failed(f"The script was stopped after {timeout:g} s")
    if ended.end == "disk":
        room = f"{DISK_BYTES // 1_000_000} MB, or are more than {MAX_FILES:,}"
        return _failed(f"The script was stopped: its files take more than {room}")
    fields = _fields(_read(folder / RESULT_FILE, _MAX_RESULT_BYTES))
    if fields is None:
        return _failed(_how_it_ended(ended))
    stdout = _text(fields.get("stdout"))[:MAX_OUTPUT]
    if fields.get("error") is not None:
        return _failed(_text(fields["error"])[:1000], stdout)
    png = _read(folder / PICTURE_FILE, FILE_BYTES)
    size = _png_size(png)
    if png is None or size is None:
        return _failed("The script left no picture that can be shown", stdout)
    description = fields.get("description")
    return PlotResult(
        png,
        *size,
        None,
        stdout,
        description if isinstance(description, dict) else None,
        _read(folder / VECTOR_FILE, FILE_BYTES) or None,
    )


def _how_it_ended(ended: Ended) -> str:
    if ended.end == "exit":
        return f"The script ended by itself (exit status {ended.value}) before its chart was drawn"
    if ended.value == getattr(signal, "SIGXCPU", None):
        return f"The script was stopped: it used more than {CPU_SECONDS} s of processor time"
    if ended.value == getattr(signal, "SIGKILL", None):
        return "The script was killed: it used too much processor time or memory"
    try:
        name = signal.Signals(ended.value).name
    except ValueError:
        name = str(ended.value)
    return f"The script crashed ({name})"


def _read(path: Path, limit: int) -> bytes | None:
    """A regular file of at most `limit` bytes; None for anything else (no links, no pipes)."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with contextlib.suppress(OSError):
        handle = os.open(path, flags | getattr(os, "O_BINARY", 0))
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(handle)
            if stat.S_ISREG(status.st_mode) and status.st_size <= limit:
                data = file.read(limit + 1)
                return data if len(data) <= limit else None
    return None


def _fields(data: bytes | None) -> dict[str, Any] | None:
    try:
        fields = json.loads(data or b"null")
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _png_size(png: bytes | None) -> tuple[int, int] | None:
    """Width and height from the header, within the limit of pixels."""
    if png is None or not png.startswith(_PNG_START) or len(png) < 33:
        return None
    width, height = struct.unpack(">II", png[16:24])
    return (width, height) if 0 < width * height <= MAX_PIXELS else None
