"""The application while its window is away: tray, hotkey, notices, start with the session."""

from __future__ import annotations

import logging
import time

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QApplication

from app.autostart import Autostart
from app.bootstrap import Application
from app.hotkeys.main import Hotkey, HotkeyState
from app.i18n import N_, _
from app.last_results import LastResults
from app.session import BUSY, State
from app.store.settings import Settings
from app.tray import Tray
from app.views.main_window import MainWindow

_LOG = logging.getLogger(__name__)
TRAY_SECONDS = 15
"""So long a start with the session waits for the tray of the desktop, which starts as well."""

TOLD_KEY, HOTKEY_KEY = "tray/told", "hotkey/told"
ENDED = {
    State.DONE: N_("The code is ready"),
    State.TRUNCATED: N_("The code is there, but was cut off"),
    State.FAILED: N_("The conversion failed"),
}


class Resident(QObject):
    """Joins the window with what lives on when it is closed."""

    def __init__(
        self, window: MainWindow, hotkey: Hotkey, autostart: Autostart, application: QApplication
    ) -> None:
        super().__init__(window)
        self.window = window
        self.hotkey = hotkey
        self.autostart = autostart
        self.tray = Tray(window.actions_by_name, application.windowIcon(), self)
        self.results = LastResults(window, self.tray)
        self._settings = window.settings
        self._before = window.controller.session.state
        self._tray_deadline = 0.0
        self._tray_timer = QTimer(self)
        self._tray_timer.setSingleShot(True)
        self._tray_timer.timeout.connect(self._look_for_tray)
        window.stays_behind = self._stays_behind
        window.kept.connect(self.follow)
        window.put_away.connect(self._tell_where)
        window.closed.connect(self._end)
        window.controller.changed.connect(self._stepped)
        window.actions_by_name["autostart"].setChecked(autostart.enabled())
        window.actions_by_name["autostart"].toggled.connect(self._set_autostart)
        hotkey.pressed.connect(window.actions_by_name["snip"].trigger)
        hotkey.changed.connect(self._hotkey_changed)
        self.tray.opened.connect(window.come_up)
        self.tray.quitting.connect(window.quit)
        if isinstance(application, Application):
            application.quit_asked.connect(self._quit_asked)

    def begin(self, hidden: bool = False) -> None:
        """Show the tray icon and listen for the hotkey. Call once the window may wait.

        `hidden` is a start without window: where no tray appears in time the window comes up
        minimised, for nobody could find the application otherwise.
        """
        if self.window.parts.archive is not None:
            self.window.parts.archive.open()  # in the background; the menu shows what is in it
        if hidden:
            self._tray_deadline = time.monotonic() + TRAY_SECONDS
            self._tray_timer.start(0)
        else:
            self._show_tray()
        self.hotkey.set(self._settings.hotkey)

    def follow(self, settings: Settings) -> None:
        """Take changed settings."""
        before, self._settings = self._settings, settings
        if settings.tray != before.tray:
            self._show_tray()
        if settings.hotkey != before.hotkey:
            self.hotkey.set(settings.hotkey)

    def _quit_asked(self) -> None:
        """The system wants the end: then closing the window is no hiding."""
        self.window.quits = True

    # Tray -------------------------------------------------------------------

    def _show_tray(self) -> None:
        self.tray.show(self._settings.tray and self.tray.available())

    def _look_for_tray(self) -> None:
        if not self.tray.started() and time.monotonic() < self._tray_deadline:
            self._tray_timer.start(500)
            return
        self._show_tray()
        if not self.tray.visible and not self.window.isVisible():
            self.window.showMinimized()

    def _stays_behind(self) -> bool:
        """Whether closing the window leaves the application in the tray."""
        return self._settings.tray and self.tray.visible

    def _tell_where(self) -> None:
        """The first time the window goes into the tray, say so."""
        state = self.window.parts.state
        if state.value(TOLD_KEY) != "yes":
            state.setValue(TOLD_KEY, "yes")
            self.tray.notify(
                _("VisCodex is still there"),
                _("It waits in the tray. Quit it from the menu there."),
            )

    # Conversions ------------------------------------------------------------

    def _stepped(self) -> None:
        session = self.window.controller.session
        before, self._before = self._before, session.state
        if before not in BUSY or session.state not in ENDED:
            return
        name = session.picture.name if session.picture is not None else ""
        if session.result.code.strip() and session.state is not State.FAILED:
            self.results.take(session)
        if self._settings.notifications and not self.window.isActiveWindow():
            self.tray.notify(_(ENDED[session.state]), name)

    # Hotkey and start -------------------------------------------------------

    def _hotkey_changed(self) -> None:
        active = self.hotkey.state is HotkeyState.ACTIVE and self.hotkey.combination is not None
        key = self.hotkey.combination.text if active and self.hotkey.combination else ""
        self.tray.set_tip(_("VisCodex: {keys} snips").format(keys=key) if key else "VisCodex")
        if self.hotkey.state is HotkeyState.FAILED:
            _LOG.warning("hotkey: %s", self.hotkey.text)
            self._tell_about_hotkey()

    def _tell_about_hotkey(self) -> None:
        """A key that does not work is told once for each reason, not at every start."""
        state = self.window.parts.state
        if state.value(HOTKEY_KEY) != self.hotkey.text:
            state.setValue(HOTKEY_KEY, self.hotkey.text)
            self.window.tell("warn", _("The hotkey does not work"), self.hotkey.text)

    def _set_autostart(self, on: bool) -> None:
        try:
            self.autostart.set(on)
        except OSError as error:
            reason = error.strerror or str(error)
            _LOG.warning("autostart could not be changed: %s", reason)
            self.window.tell("warn", _("Starting with the system could not be changed"), reason)
        action = self.window.actions_by_name["autostart"]
        if action.isChecked() != self.autostart.enabled():
            action.blockSignals(True)
            action.setChecked(self.autostart.enabled())
            action.blockSignals(False)

    def _end(self) -> None:
        self._tray_timer.stop()
        self.hotkey.close()
        self.tray.show(False)
