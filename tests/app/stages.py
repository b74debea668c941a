"""The main window in the states it is met in, for tests that look at all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QApplication, QPushButton

from app.views.main_window import MainWindow
from tests.app.scripted import DIED, PAGE, WAIT, ScriptedClient, answer, several, together
from tests.app.windows import Make, convert, load, request, trigger

CHANGED = PAGE.replace("Hello", "Good day")


def _start(window: MainWindow, qtbot: Any, sample: Path) -> None:
    pass


def _done(window: MainWindow, qtbot: Any, sample: Path) -> None:
    load(window, qtbot, sample)
    convert(window, qtbot)


def _marked(window: MainWindow, qtbot: Any, sample: Path) -> None:
    _done(window, qtbot, sample)
    window.source.view.set_region((40, 40, 200, 120))


def _failed(window: MainWindow, qtbot: Any, sample: Path) -> None:
    load(window, qtbot, sample)
    window.controller.generate()
    qtbot.waitUntil(window.banner.isVisible)


def _explained(window: MainWindow, qtbot: Any, sample: Path) -> None:
    _failed(window, qtbot, sample)
    buttons = window.banner.findChildren(QPushButton)
    next(one for one in buttons if one.text() == "Details").click()


def _watched(window: MainWindow, qtbot: Any, sample: Path) -> None:
    load(window, qtbot, sample)
    window.controller.generate()
    qtbot.waitUntil(window.features.refining.strip.isVisible)


def _with(action: str) -> Callable[[MainWindow, Any, Path], None]:
    def prepare(window: MainWindow, qtbot: Any, sample: Path) -> None:
        _done(window, qtbot, sample)
        trigger(window, action)
        qtbot.wait(50)

    return prepare


def _comparing(window: MainWindow, qtbot: Any, sample: Path) -> None:
    _done(window, qtbot, sample)
    window.preview.actions_by_name["compare"].setChecked(True)
    qtbot.waitUntil(window.preview.compare.slider.isVisible, timeout=60_000)


def _queued(window: MainWindow, qtbot: Any, sample: Path) -> None:
    _done(window, qtbot, sample)
    other = sample.with_name("chart.png")
    from app.intake import Offer

    window.controller.offer_all([Offer(path, path.name) for path in (sample, other, other)])
    qtbot.waitUntil(lambda: len(window.controller.queue.waiting) > 0)
    qtbot.waitUntil(lambda: not window.controller._reading)


STAGES: Mapping[str, Callable[[MainWindow, Any, Path], None]] = {
    "start": _start,
    "done": _done,
    "marked": _marked,
    "failed": _failed,
    "explained": _explained,
    "watched": _watched,
    "history": _with("history"),
    "versions": _with("versions"),
    "find": _with("find"),
    "replace": _with("replace"),
    "changes": _with("changes"),
    "compare": _comparing,
    "queue": _queued,
}

SCRIPTS: Mapping[str, list[Any]] = {
    "failed": [DIED],
    "explained": [DIED],
    "watched": [*together(PAGE, CHANGED)[:-1], WAIT],
}


def on_stage(
    name: str, make_window: Make, qtbot: Any, sample: Path, folder: Path, **more: Any
) -> MainWindow:
    """A window in one of the states, in front and with the keyboard."""
    script = SCRIPTS.get(name) or several((PAGE, 0.6), (CHANGED, 0.5), best=PAGE)
    client = ScriptedClient(script, answer(), answer())
    window = make_window(lambda: client, request, history=folder / "history", **more)
    STAGES[name](window, qtbot, sample)
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    assert QApplication.activeWindow() is window
    return window
