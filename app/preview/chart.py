"""Draws charts in the background: the newest code wins, the window never waits."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from PySide6.QtCore import QObject, Signal

_LOG = logging.getLogger(__name__)
_LINE = re.compile(r"\(line (\d+)\)\Z")


class PlotOutcome(Protocol):
    """What a runner returns (see `engine.render.python.PlotResult`)."""

    @property
    def png(self) -> bytes | None: ...

    @property
    def error(self) -> str | None: ...


class Runner(Protocol):
    """What draws (see `engine.render.python.PlotRunner`)."""

    def run(self, code: str) -> PlotOutcome: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Drawing:
    """A drawn chart or the reason why there is none. `final` is what the caller passed."""

    code: str
    png: bytes | None
    error: str | None
    final: bool

    @property
    def line(self) -> int:
        """The line of the script (from 1) that `error` names at its end, 0 where it names none."""
        found = _LINE.search(self.error or "")
        return int(found[1]) if found else 0


def default_runner(unwalled: bool) -> Runner:
    """The engine's runner; imported late, it is not needed for the first paint."""
    from engine.render.python import PlotRunner

    return PlotRunner(allow_unwalled=unwalled)


class ChartPainter(QObject):
    """A thread with room for one waiting job; a newer job replaces the waiting one."""

    drawn = Signal(object)

    def __init__(
        self,
        make_runner: Callable[[bool], Runner] = default_runner,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._make_runner = make_runner
        self._wake = threading.Condition()
        self._next: tuple[str, bool] | None = None
        self._closing = False
        self._unwalled = False
        self._thread: threading.Thread | None = None

    def set_unwalled(self, on: bool) -> None:
        """Whether scripts may run where nothing shuts them in, from the next drawing on."""
        with self._wake:
            self._unwalled = on

    def draw(self, code: str, final: bool) -> None:
        """Draw `code` soon; `drawn` tells. Starts the thread at the first call."""
        with self._wake:
            self._next = (code, final)
            self._wake.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="charts", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End the thread and its runner; waits for the running job only a moment."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(3.0)

    def _work(self) -> None:
        runner: Runner | None = None
        made_for = False
        while True:
            with self._wake:
                while self._next is None and not self._closing:
                    self._wake.wait()
                if self._closing:
                    break
                assert self._next is not None
                code, final = self._next
                self._next = None
                unwalled = self._unwalled
            if runner is not None and unwalled != made_for:
                runner.close()
                runner = None
            try:
                runner, made_for = runner or self._make_runner(unwalled), unwalled
                outcome = runner.run(code)
                drawing = Drawing(code, outcome.png, outcome.error, final)
            except Exception as error:  # a failing runner must not end the thread
                _LOG.exception("the chart could not be drawn")
                drawing = Drawing(code, None, str(error), final)
            if not self._closing:
                self.drawn.emit(drawing)
        if runner is not None:
            runner.close()
