"""How long a thread keeps its window waiting, without what other programs take from it.

A timer ticks on the thread; the time between two ticks is how long the window could not have
answered. On Linux the kernel tells how long the thread was ready to go on but had no core: that
is the load of the machine and no fault of the thread, and is taken off. What the thread computes,
what it waits for (a lock, a file, another thread's turn in Python) stays.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

from PySide6.QtCore import QObject, Qt, QTimer

TICK_MS = 5


class Beats:
    """Ticks on the thread that makes it, from `start` to `stop`; `gaps` are seconds."""

    def __init__(self, parent: QObject | None = None) -> None:
        self.gaps: list[float] = []
        self._last = self._waited = 0.0
        self._kernel = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat")
        self._timer = QTimer(parent)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self._beat)

    def start(self) -> None:
        self.gaps = []
        self._last, self._waited = time.perf_counter(), self._without_core()
        self._timer.start()

    def stop(self) -> None:
        self._beat()
        self._timer.stop()

    @property
    def longest(self) -> float:
        """Seconds of the longest gap."""
        return max(self.gaps, default=0.0)

    def _beat(self) -> None:
        now, waited = time.perf_counter(), self._without_core()
        self.gaps.append(now - self._last - (waited - self._waited))
        self._last, self._waited = now, waited

    def _without_core(self) -> float:
        """Seconds this thread has waited for a core; 0 where the system does not tell."""
        try:
            return int(self._kernel.read_text().split()[1]) / 1e9
        except (OSError, IndexError, ValueError):
            return 0.0
