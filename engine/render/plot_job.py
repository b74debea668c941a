"""Runs one plotting script in the process it is called in, and leaves the picture in a folder.

The process is used up by this: `run_job` confines it first (see `plot_limits`).
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
from pathlib import Path
from typing import Any

from engine.render.plot_limits import confine

SCRIPT_NAME = "<chart>"
PICTURE_FILE = "picture.png"
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


def run_job(request: Mapping[str, Any], folder: Path) -> None:
    """Run `request["code"]`; write PICTURE_FILE (where there is one) and RESULT_FILE into `folder`.

    The script works in the subfolder `work`. Other keys: describe, dpi (None: the figure's own),
    params (rcParams for the picture, None for scripts of strangers).
    """
    confine(folder / "work")
    tempfile.tempdir = None
    out, shade = CappedText(), CappedText(0)
    sys.stdin, sys.stdout, sys.stderr = io.StringIO(""), out, shade
    result: dict[str, Any] = {"error": None, "description": None}
    picture = b""
    try:
        picture, result["description"] = _run(request)
    except BaseException as error:
        result["error"] = explain(error)
    result["stdout"] = out.text()
    try:
        _write(folder / PICTURE_FILE, picture)
        _write(folder / RESULT_FILE, json.dumps(result).encode())
    except OSError as error:
        result.update(error=explain(error), description=None)
        _write(folder / RESULT_FILE, json.dumps(result).encode())


def _write(path: Path, data: bytes) -> None:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    path.write_bytes(data)


def _run(request: Mapping[str, Any]) -> tuple[bytes, dict[str, Any] | None]:
    """The picture of a script and its description; whatever the script raises."""
    import matplotlib
    import matplotlib.pyplot as plt

    if request.get("params"):
        matplotlib.rcParams.update(request["params"])
    saved: list[bytes] = []
    _watch_savefig(saved)
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    sys.argv = [SCRIPT_NAME]
    code = compile(request["code"], SCRIPT_NAME, "exec", dont_inherit=True)
    with contextlib.suppress(SystemExit):
        exec(code, module.__dict__)
    if saved and not request.get("describe"):
        return saved[0], None
    numbers = plt.get_fignums()
    if not numbers:
        if saved:
            return saved[0], None
        raise LookupError("The script draws no figure")
    figure = plt.figure(numbers[0])
    if request.get("dpi"):
        figure.set_dpi(request["dpi"])
    figure.canvas.draw()
    buffer = io.BytesIO()
    _flat(figure.canvas).save(buffer, "png", compress_level=1)
    if not request.get("describe"):
        return buffer.getvalue(), None
    from engine.render.plot_describe import describe

    return buffer.getvalue(), describe(figure)


def _flat(canvas: Any) -> Any:
    """The drawn canvas as an RGB picture, what is transparent laid on white."""
    from PIL import Image

    size = canvas.get_width_height(physical=True)
    drawn = Image.frombuffer("RGBA", size, canvas.buffer_rgba(), "raw", "RGBA", 0, 1)
    ground = Image.new("RGB", size, "white")
    ground.paste(drawn, mask=drawn.getchannel("A"))
    return ground


def _watch_savefig(saved: list[bytes]) -> None:
    """Let `savefig` keep a PNG of what is saved first, and forgive a path it cannot write."""
    from matplotlib.figure import Figure

    original: Callable[..., None] = Figure.savefig
    kept = ("dpi", "bbox_inches", "pad_inches", "facecolor", "edgecolor", "transparent")

    def savefig(self: Figure, fname: Any, *args: Any, **keywords: Any) -> None:
        if not saved:
            buffer = io.BytesIO()
            original(self, buffer, format="png", **{k: keywords[k] for k in kept if k in keywords})
            saved.append(buffer.getvalue())
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
