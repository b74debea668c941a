"""Where the windows on the screen are, so that a click can take one: X11 and Windows.

Wayland tells no program about the windows of others. All rectangles are in native pixels of the
desktop, the topmost window first, and hold what the window itself draws, without a frame that the
window manager or a shadow puts around it.
"""

from __future__ import annotations

import logging
import struct
import sys
from collections.abc import Callable, Sequence

from app.capture.geometry import NativeRect, ScreenPlace
from app.x11 import VIEWABLE, Connection, X11Error

_LOG = logging.getLogger(__name__)
_EVERY_DESKTOP = 0xFFFFFFFF


def on_screen(windows: Sequence[NativeRect], place: ScreenPlace) -> tuple[NativeRect, ...]:
    """Windows of the desktop in pixels of the picture of one screen."""
    x, y = round(place.x), round(place.y)
    return tuple(
        NativeRect(one.x - x, one.y - y, one.width, one.height)
        for one in windows
        if one.x < x + place.width
        and one.x + one.width > x
        and one.y < y + place.height
        and one.y + one.height > y
    )


def desktop_windows() -> list[NativeRect]:
    """All windows that can be seen; empty where the system does not tell."""
    lister = _LISTERS.get(sys.platform)
    try:
        return lister() if lister is not None else []
    except (OSError, X11Error) as error:
        _LOG.info("windows cannot be listed: %s", error)
        return []


def _x11_windows() -> list[NativeRect]:
    """From the list that window managers keep (EWMH: _NET_CLIENT_LIST_STACKING)."""
    with Connection() as server:
        stacked = server.ask_property(server.root, "_NET_CLIENT_LIST_STACKING")
        here = server.property_values(server.ask_property(server.root, "_NET_CURRENT_DESKTOP"))
        hidden = server.atom("_NET_WM_STATE_HIDDEN")
        backdrop = server.atom("_NET_WM_WINDOW_TYPE_DESKTOP")
        windows = server.property_values(stacked)[::-1]
        # All questions first, then all answers: one round trip instead of six for each window.
        asked = [
            (
                server.send("get_window_attributes", window),
                server.send("get_geometry", window),
                server.send("translate_coordinates", window, server.root, 0, 0),
                server.ask_property(window, "_NET_WM_STATE"),
                server.ask_property(window, "_NET_WM_DESKTOP"),
                server.ask_property(window, "_NET_WM_WINDOW_TYPE"),
                server.ask_property(window, "_GTK_FRAME_EXTENTS"),
            )
            for window in windows
        ]
        found = []
        for attributes, geometry, place, *properties in asked:
            shown, size, origin = (server.reply(one) for one in (attributes, geometry, place))
            state, desktop, kind, shadow = (server.property_values(one) for one in properties)
            if shown is None or size is None or origin is None or shown[26] != VIEWABLE:
                continue
            if hidden in state or backdrop in kind:
                continue
            if here and desktop and desktop[0] not in (here[0], _EVERY_DESKTOP):
                continue
            width, height = struct.unpack_from("=HH", size, 16)
            x, y = struct.unpack_from("=hh", origin, 12)
            left, right, top, bottom = shadow if len(shadow) == 4 else (0, 0, 0, 0)
            found.append(NativeRect(x + left, y + top, width - left - right, height - top - bottom))
        return found


def _win32_windows() -> list[NativeRect]:
    """From EnumWindows, which lists by height; the DWM knows the bounds without the shadow."""
    import ctypes
    from ctypes import wintypes

    user32 = ctypes.WinDLL("user32")  # type: ignore[attr-defined]
    dwm = ctypes.WinDLL("dwmapi")  # type: ignore[attr-defined]
    bounds_without_shadow, cloaked_by = 9, 14
    found: list[NativeRect] = []

    def take(window: int, _: int) -> bool:
        cloaked = wintypes.DWORD()
        rect = wintypes.RECT()
        dwm.DwmGetWindowAttribute(
            wintypes.HWND(window), cloaked_by, ctypes.byref(cloaked), ctypes.sizeof(cloaked)
        )
        failed = dwm.DwmGetWindowAttribute(
            wintypes.HWND(window), bounds_without_shadow, ctypes.byref(rect), ctypes.sizeof(rect)
        )
        visible = user32.IsWindowVisible(window) and not user32.IsIconic(window)
        if visible and not cloaked.value and not failed and rect.right > rect.left:
            found.append(
                NativeRect(rect.left, rect.top, rect.right - rect.left, rect.bottom - rect.top)
            )
        return True

    callback = ctypes.WINFUNCTYPE(  # type: ignore[attr-defined]
        wintypes.BOOL, wintypes.HWND, wintypes.LPARAM
    )
    user32.EnumWindows(callback(take), 0)
    return found


_LISTERS: dict[str, Callable[[], list[NativeRect]]] = {
    "linux": _x11_windows,
    "win32": _win32_windows,
}
