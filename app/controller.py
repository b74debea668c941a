"""Joins session, engine and ways in; the window only shows what this tells."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QMimeData, QObject, QTimer, Signal
from PySide6.QtGui import QImage

from app.bridge import EngineBridge
from app.intake import Offer, Refused, offer_from_mime
from app.session import Failure, Picture, Session, State
from app.stream import live_code
from app.tasks import TaskRunner
from engine.errors import VisCodexError
from engine.tasks import TASKS

CODE_INTERVAL_MS = 50
CUT_OFF = frozenset({"length", "loop"})
"""Reasons of the engine for an end that is not the end of the code."""


class Controller(QObject):
    """The application without its widgets.

    `changed()` after every step of the session, `picture_changed()`, `code_changed(code, final)`
    while and after code arrives, `text_read(lines)` with what was read in the picture,
    `trouble(failure)` for errors outside a conversion, and `busy_picture()` when a picture came
    while a conversion runs.
    """

    changed = Signal()
    picture_changed = Signal()
    code_changed = Signal(str, bool)
    text_read = Signal(list)
    trouble = Signal(object)
    busy_picture = Signal()

    def __init__(
        self,
        bridge: EngineBridge,
        make_request: Callable[[Picture, str], Any],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.session = Session()
        self.auto_start = True
        self._bridge = bridge
        self._make_request = make_request
        self.tasks = TaskRunner(self)
        self._offers = 0
        self._start_next = False
        self._code_timer = QTimer(self)
        self._code_timer.setSingleShot(True)
        self._code_timer.setInterval(CODE_INTERVAL_MS)
        self._code_timer.timeout.connect(self._show_code)
        self.session.subscribe(self._stepped)
        bridge.events.connect(self._take_events)

    def _stepped(self, before: State, now: State) -> None:
        """Tokens come by the hundred: those that follow the first are told with their code."""
        if not (before is now is State.GENERATING):
            self.changed.emit()

    # Ways in ----------------------------------------------------------------

    def offer_mime(self, mime: QMimeData, name: str) -> None:
        """A drop or the clipboard."""
        try:
            self.offer(offer_from_mime(mime, name))
        except Refused as refused:
            self.trouble.emit(Failure(refused.code, str(refused), refused.advice))

    def offer_path(self, path: Path) -> None:
        self.offer(Offer(path, path.name))

    def offer_image(self, image: QImage, name: str) -> None:
        self.offer(Offer(image, name))

    def offer(self, offer: Offer) -> None:
        """Read the picture in the background; of several only the newest is taken."""
        self._offers += 1
        number = self._offers

        def arrived(picture: Picture) -> None:
            if number == self._offers:
                self._take_picture(picture)

        def failed(error: Exception) -> None:
            if number == self._offers:
                self.trouble.emit(failure_of(error))

        self.tasks.run(offer.to_picture, arrived, failed)

    def _take_picture(self, picture: Picture) -> None:
        if self.session.set_picture(picture):
            self._new_picture()
        else:
            self.busy_picture.emit()

    def _new_picture(self) -> None:
        self._code_timer.stop()
        self.picture_changed.emit()
        if self.auto_start:
            self.generate()

    # Conversion -------------------------------------------------------------

    def set_target(self, target: str) -> None:
        """ "auto", "html" or "matplotlib", from the next conversion on."""
        self.session.target = target
        self.changed.emit()

    def generate(self) -> None:
        """Start a conversion if the session allows it."""
        if not self.session.can_generate or self.session.picture is None:
            return
        run = self.session.begin()
        self.code_changed.emit("", False)
        request = self._make_request(self.session.picture, self.session.target)
        self._bridge.convert(run, request)

    def cancel(self) -> None:
        """Stop the conversion; acknowledged at once, finished when the engine says so."""
        if self.session.can_cancel:
            self.session.cancel()
            if self._bridge.cancel(self.session.run):
                self.session.cancelled()
                self._after()

    def replace_picture(self) -> None:
        """Stop the conversion and go on with the picture that waits."""
        self.cancel()

    def edit_code(self, code: str) -> None:
        """The user typed into the code."""
        if not self.session.busy:
            self.session.edit(code)

    def close(self) -> None:
        self._code_timer.stop()
        self.tasks.close()
        self._bridge.close()

    # Engine events ----------------------------------------------------------

    def _take_events(self, batch: list[tuple[int, Any]]) -> None:
        for run, event in batch:
            if isinstance(event, Exception):
                self._failed(run, failure_of(event))
            elif event is None:
                self._ended(run)
            else:
                handler = _HANDLERS.get(event.event)
                if handler is not None:
                    handler(self, run, event)

    def _current(self, run: int) -> bool:
        return run == self.session.run and self.session.busy

    def _loading(self, run: int, event: Any) -> None:
        # The warm-up (run 0) loads the model that a waiting conversion will use.
        if (run == 0 or self._current(run)) and self.session.state is State.LOADING:
            self.session.loading(event.fraction)

    def _ready(self, run: int, event: Any) -> None:
        self.session.engine_ready(event.model, event.device, event.note)

    def _encoding(self, run: int, event: Any) -> None:
        if self._current(run) and self.session.state is not State.GENERATING:
            self.session.encoding(event.fraction)

    def _text_read(self, run: int, event: Any) -> None:
        if self._current(run):
            self.session.text_read(len(event.lines))
            self.text_read.emit(event.lines)

    def _target(self, run: int, event: Any) -> None:
        if self._current(run):
            self.session.target_chosen(event.name, event.confidence)

    def _token(self, run: int, event: Any) -> None:
        if self._current(run):
            self.session.token(event.text)
            if not self._code_timer.isActive():
                self._code_timer.start()

    def _revised(self, run: int, event: Any) -> None:
        if self._current(run):
            self.session.revised(event.answer, event.note)
            self.changed.emit()
            self.code_changed.emit("", False)
            self._show_code()

    def _done(self, run: int, event: Any) -> None:
        if not self._current(run):
            return
        self._code_timer.stop()
        stats, result = event.stats, self.session.result
        result.target = result.target or str(stats.get("target") or "html")
        try:
            result.code = TASKS[result.target].extract(result.answer).rstrip("\n")
        except VisCodexError as error:
            self._failed(run, failure_of(error))
            return
        result.reason = event.reason
        self.session.done(
            truncated=event.reason in CUT_OFF,
            tokens=int(stats.get("tokens", 0)),
            per_second=float(stats.get("tokens_per_second", 0.0)),
        )
        self.code_changed.emit(result.code, True)

    def _cancelled(self, run: int, event: Any) -> None:
        if self._current(run):
            self._show_code()
            self.session.cancelled()
            self.code_changed.emit(self.session.result.code, True)

    def _error(self, run: int, event: Any) -> None:
        code = getattr(event.code, "value", event.code)
        self._failed(run, Failure(code, event.message, event.advice))

    def _failed(self, run: int, failure: Failure) -> None:
        if self._current(run):
            self._show_code()
            if failure.code == "cancelled":
                self.session.cancelled()
            else:
                self.session.failed(failure)
                self.trouble.emit(failure)
            self.code_changed.emit(self.session.result.code, bool(self.session.result.code))
        elif run == 0 and not self.session.busy:
            self.trouble.emit(failure)

    def _ended(self, run: int) -> None:
        """A request is over; one that ended without a last word counts as a failure."""
        if self._current(run):
            if self.session.state is State.CANCELLING:
                self._show_code()
                self.session.cancelled()
            else:
                message = "The model process ended without an answer."
                self._failed(run, Failure("worker_died", message, "Try again."))
        self._after()

    def _after(self) -> None:
        """Go on with the picture that came while a conversion ran."""
        if self.session.take_waiting():
            self._new_picture()

    def _show_code(self) -> None:
        self._code_timer.stop()
        code = live_code(self.session.result.answer)
        if code != self.session.result.code:
            self.session.result.code = code
            self.code_changed.emit(code, False)


_HANDLERS: dict[str, Callable[[Controller, int, Any], None]] = {
    "loading": Controller._loading,
    "ready": Controller._ready,
    "encoding": Controller._encoding,
    "prefilling": Controller._encoding,
    "text_read": Controller._text_read,
    "target": Controller._target,
    "token": Controller._token,
    "revised": Controller._revised,
    "done": Controller._done,
    "cancelled": Controller._cancelled,
    "error": Controller._error,
}


def failure_of(error: Exception) -> Failure:
    """What to show for an exception; those of the engine say themselves what to do."""
    code = getattr(error, "code", None)
    if code is not None and hasattr(error, "advice"):
        return Failure(str(getattr(code, "value", code)), str(error), str(error.advice))
    return Failure("internal", str(error) or type(error).__name__, "Try again.")
