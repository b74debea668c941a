"""From the wish to snip to the picture: wait, hide the window, grab, select, show it again."""

from __future__ import annotations

import time
from collections.abc import Sequence

from PySide6.QtCore import QObject, QSettings, QTimer, Signal
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QWidget

from app.capture import last_region
from app.capture import main as capture
from app.capture.models import CaptureError, CaptureHandler, CaptureLeft, Shot, present_screens
from app.capture.snip import Snip
from app.tasks import TaskRunner
from app.theme import OVERLAY
from app.views.countdown import Countdown
from app.views.overlay import OverlayColours

LEAST_HIDDEN_MS = 150
MOST_HIDDEN_MS = 1000


class SnipFlow(QObject):
    """One snip at a time. Emits `taken(image)`, `left()` or `failed(CaptureError)`.

    `selecting()` comes when the overlays are up and people look for their region.

    `state` keeps the region of the last snip over restarts.
    """

    taken = Signal(QImage)
    left = Signal()
    failed = Signal(object)
    selecting = Signal()

    def __init__(
        self,
        window: QWidget,
        handlers: Sequence[CaptureHandler],
        tasks: TaskRunner,
        state: QSettings,
    ) -> None:
        super().__init__(window)
        self._window = window
        self._handlers = handlers
        self._tasks = tasks
        self._state = state
        self._timer = QTimer(self)
        self._timer.setInterval(15)
        self._timer.timeout.connect(self._wait_hidden)
        self._hidden_since = 0.0
        self._was_visible = False
        self._working: list[CaptureHandler] = []
        self._grabbing = False
        self._closed = False
        self.countdown: Countdown | None = None
        self.snip: Snip | None = None

    @property
    def active(self) -> bool:
        """Whether a snip is under way."""
        return (
            self.snip is not None
            or self.countdown is not None
            or self._grabbing
            or self._timer.isActive()
        )

    def start(self, delay: int = 0) -> None:
        """Begin, after `delay` seconds; nothing happens while a snip is already under way.

        Asked again during the countdown, the snip begins at once.
        """
        if self.countdown is not None:
            self.countdown.stop()
            self._count_over()
            return
        if self.active:
            return
        try:
            self._working = capture.usable(self._handlers)
        except CaptureError as error:
            self.failed.emit(error)
            return
        self._was_visible = self._window.isVisible() and not self._window.isMinimized()
        if self._was_visible:
            self._window.hide()
            self._hidden_since = time.monotonic()
        if delay > 0:
            self.countdown = Countdown(delay, overlay_colours())
            self.countdown.over.connect(self._count_over)
            self.countdown.left.connect(self._leave)
            self.countdown.start()
        elif self._was_visible:
            self._timer.start()
        else:
            self._grab()

    def close(self) -> None:
        """End what is under way without a word."""
        self._closed = True
        self._timer.stop()
        self._end()

    def _count_over(self) -> None:
        """The countdown itself has to be gone before the grab, like the window."""
        self.countdown = None
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
        handlers, screens = self._working, present_screens()
        if any(handler.waits for handler in handlers):
            self._grabbing = True
            self._tasks.run(
                lambda: capture.grab(handlers, screens), self._select, self._grab_failed
            )
            return
        try:
            shots = capture.grab(handlers, screens)
        except (CaptureError, CaptureLeft) as error:
            self._grab_failed(error)
            return
        self._select(shots)

    def _grab_failed(self, error: Exception) -> None:
        self._grabbing = False
        if self._closed:
            return
        if isinstance(error, CaptureLeft):
            self._leave()
            return
        self._was_visible = True  # the reason has to be seen
        self._restore()
        known = isinstance(error, CaptureError)
        self.failed.emit(error if known else CaptureError(str(error) or type(error).__name__))

    def _select(self, shots: list[Shot]) -> None:
        self._grabbing = False
        if self._closed:
            return
        self.snip = Snip(shots, overlay_colours(), self, last_region.load(self._state))
        self.snip.taken.connect(self._take)
        self.snip.left.connect(self._leave)
        self.snip.show()
        self.selecting.emit()

    def _take(self, image: QImage) -> None:
        if self.snip is not None and self.snip.region is not None:
            last_region.save(self._state, *self.snip.region)
        self._end()
        self._was_visible = True  # there is something to show now
        self._restore()
        self.taken.emit(image)

    def _leave(self) -> None:
        self._end()
        self._restore()
        self.left.emit()

    def _end(self) -> None:
        if self.countdown is not None:
            self.countdown.stop()
            self.countdown = None
        if self.snip is not None:
            self.snip.close()
            self.snip.deleteLater()
            self.snip = None

    def _restore(self) -> None:
        """Bring the window back as it was: a hidden one stays hidden when nothing was taken."""
        if self._was_visible:
            self._window.show()
            self._window.raise_()
            self._window.activateWindow()


def overlay_colours() -> OverlayColours:
    """The colours of the overlay and what belongs to it."""
    return OverlayColours(**{name: QColor(value) for name, value in OVERLAY.items()})
