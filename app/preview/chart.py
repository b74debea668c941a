"""Draws charts in the background: the newest code wins, the window never waits."""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from PySide6.QtCore import QObject, Signal

from app.i18n import _
from app.preview.latest import Latest
from engine.errors import ErrorCode, VisCodexError

_LOG = logging.getLogger(__name__)
_LINE = re.compile(r"\(line (\d+)\)\Z")

CHART_MARGIN = 16
MAX_SVG_BYTES = 4_000_000
"""Charts with more in them (a hundred thousand points) are shown as the picture they came with."""


class PlotOutcome(Protocol):
    """What a runner returns (see `engine.render.python.PlotResult`)."""

    @property
    def png(self) -> bytes | None: ...

    @property
    def width(self) -> int: ...

    @property
    def height(self) -> int: ...

    @property
    def svg(self) -> bytes | None: ...

    @property
    def error(self) -> str | None: ...


class Runner(Protocol):
    """What draws (see `engine.render.python.PlotRunner`)."""

    def run(self, code: str, *, svg: bool = False) -> PlotOutcome: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Drawing:
    """A drawn chart or the reason why there is none. `final` is what the caller passed.

    `size` is in pixels of the figure. `unsafe` says that nothing would hold the script here, so
    that it was not run.
    """

    code: str
    png: bytes | None
    error: str | None
    final: bool
    svg: bytes | None = None
    size: tuple[int, int] = (0, 0)
    unsafe: bool = False

    @property
    def line(self) -> int:
        """The line of the script (from 1) that `error` names at its end, 0 where it names none."""
        found = _LINE.search(self.error or "")
        return int(found[1]) if found else 0


def default_runner(unwalled: bool) -> Runner:
    """The engine's runner; imported late, it is not needed for the first paint."""
    from engine.render.python import PlotRunner

    return PlotRunner(allow_unwalled=unwalled)


def chart_page(svg: bytes, size: tuple[int, int], ground: str, zoom: float) -> str:
    """A page that shows a chart as a picture, sharp at every size; zoom 0 fits it in.

    As the source of an image an SVG runs no script and loads nothing, whoever wrote it.
    """
    width, height = size
    if zoom:
        sides = f"width: {width * zoom:.0f}px; height: {height * zoom:.0f}px;"
    else:
        gap = 2 * CHART_MARGIN
        sides = (
            f"width: min({width}px, calc(100vw - {gap}px), "
            f"calc((100vh - {gap}px) * {width / height:.6f})); height: auto;"
        )
    picture = base64.b64encode(svg).decode("ascii")
    return (
        '<!DOCTYPE html><html lang="en"><title>Chart</title>'
        f"<style>html {{ background: {ground}; }} body {{ margin: 0; min-height: 100vh; "
        "display: flex; } "
        f"img {{ display: block; flex: none; margin: auto; {sides} }}</style>"
        f'<img alt="{_("Chart")}" src="data:image/svg+xml;base64,{picture}"></html>'
    )


def fitting(size: tuple[int, int], room: tuple[int, int]) -> float:
    """How large a chart is drawn in a room of so many pixels where its zoom is 0."""
    gap = 2 * CHART_MARGIN
    return max(0.05, min(1.0, (room[0] - gap) / size[0], (room[1] - gap) / size[1]))


class ChartPainter(QObject):
    """Draws the newest code it was given; `drawn(Drawing)` arrives on the thread of this object."""

    drawn = Signal(object)

    def __init__(
        self,
        make_runner: Callable[[bool], Runner] = default_runner,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._make_runner = make_runner
        self._unwalled = False
        self._runner: Runner | None = None
        self._made_for = False
        self._jobs: Latest[tuple[str, bool]] = Latest("charts", self._draw, self._end)

    def set_unwalled(self, on: bool) -> None:
        """Whether scripts may run where nothing shuts them in, from the next drawing on."""
        self._unwalled = on

    def draw(self, code: str, final: bool) -> None:
        """Draw `code` soon; `drawn` tells. A final drawing comes with its SVG."""
        self._jobs.submit((code, final))

    def close(self) -> None:
        """End the thread and its runner; waits for the running job only a moment."""
        self._jobs.close()

    def _draw(self, job: tuple[str, bool]) -> None:
        code, final = job
        unwalled = self._unwalled
        if unwalled != self._made_for:
            self._end()
        try:
            if self._runner is None:
                self._runner, self._made_for = self._make_runner(unwalled), unwalled
            outcome = self._runner.run(code, svg=final)
            svg = outcome.svg if outcome.svg and len(outcome.svg) <= MAX_SVG_BYTES else None
            size = (outcome.width, outcome.height)
            drawing = Drawing(code, outcome.png, outcome.error, final, svg, size)
        except VisCodexError as error:
            unsafe = error.code is ErrorCode.no_sandbox
            if not unsafe:
                _LOG.warning("charts cannot be drawn: %s", error)
            drawing = Drawing(code, None, str(error), final, unsafe=unsafe)
        except Exception as error:  # a failing runner must not end the thread
            _LOG.exception("the chart could not be drawn")
            drawing = Drawing(code, None, str(error), final)
        if not self._jobs.closing:
            self.drawn.emit(drawing)

    def _end(self) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.close()
