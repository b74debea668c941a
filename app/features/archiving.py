"""The history: what is written into it, the panel that shows it, private mode."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QToolButton, QWidget

from app.archive import About, Reopened
from app.i18n import _
from app.session import Failure
from app.store.settings import Settings
from app.versions import Version, VersionTree
from app.views.dress import ICON, announce
from app.views.history_panel import HistoryPanel
from app.views.recent_row import MOST
from app.views.side_panel import SidePanel

if TYPE_CHECKING:
    from app.views.main_window import MainWindow


class Archiving(QObject):
    """Joins the history to the controller and the window. Without a history only versions show."""

    def __init__(self, window: MainWindow, versions: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self.controller = window.controller
        self.archive = archive = window.parts.archive
        actions = window.actions_by_name
        panels: dict[str, QWidget] = {"versions": versions}
        self.panel: HistoryPanel | None = None
        if archive is not None:
            self.panel = HistoryPanel(archive, window.dresser)
            panels = {"history": self.panel, **panels}
        self.side = SidePanel(panels, actions, window.dresser)
        window.desk.put_beside(self.side)
        self.side.shown.connect(self._side_shown)
        self.chip = QToolButton()
        self.chip.setObjectName("chipButton")
        self.chip.setDefaultAction(actions["private"])
        self.chip.setIconSize(ICON)
        self.chip.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.chip.setAccessibleName(_("Private mode"))
        window.status.add_first(self.chip)
        if archive is None:
            self.chip.hide()
            for name in ("history", "private"):
                actions[name].setEnabled(False)
            return
        actions["private"].setChecked(window.settings.private)
        actions["private"].toggled.connect(self._set_private)
        self._show_private(window.settings.private)
        window.kept.connect(self._follow)
        actions["history"].triggered.connect(self._focus_search)
        self.controller.complete.connect(self._keep)
        self.controller.chosen.connect(archive.choose)
        archive.failed.connect(window.show_failure)
        archive.recent_changed.connect(self._show_recent)
        window.start.recent.opened.connect(self.reopen)
        assert self.panel is not None
        self.panel.opened.connect(self.reopen)

    def close(self) -> None:
        if self.archive is not None:
            self.archive.close()

    # Writing ----------------------------------------------------------------

    def _keep(self, tree: VersionTree, versions: list[Version]) -> None:
        session = self.controller.session
        if self.archive is None or session.picture is None:
            return
        result = session.result
        about = About(session.picture, session.words, session.model, result.seconds, result.tokens)
        self.archive.keep(tree, versions, about)

    def _follow(self, settings: Settings) -> None:
        """Settings were changed, here or in their window."""
        assert self.archive is not None
        private = settings.private or not settings.history
        if private != self.archive.private:
            self.archive.set_private(private)
        self.archive.set_limits(settings.history_days, settings.history_count)
        action = self._window.actions_by_name["private"]
        if action.isChecked() != settings.private:
            action.setChecked(settings.private)
        self._show_private(settings.private)

    def _set_private(self, private: bool) -> None:
        self._window.keep(private=private)
        announce(self.chip, _("Private mode is on") if private else _("Private mode is off"))

    def _show_private(self, private: bool) -> None:
        action = self._window.actions_by_name["private"]
        action.setIconText(_("Private"))
        action.setToolTip(
            _("Private mode: nothing is written to the history (Ctrl+Shift+P)")
            if private
            else _(
                "What you convert is kept on this computer. Click for private mode (Ctrl+Shift+P)"
            )
        )
        style = Qt.ToolButtonStyle
        # While it is off the chip is small: the status bar has to fit a small window.
        self.chip.setToolButtonStyle(
            style.ToolButtonTextBesideIcon if private else style.ToolButtonIconOnly
        )
        self._window.dresser.icon(action, "private" if private else "history")
        if self.panel is not None and self.archive is not None:
            self.panel.show_private(self.archive.private)

    # Looking ----------------------------------------------------------------

    def _side_shown(self, on: bool) -> None:
        self._window.desk.arrange()
        if not on:
            self._window.code.focus_pane()

    def _focus_search(self, on: bool) -> None:
        if on and self.panel is not None:
            self.panel.model.again()  # it may have been emptied in the settings
            self.panel.focus_search()

    def _show_recent(self) -> None:
        assert self.archive is not None
        row = self._window.start.recent
        entries = self.archive.recent(MOST)
        row.show_entries(entries)
        for place, entry in enumerate(entries):
            self.archive.thumbnail(entry.picture, partial(row.set_image, place))

    # Coming back ------------------------------------------------------------

    def reopen(self, number: int) -> None:
        """Bring an entry back; a conversion that runs is stopped only if the user says so."""
        if not self.controller.session.busy:
            self._fetch(number)
            return
        stop = partial(self.controller.when_free, partial(self._fetch, number))
        self._window.banner.present(
            "info",
            _("A conversion is still running"),
            _("It has to end before another picture is opened."),
            [(_("Stop and open it"), stop)],
        )

    def _fetch(self, number: int) -> None:
        if self.archive is not None:
            self.controller.seal()
            self.archive.reopen(number, self._arrived)

    def _arrived(self, found: Reopened | None) -> None:
        if found is None:
            self._window.show_failure(
                Failure(
                    "history_broken", _("This entry or its picture is gone."), _("Choose another.")
                )
            )
        elif not self.controller.session.busy:
            self.controller.forget_crops()
            self.controller.reopen(found.picture, found.tree, words=found.words)
            if self._window.desk.narrow:
                self.side.put_away()
