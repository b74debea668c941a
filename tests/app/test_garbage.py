"""Objects of Qt in a circle of references go in Qt's thread, whoever else makes objects."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QApplication


class Circle(QObject):
    """Refers to itself, so that only the collector takes it away."""

    def __init__(self) -> None:
        super().__init__()
        self.me = self


def test_circles_go_in_the_thread_of_qt(qapp: QApplication, qtbot: Any) -> None:
    gc.collect()
    gone_in: list[int] = []
    for _ in range(50):
        weakref.finalize(Circle(), lambda: gone_in.append(threading.get_ident()))

    def make_objects() -> None:
        kept = [[number] for number in range(200_000)]
        kept.clear()

    busy = threading.Thread(target=make_objects)
    busy.start()
    busy.join()
    assert gone_in == []
    # More objects than the youngest generation may have: its turn comes in the event loop.
    kept = [[number] for number in range(2 * gc.get_threshold()[0])]
    qtbot.waitUntil(lambda: len(gone_in) == 50, timeout=5000)
    assert set(gone_in) == {threading.get_ident()}
    assert kept
