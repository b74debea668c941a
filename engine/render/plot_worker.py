"""The warm process behind `engine.render.python.PlotRunner`: matplotlib imported, one fork per job.

Requests are JSON lines on stdin, answers JSON lines on stdout. The first answer is
`{"ready": VERSION, "wall": WallState.fields()}` or `{"fatal": MESSAGE}`. A request is
`{"id", "folder", "code", "timeout"}` and what else `plot_job.run_job` takes. Its answers are
`{"id", "end": "taken"}` when it was forked and `{"id", "end", "value"}` (see `plot_process.Ended`)
when nothing of it runs any more; results lie in the folder. The end of stdin ends all jobs, removes
the folder given on the command line, and ends the process.

Where there is no fork, `once FOLDER` runs a single job: `request.json` from the folder, the line
"started" on stdout when the script begins; `trial FOLDER` tells the state of the wall. The second
argument is the name of the wall in `engine.sandbox.choose`.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.render import plot_job, plot_limits
from engine.render.plot_disk import takes_too_much
from engine.sandbox.choose import WALLS
from engine.sandbox.trial import try_in_fork, try_wall
from engine.sandbox.wall import Wall

_CHUNK = 65_536
_LOOK_SECONDS = 0.25


@dataclass
class _Job:
    id: int
    folder: Path
    deadline: float
    stopped: str = ""  # why it was killed: "timeout" or "disk"


class Nursery:
    """Forks jobs and keeps their time. One thread; lives until stdin ends."""

    def __init__(self, requests: int, answers: int, wall: Wall) -> None:
        self._wall = wall
        self._requests = requests
        self._answers = answers
        self._jobs: dict[int, _Job] = {}
        self._wake, wake_in = os.pipe()
        os.set_blocking(wake_in, False)
        os.set_blocking(self._wake, False)
        signal.set_wakeup_fd(wake_in, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)

    def answer(self, fields: dict[str, Any]) -> None:
        """Send one line."""
        data = json.dumps(fields).encode() + b"\n"
        while data:
            data = data[os.write(self._answers, data) :]

    def serve(self) -> None:
        """Take requests until stdin ends, then end every job."""
        rest = b""
        look = time.monotonic() + _LOOK_SECONDS
        while True:
            wait = min((job.deadline for job in self._jobs.values()), default=None)
            timeout = None
            if wait is not None:
                timeout = min(max(0.0, wait - time.monotonic()), _LOOK_SECONDS)
            ready, _, _ = select.select([self._requests, self._wake], [], [], timeout)
            if self._wake in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake, _CHUNK)
            if self._requests in ready:
                data = os.read(self._requests, _CHUNK)
                if not data:
                    break
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self._start(json.loads(line))
            self._collect()
            self._stop_late()
            if (began := time.monotonic()) >= look:
                self._stop_greedy()
                # However long a look takes, there is as much time for everything else.
                look = 2 * time.monotonic() - began + _LOOK_SECONDS
        for pid in list(self._jobs):
            _kill_group(pid)
        self._kill_strays(known=())

    def _start(self, request: dict[str, Any]) -> None:
        pid = os.fork()
        if pid == 0:
            try:
                _become_job(request, self._wall)
            finally:
                os._exit(70)
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)
        deadline = time.monotonic() + request["timeout"]
        self._jobs[pid] = _Job(request["id"], Path(request["folder"]), deadline)
        self.answer({"id": request["id"], "end": "taken"})

    def _stop_late(self) -> None:
        now = time.monotonic()
        for pid, job in self._jobs.items():
            if now >= job.deadline:
                job.stopped, job.deadline = job.stopped or "timeout", now + 1.0
                _kill_group(pid)

    def _stop_greedy(self) -> None:
        for pid, job in self._jobs.items():
            if not job.stopped and takes_too_much(job.folder, pid):
                job.stopped = "disk"
                _kill_group(pid)

    def _collect(self) -> None:
        """Answer for every job that ended, after killing what it left behind."""
        ended: list[tuple[int, int]] = []
        while (found := _reap()) is not None:
            if found[0] in self._jobs:
                ended.append(found)
        for pid, status in ended:
            _kill_group(pid)
            job = self._jobs.pop(pid)
            self._kill_strays(known=self._jobs)
            code = os.waitstatus_to_exitcode(status)
            end = job.stopped or ("exit" if code >= 0 else "signal")
            self.answer({"id": job.id, "end": end, "value": abs(code)})

    def _kill_strays(self, known: Sequence[int] | dict[int, _Job]) -> None:
        """Kill adopted processes (a job's that left its group) until there are none."""
        for _ in range(100):
            strays = [pid for pid in plot_limits.children() if pid not in known]
            if not strays:
                return
            for pid in strays:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
                with contextlib.suppress(OSError):
                    os.waitpid(pid, 0)


def _reap() -> tuple[int, int] | None:
    try:
        pid, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    return (pid, status) if pid else None


def _kill_group(pid: int) -> None:
    with contextlib.suppress(OSError):
        os.killpg(pid, signal.SIGKILL)


def _become_job(request: dict[str, Any], wall: Wall) -> None:
    with contextlib.suppress(OSError):
        os.setpgid(0, 0)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    plot_limits.die_with_parent()
    gc.enable()
    plot_job.run_job(request, Path(request["folder"]), wall)
    plot_job.finish()


def _warm_up() -> None:
    """Draw once, so that jobs find every lazily built table ready; no font file stays open."""
    import io

    import matplotlib
    import matplotlib.pyplot as plt
    from matplotlib.backends import backend_svg as _svg  # noqa: F401
    from PIL import PngImagePlugin as _  # noqa: F401

    from engine.render import plot_describe as _describe  # noqa: F401

    figure = plt.figure(figsize=(2, 2))
    plt.plot([1, 2], [1, 2], "o--", label="a")
    plt.bar([1], [2])
    plt.title("A")
    plt.grid()
    plt.legend()
    plt.tight_layout()
    figure.savefig(io.BytesIO())
    plt.close("all")
    matplotlib.rcdefaults()


def _nurse(root: Path, wall: Wall) -> int:
    requests, answers = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    os.close(null)
    plot_limits.adopt_orphans()
    nursery = Nursery(requests, answers, wall)
    try:
        version = plot_job.prepare()
        _warm_up()
        scratch = root / "trial"
        scratch.mkdir()
        state = try_in_fork(wall, scratch)
        shutil.rmtree(scratch, ignore_errors=True)
    except Exception as error:  # whatever is wrong with the installation is told to the parent
        nursery.answer({"fatal": plot_job.explain(error)})
        return 1
    gc.collect()
    gc.disable()
    gc.freeze()
    nursery.answer({"ready": version, "wall": state.fields()})
    try:
        nursery.serve()
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return 0


def _once(folder: Path, wall: Wall) -> int:
    request = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    plot_job.prepare()
    os.write(1, b"started\n")
    plot_job.run_job(request, folder, wall)
    plot_job.finish()
    return 0


def _trial(folder: Path, wall: Wall) -> int:
    answer = os.dup(1)
    os.write(answer, json.dumps(try_wall(wall, folder).fields()).encode())
    plot_job.finish()
    return 0


def main(arguments: Sequence[str]) -> int:
    """`nurse ROOT WALL`, `once FOLDER WALL` or `trial FOLDER WALL`."""
    mode, folder, wall = arguments
    return {"nurse": _nurse, "once": _once, "trial": _trial}[mode](Path(folder), WALLS[wall]())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
