"""Code to picture, whatever the target: one place that knows which renderer draws what."""

from __future__ import annotations

import ast
import contextlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import ErrorCode, VisCodexError
from engine.hints import TextLine
from engine.render.html import HtmlRenderer
from engine.render.python import PlotRunner
from engine.tasks import TASKS

UNDRAWN = "Look at the line named, or convert again with another seed."


@dataclass(frozen=True)
class Drawing:
    """A PNG, and the texts in it where they stand, in pixels (colours are not measured)."""

    png: bytes
    texts: list[TextLine]


class Drawer:
    """Holds the renderers, each started when it is first needed. A context manager."""

    def __init__(
        self, *, allow_unwalled: bool = False, stopped: threading.Event | None = None
    ) -> None:
        """`allow_unwalled` see PlotRunner. While `stopped` is set nothing is drawn."""
        self._stopped = stopped or threading.Event()
        self._pages = HtmlRenderer()
        self._plots = PlotRunner(allow_unwalled=allow_unwalled, stopped=self._stopped)

    def __enter__(self) -> Drawer:
        return self

    def __exit__(self, *ignored: object) -> None:
        self.close()

    def start(self) -> None:
        """Start both renderers ahead of the first code, in the background. Never raises."""
        threading.Thread(target=self._start, name="renderers", daemon=True).start()

    def _start(self) -> None:
        for renderer in (self._pages, self._plots):
            with contextlib.suppress(VisCodexError, OSError):  # the first code will meet it again
                renderer.start()

    def close(self) -> None:
        """End the renderers."""
        self._pages.close()
        self._plots.close()

    def draw(self, code: str, target: str, size: tuple[int, int | None]) -> Drawing:
        """Draw code. `size` is the window of a page (height None: as high as the page); a chart
        comes in the size its own code says.

        Raises VisCodexError: render_failed with the line of a script that is at fault, timeout,
        no_sandbox where nothing would hold a script, or cancelled.
        """
        if self._stopped.is_set():
            raise VisCodexError(ErrorCode.cancelled, "Cancelled.")
        if target == "html":
            problem = TASKS[target].check(code)
            if problem:
                raise VisCodexError(ErrorCode.render_failed, problem, UNDRAWN)
            page = self._pages.render(code, *size, describe=True)
            return Drawing(page.png, _lines(page.description))
        problem = _syntax_error(code)
        if problem is None:
            plot = self._plots.run(code, describe=True)
            if plot.png is not None:
                return Drawing(plot.png, _lines(plot.description))
            problem = plot.error or "no figure was made"
        raise VisCodexError(
            ErrorCode.render_failed, f"The script draws nothing: {problem}.", UNDRAWN
        )


def _syntax_error(code: str) -> str | None:
    try:
        ast.parse(code)
    except SyntaxError as error:
        return f"SyntaxError: {error.msg} (line {error.lineno})"
    except ValueError as error:  # null bytes
        return f"ValueError: {error}"
    return None


def _lines(description: Mapping[str, Any] | None) -> list[TextLine]:
    texts: Sequence[Mapping[str, Any]] = (description or {}).get("texts", ())
    return [_line(text) for text in texts]


def _line(text: Mapping[str, Any]) -> TextLine:
    x0, y0, x1, y1 = (float(side) for side in text["box"])
    return TextLine(str(text["text"]), (x0, y0, x1, y1), 1.0, (0, 0, 0), (255, 255, 255))
