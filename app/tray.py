"""The icon in the tray of the desktop: its menu, and the notices it shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QAction, QIcon
from PySide6.QtWidgets import QMenu, QSystemTrayIcon

from app.capture.session_kind import SessionKind, session_kind
from app.i18n import _
from app.portal import on_bus

MOST_RECENT = 5
WATCHER = "org.kde.StatusNotifierWatcher"
_LONGEST_TITLE = 60


@dataclass(frozen=True)
class Recent:
    """One result in the menu: what choosing it does, in words and in deed."""

    title: str
    choose: Callable[[], object]


class Tray(QObject):
    """The icon while `show` says so. `opened()` wants the window, `quitting()` the end.

    Snips start from the menu as they are; opening and pasting bring the window up first.
    """

    opened = Signal()
    quitting = Signal()

    def __init__(
        self, actions: Mapping[str, QAction], icon: QIcon, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._picture = icon
        self._tip = "VisCodex"
        self._icon: QSystemTrayIcon | None = None
        self.menu = QMenu()
        for name in ("snip", "snip_later"):
            self.menu.addAction(actions[name])
        for name in ("open", "paste"):
            self.menu.addAction(self._with_window(actions[name]))
        self.menu.addSeparator()
        self._after_recent = self.menu.addSeparator()
        self._recent: list[QAction] = []
        self.menu.addAction(_("Show the window")).triggered.connect(lambda *_: self.opened.emit())
        self.menu.addAction(_("Quit")).triggered.connect(lambda *_: self.quitting.emit())
        self.set_recent(())

    @staticmethod
    def available() -> bool:
        """Whether this desktop has a tray.

        On Linux Qt looks for the tray on the bus once, at the first question, and keeps the
        answer: `started` is to be asked before while the desktop itself may still be starting.
        """
        return QSystemTrayIcon.isSystemTrayAvailable()

    @staticmethod
    def started() -> bool:
        """Whether the tray of a desktop that is starting is there, if it has one at all."""
        return session_kind() not in (SessionKind.X11, SessionKind.WAYLAND) or on_bus(
            WATCHER, running=True
        )

    @property
    def visible(self) -> bool:
        """Whether people can find the icon."""
        return self._icon is not None and self._icon.isVisible() and self.available()

    def show(self, on: bool) -> None:
        """Put the icon into the tray, or take it out."""
        if self._icon is None and on:
            self._icon = QSystemTrayIcon(self._picture, self)
            self._icon.setToolTip(self._tip)
            self._icon.activated.connect(self._activated)
            self._icon.messageClicked.connect(self.opened)
            self._icon.setContextMenu(self.menu)
        if self._icon is not None:
            self._icon.setVisible(on)

    def set_tip(self, text: str) -> None:
        """What shows while the pointer rests on the icon."""
        self._tip = text
        if self._icon is not None:
            self._icon.setToolTip(text)

    def set_recent(self, results: Sequence[Recent]) -> None:
        """The newest results, the last one first; only a few are shown."""
        for action in self._recent:
            self.menu.removeAction(action)
            action.deleteLater()
        self._recent = []
        for result in results[:MOST_RECENT]:
            title = result.title
            if len(title) > _LONGEST_TITLE:
                title = title[: _LONGEST_TITLE - 1] + "…"
            # Names of files may hold the mark of a keyboard shortcut.
            action = QAction(title.replace("&", "&&"), self.menu)
            action.triggered.connect(lambda *_, call=result.choose: call())
            self.menu.insertAction(self._after_recent, action)
            self._recent.append(action)
        self._after_recent.setVisible(bool(self._recent))

    def notify(self, title: str, text: str) -> None:
        """A notice of the desktop; a click on it emits `opened`."""
        if self._icon is not None and self._icon.isVisible():
            self._icon.showMessage(title, text, self._picture)

    def _with_window(self, action: QAction) -> QAction:
        """An entry that shows the window before it does what `action` does."""
        entry = QAction(action.icon(), action.text(), self.menu)

        def follow() -> None:
            entry.setIcon(action.icon())
            entry.setEnabled(action.isEnabled())

        def run(*_: object) -> None:
            self.opened.emit()
            action.trigger()

        action.changed.connect(follow)
        entry.triggered.connect(run)
        return entry

    def _activated(self, reason: QSystemTrayIcon.ActivationReason) -> None:
        if reason == QSystemTrayIcon.ActivationReason.Trigger:
            self.opened.emit()
