"""Runs one plotting script in the process it is called in, and leaves the picture in a folder.

The process is used up by this: `run_job` confines it first (see `plot_limits`) and puts it behind
a wall (see `engine.sandbox`).
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import tempfile
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from engine.render.plot_limits import confine
from engine.sandbox.paths import readable_paths
from engine.sandbox.wall import Room, Wall, WallError

SCRIPT_NAME = "<chart>"
PICTURE_FILE = "picture.png"
VECTOR_FILE = "picture.svg"
RESULT_FILE = "result.json"
MAX_PIXELS = 20_000_000
MAX_OUTPUT = 65_536
MAX_MESSAGE = 300


class FigureTooLarge(ValueError):
    """A picture of more than MAX_PIXELS was asked for."""


class CappedText(io.TextIOBase):
    """A text sink that keeps the first `limit` characters and drops the rest."""

    def __init__(self, limit: int = MAX_OUTPUT) -> None:
        self._parts: list[str] = []
        self._room = limit

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if self._room > 0:
            self._parts.append(text[: self._room])
            self._room -= len(self._parts[-1])
        return len(text)

    def text(self) -> str:
        """What was kept."""
        return "".join(self._parts)


def prepare() -> str:
    """Import matplotlib, make it fit for scripts without a screen, and return its version.

    Windows, other backends and waiting become harmless, and no canvas grows past MAX_PIXELS.
    Safe to call once per process.
    """
    import matplotlib

    matplotlib.use("Agg", force=True)
    import matplotlib.pyplot as plt
    from matplotlib.backends.backend_agg import RendererAgg

    plt.switch_backend("agg")

    def nothing(*args: object, **keywords: object) -> None:
        """Does nothing: there is no screen."""

    for owner, name in ((plt, "show"), (plt, "pause"), (plt, "switch_backend")):
        setattr(owner, name, nothing)
    matplotlib.use = nothing
    make: Callable[..., None] = RendererAgg.__init__

    def checked(self: Any, width: float, height: float, dpi: float) -> None:
        if not width * height <= MAX_PIXELS:
            raise FigureTooLarge(
                f"The picture would be {int(width)} x {int(height)} pixels; "
                f"the limit is {MAX_PIXELS // 1_000_000} million in all"
            )
        make(self, width, height, dpi)

    setattr(RendererAgg, "__init__", checked)  # noqa: B010 (mypy does not allow the plain form)
    return str(matplotlib.__version__)


@dataclass
class _Drawn:
    """What came out: PNG bytes, SVG bytes and a description, the last two where asked for."""

    png: bytes = b""
    svg: bytes = b""
    description: dict[str, Any] | None = None


def run_job(request: Mapping[str, Any], folder: Path, wall: Wall) -> None:
    """Run `request["code"]` behind `wall`, with nothing to write in but `folder`.

    Leaves RESULT_FILE, PICTURE_FILE and VECTOR_FILE (empty where there is none) in `folder`. The
    script works in the subfolder `work`. Other keys: describe, svg, dpi (None: the figure's own),
    params (rcParams for the picture, None for scripts of strangers), allow_unwalled. Without
    that, nothing of the code is even compiled where the wall does not stand.
    """
    confine(folder / "work")
    try:
        wall.apply(Room(folder, readable_paths()))
    except WallError as error:
        if not request["allow_unwalled"]:
            refused = {"error": f"The script was not run: {error}", "stdout": ""}
            _write(folder / RESULT_FILE, json.dumps(refused).encode())
            return
    tempfile.tempdir = None
    out, shade = CappedText(), CappedText(0)
    sys.stdin, sys.stdout, sys.stderr = io.StringIO(""), out, shade
    result: dict[str, Any] = {"error": None, "description": None}
    drawn = _Drawn()
    try:
        drawn = _run(request)
        result["description"] = drawn.description
    except BaseException as error:
        result["error"] = explain(error)
    result["stdout"] = out.text()
    try:
        _write(folder / PICTURE_FILE, drawn.png)
        _write(folder / VECTOR_FILE, drawn.svg)
        _write(folder / RESULT_FILE, json.dumps(result).encode())
    except OSError as error:
        result.update(error=explain(error), description=None)
        _write(folder / RESULT_FILE, json.dumps(result).encode())


def _write(path: Path, data: bytes) -> None:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    path.write_bytes(data)


def _run(request: Mapping[str, Any]) -> _Drawn:
    """What a script draws; raises whatever the script raises."""
    import matplotlib
    import matplotlib.pyplot as plt

    if request.get("params"):
        matplotlib.rcParams.update(request["params"])
    saved: list[_Drawn] = []
    _watch_savefig(saved, bool(request.get("svg")))
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    sys.argv = [SCRIPT_NAME]
    code = compile(request["code"], SCRIPT_NAME, "exec", dont_inherit=True)
    with contextlib.suppress(SystemExit):
        exec(code, module.__dict__)
    if saved and not request.get("describe"):
        return saved[0]
    numbers = plt.get_fignums()
    if not numbers:
        if saved:
            return saved[0]
        raise LookupError("The script draws no figure")
    figure = plt.figure(numbers[0])
    if request.get("dpi"):
        figure.set_dpi(request["dpi"])
    figure.canvas.draw()
    buffer = io.BytesIO()
    _flat(figure.canvas).save(buffer, "png", compress_level=1)
    drawn = _Drawn(buffer.getvalue())
    if request.get("describe"):
        from engine.render.plot_describe import describe

        drawn.description = describe(figure)
    if request.get("svg"):
        drawn.svg = _svg(figure.savefig)
    return drawn


def _svg(save: Callable[..., None], **keywords: Any) -> bytes:
    """What `save` makes of a figure as SVG, without the date."""
    buffer = io.BytesIO()
    save(buffer, format="svg", metadata={"Date": None}, **keywords)
    return buffer.getvalue()


def _flat(canvas: Any) -> Any:
    """The drawn canvas as an RGB picture, what is transparent laid on white."""
    from PIL import Image

    size = canvas.get_width_height(physical=True)
    drawn = Image.frombuffer("RGBA", size, canvas.buffer_rgba(), "raw", "RGBA", 0, 1)
    ground = Image.new("RGB", size, "white")
    ground.paste(drawn, mask=drawn.getchannel("A"))
    return ground


def _watch_savefig(saved: list[_Drawn], svg: bool) -> None:
    """Let `savefig` keep pictures of what is saved first, and forgive a path it cannot write."""
    from matplotlib.figure import Figure

    original: Callable[..., None] = Figure.savefig
    kept = ("dpi", "bbox_inches", "pad_inches", "facecolor", "edgecolor", "transparent")

    def savefig(self: Figure, fname: Any, *args: Any, **keywords: Any) -> None:
        if not saved:
            buffer, chosen = io.BytesIO(), {k: keywords[k] for k in kept if k in keywords}
            original(self, buffer, format="png", **chosen)
            drawn = _Drawn(buffer.getvalue())
            saved.append(drawn)
            if svg:
                drawn.svg = _svg(partial(original, self), **chosen)
        with contextlib.suppress(OSError):
            original(self, fname, *args, **keywords)

    setattr(Figure, "savefig", savefig)  # noqa: B010


def explain(error: BaseException) -> str:
    """One line: kind, message, and the line of the script where there is one."""
    line = error.lineno if isinstance(error, SyntaxError) else None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == SCRIPT_NAME and not isinstance(error, SyntaxError):
            line = trace.tb_lineno
        trace = trace.tb_next
    try:
        text = str(error.msg if isinstance(error, SyntaxError) else error)
    except Exception:  # a script's own exception may fail at anything
        text = ""
    text = " ".join(text.split())
    if len(text) > MAX_MESSAGE:
        text = text[: MAX_MESSAGE - 1] + "…"
    if isinstance(error, FigureTooLarge | LookupError) and line is None:
        message = text
    else:
        message = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return f"{message} (line {line})" if line else message


def finish() -> None:
    """End the process at once: no exit handlers, no waiting for threads of the script."""
    os._exit(0)
