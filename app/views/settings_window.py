"""The settings: pages on the left, rows on the right. Everything counts at once and is kept."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QListWidget, QListWidgetItem, QStackedWidget, QWidget

from app.i18n import _
from app.shelf import Owner, Shelf
from app.store.settings import Settings
from app.views.dress import ICON, Dresser
from app.views.fields import Page, Window, heading
from app.views.settings_boxes import History, make_box
from app.views.settings_controls import RowView
from app.views.settings_rows import PAGES, PageSpec

NARROW = 560
"""Below this width the list shows only icons."""


class _Entry(QListWidgetItem):
    """An entry of the list of pages; has setIcon, so that the dresser can serve it."""


class SettingsWindow(Window):
    """Made from `PAGES`, each when it is first shown; follows changes made elsewhere."""

    def __init__(
        self,
        parent: QWidget,
        owner: Owner,
        actions: Mapping[str, QAction],
        dresser: Dresser,
        shelf: Shelf,
        history: History,
    ) -> None:
        super().__init__(parent, _("Settings"), 720, 560)
        self.rows: list[RowView] = []
        self.boxes: dict[str, QWidget] = {}
        self._owner = owner
        self._actions = actions
        self._shelf = shelf
        self._history = history
        self.names = QListWidget()
        self.names.setObjectName("pages")
        self.names.setAccessibleName(_("Pages"))
        self.names.setIconSize(ICON)
        self.names.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.pages = QStackedWidget()
        self._entries: list[_Entry] = []  # the dresser only holds weak references
        self._empty: set[int] = set()  # pages that nobody has seen yet
        for number, spec in enumerate(PAGES):
            entry = _Entry(_(spec.name))
            entry.setToolTip(_(spec.name))
            self._entries.append(entry)
            self.names.addItem(entry)
            dresser.icon(entry, spec.icon)
            self.pages.addWidget(Page(_(spec.name)))
            self._empty.add(number)
        self.names.currentRowChanged.connect(self._turn)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.names)
        layout.addWidget(self.pages, 1)
        owner.kept.connect(self._follow)
        self.names.setCurrentRow(0)
        self.names.setFocus()

    def open_page(self, name: str) -> None:
        """Show one of the pages, by its name in the table."""
        self.names.setCurrentRow([spec.name for spec in PAGES].index(name))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        narrow = self.width() < NARROW
        for entry, spec in zip(self._entries, PAGES, strict=True):
            entry.setText("" if narrow else _(spec.name))
            entry.setData(Qt.ItemDataRole.AccessibleTextRole, _(spec.name))
        self.names.setFixedWidth(52 if narrow else max(150, self.names.sizeHintForColumn(0) + 24))

    def _turn(self, number: int) -> None:
        page = self.pages.widget(number)
        if number in self._empty and isinstance(page, Page):
            self._empty.remove(number)
            self._fill(page, PAGES[number])
        self.pages.setCurrentIndex(number)

    def _fill(self, page: Page, spec: PageSpec) -> None:
        page.column.addWidget(heading(_(spec.name)))
        views: list[QWidget] = []
        for row in spec.rows:
            view = RowView(row, self._owner, self._actions)
            self.rows.append(view)
            views.append(view)
        box = make_box(spec.box, self._history, self._shelf)
        if box is not None:
            self.boxes[spec.box] = box
            views.insert(len(views) if spec.box == "history" else 0, box)
        for one in views:
            page.column.addWidget(one)
        page.column.addStretch(1)

    def _follow(self, settings: Settings) -> None:
        for row in self.rows:
            row.show_settings(settings)
