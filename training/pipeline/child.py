"""Becomes another program that ends when the run that wants it ends.

`python -m training.pipeline.child PID COMMAND...`: PID is that of the run. Where the system cannot
promise it (it is not Linux), the lock that the program inherits keeps other runs away.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any

from engine.render.plot_limits import die_with_parent

ERROR = "viscodex-train: error: "


@dataclass(frozen=True)
class Ended:
    """How a program ended; `error` is what it said of that in our own form."""

    status: int
    error: str


def run_child(command: Sequence[str], lock: IO[bytes] | None) -> Ended:
    """Run a program to its end; what it says goes to ours, but for its last error."""
    more: dict[str, Any] = {}
    if os.name == "posix":
        command = [sys.executable, "-m", "training.pipeline.child", str(os.getpid()), *command]
        more = {} if lock is None else {"pass_fds": (lock.fileno(),)}
    error = ""
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **more) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith(ERROR):
                error = line.removeprefix(ERROR).strip()
            else:
                sys.stderr.write(line)
    return Ended(process.returncode, error)


def _main() -> None:
    parent, *command = sys.argv[1:]
    die_with_parent(signal.SIGTERM)  # launchers then end their workers
    if os.getppid() != int(parent):  # it has ended already
        raise SystemExit(1)
    os.execvp(command[0], command)


if __name__ == "__main__":
    _main()
