"""Windows: a job object that holds the process to one process, its memory, and no desktop.

That is no wall: files and network stay open, so `apply` raises even where the job object holds,
and a script runs only for those who allow it without one. Written against the documentation of
job objects (https://learn.microsoft.com/windows/win32/procthread/job-objects), never run by its
authors: layouts and values are tested, the calls are not.
"""

from __future__ import annotations

import ctypes
from typing import Any

from engine.sandbox.wall import CPU_SECONDS, MEMORY_BYTES, Room, WallError

LIMIT_PROCESS_TIME = 0x2
LIMIT_ACTIVE_PROCESS = 0x8
LIMIT_PROCESS_MEMORY = 0x100
LIMIT_DIE_ON_UNHANDLED_EXCEPTION = 0x400
LIMIT_KILL_ON_JOB_CLOSE = 0x2000
# Handles, clipboard both ways, system parameters, display, global atoms, desktop, exit.
UI_ALL = 0xFF
_EXTENDED_LIMITS, _UI_RESTRICTIONS = 9, 4
_TICKS = 10_000_000  # of 100 ns in a second


class BasicLimits(ctypes.Structure):
    """JOBOBJECT_BASIC_LIMIT_INFORMATION."""

    _fields_ = (
        ("per_process_user_time_limit", ctypes.c_int64),
        ("per_job_user_time_limit", ctypes.c_int64),
        ("limit_flags", ctypes.c_uint32),
        ("minimum_working_set_size", ctypes.c_size_t),
        ("maximum_working_set_size", ctypes.c_size_t),
        ("active_process_limit", ctypes.c_uint32),
        ("affinity", ctypes.c_size_t),
        ("priority_class", ctypes.c_uint32),
        ("scheduling_class", ctypes.c_uint32),
    )


class ExtendedLimits(ctypes.Structure):
    """JOBOBJECT_EXTENDED_LIMIT_INFORMATION; `io` stands for the six counters of IO_COUNTERS."""

    _fields_ = (
        ("basic", BasicLimits),
        ("io", ctypes.c_uint64 * 6),
        ("process_memory_limit", ctypes.c_size_t),
        ("job_memory_limit", ctypes.c_size_t),
        ("peak_process_memory_used", ctypes.c_size_t),
        ("peak_job_memory_used", ctypes.c_size_t),
    )


def limits() -> ExtendedLimits:
    """One process, MEMORY_BYTES, CPU_SECONDS, and an end with the last handle."""
    wanted = ExtendedLimits()
    wanted.basic.limit_flags = (
        LIMIT_PROCESS_TIME
        | LIMIT_ACTIVE_PROCESS
        | LIMIT_PROCESS_MEMORY
        | LIMIT_DIE_ON_UNHANDLED_EXCEPTION
        | LIMIT_KILL_ON_JOB_CLOSE
    )
    wanted.basic.per_process_user_time_limit = CPU_SECONDS * _TICKS
    wanted.basic.active_process_limit = 1
    wanted.process_memory_limit = MEMORY_BYTES
    return wanted


class JobWall:
    """Limits by a job object."""

    def describe(self) -> str:
        """Its name."""
        return "job object"

    def apply(self, room: Room) -> None:
        """See `Wall.apply`; always raises WallError."""
        library = getattr(ctypes, "WinDLL", None)
        if library is None:
            raise WallError("job objects are for Windows")
        _enter_job(library("kernel32", use_last_error=True))
        raise WallError("a job object fences neither files nor network")


def _enter_job(kernel: Any) -> None:
    kernel.CreateJobObjectW.restype = ctypes.c_void_p
    kernel.GetCurrentProcess.restype = ctypes.c_void_p
    # The handle stays open: with its last one the job ends, and so does the process.
    job = ctypes.c_void_p(kernel.CreateJobObjectW(None, None))
    settings: tuple[tuple[int, Any], ...] = (
        (_EXTENDED_LIMITS, limits()),
        (_UI_RESTRICTIONS, ctypes.c_uint32(UI_ALL)),
    )
    for kind, data in settings:
        if not kernel.SetInformationJobObject(job, kind, ctypes.byref(data), ctypes.sizeof(data)):
            raise WallError("the job object does not take its limits")
    if not kernel.AssignProcessToJobObject(job, ctypes.c_void_p(kernel.GetCurrentProcess())):
        raise WallError("the process does not enter its job object")
