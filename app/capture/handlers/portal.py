"""Grabbing through the desktop portal: the only way on Wayland."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from PySide6.QtGui import QImage, QImageReader

from app.capture.geometry import Size, split_desktop
from app.capture.models import (
    DENIED,
    OPEN_INSTEAD,
    TIMEOUT,
    UNAVAILABLE,
    Availability,
    CaptureError,
    CaptureLeft,
    ScreenInfo,
    Shot,
)
from app.capture.session_kind import SessionKind, session_kind
from app.i18n import N_, _
from app.portal import REPLY_SECONDS, PortalClient, PortalError, Trouble, on_bus

_LOG = logging.getLogger(__name__)
SCREENSHOT = "org.freedesktop.portal.Screenshot"
NO_PORTAL = N_(
    "this Wayland desktop has no screenshot portal (package xdg-desktop-portal and the one for "
    "your desktop)"
)

# Trouble -> code and advice of the capture error.
_ERRORS = {
    Trouble.MISSING: (UNAVAILABLE, OPEN_INSTEAD),
    Trouble.GARBLED: (UNAVAILABLE, OPEN_INSTEAD),
    Trouble.REFUSED: (
        DENIED,
        N_(
            "Allow VisCodex to take screenshots in the system's settings, or open or paste a "
            "picture."
        ),
    ),
    Trouble.TIMEOUT: (TIMEOUT, N_("Try again, or open or paste a picture instead.")),
}


class PortalHandler:
    """Asks for one picture of the whole desktop and cuts it into the screens."""

    name = "portal"
    waits = True

    def __init__(self, seconds: float = REPLY_SECONDS) -> None:
        self._seconds = seconds

    def available(self) -> Availability:
        if session_kind() is not SessionKind.WAYLAND:
            return Availability(False)
        return Availability(True) if on_bus() else Availability(False, _(NO_PORTAL))

    def grab(self, screens: Sequence[ScreenInfo]) -> list[Shot]:
        try:
            address = self._ask()
        except PortalError as error:
            if error.trouble is Trouble.LEFT:
                raise CaptureLeft from error
            code, advice = _ERRORS[error.trouble]
            raise CaptureError(str(error), code, _(advice)) from error
        picture = _read_and_delete(address)
        size = Size(picture.width(), picture.height())
        try:
            parts = split_desktop(
                [one.logical for one in screens], [one.ratio for one in screens], size
            )
        except ValueError as error:
            raise CaptureError(
                _("the picture from the desktop portal is odd: {error}").format(error=error)
            ) from error
        return [
            Shot(one.screen, picture.copy(part.x, part.y, part.width, part.height))
            for one, part in zip(screens, parts, strict=True)
        ]

    def _ask(self) -> str:
        """The address of the file with the picture."""
        with PortalClient(self._seconds) as client:
            client.register(self._seconds)
            results = client.request(
                SCREENSHOT,
                "Screenshot",
                "sa{sv}",
                # GNOME refuses an empty handle of a parent window; there is none while we hide.
                ("wayland:",),
                {"interactive": ("b", False), "modal": ("b", False)},
                self._seconds,
            )
        address = results.get("uri")
        if not isinstance(address, str):
            raise PortalError(Trouble.GARBLED, _("the desktop portal sent no picture"))
        return address


def _read_and_delete(address: str) -> QImage:
    """The picture in the file that the portal wrote for us. Raises CaptureError."""
    parts = urlsplit(address)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
        raise CaptureError(_("the desktop portal's picture is not a local file"))
    path = Path(unquote(parts.path))
    reader = QImageReader(str(path))
    reader.setDecideFormatFromContent(True)
    image = reader.read()
    if image.isNull():
        raise CaptureError(_("the desktop portal's picture cannot be read"))
    try:
        path.unlink()  # it was made for us alone, and a picture of a screen is private
    except OSError as error:
        _LOG.warning("the portal's picture could not be deleted: %s", error.strerror)
    image.setDevicePixelRatio(1.0)
    return image
