"""macOS: one Carbon hotkey, which needs no permission to watch the keyboard.

Written from the headers of Carbon (CarbonEvents.h) and tested as a table only: it has not been
run on the system it is for.
"""

from __future__ import annotations

import ctypes
from typing import Any

from app.hotkeys.models import Combination, HotkeyError, Told
from app.i18n import N_, _

_CARBON = "/System/Library/Frameworks/Carbon.framework/Carbon"
_KEYBOARD_CLASS = int.from_bytes(b"keyb", "big")
_SIGNATURE = int.from_bytes(b"VCdx", "big")
_HOTKEY_PRESSED = 5
ALREADY_EXISTS = -9878


class _EventType(ctypes.Structure):
    _fields_ = (("eventClass", ctypes.c_uint32), ("eventKind", ctypes.c_uint32))


class _HotkeyId(ctypes.Structure):
    _fields_ = (("signature", ctypes.c_uint32), ("id", ctypes.c_uint32))


_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)


def register_arguments(combination: Combination) -> tuple[int, int]:
    """Key code and modifiers for RegisterEventHotKey. Raises HotkeyError for a missing key."""
    code = combination.codes.macos
    if code is None:
        raise HotkeyError(
            _("{keys} is on no keyboard of this system.").format(keys=combination.text)
        )
    return code, sum(one.macos for one in combination.modifier_codes())


class MacHandler:
    """One hotkey on the event target of the application."""

    method = N_("macOS reports this one combination; no other key is seen.")

    def __init__(self) -> None:
        self._carbon: Any = None
        self._hotkey = ctypes.c_void_p()
        self._installed = ctypes.c_void_p()
        self._callback: Any = None  # kept alive as long as the system may call it

    def reason(self) -> str:
        return ""

    def register(self, combination: Combination, told: Told) -> None:
        self.unregister()
        try:
            code, bits = register_arguments(combination)
        except HotkeyError as error:
            told.failed(str(error))
            return
        carbon = self._carbon = _load()
        target = carbon.GetApplicationEventTarget()

        def pressed(_call: int, _event: int, _data: int) -> int:
            told.pressed()
            return 0

        self._callback = _CALLBACK(pressed)
        wanted = _EventType(_KEYBOARD_CLASS, _HOTKEY_PRESSED)
        carbon.InstallEventHandler(
            target,
            self._callback,
            1,
            ctypes.byref(wanted),
            None,
            ctypes.byref(self._installed),
        )
        status = carbon.RegisterEventHotKey(
            code, bits, _HotkeyId(_SIGNATURE, 1), target, 0, ctypes.byref(self._hotkey)
        )
        if status != 0:
            self.unregister()
            told.failed(
                _("{keys} belongs to another program: choose another one.").format(
                    keys=combination.text
                )
                if status == ALREADY_EXISTS
                else _("{keys} cannot be used (macOS error {status}).").format(
                    keys=combination.text, status=status
                )
            )
            return
        told.active("")

    def unregister(self) -> None:
        if self._hotkey:
            self._carbon.UnregisterEventHotKey(self._hotkey)
            self._hotkey = ctypes.c_void_p()
        if self._installed:
            self._carbon.RemoveEventHandler(self._installed)
            self._installed = ctypes.c_void_p()
        self._callback = None


def _load() -> Any:
    """Carbon with the types of what is called here."""
    carbon = ctypes.CDLL(_CARBON)
    pointer = ctypes.c_void_p
    carbon.GetApplicationEventTarget.restype = pointer
    carbon.InstallEventHandler.argtypes = (
        pointer, _CALLBACK, ctypes.c_ulong, ctypes.POINTER(_EventType), pointer,
        ctypes.POINTER(pointer),
    )  # fmt: skip
    carbon.RegisterEventHotKey.argtypes = (
        ctypes.c_uint32, ctypes.c_uint32, _HotkeyId, pointer, ctypes.c_uint32,
        ctypes.POINTER(pointer),
    )  # fmt: skip
    carbon.UnregisterEventHotKey.argtypes = (pointer,)
    carbon.RemoveEventHandler.argtypes = (pointer,)
    return carbon
