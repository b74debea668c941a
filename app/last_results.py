"""The last results in the menu of the tray: out of the history, else those of this session."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtGui import QGuiApplication

from app.i18n import N_, _
from app.messages import TARGET_NAMES
from app.session import Session
from app.tray import MOST_RECENT, Recent, Tray
from app.views.main_window import MainWindow

if TYPE_CHECKING:
    from app.store.history import Entry

DAY = 24 * 3600


class LastResults(QObject):
    """What the history holds opens again; what it may not hold (private mode, no history) is kept
    until the end of this session, and its code can be copied."""

    def __init__(self, window: MainWindow, tray: Tray) -> None:
        super().__init__(window)
        self._window, self._tray = window, tray
        self._archive = window.parts.archive
        self._unkept: list[Recent] = []
        self.recent: list[Recent] = []
        if self._archive is not None:
            self._archive.recent_changed.connect(self._show)

    def take(self, session: Session) -> None:
        """A conversion has ended with code."""
        if self._archive is not None and not self._archive.private:
            return  # the history tells when it is there
        name = session.picture.name if session.picture is not None else ""
        code = session.result.code
        title = _title(name, session.result.target, time.time())
        self.remember(Recent(_("Copy code: {title}").format(title=title), lambda: self._copy(code)))

    def remember(self, result: Recent) -> None:
        """Keep a result until the end of the session."""
        self._unkept = [result, *self._unkept][:MOST_RECENT]
        self._show()

    def _show(self) -> None:
        archive = self._archive
        kept = [] if archive is None else [self._of(one) for one in archive.recent(MOST_RECENT)]
        self.recent = [*self._unkept, *kept][:MOST_RECENT]
        self._tray.set_recent(self.recent)

    def _of(self, entry: Entry) -> Recent:
        return Recent(
            _("Open: {title}").format(title=_title(entry.title, entry.kind, entry.time)),
            lambda: self._open(entry.id),
        )

    def _open(self, number: int) -> None:
        self._window.come_up()
        self._window.features.archiving.reopen(number)

    def _copy(self, code: str) -> None:
        QGuiApplication.clipboard().setText(code)
        self._tray.notify(_("Code copied"), "")


def _title(name: str, kind: str, when: float) -> str:
    moment = time.localtime(when)
    clock = time.strftime("%H:%M" if time.time() - when < DAY else "%x", moment)
    sort = _(TARGET_NAMES.get(kind, N_("Code")))
    return " · ".join(part for part in (name, sort, clock) if part)
