"""The process of one page that may load what was allowed: `python -m app.preview.allowed`.

Chromium's flags hold for a whole process, and those of the application let nothing out. So such a
page gets a process of its own with flags made for its permission, and a window of its own. The
order (`app.preview.order`) is one JSON line on stdin; the end of stdin ends the permission, also
where the application was killed. On stdout go JSON lines: `ready` once the page is drawn, `refused`
with what it wanted beyond its permission. Exit status 0 when people closed the window.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QApplication

from app import bootstrap, language
from app.preview.order import MAX_LINE, Order
from app.views.allowed_window import AllowedWindow

GRACE_SECONDS = 2.0
"""A process that does not end in order after the end of stdin is ended without order."""


class Pipe(QObject):
    """Tells by `ended()`, in the thread of Qt, that stdin has ended; writes answers to stdout."""

    ended = Signal()

    def __init__(self, orders: BinaryIO, answers: BinaryIO) -> None:
        super().__init__()
        self._orders, self._answers = orders, answers

    def watch(self) -> None:
        """Begin to wait for the end of stdin."""
        threading.Thread(target=self._wait, name="pipe", daemon=True).start()

    def tell(self, event: str, **fields: Any) -> None:
        try:
            self._answers.write(json.dumps({"event": event, **fields}).encode() + b"\n")
            self._answers.flush()
        except OSError:
            self.ended.emit()

    def _wait(self) -> None:
        while self._orders.read(1 << 16):
            pass
        self.ended.emit()
        time.sleep(GRACE_SECONDS)
        os._exit(0)


def serve(order: Order, pipe: Pipe, look: Callable[[AllowedWindow], object] | None = None) -> int:
    """Show the page until its window is closed or stdin ends. Returns the exit status.

    `look` is called with the window before it is shown.
    """
    application = bootstrap.make_application([bootstrap.APPLICATION], order.permission.flags())
    language.install(application, order.language)
    if not bootstrap.preview_allowed():
        print("Chromium's sandbox does not work for root.", file=sys.stderr)
        return 1
    window = AllowedWindow(order)
    window.drawn.connect(lambda: pipe.tell("ready"))
    window.refused.connect(
        lambda refused: pipe.tell("refused", reports=[one.report for one in refused])
    )
    pipe.ended.connect(application.quit)
    pipe.watch()
    if look is not None:
        look(window)
    window.show()
    status = QApplication.exec()
    window.shut()
    return int(status)


def main(
    arguments: Sequence[str] | None = None,
    look: Callable[[AllowedWindow], object] | None = None,
) -> int:
    """Entry point of the process; it takes no arguments."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever Qt or Chromium print must not fall between the answers
    try:
        order = Order.read(sys.stdin.buffer.readline(MAX_LINE))
    except ValueError as error:
        print(f"viscodex: error: {error}", file=sys.stderr)
        return 2
    status = serve(order, Pipe(sys.stdin.buffer, answers), look)
    os._exit(status)


if __name__ == "__main__":
    sys.exit(main())
