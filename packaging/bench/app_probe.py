"""Run by `app_rows` as a process: one window of the application at work, measured.

Arguments: how often, then the measures wanted (all by default; see MEASURES). Prints one JSON
object: measure -> seconds, one for each time. The model is the bundled one, the preview the real
page; screens and folders are those of the environment.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from beats import Beats
from echo import Echo
from pictures import SAMPLES, never_seen
from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtGui import QPaintEvent

from app import bootstrap
from app.intake import Offer
from app.main import make_window
from app.session import State
from app.store import settings as store
from app.views.overlay import Overlay

POLL_MS = 2
PATIENCE_SECONDS = 60.0
REST_SECONDS = 0.5
"""What follows the end of a conversion (history, versions, pictures) belongs to it."""


class Stage:
    """The application with its window, and a way to let it work until something is so."""

    def __init__(self, folder: Path) -> None:
        self.painted: list[Overlay] = []
        self._watch_overlays()
        self.application = bootstrap.make_application(["viscodex"])
        # For good: a timer that is let go may be collected on another thread.
        self._loop, self._timer = QEventLoop(), QTimer()
        self._timer.timeout.connect(self._look)
        self._condition: Callable[[], object] = lambda: True
        self._end = 0.0
        path = folder / "settings.json"
        store.save(store.Settings(first_run_done=True, auto_start=False, theme="light"), path)
        self.window = make_window(self.application, path)
        self.session = self.window.controller.session
        self._pictures = iter(never_seen(SAMPLES / "login.png", number) for number in range(10_000))
        self.window.show()
        self.until(lambda: self.window.preview.web is not None, "the preview")
        self.until(lambda: bool(self.session.model), "the model")

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Let the application work until `condition` holds. Raises RuntimeError."""
        self._condition, self._end = condition, time.monotonic() + PATIENCE_SECONDS
        self._timer.start(POLL_MS)
        self._loop.exec()
        self._timer.stop()
        if not condition():
            raise RuntimeError(f"waited in vain for {what}")

    def rest(self, seconds: float) -> None:
        """Let the application work for a while."""
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() > end, "time")

    def next_picture(self) -> Offer:
        """A picture that nobody has seen before."""
        return Offer(next(self._pictures), "snip")

    def take_picture(self, picture: Offer | None = None) -> None:
        """Lay a picture down, and wait until it is seen."""
        before = self.session.picture
        self.window.controller.offer(picture or self.next_picture())
        self.until(lambda: self.session.picture is not before, "the picture")
        self.until(lambda: not self.window.source.view.image.isNull(), "its pane")

    def convert(self) -> None:
        """Convert the picture that lies there, until its code is drawn."""
        ended: list[bool] = []
        preview, controller = self.window.preview, self.window.controller

        def drawn() -> None:
            ended.append(not self.session.busy)

        preview.drawn.connect(drawn)
        controller.generate()
        self.until(lambda: any(ended), "the code and its preview")
        preview.drawn.disconnect(drawn)
        if self.session.state is not State.DONE:
            raise RuntimeError(f"the conversion ended as {self.session.state.value}")

    def _watch_overlays(self) -> None:
        paint, painted = Overlay.paintEvent, self.painted

        def watched(overlay: Overlay, event: QPaintEvent) -> None:
            paint(overlay, event)
            painted.append(overlay)

        Overlay.paintEvent = watched  # type: ignore[method-assign]

    def _look(self) -> None:
        if self._condition() or time.monotonic() > self._end:
            self._loop.quit()


def overlay(stage: Stage) -> Iterator[float]:
    """From the action of the hotkey to the paint of all overlays, the window being visible."""
    flow, window = stage.window.flow, stage.window
    stage.painted.clear()
    began = time.perf_counter()
    window.actions_by_name["snip"].trigger()
    stage.until(
        lambda: flow.snip is not None and set(flow.snip.overlays) <= set(stage.painted),
        "the overlays",
    )
    yield time.perf_counter() - began
    assert flow.snip is not None
    if len(flow.snip.overlays) != 2:
        raise RuntimeError("there are not two screens here")
    flow.snip.overlays[0].left.emit()
    stage.until(window.isVisible, "the window")


