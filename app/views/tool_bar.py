"""The row of controls at the top of the window."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QMenu, QToolButton

from app.i18n import N_, _
from app.views.dress import ICON, ActionButton, Dresser, Segments, YieldingRow, flat_button

TARGETS = (
    ("auto", N_("Auto"), N_("The model decides what the picture shows")),
    ("html", "HTML", N_("Make a page")),
    ("matplotlib", N_("Chart"), N_("Make a chart with matplotlib")),
)
_MENU = (
    ("snip", "snip_later", "open", "paste", "sample"),
    ("generate", "again", "go_on", "cancel", "copy", "save", "refresh"),
    ("mark_part", "copy_text", "text_boxes"),
    ("history", "versions", "private"),
    ("auto_start", "scripts", "unwalled"),
    ("hotkey", "tray", "autostart", "notifications"),
    ("models", "settings", "diagnostics"),
    ("theme_system", "theme_light", "theme_dark"),
    ("shortcuts", "quit"),
)


class ToolBar(YieldingRow):
    """Ways in on the left, what comes out on the right."""

    def __init__(self, actions: Mapping[str, QAction], dresser: Dresser) -> None:
        super().__init__()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        self.snip = ActionButton(actions["snip"], _("Snip"))
        self.targets = Segments(_("Output"), TARGETS)
        self.generate = ActionButton(actions["generate"], _("Generate"), "primary", own_icon=True)
        dresser.icon(self.generate, "generate", "on_accent")
        self.cancel = ActionButton(actions["cancel"], _("Cancel"))
        self.cancel.hide()
        self.menu = QToolButton()
        self.menu.setObjectName("flat")
        self.menu.setAccessibleName(_("Menu"))
        self.menu.setToolTip(_("Menu (F10)"))
        self.menu.setIconSize(ICON)
        self.menu.setShortcut("F10")
        self.menu.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.menu.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.menu.setMenu(self._make_menu(actions))
        dresser.icon(self.menu, "menu")
        layout.addWidget(self.snip)
        layout.addWidget(flat_button(actions["open"]))
        layout.addWidget(flat_button(actions["paste"]))
        layout.addStretch(1)
        layout.addWidget(self.targets)
        layout.addWidget(self.generate)
        layout.addWidget(self.cancel)
        self.theme = flat_button(actions["theme_toggle"])
        layout.addWidget(self.theme)
        layout.addWidget(self.menu)
        # What loses its words where there is no room for all, first to last.
        self.words = [(one, one.text()) for one in (self.snip, self.generate, self.cancel)]

    def show_busy(self, busy: bool) -> None:
        """Offer Cancel in the place of Generate while the engine works."""
        button, other = self.generate, self.cancel
        had_focus = (button if busy else other).hasFocus()
        self.generate.setVisible(not busy)
        self.cancel.setVisible(busy)
        if had_focus:
            (other if busy else button).setFocus()
        self.fit()

    def _make_menu(self, actions: Mapping[str, QAction]) -> QMenu:
        menu = QMenu(self)
        menu.setAccessibleName(_("Menu"))
        for position, group in enumerate(_MENU):
            if position:
                menu.addSeparator()
            for name in group:
                menu.addAction(actions[name])
        return menu
