"""Types into a line at an even pace and measures when each letter is painted."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from itertools import cycle

from PySide6.QtCore import QCoreApplication, QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QLineEdit

PACE_SECONDS = 0.09
WORD = "div"
Key = tuple[Qt.Key, str]


def _strokes(word: str) -> Sequence[Key]:
    """A word typed and taken back again."""
    typed = [(Qt.Key[f"Key_{letter.upper()}"], letter) for letter in word]
    return [*typed, *[(Qt.Key.Key_Backspace, "\b")] * len(word)]


class Echo(QObject):
    """Keys come from another thread, as those of a window system do; `seconds` is one a key."""

    def __init__(self, line: QLineEdit) -> None:
        super().__init__(line)
        self.seconds: list[float] = []
        self._line = line
        self._text = line.text()
        self._struck: float | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._type, daemon=True)
        line.installEventFilter(self)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _type(self) -> None:
        for key, text in cycle(_strokes(WORD)):
            if self._stopped.wait(PACE_SECONDS):
                return
            if self._struck is None:
                event = QKeyEvent(QEvent.Type.KeyPress, key, Qt.KeyboardModifier.NoModifier, text)
                self._struck = time.perf_counter()
                QCoreApplication.postEvent(self._line, event)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint and self._struck is not None:
            text = self._line.text()
            if text != self._text:
                self._text = text
                self.seconds.append(time.perf_counter() - self._struck)
                self._struck = None
        return False