def block(stage: Stage) -> Iterator[float]:
    """The longest time the window could not have answered in a conversion with all that follows."""
    picture = stage.next_picture()
    beats = Beats(stage.window)
    beats.start()
    stage.take_picture(picture)
    stage.convert()
    stage.rest(REST_SECONDS)
    beats.stop()
    yield beats.longest


def echo(stage: Stage) -> Iterator[float]:
    """From a key to the paint of its letter in the search of the code, while code arrives."""
    stage.take_picture()
    stage.window.controller.generate()
    stage.window.code.open_find(False)
    stage.until(lambda: stage.session.state is State.GENERATING, "code")
    typing = Echo(stage.window.code.finder.needle)
    typing.start()
    stage.until(lambda: not stage.session.busy, "the end of the conversion")
    typing.stop()
    stage.window.code.finder.leave()
    yield from typing.seconds


def cancel(stage: Stage) -> tuple[float, float]:
    """From the action Cancel to the words about it on screen, and to the end."""
    window, session = stage.window, stage.session
    stage.take_picture()
    window.controller.generate()
    stage.until(lambda: session.state is State.GENERATING, "code")
    began = time.perf_counter()
    window.actions_by_name["cancel"].trigger()
    window.status.state.repaint()
    answered = time.perf_counter() - began
    if session.state is not State.CANCELLING:
        raise RuntimeError(f"cancel was answered by {session.state.value}")
    stage.until(lambda: session.state is State.CANCELLED, "the end of the conversion")
    return answered, time.perf_counter() - began


def cancel_answered(stage: Stage) -> Iterator[float]:
    yield cancel(stage)[0]


def cancel_done(stage: Stage) -> Iterator[float]:
    yield cancel(stage)[1]


def page(stage: Stage) -> Iterator[float]:
    yield from _drawn(stage, SAMPLES / "sources" / "login.html", "html")


def chart(stage: Stage) -> Iterator[float]:
    yield from _drawn(stage, SAMPLES / "sources" / "chart.py", "matplotlib")


def _drawn(stage: Stage, source: Path, target: str) -> Iterator[float]:
    """From a changed code to its picture in the preview; the first one warms up."""
    if stage.session.picture is None:
        stage.take_picture()
    preview, code = stage.window.preview, source.read_text(encoding="utf-8")
    seconds = []
    for number in range(2):
        drawn: list[float] = []
        connection = preview.drawn.connect(lambda drawn=drawn: drawn.append(time.perf_counter()))
        began = time.perf_counter()
        mark = f"<!-- {number} -->" if target == "html" else f"# {number}"
        preview.show_code(f"{code}\n{mark}\n", target, True)
        stage.until(lambda drawn=drawn: bool(drawn), "the preview")
        preview.drawn.disconnect(connection)
        seconds.append(drawn[0] - began)
        stage.rest(0.2)
    yield seconds[-1]


Measure = Callable[[Stage], Iterator[float]]
MEASURES: Mapping[str, Measure] = {
    "overlay": overlay,
    "block": block,
    "echo": echo,
    "cancel_answered": cancel_answered,
    "cancel_done": cancel_done,
    "page": page,
    "chart": chart,
}


def main() -> int:
    repeats, *wanted = sys.argv[1:]
    stage = Stage(Path.cwd())
    figures: dict[str, list[float]] = {}
    for name in wanted or MEASURES:
        figures[name] = [one for _ in range(int(repeats)) for one in MEASURES[name](stage)]
    print(json.dumps(figures), flush=True)
    stage.window.quit()
    return 0


if __name__ == "__main__":
    sys.exit(main())
