"""Landlock: the kernel's rules for which files a process may open, by its three system calls.

See https://docs.kernel.org/userspace-api/landlock.html. It does not know chmod, chown, utime and
extended attributes, nor UDP and Unix sockets: those are refused by `seccomp`.
"""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from engine.sandbox.wall import Room

# The same numbers on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG = 1
_RULE_PATH_BENEATH = 1
_O_PATH = 0o10000000

# name: (bit, first ABI that knows it)
FILE_RIGHTS: Mapping[str, tuple[int, int]] = {
    "execute": (0, 1),
    "write_file": (1, 1),
    "read_file": (2, 1),
    "read_dir": (3, 1),
    "remove_dir": (4, 1),
    "remove_file": (5, 1),
    "make_char": (6, 1),
    "make_dir": (7, 1),
    "make_reg": (8, 1),
    "make_sock": (9, 1),
    "make_fifo": (10, 1),
    "make_block": (11, 1),
    "make_sym": (12, 1),
    "refer": (13, 2),
    "truncate": (14, 3),
    "ioctl_dev": (15, 5),
}
NET_RIGHTS: Mapping[str, tuple[int, int]] = {"bind_tcp": (0, 4), "connect_tcp": (1, 4)}
SCOPES: Mapping[str, tuple[int, int]] = {"abstract_unix_socket": (0, 6), "signal": (1, 6)}

READ = ("read_file", "read_dir")
# Plain files and folders only: no links, pipes, sockets or devices, and nothing to execute.
WORK = (
    *READ,
    "write_file",
    "truncate",
    "remove_dir",
    "remove_file",
    "make_dir",
    "make_reg",
    "refer",
)
_OF_FILES = ("execute", "write_file", "read_file", "truncate", "ioctl_dev")
DEVICES: Mapping[str, tuple[str, ...]] = {
    "/dev/null": ("read_file", "write_file", "truncate"),
    "/dev/zero": ("read_file",),
    "/dev/random": ("read_file",),
    "/dev/urandom": ("read_file",),
}


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def bits(table: Mapping[str, tuple[int, int]], abi: int, names: tuple[str, ...] = ()) -> int:
    """The bits of `names` (none: of the whole table) that ABI `abi` knows."""
    rows = [table[name] for name in names] if names else list(table.values())
    return sum(1 << bit for bit, first in rows if first <= abi)


def ruleset_size(abi: int) -> int:
    """Bytes of the ruleset's attributes that ABI `abi` understands."""
    return 24 if abi >= 6 else 16 if abi >= 4 else 8


def _call(number: int, *arguments: object) -> int:
    library = ctypes.CDLL(None, use_errno=True)
    library.syscall.restype = ctypes.c_long
    result = int(library.syscall(ctypes.c_long(number), *arguments))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def abi_version() -> int:
    """The ABI that the running kernel offers; 0 where there is no Landlock."""
    try:
        return _call(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION_FLAG))
    except (OSError, AttributeError, TypeError):  # other systems: no such call, no library
        return 0


def restrict(room: Room, abi: int) -> None:
    """Leave the calling thread nothing but `room`. Raises OSError; no_new_privs must be set."""
    if abi < 1:
        raise OSError("this kernel has none, or it is not switched on")
    handled = _Ruleset(bits(FILE_RIGHTS, abi), bits(NET_RIGHTS, abi), bits(SCOPES, abi))
    size = ctypes.c_size_t(ruleset_size(abi))
    ruleset = _call(_CREATE_RULESET, ctypes.byref(handled), size, ctypes.c_uint32(0))
    try:
        _allow(ruleset, room.writable, WORK, abi)
        for path in room.readable:
            _allow(ruleset, path, READ, abi)
        for name, rights in DEVICES.items():
            if os.path.exists(name):
                _allow(ruleset, Path(name), rights, abi)
        _call(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: Path, rights: tuple[str, ...], abi: int) -> None:
    handle = os.open(path, _O_PATH | getattr(os, "O_CLOEXEC", 0))
    try:
        if not stat.S_ISDIR(os.fstat(handle).st_mode):
            rights = tuple(right for right in rights if right in _OF_FILES)
        rule = _PathBeneath(bits(FILE_RIGHTS, abi, rights), handle)
        kind = ctypes.c_int(_RULE_PATH_BENEATH)
        _call(_ADD_RULE, ctypes.c_int(ruleset), kind, ctypes.byref(rule), ctypes.c_uint32(0))
    finally:
        os.close(handle)
