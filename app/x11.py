"""The few requests to an X server that Qt does not offer: windows of others, grabbed keys.

ctypes on libxcb and libxcb-keysyms, which Qt's own X11 platform needs too. Every request is
checked, so that an error comes back as an exception and never ends the process (as Xlib's
default handler would). Layouts of replies: the core protocol (X11R7.7, appendix B).
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Sequence
from ctypes import POINTER, Structure, byref, c_char_p, c_int, c_uint8, c_uint16, c_uint32, c_void_p
from dataclasses import dataclass
from types import TracebackType
from typing import Any

KEY_PRESS, KEY_RELEASE, MAPPING_NOTIFY = 2, 3, 34
BAD_ACCESS = 10
VIEWABLE = 2
_ANY_TYPE = 0
_LONGEST_PROPERTY = 4096  # in units of four bytes
_ASYNC = 1


class X11Error(Exception):
    """The server refused a request or is not there. `code` is the protocol's error code."""

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class KeyEvent:
    """A key of a grab: `kind` is KEY_PRESS, KEY_RELEASE or MAPPING_NOTIFY."""

    kind: int
    keycode: int
    state: int
    time: int


class _Cookie(Structure):
    _fields_ = (("sequence", c_uint32),)


class _Screens(Structure):
    _fields_ = (("data", c_void_p), ("rem", c_int), ("index", c_int))


# Function -> (result type, argument types after the connection).
_XCB: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "xcb_disconnect": (None, ()),
    "xcb_connection_has_error": (c_int, ()),
    "xcb_get_file_descriptor": (c_int, ()),
    "xcb_get_setup": (c_void_p, ()),
    "xcb_flush": (c_int, ()),
    "xcb_poll_for_event": (c_void_p, ()),
    "xcb_request_check": (c_void_p, (_Cookie,)),
    "xcb_wait_for_reply": (c_void_p, (c_uint32, POINTER(c_void_p))),
    "xcb_intern_atom": (_Cookie, (c_uint8, c_uint16, c_char_p)),
    "xcb_get_property": (_Cookie, (c_uint8, c_uint32, c_uint32, c_uint32, c_uint32, c_uint32)),
    "xcb_get_geometry": (_Cookie, (c_uint32,)),
    "xcb_get_window_attributes": (_Cookie, (c_uint32,)),
    "xcb_translate_coordinates": (_Cookie, (c_uint32, c_uint32, ctypes.c_int16, ctypes.c_int16)),
    "xcb_grab_key_checked": (
        _Cookie,
        (c_uint8, c_uint32, c_uint16, c_uint8, c_uint8, c_uint8),
    ),
    "xcb_ungrab_key_checked": (_Cookie, (c_uint8, c_uint32, c_uint16)),
}


def _load(name: str) -> Any:
    try:
        return ctypes.CDLL(name)
    except OSError as error:
        raise X11Error(f"{name} is missing") from error


