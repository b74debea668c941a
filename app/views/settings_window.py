"""The settings: pages on the left, rows on the right. Everything counts at once and is kept."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QListWidget, QListWidgetItem, QStackedWidget, QWidget

from app.shelf import Owner, Shelf
from app.store.settings import Settings
from app.views.dress import ICON, Dresser
from app.views.fields import Page, Window, heading
from app.views.settings_boxes import History, make_box
from app.views.settings_controls import RowView
from app.views.settings_rows import PAGES, PageSpec, offered

NARROW = 560
"""Below this width the list shows only icons."""


class _Entry(QListWidgetItem):
    """An entry of the list of pages; has setIcon, so that the dresser can serve it."""


class SettingsWindow(Window):
    """Made from `PAGES`; follows changes made elsewhere."""

    def __init__(
        self,
        parent: QWidget,
        owner: Owner,
        actions: Mapping[str, QAction],
        dresser: Dresser,
        shelf: Shelf,
        history: History,
    ) -> None:
        super().__init__(parent, "Settings", 720, 560)
        self.rows: list[RowView] = []
        self.boxes: dict[str, QWidget] = {}
        self.names = QListWidget()
        self.names.setObjectName("pages")
        self.names.setAccessibleName("Pages")
        self.names.setIconSize(ICON)
        self.names.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.pages = QStackedWidget()
        self._entries: list[_Entry] = []  # the dresser only holds weak references
        for spec in PAGES:
            entry = _Entry(spec.name)
            entry.setToolTip(spec.name)
            self._entries.append(entry)
            self.names.addItem(entry)
            dresser.icon(entry, spec.icon)
            self.pages.addWidget(self._page(spec, owner, actions, shelf, history))
        self.names.currentRowChanged.connect(self.pages.setCurrentIndex)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.names)
        layout.addWidget(self.pages, 1)
        owner.kept.connect(self._follow)
        self.names.setCurrentRow(0)
        self.names.setFocus()

    def open_page(self, name: str) -> None:
        """Show one of the pages."""
        self.names.setCurrentRow([spec.name for spec in PAGES].index(name))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        narrow = self.width() < NARROW
        for entry, spec in zip(self._entries, PAGES, strict=True):
            entry.setText("" if narrow else spec.name)
            entry.setData(Qt.ItemDataRole.AccessibleTextRole, spec.name)
        self.names.setFixedWidth(52 if narrow else max(150, self.names.sizeHintForColumn(0) + 24))

    def _page(
        self,
        spec: PageSpec,
        owner: Owner,
        actions: Mapping[str, QAction],
        shelf: Shelf,
        history: History,
    ) -> Page:
        page = Page(spec.name)
        page.column.addWidget(heading(spec.name))
        box = make_box(spec.box, history, shelf)
        if box is not None and spec.box != "history":
            page.column.addWidget(box)
        for row in filter(offered, spec.rows):
            view = RowView(row, owner, actions)
            self.rows.append(view)
            page.column.addWidget(view)
        if box is not None:
            self.boxes[spec.box] = box
            if spec.box == "history":
                page.column.addWidget(box)
        page.column.addStretch(1)
        return page

    def _follow(self, settings: Settings) -> None:
        for row in self.rows:
            row.show_settings(settings)
