"""The hotkey of the application: chooses the way, keeps one combination, tells when it comes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum

from PySide6.QtCore import QObject, Qt, Signal

from app.capture.session_kind import SessionKind, session_kind
from app.hotkeys.handlers.macos_carbon import MacHandler
from app.hotkeys.handlers.portal import PortalHandler
from app.hotkeys.handlers.windows_keys import WindowsHandler
from app.hotkeys.handlers.x11_grab import X11Handler
from app.hotkeys.models import Combination, HotkeyError, HotkeyHandler, Told, by_command
from app.i18n import N_, _

_HANDLERS: Mapping[SessionKind, Callable[[], HotkeyHandler]] = {
    SessionKind.X11: X11Handler,
    SessionKind.WAYLAND: PortalHandler,
    SessionKind.WINDOWS: WindowsHandler,
    SessionKind.MACOS: MacHandler,
}


def default_handler() -> HotkeyHandler | None:
    """The way of this system, None where there is none."""
    make = _HANDLERS.get(session_kind())
    return make() if make is not None else None


class HotkeyState(Enum):
    """What became of the combination."""

    OFF = "off"
    WAITING = "waiting"  # the system has been asked
    ACTIVE = "active"
    FAILED = "failed"


class Hotkey(QObject):
    """One combination at a time. `changed()` after every change of `state` and `text`.

    `pressed()` starts a snip. Between `begin_test` and `end_test` a press emits `tested()`
    instead: a registration that succeeded may still never fire, so people can try it.
    """

    pressed = Signal()
    tested = Signal()
    changed = Signal()
    _heard = Signal(int)
    _active = Signal(int, str)
    _failed = Signal(int, str)

    def __init__(self, handler: HotkeyHandler | None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._handler = handler
        self._round = 0
        self._testing = False
        self.combination: Combination | None = None
        self.state = HotkeyState.OFF
        self.text = ""
        queued = Qt.ConnectionType.QueuedConnection
        # Handlers may call from their own threads.
        self._heard.connect(self._press, queued)
        self._active.connect(self._become_active, queued)
        self._failed.connect(self._fail, queued)

    @property
    def method(self) -> str:
        """How the key is heard, for the settings."""
        return _(self._handler.method) if self._handler is not None else ""

    def set(self, text: str) -> None:
        """Listen for another combination (portable text of a QKeySequence), "" for none.

        The outcome is in `state` and `text`, at once or after `changed`.
        """
        self._round += 1
        number = self._round
        self.combination = None
        if self._handler is not None:
            self._handler.unregister()
        if not text:
            self._become(HotkeyState.OFF, _("There is no hotkey."))
            return
        try:
            combination = Combination.parse(text)
        except HotkeyError as error:
            self._become(HotkeyState.FAILED, str(error))
            return
        self.combination = combination
        reason = self._handler.reason() if self._handler is not None else by_command(_NO_HANDLER)
        if self._handler is None or reason:
            self._become(HotkeyState.FAILED, reason)
            return
        self._become(
            HotkeyState.WAITING, _("Asking the system for {keys}.").format(keys=combination.text)
        )
        told = Told(
            pressed=lambda: self._heard.emit(number),
            active=lambda words: self._active.emit(number, words),
            failed=lambda words: self._failed.emit(number, words),
        )
        self._handler.register(combination, told)

    def begin_test(self) -> None:
        """From now on a press is only reported."""
        self._testing = True

    def end_test(self) -> None:
        """A press starts a snip again."""
        self._testing = False

    def close(self) -> None:
        """Give the key back."""
        self._round += 1
        if self._handler is not None:
            self._handler.unregister()

    def _become(self, state: HotkeyState, text: str) -> None:
        self.state, self.text = state, text
        self.changed.emit()

    def _press(self, number: int) -> None:
        if number == self._round:
            (self.tested if self._testing else self.pressed).emit()

    def _become_active(self, number: int, words: str) -> None:
        if number == self._round and self.combination is not None:
            self._become(
                HotkeyState.ACTIVE,
                words or _("{keys} starts a snip.").format(keys=self.combination.text),
            )

    def _fail(self, number: int, words: str) -> None:
        if number == self._round:
            self._become(HotkeyState.FAILED, words)


_NO_HANDLER = N_("No key can be heard here.")
