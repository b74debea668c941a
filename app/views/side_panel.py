"""The panel at the side: history and versions, one of them at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QKeyEvent
from PySide6.QtWidgets import QStackedWidget, QToolButton, QWidget

from app.i18n import N_, _
from app.views.dress import ICON, Dresser, Pane, Segments

WIDTH = 300
TABS = (
    ("history", N_("History"), N_("What was converted before")),
    ("versions", N_("Versions"), N_("All versions of this code")),
)


class SidePanel(Pane):
    """Opened by the actions "history" and "versions", which are checked while it is.

    `shown(bool)` tells that it came or went.
    """

    shown = Signal(bool)

    def __init__(
        self, panels: Mapping[str, QWidget], actions: Mapping[str, QAction], dresser: Dresser
    ) -> None:
        super().__init__("")
        self.title.hide()
        self._panels = panels
        self._actions = {key: actions[key] for key in panels}
        self.tabs = Segments(_("Panel"), [tab for tab in TABS if tab[0] in panels])
        self.tabs.chosen.connect(self.open_tab)
        close = QToolButton()
        close.setObjectName("flat")
        close.setIconSize(ICON)
        close.setAccessibleName(_("Close the panel"))
        close.setToolTip(_("Close the panel"))
        close.clicked.connect(self.put_away)
        dresser.icon(close, "close", "muted")
        self.header.setContentsMargins(8, 0, 8, 0)
        self.header.addWidget(self.tabs, 0, Qt.AlignmentFlag.AlignVCenter)
        self.header.addStretch(1)
        self.header.addWidget(close)
        self.stack = QStackedWidget()
        for panel in panels.values():
            self.stack.addWidget(panel)
        self.body.addWidget(self.stack)
        self.setMinimumWidth(WIDTH)
        self.setMaximumWidth(WIDTH + 60)
        for key, action in self._actions.items():
            action.triggered.connect(self._told(key))
        self.hide()

    @property
    def tab(self) -> str:
        """Which panel is open, "" where none is."""
        return "" if self.isHidden() else self.tabs.choice

    def open_tab(self, key: str) -> None:
        """Show a panel."""
        self.tabs.set_choice(key)
        self.stack.setCurrentWidget(self._panels[key])
        came = self.isHidden()
        self.show()
        self._follow()
        if came:
            self.shown.emit(True)

    def put_away(self) -> None:
        if not self.isHidden():
            self.hide()
            self._follow()
            self.shown.emit(False)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if Qt.Key(event.key()) == Qt.Key.Key_Escape:
            self.put_away()
        else:
            super().keyPressEvent(event)

    def _told(self, key: str) -> Callable[[bool], None]:
        return lambda on: self.open_tab(key) if on else self.put_away()

    def _follow(self) -> None:
        for key, action in self._actions.items():
            action.setChecked(self.tab == key)
