"""Grabbing by mss: X11, Windows and macOS. Never on Wayland, where it gets black pictures."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Any

from PySide6.QtGui import QImage

from app.capture.geometry import ScreenPlace, match_screens
from app.capture.models import DENIED, Availability, CaptureError, ScreenInfo, Shot
from app.capture.permissions import ScreenAccess, system_access
from app.capture.session_kind import SessionKind, session_kind
from app.capture.windows import desktop_windows, on_screen
from app.i18n import N_, _

_REASONS = {
    SessionKind.NONE: N_("there is no screen"),
    SessionKind.WAYLAND: "",  # the portal handler is for that
}


class MssHandler:
    """Grabs each screen of its own, matched to Qt's screens by place and native size."""

    name = "mss"
    waits = False

    def __init__(self, access: ScreenAccess | None = None) -> None:
        self._access = access or system_access()

    def available(self) -> Availability:
        kind = session_kind()
        if kind in _REASONS:
            return Availability(False, _(_REASONS[kind]))
        return Availability(True)

    def grab(self, screens: Sequence[ScreenInfo]) -> list[Shot]:
        # Imported late: this costs start-up time, and only a machine with a screen can use it.
        import mss
        from mss.exception import ScreenShotError

        permission = self._access.ask()
        if not permission.granted:
            raise CaptureError(permission.message, DENIED, permission.advice)
        if sys.platform == "darwin":
            # Without this the picture has half the pixels of a Retina screen.
            importlib.import_module("mss.darwin").IMAGE_OPTIONS = 0
        windows = desktop_windows()
        try:
            with mss.MSS() as grabber:
                monitors: list[dict[str, Any]] = list(grabber.monitors[1:])
                order = match_screens(
                    [one.place for one in screens],
                    [
                        ScreenPlace(one["left"], one["top"], one["width"], one["height"])
                        for one in monitors
                    ],
                )
                shots = [
                    Shot(
                        one.screen,
                        _image(grabber.grab(monitors[index])),
                        on_screen(windows, one.place),
                    )
                    for one, index in zip(screens, order, strict=True)
                    if index is not None
                ]
        except (ScreenShotError, OSError) as error:
            raise CaptureError(
                _("the screen could not be grabbed: {error}").format(error=error)
            ) from error
        if not shots:
            raise CaptureError(_("no screen of this display could be matched"))
        return shots


def _image(grabbed: Any) -> QImage:
    """A QImage with its own copy of the pixels (mss gives BGRA with an undefined alpha)."""
    width, height = grabbed.width, grabbed.height
    return QImage(bytes(grabbed.raw), width, height, width * 4, QImage.Format.Format_RGB32).copy()
