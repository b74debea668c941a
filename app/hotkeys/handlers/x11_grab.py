"""X11: the one combination is grabbed from the server; no other key is ever seen."""

from __future__ import annotations

from PySide6.QtCore import QSocketNotifier

from app.hotkeys.models import Combination, Told
from app.i18n import N_, _
from app.x11 import BAD_ACCESS, KEY_RELEASE, MAPPING_NOTIFY, Connection, KeyEvent, X11Error

_CAPS_LOCK, _NUM_LOCK = 1 << 1, 1 << 4
LOCKS = (0, _CAPS_LOCK, _NUM_LOCK, _CAPS_LOCK | _NUM_LOCK)
"""A grab is for exactly its modifiers, so it is made once for each state of the locks."""


def modifier_bits(combination: Combination) -> int:
    """The modifiers in the bits of the X protocol."""
    return sum(one.x11 for one in combination.modifier_codes())


class X11Handler:
    """A grab on the root window, on a connection of its own that Qt waits on."""

    method = N_("The X server reports this one combination; no other key is seen.")

    def __init__(self, display: str | None = None) -> None:
        self._display = display
        self._server: Connection | None = None
        self._notifier: QSocketNotifier | None = None
        self._combination: Combination | None = None
        self._told: Told | None = None
        self._keycodes: list[int] = []
        self._released = -1

    def reason(self) -> str:
        return ""

    def register(self, combination: Combination, told: Told) -> None:
        self.unregister()
        self._combination, self._told = combination, told
        try:
            self._server = Connection(self._display)
            self._grab()
        except X11Error as error:
            taken = error.code == BAD_ACCESS
            self.unregister()
            told.failed(
                _("{keys} belongs to another program: choose another one.").format(
                    keys=combination.text
                )
                if taken
                else _("{keys} cannot be used: {error}.").format(keys=combination.text, error=error)
            )
            return
        self._notifier = QSocketNotifier(self._server.descriptor, QSocketNotifier.Type.Read)
        self._notifier.activated.connect(self._read)
        told.active("")
        self._read()  # what came while the grabs were made is read already and wakes nobody

    def unregister(self) -> None:
        if self._notifier is not None:
            self._notifier.setEnabled(False)
            self._notifier.deleteLater()
            self._notifier = None
        if self._server is not None:
            self._server.close()
            self._server = None
        self._keycodes = []
        self._released = -1

    def _grab(self) -> None:
        assert self._server is not None
        assert self._combination is not None
        self._keycodes = self._server.keycodes(self._combination.codes.keysym)
        if not self._keycodes:
            raise X11Error(_("this keyboard has no such key"))
        for code in self._keycodes:
            for locks in LOCKS:
                self._server.grab_key(code, modifier_bits(self._combination) | locks)

    def _read(self) -> None:
        """Take all that has arrived: what a request here reads along wakes nobody later."""
        while self._server is not None and self._told is not None:
            event = self._server.next_event()
            if event is None:
                break
            self._take(event, self._told)
        if self._server is not None and self._told is not None and self._server.broken:
            told = self._told
            self.unregister()
            told.failed(_("The connection to the X server is lost."))

    def _take(self, event: KeyEvent, told: Told) -> None:
        """A key held down comes as a release and a press of the same time, again and again.

        While a grab holds, the releases of all keys come, so the key itself has to be looked at.
        """
        if event.kind == MAPPING_NOTIFY:
            self._keyboard_changed()
        elif event.keycode in self._keycodes:
            if event.kind == KEY_RELEASE:
                self._released = event.time
            elif event.time != self._released:
                told.pressed()

    def _keyboard_changed(self) -> None:
        """Another layout may have the key elsewhere."""
        if self._server is None or self._combination is None or self._told is None:
            return
        if self._server.keycodes(self._combination.codes.keysym) == self._keycodes:
            return
        try:
            self._server.ungrab_keys(self._keycodes)
            self._grab()
        except X11Error as error:
            told, text = self._told, self._combination.text
            self.unregister()
            told.failed(
                _("{keys} is gone with the change of the keyboard: {error}.").format(
                    keys=text, error=error
                )
            )
