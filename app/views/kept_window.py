"""A window that may stay behind when it is closed."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Signal
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QMainWindow


class KeptWindow(QMainWindow):
    """Closing hides the window where `stays_behind` says so, and emits `put_away()`.

    Else, and by `quit`, it is shut for good: `shut` ends what belongs to it, then `closed()`.
    """

    put_away = Signal()
    closed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.stays_behind: Callable[[], bool] = lambda: False
        self.quits = False

    def remember(self) -> None:
        """Keep the state of the window; before each close."""

    def shut(self) -> None:
        """End what belongs to the window."""

    def come_up(self) -> None:
        """Show the window in front of the others."""
        self.showNormal() if self.isMinimized() else self.show()
        self.raise_()
        self.activateWindow()

    def quit(self) -> None:
        """Close the window for good, wherever it is."""
        self.quits = True
        self.close()

    def closeEvent(self, event: QCloseEvent) -> None:
        self.remember()
        self.hide()  # ending what belongs to it may take a moment that nobody has to watch
        if not self.quits and self.stays_behind():
            event.ignore()
            self.put_away.emit()
            return
        self.shut()
        super().closeEvent(event)
        self.closed.emit()
