"""The filter of system calls: a list of what is allowed, as a program for the kernel's BPF machine.

See https://docs.kernel.org/userspace-api/seccomp_filter.html. Everything that is not allowed is
answered with an error, so that a script sees `PermissionError` and not a sudden end.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from engine.sandbox.syscalls import ARCHITECTURES, X32_BIT, numbers

ALLOW = 0x7FFF0000
KILL = 0x80000000
ERRNO = 0x00050000
DENY = ERRNO | errno.EPERM
UNKNOWN = ERRNO | 38  # ENOSYS, spelled out: other systems have another number for it

# From here on numbers are the same everywhere and younger than Linux 5.0. Libraries try them and
# fall back to older calls, but only if told that the kernel does not know them.
YOUNG = 424

_LOAD, _AND, _RETURN = 0x20, 0x54, 0x06
_IF_EQUAL, _IF_ABOVE, _IF_AT_LEAST = 0x15, 0x25, 0x35
# struct seccomp_data: int nr; u32 arch; u64 instruction_pointer; u64 args[6], little endian.
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2

OWN_PID = -1
"""Stands among the values of a Check for the process id of whoever installs the filter."""


@dataclass(frozen=True)
class Check:
    """Holds where a 32-bit half of an argument, cut by `mask`, is one of `values`."""

    argument: int
    values: tuple[int, ...]
    mask: int = 0xFFFFFFFF
    high: bool = False


# O_ACCMODE | O_TRUNC. Before ABI 3 Landlock knew nothing of emptying a file: opening one for
# reading with O_TRUNC did it. Access mode 3 (neither reading nor writing) is of no use either.
_OPEN_MASK, _OPEN_MODES = 0x203, (0, 1, 2, 0x201, 0x202)

# All checks of a call must hold.
CONDITIONS: Mapping[str, tuple[Check, ...]] = {
    "open": (Check(1, _OPEN_MODES, _OPEN_MASK),),
    "openat": (Check(2, _OPEN_MODES, _OPEN_MASK),),
    # A process may signal itself: that is how `abort` ends it.
    "kill": (Check(0, (OWN_PID,)),),
    "tgkill": (Check(0, (OWN_PID,)),),
    # Asking for one's own limits, never setting them: root could raise them.
    "prlimit64": (Check(0, (0, OWN_PID)), Check(2, (0,)), Check(2, (0,), high=True)),
    # TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX, TCGETS2; no typing into terminals.
    "ioctl": (Check(1, (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451, 0x802C542A)),),
    # F_DUPFD to F_SETLKW, F_DUPFD_CLOEXEC; no F_SETOWN, F_SETLEASE, F_NOTIFY.
    "fcntl": (Check(1, (*range(8), 1030)),),
    # PR_GET_DUMPABLE, PR_SET_NAME, PR_GET_NAME, PR_SET_VMA (names of memory areas).
    "prctl": (Check(0, (3, 15, 16, 0x53564D41)),),
}


def _step(code: int, value: int, true: int = 0, false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, true, false, value)


def _ranges(values: Iterable[int]) -> list[tuple[int, int]]:
    """Sorted numbers as (first, last) of each unbroken run."""
    runs: list[tuple[int, int]] = []
    for value in sorted(values):
        if runs and value == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], value)
        else:
            runs.append((value, value))
    return runs


def _conditional(number: int, checks: Sequence[Check], own_pid: int) -> list[bytes]:
    body: list[bytes] = []
    for check in checks:
        body.append(_step(_LOAD, _ARGUMENTS + 8 * check.argument + 4 * check.high))
        if check.mask != 0xFFFFFFFF:
            body.append(_step(_AND, check.mask))
        values = [own_pid if value == OWN_PID else value for value in check.values]
        for left, value in zip(range(len(values), 0, -1), values, strict=True):
            body.append(_step(_IF_EQUAL, value, true=left))
        body.append(_step(_RETURN, DENY))
    body.append(_step(_RETURN, ALLOW))
    return [_step(_IF_EQUAL, number, false=len(body)), *body]


def program(machine: str, own_pid: int) -> bytes:
    """The filter for a process `own_pid` on `machine` (as `os.uname` says): 8 bytes a step.

    Raises KeyError for a machine that has no table.
    """
    architecture, _ = ARCHITECTURES[machine]
    calls = numbers(machine)
    steps = [
        _step(_LOAD, _ARCHITECTURE),
        _step(_IF_EQUAL, architecture, true=1),
        _step(_RETURN, KILL),
        _step(_LOAD, _NUMBER),
    ]
    if machine == "x86_64":
        steps += [_step(_IF_AT_LEAST, X32_BIT, false=1), _step(_RETURN, KILL)]
    for first, last in _ranges(number for name, number in calls.items() if name not in CONDITIONS):
        steps += [
            _step(_IF_AT_LEAST, first, false=2),
            _step(_IF_ABOVE, last, true=1),
            _step(_RETURN, ALLOW),
        ]
    for name, checks in CONDITIONS.items():
        if name in calls:
            steps += _conditional(calls[name], checks, own_pid)
    steps += [
        _step(_IF_AT_LEAST, YOUNG, false=1),
        _step(_RETURN, UNKNOWN),
        _step(_RETURN, DENY),
    ]
    return b"".join(steps)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def install(machine: str) -> None:
    """Filter the calls of the calling thread for good.

    Raises OSError, also for a machine without a table; no_new_privs must be set.
    """
    if machine not in ARCHITECTURES:
        raise OSError(f"no table of system calls for {machine}")
    if ctypes.sizeof(ctypes.c_void_p) != 8:
        raise OSError("a 32-bit Python has another table of system calls")
    steps = program(machine, os.getpid())
    argument = _Program(len(steps) // 8, steps)
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(argument), 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
