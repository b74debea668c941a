"""The rows of the history: as many as there are, read page by page as they come into sight."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, Qt, Signal

from app.archive import Archive
from app.i18n import _
from app.messages import TARGET_NAMES
from app.views.rows import Role
from app.views.thumbs import Thumbs
from app.views.versions_list import alike_text, clock_text

if TYPE_CHECKING:
    from app.store.history import Entry, Page, Query

Index = QModelIndex | QPersistentModelIndex
PAGE = 60
ICONS = {"html": "preview", "matplotlib": "chart", "text": "text"}


class HistoryModel(QAbstractListModel):
    """`looked(total)` when an answer to a new question is there."""

    looked = Signal(int)

    def __init__(self, archive: Archive) -> None:
        super().__init__()
        self._archive = archive
        self._query: Query | None = None
        self._question = 0
        self._entries: dict[int, Entry] = {}
        self._asked: set[int] = set()
        self._total = 0
        self.thumbs = Thumbs(self)
        self.thumbs.arrived.connect(self._thumb_arrived)

    def ask(self, text: str = "", kind: str | None = None, pinned: bool | None = None) -> None:
        """Show what a question finds; answers to earlier ones are dropped."""
        from app.store.history import Query

        self._query = Query(text, kind, pinned, PAGE)
        self.again()

    def again(self) -> None:
        """Ask the same question again: the history has changed."""
        if self._query is None:
            return
        self._question += 1
        self._asked = {0}
        self._archive.page(self._query, partial(self._first, self._question))

    def entry(self, row: int) -> Entry | None:
        """The entry of a row, None while it is being read."""
        return self._entries.get(row)

    def row_of(self, number: int) -> int:
        """The row of an entry, -1 where it is not known."""
        return next((row for row, one in self._entries.items() if one.id == number), -1)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - as Qt has it
        return 0 if parent.isValid() else self._total

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row = index.row()
        entry = self._entries.get(row)
        if entry is None:
            if 0 <= row < self._total:
                self._fetch(row // PAGE)
            return "…" if role == Qt.ItemDataRole.DisplayRole else None
        reader = _READERS.get(role)
        if reader is not None:
            return reader(entry)
        if role == Role.IMAGE:
            name = entry.picture
            return self.thumbs.get(name, partial(self._archive.thumbnail, name))
        return None

    def _fetch(self, page: int) -> None:
        if page in self._asked or self._query is None:
            return
        self._asked.add(page)
        query = replace(self._query, offset=page * PAGE)
        self._archive.page(query, partial(self._more, self._question, page))

    def _first(self, question: int, page: Page) -> None:
        if question != self._question:
            return
        self.beginResetModel()
        self._total = page.total
        self._entries = dict(enumerate(page.entries))
        self.thumbs.forget()
        self.endResetModel()
        self.looked.emit(page.total)

    def _more(self, question: int, number: int, page: Page) -> None:
        if question != self._question:
            return
        first = number * PAGE
        self._entries.update(enumerate(page.entries, first))
        last = min(first + PAGE, self._total) - 1
        if last >= first:
            self.dataChanged.emit(self.index(first), self.index(last))

    def _thumb_arrived(self, name: object) -> None:
        for row, entry in self._entries.items():
            if entry.picture == name and row < self._total:
                self.dataChanged.emit(self.index(row), self.index(row), [Role.IMAGE])


def facts(entry: Entry) -> str:
    """One line about an entry: kind, time, likeness."""
    kind = _(TARGET_NAMES.get(entry.kind, entry.kind))
    parts = (kind, clock_text(entry.time), alike_text(entry.similarity))
    return " · ".join(filter(None, parts))


_READERS: dict[int, Callable[[Entry], Any]] = {
    Qt.ItemDataRole.DisplayRole: lambda entry: entry.title,
    Qt.ItemDataRole.ToolTipRole: lambda entry: f"{entry.title}\n{facts(entry)}",
    Qt.ItemDataRole.AccessibleTextRole: lambda entry: ", ".join(
        filter(None, (entry.title, facts(entry), _("pinned") if entry.pinned else ""))
    ),
    Role.FACTS: facts,
    Role.MARK: lambda entry: "pinned" if entry.pinned else "",
    Role.ICON: lambda entry: ICONS.get(entry.kind, "code"),
}
