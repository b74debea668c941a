"""From the wish to snip to the picture: hide the window, grab, select, show the window again."""

from __future__ import annotations

import time
from collections.abc import Sequence

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QWidget

from app.capture import main as capture
from app.capture.models import CaptureError, CaptureHandler
from app.capture.snip import Snip
from app.theme import OVERLAY
from app.views.overlay import OverlayColours

LEAST_HIDDEN_MS = 150
MOST_HIDDEN_MS = 1000


class SnipFlow(QObject):
    """One snip at a time. Emits `taken(image)`, `left()` or `failed(reason)`."""

    taken = Signal(QImage)
    left = Signal()
    failed = Signal(str)

    def __init__(self, window: QWidget, handlers: Sequence[CaptureHandler]) -> None:
        super().__init__(window)
        self._window = window
        self._handlers = handlers
        self._timer = QTimer(self)
        self._timer.setInterval(15)
        self._timer.timeout.connect(self._wait_hidden)
        self._hidden_since = 0.0
        self._was_visible = False
        self.snip: Snip | None = None

    @property
    def active(self) -> bool:
        """Whether a snip is under way."""
        return self.snip is not None or self._timer.isActive()

    def start(self) -> None:
        """Begin; nothing happens while a snip is already under way."""
        if self.active:
            return
        answer = capture.availability(self._handlers)
        if not answer.ok:
            self.failed.emit(answer.reason)
            return
        self._was_visible = self._window.isVisible() and not self._window.isMinimized()
        if not self._was_visible:
            self._grab()
            return
        self._window.hide()
        self._hidden_since = time.monotonic()
        self._timer.start()

    def _wait_hidden(self) -> None:
        """The window system says when the window is gone; an effect may need a moment more."""
        passed = 1000 * (time.monotonic() - self._hidden_since)
        handle = self._window.windowHandle()
        exposed = handle is not None and handle.isExposed()
        if passed >= LEAST_HIDDEN_MS and (not exposed or passed >= MOST_HIDDEN_MS):
            self._timer.stop()
            self._grab()

    def _grab(self) -> None:
        try:
            shots = capture.grab(self._handlers)
        except CaptureError as error:
            self._restore()
            self.failed.emit(str(error))
            return
        colours = OverlayColours(**{name: QColor(value) for name, value in OVERLAY.items()})
        self.snip = Snip(shots, colours, self)
        self.snip.taken.connect(self._take)
        self.snip.left.connect(self._leave)
        self.snip.show()

    def _take(self, image: QImage) -> None:
        self._end()
        self._was_visible = True  # there is something to show now
        self._restore()
        self.taken.emit(image)

    def _leave(self) -> None:
        self._end()
        self._restore()
        self.left.emit()

    def _end(self) -> None:
        if self.snip is not None:
            self.snip.deleteLater()
            self.snip = None

    def _restore(self) -> None:
        """Bring the window back as it was: a hidden one stays hidden when nothing was taken."""
        if self._was_visible:
            self._window.show()
            self._window.raise_()
            self._window.activateWindow()
