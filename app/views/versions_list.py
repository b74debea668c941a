"""All versions of the code on the desk, as a tree that can be walked."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QDate,
    QDateTime,
    QLocale,
    QModelIndex,
    QPersistentModelIndex,
    Qt,
    Signal,
)
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QLabel, QStackedWidget, QVBoxLayout, QWidget

from app.i18n import _
from app.versions import EDIT, Version, VersionTree, title
from app.views.dress import Dresser
from app.views.rows import Role, RowList
from app.views.thumbs import Thumbs, shrink

Index = QModelIndex | QPersistentModelIndex
Run = Callable[[Callable[[], Any], Callable[[Any], None], Callable[[Exception], None]], None]
"""TaskRunner.run"""


def clock_text(seconds: float) -> str:
    """A time of day for today, date and time otherwise, as the language writes them."""
    moment = QDateTime.fromSecsSinceEpoch(round(seconds))
    form = QLocale.FormatType.ShortFormat
    if moment.date() == QDate.currentDate():
        return QLocale().toString(moment.time(), form)
    return QLocale().toString(moment, form)


def alike_text(similarity: float | None) -> str:
    """A likeness for people, "" where it was not measured."""
    if similarity is None:
        return ""
    return _("{percent} % alike").format(percent=round(100 * similarity))


class VersionsModel(QAbstractListModel):
    """The rows of a tree. `undrawn(version)` is one in sight of which there is no picture."""

    undrawn = Signal(object)

    def __init__(self, run: Run) -> None:
        super().__init__()
        self._run = run
        self._rows: list[tuple[Version, int]] = []
        self._current: int | None = None
        self.thumbs = Thumbs(self)
        self.thumbs.arrived.connect(self._thumb_arrived)

    def show_tree(self, tree: VersionTree) -> None:
        self.beginResetModel()
        self._rows = tree.rows()
        self._current = None if tree.current is None else tree.current.id
        self.endResetModel()

    def version(self, row: int) -> Version:
        return self._rows[row][0]

    def current_row(self) -> int:
        """The row of the version on top, -1 where there is none."""
        numbers = [version.id for version, _ in self._rows]
        return numbers.index(self._current) if self._current in numbers else -1

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - as Qt has it
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not 0 <= index.row() < len(self._rows):
            return None
        version, indent = self._rows[index.row()]
        on_top = version.id == self._current
        if role == Qt.ItemDataRole.DisplayRole:
            return title(version)
        if role == Role.FACTS:
            alike = version.problem or alike_text(version.similarity)
            return " · ".join(filter(None, (clock_text(version.time), alike)))
        if role == Role.IMAGE:
            return self.image(version)
        if role in (Role.INDENT, Role.MARK, Role.ICON, Role.STRONG):
            return {
                Role.INDENT: indent,
                Role.MARK: "check" if on_top else "",
                Role.ICON: "edit" if version.kind == EDIT else "code",
                Role.STRONG: on_top,
            }[Role(role)]
        if role == Qt.ItemDataRole.ToolTipRole:
            return title(version)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            top = _("on top") if on_top else ""
            facts = self.data(index, Role.FACTS)
            return ", ".join(filter(None, (title(version), str(facts), top)))
        return None

    def image(self, version: Version) -> QImage:
        """What a version draws, small."""
        if version.png is None and not version.problem:
            self.undrawn.emit(version)
        return self.picture(version.png)

    def picture(self, png: bytes | None) -> QImage:
        """A PNG, small; null until it is there."""
        if png is None:
            return QImage()
        return self.thumbs.get(
            png, lambda take: self._run(partial(shrink, png), take, lambda error: None)
        )

    def _thumb_arrived(self) -> None:
        if self._rows:
            self.dataChanged.emit(self.index(0), self.index(len(self._rows) - 1), [Role.IMAGE])


class VersionsList(QWidget):
    """`chosen(number)` when the user wants another version on top."""

    chosen = Signal(int)

    def __init__(self, dresser: Dresser, run: Run) -> None:
        super().__init__()
        self.model = VersionsModel(run)
        self.list = RowList(_("Versions"), dresser)
        self.list.setModel(self.model)
        self.list.clicked.connect(self._pick)
        self.list.activated.connect(self._pick)
        empty = QLabel(_("The versions of your code appear here."))
        empty.setObjectName("muted")
        empty.setWordWrap(True)
        empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        empty.setMargin(24)
        self.pages = QStackedWidget()
        self.pages.addWidget(empty)
        self.pages.addWidget(self.list)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.pages)

    def show_tree(self, tree: VersionTree) -> None:
        """Show the versions of a picture."""
        self.model.show_tree(tree)
        self.pages.setCurrentIndex(1 if self.model.rowCount() else 0)
        row = self.model.current_row()
        if row >= 0:
            self.list.setCurrentIndex(self.model.index(row))
            self.list.scrollTo(self.model.index(row))

    def _pick(self, index: QModelIndex) -> None:
        self.chosen.emit(self.model.version(index.row()).id)
