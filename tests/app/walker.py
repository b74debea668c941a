"""A user of the real application, in its process: real X events in, what stands on screen out.

`walk` runs `app.main.main` as the command does, and beside it a thread that acts like somebody in
front of the screen: it types and clicks by xdotool and looks at the window by asking its thread.
"""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any, TypeVar

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QWidget

from app import main as application_main
from app.session import State
from app.views.main_window import MainWindow

Answer = TypeVar("Answer")
SECONDS = 60.0


class _Asked(QObject):
    """Has questions answered on the thread of the window."""

    came = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.came.connect(lambda work: work(), Qt.ConnectionType.QueuedConnection)


class User:
    """Somebody in front of the screen. All methods are for a thread that is not the window's."""

    def __init__(self, window: MainWindow) -> None:
        """To be called on the thread of the window."""
        self.window = window
        self._asked = _Asked()

    def look(self, question: Callable[[], Answer]) -> Answer:
        """What `question` gives on the thread of the window."""
        answers: queue.Queue[Any] = queue.Queue()

        def work() -> None:
            try:
                answers.put((question(), None))
            except Exception as error:
                answers.put((None, error))

        self._asked.came.emit(work)
        answer, error = answers.get(timeout=SECONDS)
        if error is not None:
            raise error
        return answer  # type: ignore[no-any-return]

    def until(self, condition: Callable[[], object], what: str, seconds: float = SECONDS) -> None:
        """Wait until `condition` holds on the thread of the window."""
        end = time.monotonic() + seconds
        while not self.look(condition):
            assert time.monotonic() < end, f"not in time: {what}"
            time.sleep(0.03)

    def until_done(self) -> None:
        """Wait for the end of a conversion; it has to be a good one."""
        session = self.window.controller.session
        self.until(lambda: not session.busy, "the end of the conversion", 180)
        assert session.state is State.DONE, (session.state, session.failure)

    # What it does -----------------------------------------------------------

    def do(self, *words: str) -> None:
        """One command of xdotool."""
        subprocess.run(["xdotool", *words], check=True, capture_output=True)

    def press(self, *keys: str) -> None:
        self.do("key", "--delay", "30", *keys)

    def write(self, text: str) -> None:
        self.do("type", "--delay", "20", text)

    def click(self, widget: QWidget) -> None:
        """Click the middle of a widget where it stands on the screen."""
        middle = self.look(lambda: widget.mapToGlobal(widget.rect().center()))
        self.do("mousemove", str(middle.x()), str(middle.y()), "click", "1")

    def drag(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        """Press at one point of the screen and let go at another."""
        middle = ((start[0] + end[0]) // 2, (start[1] + end[1]) // 2)
        self.do("mousemove", *map(str, start), "mousedown", "1")
        for point in (middle, end, end):
            time.sleep(0.05)
            self.do("mousemove", *map(str, point))
        time.sleep(0.1)
        self.do("mouseup", "1")


def colours(image: QImage) -> dict[str, float]:
    """Colours of a picture with their share of its pixels, by every third pixel."""
    counts: dict[str, int] = {}
    for y in range(0, image.height(), 3):
        for x in range(0, image.width(), 3):
            name = image.pixelColor(x, y).name()
            counts[name] = counts.get(name, 0) + 1
    total = sum(counts.values())
    return {name: count / total for name, count in counts.items()}


def walk(steps: Callable[[User], None]) -> None:
    """Run the application while a user does `steps`, from the first paint on.

    Ends the process with the application's status; whatever goes wrong in a step is a traceback
    on stderr and the status 1.
    """
    make = application_main.make_window

    def go(user: User) -> None:
        try:
            steps(user)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)

    threads: list[threading.Thread] = []

    def made(*arguments: Any) -> MainWindow:
        window = make(*arguments)
        thread = threading.Thread(target=go, args=(User(window),), daemon=True)
        threads.append(thread)
        window.painted.connect(lambda: thread.start())
        return window

    application_main.make_window = made
    status = application_main.main()
    for thread in threads:
        thread.join(20)  # what it has seen is told after the application has ended
    sys.exit(status)
