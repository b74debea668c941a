"""Code to picture, for the command line: one function for each language that can be drawn."""

from __future__ import annotations

import os
from pathlib import Path

from engine.errors import ErrorCode, VisCodexError

DEFAULT_WIDTH = 1024
SUFFIXES = {".html": "html", ".htm": "html", ".py": "matplotlib"}


def language_of(path: Path) -> str:
    """Target name for a file to render. Raises VisCodexError(bad_input) for another suffix."""
    language = SUFFIXES.get(path.suffix.lower())
    if language is None:
        raise VisCodexError(
            ErrorCode.bad_input,
            f"{path.name} cannot be rendered",
            f"Give a file that ends in one of {', '.join(SUFFIXES)}.",
        )
    return language


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def draw(code: str, target: str, size: tuple[int, int] | None) -> bytes:
    """Draw code and return a PNG.

    `size` is (width, height) in pixels. An HTML page is laid out in a window of that size, or one
    of DEFAULT_WIDTH that is as high as the page; a chart comes in the size its own code says.

    Raises:
        VisCodexError: render_failed with the traceback line of a script, or timeout.
    """
    if target == "html":
        from engine.render.html import HtmlRenderer
        from engine.render.policy import NO_SANDBOX_VARIABLE

        if _is_root() and os.environ.get(NO_SANDBOX_VARIABLE) != "1":
            raise VisCodexError(
                ErrorCode.render_failed,
                "Chromium's sandbox does not work for root",
                f"Use another user, or set {NO_SANDBOX_VARIABLE}=1 to draw without it.",
            )
        width, height = size if size is not None else (DEFAULT_WIDTH, None)
        with HtmlRenderer() as renderer:
            return renderer.render(code, width, height).png
    from engine.render.python import PlotRunner

    with PlotRunner() as plots:
        result = plots.run(code)
    if result.png is None:
        raise VisCodexError(
            ErrorCode.render_failed,
            f"The script draws nothing: {result.error or 'no figure was made'}",
            "Look at the line named, or convert again with another --seed.",
        )
    return result.png
