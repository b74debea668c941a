"""Take the pictures in assets/screenshots: `make screenshots`, on an X server of its own.

Every window in both themes, after real conversions with the bundled model; in other languages than
English the main window alone. The files it keeps (settings, history) lie in a temporary folder.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.views.main_window import MainWindow

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "assets" / "samples"
SIZE = (1240, 800)
SECONDS = 120.0
ENGLISH = "en"
# Actions that open a window of their own. Diagnostics would show the machine it was taken on.
WINDOWS = ("settings", "models")


class Camera:
    """Runs the event loop until something is so, and takes pictures of windows."""

    def __init__(self, out: Path, theme: str) -> None:
        from app import bootstrap

        self.application = bootstrap.make_application(["viscodex"])
        self._out, self._theme = out, theme

    def until(self, reached: Callable[[], bool], what: str) -> None:
        """Raises RuntimeError where it does not come to it."""
        end = time.monotonic() + SECONDS
        while not reached():
            if time.monotonic() > end:
                raise RuntimeError(f"waited in vain for {what}")
            self.rest(0.02)

    def rest(self, seconds: float) -> None:
        """Let the application work for a while."""
        end = time.monotonic() + seconds
        while True:
            self.application.processEvents()
            if time.monotonic() >= end:
                return
            time.sleep(0.005)

    def take(self, widget: object, name: str) -> None:
        """A picture of a window as it stands on the screen."""
        from PySide6.QtWidgets import QWidget

        assert isinstance(widget, QWidget)
        widget.raise_()
        self.rest(0.8)
        picture = widget.screen().grabWindow(widget.winId())
        path = self._out / f"{name}-{self._theme}.png"
        if not picture.save(str(path)):
            raise RuntimeError(f"'{path}' cannot be written")
        print(path.name)


def take_all(out: Path, theme: str, language: str) -> None:
    """All windows in one theme; but for English only the main window."""
    camera = Camera(out, theme)
    from app.main import make_window, take_wish
    from app.session import EngineState, State
    from app.store import settings as store
    from app.views.windows import Windows

    path = Path(tempfile.mkdtemp()) / "settings.json"
    store.save(store.Settings(theme=theme, language=language), path)
    window = make_window(camera.application, path)
    window.resize(*SIZE)
    window.move(0, 0)
    window.show()
    camera.until(lambda: window.preview.web is not None, "the preview")
    (windows,) = window.findChildren(Windows)
    camera.until(lambda: windows.shelf.survey is not None, "what fits this machine")
    camera.until(lambda: window.controller.session.engine is EngineState.READY, "the model")
    camera.rest(1.0)
    if language == ENGLISH:
        camera.take(window, "first-run")
    session = window.controller.session
    ends = (State.DONE, State.TRUNCATED, State.FAILED)
    for name in ("chart", "login") if language == ENGLISH else ("login",):
        take_wish(window, {"image": str(SAMPLES / f"{name}.png")})
        camera.until(lambda name=name: session.picture is not None, f"the sample {name}")
        camera.rest(0.5)
        camera.until(lambda: session.state in ends, "the conversion")
        camera.rest(2.5)
        camera.take(window, name if language == ENGLISH else f"{name}-{language}")
    if language == ENGLISH:
        take_others(camera, window)
    window.quit()
    camera.rest(1.0)


def take_others(camera: Camera, window: MainWindow) -> None:
    """The comparison, the history, and the windows beside the main window."""
    from app.views.windows import Windows

    window.preview.actions_by_name["compare"].setChecked(True)
    camera.rest(2.5)
    camera.take(window, "compare")
    window.preview.actions_by_name["compare"].setChecked(False)
    window.actions_by_name["history"].trigger()
    camera.rest(2.0)
    camera.take(window, "history")
    (windows,) = window.findChildren(Windows)
    for name in WINDOWS:
        window.actions_by_name[name].trigger()
        opened = windows.window(name)
        if opened is None:
            raise RuntimeError(f"no window opened for '{name}'")
        camera.rest(2.0)
        camera.take(opened, name)
        opened.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("theme", choices=("light", "dark"))
    parser.add_argument("--language", default=ENGLISH)
    parser.add_argument("--out", type=Path, default=ROOT / "assets" / "screenshots")
    options = parser.parse_args()
    # Nothing of the user who takes them is shown, and nothing of theirs is touched.
    home = tempfile.mkdtemp()
    for name in ("CONFIG", "DATA", "CACHE", "STATE"):
        os.environ[f"XDG_{name}_HOME"] = str(Path(home) / name.lower())
    os.environ["QT_QPA_PLATFORM"] = "xcb"
    if os.geteuid() == 0:
        os.environ |= {"VISCODEX_RENDER_NO_SANDBOX": "1", "QTWEBENGINE_DISABLE_SANDBOX": "1"}
    options.out.mkdir(parents=True, exist_ok=True)
    take_all(options.out, options.theme, options.language)
    sys.stdout.flush()
    os._exit(0)  # threads that still look for devices need not be waited for


if __name__ == "__main__":
    sys.exit(main())
