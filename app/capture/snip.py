"""One snip from the grab to the picture: an overlay for each screen, one answer."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QImage

from app.capture.geometry import NativeRect
from app.capture.models import Shot
from app.i18n import _
from app.views.overlay import Overlay, OverlayColours


class Snip(QObject):
    """Shows the overlays, hands out the selected picture or tells that nothing was selected.

    `last` is the region of the snip before, as `last_region.load` gives it; `region` is that of
    this one once it is taken.
    """

    taken = Signal(QImage)
    left = Signal()

    def __init__(
        self,
        shots: Sequence[Shot],
        colours: OverlayColours,
        parent: QObject | None = None,
        last: tuple[str, NativeRect] | None = None,
    ) -> None:
        super().__init__(parent)
        self._last = last
        self.region: tuple[str, NativeRect] | None = None
        self.overlays = [Overlay(shot, colours) for shot in shots]
        for overlay in self.overlays:
            overlay.accepted.connect(self._accept)
            overlay.left.connect(self._leave)
            overlay.next_screen.connect(self._next)
            overlay.started.connect(self._started)
            overlay.last_wanted.connect(self._take_last)

    def show(self) -> None:
        """Put the overlays up; the one under the pointer gets the keyboard."""
        for overlay in self.overlays:
            overlay.place()
        self._focus(next((o for o in self.overlays if o.under_pointer()), self.overlays[0]))

    def close(self) -> None:
        """Take all overlays down."""
        for overlay in self.overlays:
            overlay.hide()
            overlay.deleteLater()
        self.overlays = []

    def _focus(self, overlay: Overlay) -> None:
        overlay.raise_()
        overlay.activateWindow()
        overlay.setFocus(Qt.FocusReason.ActiveWindowFocusReason)

    def _started(self, active: Overlay) -> None:
        """Only one screen holds a selection at a time."""
        for overlay in self.overlays:
            if overlay is not active:
                overlay.clear()
        self._focus(active)

    def _next(self, active: Overlay, step: int) -> None:
        position = self.overlays.index(active)
        self._focus(self.overlays[(position + step) % len(self.overlays)])

    def _take_last(self, asked: Overlay) -> None:
        """Select the last region on its own screen, or where that is gone on the one in use."""
        if self._last is None:
            asked.tell(_("No region was taken before"))
            return
        screen, region = self._last
        named = (one for one in self.overlays if one.screen_name == screen)
        next(named, asked).take(region)

    def _accept(self, image: QImage, screen: str, region: NativeRect) -> None:
        self.region = (screen, region)
        self.close()
        self.taken.emit(image)

    def _leave(self) -> None:
        self.close()
        self.left.emit()
