"""Checks of every part of an installation, each done for real and told in one line.

`python -m app.doctor` prints each finding as a line of JSON once it is known: for the window, which
must not be held up by what the checks load.
"""

from __future__ import annotations

import io
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from importlib.metadata import version

from PIL import Image, ImageDraw

from app.finding import Finding
from app.rendering import draw
from engine.errors import VisCodexError

HTML = "<!DOCTYPE html><body style='margin:0;background:#c00'></body>"
PLOT = "import matplotlib.pyplot as plt\nplt.plot([1, 2, 3])\nplt.show()\n"


def _python() -> str:
    return f"Python {platform.python_version()} on {platform.platform(terse=True)}"


def _library() -> str:
    from engine.devices import check_library

    check_library()
    return f"llama-cpp-python {version('llama-cpp-python')} loads and computes"


def _devices() -> str:
    from engine.devices import list_devices

    return ", ".join(f"{device.name} ({device.kind})" for device in list_devices())


def _model() -> str:
    from engine.models.store import find_model, verify

    files = find_model()
    for path, problem in verify(files):
        if problem is not None:
            raise RuntimeError(f"{path.name}: {problem}")
    return f"{files.name}: {files.model.name} and {files.mmproj.name} are whole"


def _reader() -> str:
    from engine.hints import read

    picture = Image.new("RGB", (240, 80), "white")
    ImageDraw.Draw(picture).text((40, 24), "Hello", fill="black", font_size=28)
    found = " ".join(line.text for line in read(picture))
    if "Hello" not in found:
        raise RuntimeError(f"read {found!r} where 'Hello' stands")
    return "reads a printed word"


def _html() -> str:
    page = Image.open(io.BytesIO(draw(HTML, "html", (64, 48)))).convert("RGB")
    if page.getpixel((32, 24)) != (0xCC, 0, 0):
        raise RuntimeError("the page comes out in another colour")
    return "Qt WebEngine draws a page"


def _plot() -> str:
    from engine.render.python import PlotRunner

    # Whether scripts may run here is another question (`_isolation`); this one is our own.
    with PlotRunner(allow_unwalled=True) as runner:
        result = runner.run(PLOT)
    if result.png is None:
        raise RuntimeError(result.error or "nothing was drawn")
    return "matplotlib draws a chart in a process of its own"


def _isolation() -> str:
    from engine.render.python import PlotRunner

    with PlotRunner(allow_unwalled=True) as runner:
        state = runner.wall()
    if not state.ok:
        raise RuntimeError(f"charts are not drawn here: {state.words()}")
    return state.words()


def _capture() -> str:
    if sys.platform == "linux":
        if os.environ.get("WAYLAND_DISPLAY") and not os.environ.get("DISPLAY"):
            raise RuntimeError("Wayland without X11: open, drop or paste a picture instead")
        if not os.environ.get("DISPLAY"):
            raise RuntimeError("no display here")
    import mss

    with mss.MSS() as screens:
        return f"{len(screens.monitors) - 1} screen(s)"


# name, check, needed
CHECKS: tuple[tuple[str, Callable[[], str], bool], ...] = (
    ("python", _python, True),
    ("engine", _library, True),
    ("devices", _devices, True),
    ("model", _model, True),
    ("text reader", _reader, False),
    ("html preview", _html, True),
    ("chart preview", _plot, True),
    ("isolation", _isolation, False),
    ("capture", _capture, False),
)


def examine() -> Iterator[Finding]:
    """Run the checks one after another; a check that raises is a finding, not an end."""
    for name, check, needed in CHECKS:
        try:
            yield Finding(name, True, check(), needed)
        except VisCodexError as error:
            detail = " ".join(part for part in (error.message, error.advice) if part)
            yield Finding(name, False, detail, needed)
        except Exception as error:
            # Whatever a broken installation throws is what this command exists to show.
            lines = str(error).strip().splitlines() or [type(error).__name__]
            yield Finding(name, False, lines[0], needed)


if __name__ == "__main__":
    for found in examine():
        print(json.dumps(asdict(found)), flush=True)
