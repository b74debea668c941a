"""Keeps Python 3.10 and 3.11 alive under Qt's bindings.

PySide6 6.12 returns None (and now and then True or False) without taking a reference: right from
Python 3.12 on, where these objects are immortal, and wrong before. Each call of a Qt method that
returns nothing takes one reference away, and after some thousand calls the interpreter ends with
"deallocating None". Measured on CPython 3.11: -1 a call with 6.12.0, 0 with 6.11.3.

So older interpreters get what 3.12 does by itself: a count that nobody can use up.
"""

from __future__ import annotations

import ctypes
import sys

PLENTY = 1 << 40


def make_immortal() -> None:
    """Give None, True, False and NotImplemented references in plenty. Call before Qt is used."""
    if sys.version_info >= (3, 12) or sys.implementation.name != "cpython":
        return
    for singleton in (None, True, False, NotImplemented):
        if sys.getrefcount(singleton) < PLENTY // 2:
            # The reference count is the first field of every object, as wide as a pointer.
            ctypes.c_ssize_t.from_address(id(singleton)).value += PLENTY
