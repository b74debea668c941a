"""Code to picture, for the command line and for what is saved: whatever language it is in."""

from __future__ import annotations

from pathlib import Path

from engine.errors import ErrorCode, VisCodexError
from engine.render.drawing import Drawer

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


def draw(
    code: str, target: str, size: tuple[int, int | None] | None, *, unwalled: bool = False
) -> bytes:
    """Draw code and return a PNG; without a size a page gets DEFAULT_WIDTH and its own height.

    Raises VisCodexError, see `Drawer.draw`.
    """
    with Drawer(allow_unwalled=unwalled) as drawer:
        return drawer.draw(code, target, size or (DEFAULT_WIDTH, None)).png
