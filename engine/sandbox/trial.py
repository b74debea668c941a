"""Tries a wall for real: a process shuts itself in and then does what must not be possible.

Each attempt must be refused with a "not permitted"; any other outcome, a refused connection
included, means that the attempt got further than the wall.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from engine.sandbox.paths import readable_paths
from engine.sandbox.wall import Room, Wall, WallError, WallState, state_of

TRIAL_SECONDS = 20.0
_REFUSALS = frozenset({errno.EPERM, errno.EACCES, errno.ENOSYS})
_DISCARD_PORT = 9


def _read(outside: Path) -> None:
    outside.read_bytes()


def _write(outside: Path) -> None:
    with outside.open("ab") as file:
        file.write(b"x")


def _create(outside: Path) -> None:
    outside.with_name("made").write_bytes(b"x")


def _remove(outside: Path) -> None:
    outside.unlink()


def _list(outside: Path) -> None:
    os.listdir(outside.parent)


def _attributes(outside: Path) -> None:
    os.chmod(outside, 0o600)
    os.utime(outside, (0, 0))


def _tcp(outside: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.settimeout(1.0)
        sock.connect(("127.0.0.1", _DISCARD_PORT))


def _udp(outside: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"x", ("127.0.0.1", _DISCARD_PORT))


def _process(outside: Path) -> None:
    if sys.platform == "win32":
        subprocess.run([sys.executable, "-c", ""], check=False)
    elif (pid := os.fork()) == 0:
        os._exit(0)
    else:
        os.waitpid(pid, 0)


def _program(outside: Path) -> None:
    if sys.platform != "win32":  # there it is what _process does
        os.execv(sys.executable, [sys.executable, "-c", ""])
    raise PermissionError


def _signal(outside: Path) -> None:
    os.kill(os.getppid(), 0)


# What would be open if the attempt were not refused: words for a person, and the attempt.
ATTEMPTS: tuple[tuple[str, Callable[[Path], None]], ...] = (
    ("reading other files", _read),
    ("writing other files", _write),
    ("making files elsewhere", _create),
    ("deleting other files", _remove),
    ("listing other folders", _list),
    ("changing attributes of other files", _attributes),
    ("connections", _tcp),
    ("datagrams", _udp),
    ("new processes", _process),
    ("signals to other processes", _signal),
    ("other programs", _program),
)


def _got_through(attempt: Callable[[Path], None], outside: Path) -> bool:
    try:
        attempt(outside)
    except OSError as error:
        return error.errno not in _REFUSALS and not isinstance(error, PermissionError)
    return True


def _work(inside: Path) -> None:
    file = inside / "work"
    file.write_bytes(b"x")
    with file.open("ab") as more:
        more.write(b"y")
    if file.read_bytes() != b"xy":
        raise OSError("its own file reads differently")
    file.unlink()
    Path(os.__file__).read_bytes()


def try_wall(wall: Wall, scratch: Path) -> WallState:
    """Shut this process, which is used up by that, into a folder below `scratch` and try it."""
    inside, outside = scratch / "inside", scratch / "outside"
    inside.mkdir()
    outside.write_bytes(b"not yours")
    name = wall.describe()
    broken = []
    try:
        wall.apply(Room(inside, readable_paths()))
    except WallError as error:
        broken.append(str(error))
    try:
        _work(inside)
    except OSError as error:
        broken.append(f"work inside is refused: {error}")
    # Without a wall the last attempt would end in another program, which could tell nothing.
    attempts = ATTEMPTS[:-1] if broken else ATTEMPTS
    opened = tuple(words for words, attempt in attempts if _got_through(attempt, outside))
    return WallState(name, opened, tuple(broken))


def try_in_fork(wall: Wall, scratch: Path) -> WallState:
    """`try_wall` in a fork of this process; a trial that ends early or hangs is a broken wall."""
    ear, mouth = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(mouth, json.dumps(try_wall(wall, scratch).fields()).encode())
        finally:
            os._exit(0)
    os.close(mouth)
    try:
        ready, _, _ = select.select([ear], [], [], TRIAL_SECONDS)
        told = os.read(ear, 65_536) if ready else b""
    finally:
        os.close(ear)
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    try:
        return state_of(json.loads(told))
    except ValueError:
        return state_of(None)
