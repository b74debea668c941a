"""One snip from the grab to the picture: an overlay for each screen, one answer."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QImage

from app.capture.models import Shot
from app.views.overlay import Overlay, OverlayColours


class Snip(QObject):
    """Shows the overlays, hands out the selected picture or tells that nothing was selected."""

    taken = Signal(QImage)
    left = Signal()

    def __init__(
        self, shots: Sequence[Shot], colours: OverlayColours, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.overlays = [Overlay(shot, colours) for shot in shots]
        for overlay in self.overlays:
            overlay.accepted.connect(self._accept)
            overlay.left.connect(self._leave)
            overlay.next_screen.connect(self._next)
            overlay.started.connect(self._started)

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

    def _next(self, active: Overlay) -> None:
        position = self.overlays.index(active)
        self._focus(self.overlays[(position + 1) % len(self.overlays)])

    def _accept(self, image: QImage) -> None:
        self.close()
        self.taken.emit(image)

    def _leave(self) -> None:
        self.close()
        self.left.emit()
