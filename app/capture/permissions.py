"""The permission macOS wants for grabbing the screen.

The system's own question is asked once in the life of this process and never again: after that
each snip only looks whether the answer has come. A grant becomes visible only to a process that
is started after it, and the look may say no although the grant is there; so there is one state
with a way to the settings, one to start again and one around it, and no loop.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from dataclasses import dataclass

from app.i18n import N_, _

SETTINGS_ADDRESS = "x-apple.systempreferences:com.apple.preference.security?Privacy_ScreenCapture"
_CORE_GRAPHICS = "/System/Library/Frameworks/CoreGraphics.framework/CoreGraphics"

ASKED = (
    N_("macOS asks whether VisCodex may record the screen"),
    N_("Allow it there, then quit and reopen VisCodex."),
)
REFUSED = (
    N_("VisCodex may not record the screen"),
    N_(
        "Allow it in the settings under Privacy & Security > Screen & System Audio Recording, "
        "then quit and reopen VisCodex."
    ),
)


@dataclass(frozen=True)
class Permission:
    """Whether the screen may be grabbed; if not, what happened and what to do."""

    granted: bool
    message: str = ""
    advice: str = ""


class ScreenAccess:
    """Looks for the permission and asks for it at most once.

    `look` says whether it is there, without a question to the user; `request` brings up the
    system's question and says whether it is there already.
    """

    def __init__(self, look: Callable[[], bool], request: Callable[[], bool]) -> None:
        self._look = look
        self._request = request
        self._asked = False

    def ask(self) -> Permission:
        """One look for one snip, with the system's question the first time."""
        if self._look():
            return Permission(True)
        if self._asked:
            return Permission(False, *map(_, REFUSED))
        self._asked = True
        return Permission(True) if self._request() else Permission(False, *map(_, ASKED))


def system_access(platform: str = sys.platform) -> ScreenAccess:
    """The permission of this system; granted everywhere but on macOS."""
    if platform != "darwin":
        return ScreenAccess(lambda: True, lambda: True)
    return ScreenAccess(
        lambda: _core_graphics("CGPreflightScreenCaptureAccess"),
        lambda: _core_graphics("CGRequestScreenCaptureAccess"),
    )


def _core_graphics(name: str) -> bool:
    """Call a function of CoreGraphics without arguments; before macOS 10.15 nothing is asked."""
    function = getattr(ctypes.CDLL(_CORE_GRAPHICS), name, None)
    if function is None:
        return True
    function.restype = ctypes.c_bool
    return bool(function())
