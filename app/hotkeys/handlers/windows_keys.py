"""Windows: RegisterHotKey, and its message taken from the queue of the GUI thread.

Written from the documentation of Win32 and tested as a table only: it has not been run on the
system it is for.
"""

from __future__ import annotations

import ctypes
from typing import Any

from PySide6.QtCore import QAbstractNativeEventFilter, QCoreApplication

from app.hotkeys.models import Combination, Told
from app.i18n import N_, _

WM_HOTKEY = 0x0312
NO_REPEAT = 0x4000
ALREADY_REGISTERED = 1409
_ID = 1


def register_arguments(combination: Combination) -> tuple[int, int]:
    """Modifiers and virtual key for RegisterHotKey."""
    bits = sum(one.windows for one in combination.modifier_codes())
    return bits | NO_REPEAT, combination.codes.windows


class _Message(ctypes.Structure):
    """The head of MSG: enough to know a hotkey."""

    _fields_ = (
        ("hwnd", ctypes.c_void_p),
        ("message", ctypes.c_uint),
        ("wParam", ctypes.c_size_t),
        ("lParam", ctypes.c_ssize_t),
    )


class _Filter(QAbstractNativeEventFilter):
    def __init__(self, told: Told) -> None:
        super().__init__()
        self._told = told

    def nativeEventFilter(self, kind: Any, message: Any) -> tuple[bool, int]:
        if bytes(kind) in (b"windows_generic_MSG", b"windows_dispatcher_MSG"):
            taken = _Message.from_address(int(message))
            if taken.message == WM_HOTKEY and taken.wParam == _ID:
                self._told.pressed()
                return True, 0
        return False, 0


class WindowsHandler:
    """One registered hotkey of the thread that runs Qt."""

    method = N_("Windows reports this one combination; no other key is seen.")

    def __init__(self) -> None:
        self._filter: _Filter | None = None

    def reason(self) -> str:
        return ""

    def register(self, combination: Combination, told: Told) -> None:
        self.unregister()
        user32: Any = ctypes.WinDLL("user32", use_last_error=True)  # type: ignore[attr-defined]
        if not user32.RegisterHotKey(None, _ID, *register_arguments(combination)):
            code = ctypes.get_last_error()  # type: ignore[attr-defined]
            told.failed(
                _("{keys} belongs to another program: choose another one.").format(
                    keys=combination.text
                )
                if code == ALREADY_REGISTERED
                else _("{keys} cannot be used (Windows error {code}).").format(
                    keys=combination.text, code=code
                )
            )
            return
        application = QCoreApplication.instance()
        assert application is not None
        self._filter = _Filter(told)
        application.installNativeEventFilter(self._filter)
        told.active("")

    def unregister(self) -> None:
        if self._filter is None:
            return
        user32: Any = ctypes.WinDLL("user32")  # type: ignore[attr-defined]
        user32.UnregisterHotKey(None, _ID)
        application = QCoreApplication.instance()
        if application is not None:
            application.removeNativeEventFilter(self._filter)
        self._filter = None