class Connection:
    """A connection of its own to the X server named by `display` (default: $DISPLAY)."""

    def __init__(self, display: str | None = None) -> None:
        self._xcb = _load("libxcb.so.1")
        for name, (result, arguments) in _XCB.items():
            function = getattr(self._xcb, name)
            function.restype, function.argtypes = result, (c_void_p, *arguments)
        self._xcb.xcb_connect.restype = c_void_p
        self._xcb.xcb_connect.argtypes = (c_char_p, POINTER(c_int))
        self._xcb.xcb_setup_roots_iterator.restype = _Screens
        self._xcb.xcb_setup_roots_iterator.argtypes = (c_void_p,)
        self._xcb.xcb_screen_next.restype = None
        self._xcb.xcb_screen_next.argtypes = (POINTER(_Screens),)
        self._free = ctypes.CDLL(None).free
        self._free.argtypes = (c_void_p,)
        number = c_int()
        named = display.encode() if display is not None else None
        self._connection: int | None = self._xcb.xcb_connect(named, byref(number))
        self._atoms: dict[str, int] = {}
        if self._xcb.xcb_connection_has_error(self._connection):
            self.close()
            raise X11Error("the X server does not answer")
        screens = self._xcb.xcb_setup_roots_iterator(self._xcb.xcb_get_setup(self._connection))
        for _ in range(number.value):
            self._xcb.xcb_screen_next(byref(screens))
        self.root = int(c_uint32.from_address(screens.data).value)

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection; the server then drops all its grabs."""
        if self._connection is not None:
            self._xcb.xcb_disconnect(self._connection)
            self._connection = None

    @property
    def descriptor(self) -> int:
        """The file descriptor to wait on for events."""
        return int(self._xcb.xcb_get_file_descriptor(self._connection))

    @property
    def broken(self) -> bool:
        """Whether the server has gone."""
        return self._connection is None or bool(
            self._xcb.xcb_connection_has_error(self._connection)
        )

    # Requests with an answer ------------------------------------------------

    def send(self, request: str, *arguments: object) -> int:
        """Send a request without waiting; the ticket is for `reply`."""
        cookie = getattr(self._xcb, f"xcb_{request}")(self._connection, *arguments)
        return int(cookie.sequence)

    def reply(self, ticket: int) -> bytes | None:
        """The answer to a request, None where the server refused it (a window that has gone)."""
        error = c_void_p()
        answer = self._xcb.xcb_wait_for_reply(self._connection, ticket, byref(error))
        if error.value:
            self._free(error)
        if not answer:
            return None
        try:
            (extra,) = struct.unpack("=I", ctypes.string_at(answer + 4, 4))
            return ctypes.string_at(answer, 32 + 4 * extra)
        finally:
            self._free(answer)

    def atom(self, name: str) -> int:
        """The number of a name."""
        if name not in self._atoms:
            text = name.encode()
            answer = self.reply(self.send("intern_atom", 0, len(text), text))
            self._atoms[name] = struct.unpack_from("=I", answer, 8)[0] if answer else 0
        return self._atoms[name]

    def ask_property(self, window: int, name: str) -> int:
        """Send the question for a property; `property_values` reads the answer."""
        return self.send(
            "get_property", 0, window, self.atom(name), _ANY_TYPE, 0, _LONGEST_PROPERTY
        )

    def property_values(self, ticket: int) -> tuple[int, ...]:
        """The 32-bit numbers of a property; empty where it is not set or of another kind."""
        answer = self.reply(ticket)
        if answer is None or answer[1] != 32:
            return ()
        (count,) = struct.unpack_from("=I", answer, 16)
        return struct.unpack_from(f"={count}I", answer, 32)

    # Keys -------------------------------------------------------------------

    def keycodes(self, keysym: int) -> list[int]:
        """The keys of this keyboard that make `keysym`; often one, none where it has no such."""
        library = _load("libxcb-keysyms.so.1")
        for name, result, arguments in (
            ("alloc", c_void_p, (c_void_p,)),
            ("free", None, (c_void_p,)),
            ("get_keycode", c_void_p, (c_void_p, c_uint32)),
        ):
            function = getattr(library, f"xcb_key_symbols_{name}")
            function.restype, function.argtypes = result, arguments
        symbols = library.xcb_key_symbols_alloc(self._connection)
        found = library.xcb_key_symbols_get_keycode(symbols, keysym)
        codes = list(ctypes.string_at(found)) if found else []
        if found:
            self._free(found)
        library.xcb_key_symbols_free(symbols)
        return codes

    def grab_key(self, keycode: int, modifiers: int) -> None:
        """Take a key for this connection alone.

        Raises X11Error, with code BAD_ACCESS where another program has it.
        """
        self._check("grab_key_checked", 0, self.root, modifiers, keycode, _ASYNC, _ASYNC)

    def ungrab_keys(self, keycodes: Sequence[int]) -> None:
        """Give keys back, with all their modifiers."""
        any_modifier = 1 << 15
        for code in keycodes:
            self._check("ungrab_key_checked", code, self.root, any_modifier)

    def next_event(self) -> KeyEvent | None:
        """The next event that has arrived, None where there is none; other kinds are passed by."""
        while event := self._xcb.xcb_poll_for_event(self._connection):
            data = ctypes.string_at(event, 32)
            self._free(event)
            kind = data[0] & 0x7F
            if kind in (KEY_PRESS, KEY_RELEASE):
                (time,) = struct.unpack_from("=I", data, 4)
                (state,) = struct.unpack_from("=H", data, 28)
                return KeyEvent(kind, data[1], state, time)
            if kind == MAPPING_NOTIFY:
                return KeyEvent(kind, 0, 0, 0)
        return None

    def _check(self, request: str, *arguments: object) -> None:
        cookie = getattr(self._xcb, f"xcb_{request}")(self._connection, *arguments)
        error = self._xcb.xcb_request_check(self._connection, cookie)
        if error:
            code = ctypes.string_at(error, 2)[1]
            self._free(error)
            raise X11Error(f"the X server refused a request (error {code})", code)
