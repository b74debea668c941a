"""Errors and cut-off answers: the card that tells of them, and the ways on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QLocale, QObject, Signal

from app import error_help, messages
from app.capture.models import CaptureError
from app.error_details import details
from app.i18n import _, ngettext
from app.session import Failure, State

if TYPE_CHECKING:
    from app.views.main_window import MainWindow


class Failing(QObject):
    """Joins what fails to the banner, and the actions there to the controller.

    `learn(code)` tells that people want to read about an error.
    """

    learn = Signal(str)

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._actions = window.actions_by_name
        self.controller = controller = window.controller
        for name, slot in (
            ("retry", controller.retry),
            ("retry_cpu", controller.retry_on_processor),
            ("go_on", controller.go_on),
            ("raise_limit", lambda: controller.go_on(raised=True)),
        ):
            self._actions[name].triggered.connect(lambda *_, call=slot: call())
        window.preview.failed.connect(self._preview_failed)
        window.preview.drawn.connect(self._preview_drawn)
        window.flow.failed.connect(self._capture_failed)
        controller.trouble.connect(self.show)
        controller.changed.connect(self._refresh)
        controller.code_changed.connect(self._code_changed)
        self._refresh()

    def show(self, failure: Failure) -> None:
        """Show an error with its advice, the actions that help, and what stands behind it."""
        entry = messages.error_text(failure.code)
        actions = [self._actions[name] for name in entry.actions]
        offered = [
            (messages.label(action, failure.code), action.trigger)
            for action in actions
            if action.isEnabled()
        ]
        self._window.banner.present(
            entry.tone,
            _(entry.title),
            messages.advice(failure),
            offered,
            detail=failure.message,
            more=partial(details, failure) if entry.explained else None,
            learn=self._learn(failure.code),
        )

    def _learn(self, code: str) -> Callable[[], None] | None:
        """What opens the page on an error; None where an installation lacks it."""
        known = code if code in messages.ERRORS else "internal"
        return partial(self.learn.emit, known) if error_help.page() is not None else None

    def _refresh(self) -> None:
        self._actions["go_on"].setEnabled(self.controller.can_go_on)
        self._actions["raise_limit"].setEnabled(self.controller.can_raise)

    def _code_changed(self, code: str, final: bool) -> None:
        result = self.controller.session.result
        if not final:
            return
        if self.controller.session.state is not State.TRUNCATED:
            self._window.banner.settle("cut_off")  # a version that is complete is on top now
            return
        self._refresh()
        title, text = messages.CUT_OFF.get(result.reason, messages.CUT_OFF["length"])
        title = _(title)
        if result.reason == "length" and result.limit:
            words = ngettext(
                "Stopped at the length limit ({count} token)",
                "Stopped at the length limit ({count} tokens)",
                result.limit,
            )
            title = words.format(count=QLocale().toString(result.limit))
        ways = [self._actions[name] for name in ("go_on", "raise_limit")]
        offered = [one for one in ways if one.isEnabled()]
        self._window.banner.present("warn", title, _(text), offered, about="cut_off")

    def _preview_failed(self, message: str, line: int) -> None:
        title = _(messages.error_text("render_failed").title)
        self._window.banner.present(
            "warn", title, message, [self._actions["refresh"]],
            learn=self._learn("render_failed"), about="render_failed",
        )  # fmt: skip

    def _preview_drawn(self) -> None:
        """What could not be drawn has been mended: nothing is left to tell."""
        self._window.banner.settle("render_failed")

    def _capture_failed(self, error: CaptureError) -> None:
        self.show(Failure(error.code, messages.sentence(str(error)), error.advice))
