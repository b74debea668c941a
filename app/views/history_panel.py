"""The history: looked through, searched, pinned, deleted, opened again."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.archive import Archive
from app.i18n import N_, _
from app.views.dress import ICON, Dresser, Segments, ShortLabel, announce
from app.views.history_model import HistoryModel
from app.views.rows import RowList

SEARCH_MS = 180
UNDO_MS = 12_000
KINDS = (
    ("", N_("All"), N_("Everything that was converted")),
    ("html", "HTML", N_("Pages only")),
    ("matplotlib", N_("Chart"), N_("Charts only")),
)
NOTHING = N_("What you convert is kept here, on this computer only.")
NOTHING_FOUND = N_("Nothing was found.")
PRIVATE = N_("Private mode is on: nothing new is kept, and nothing here can be changed.")


class _List(RowList):
    """Keys of the list: Enter opens, Delete, P for pin."""

    chosen = Signal(QModelIndex)
    deleted = Signal()
    pinned = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        if key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.deleted.emit()
        elif key == Qt.Key.Key_P and not event.modifiers():
            self.pinned.emit()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.currentIndex().isValid():
            self.chosen.emit(self.currentIndex())
        else:
            super().keyPressEvent(event)


class HistoryPanel(QWidget):
    """`opened(number)` when an entry is to come back."""

    opened = Signal(int)

    def __init__(self, archive: Archive, dresser: Dresser) -> None:
        super().__init__()
        self._archive = archive
        self._selected: int | None = None
        self.model = HistoryModel(archive)
        self.search = QLineEdit()
        self.search.setAccessibleName(_("Search the history"))
        self.search.setPlaceholderText(_("Search titles, texts and code"))
        self.search.setClearButtonEnabled(True)
        self.search.findChildren(QToolButton)[0].setAccessibleName(_("Clear the search"))
        self.kinds = Segments(_("Kind"), KINDS)
        self.kinds.set_choice("")
        self.pinned = QToolButton()
        self.pinned.setObjectName("flat")
        self.pinned.setCheckable(True)
        self.pinned.setIconSize(ICON)
        self.pinned.setAccessibleName(_("Only pinned ones"))
        self.pinned.setToolTip(_("Only pinned ones"))
        self.pinned.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        dresser.icon(self.pinned, "pin")
        self.list = _List(_("History"), dresser)
        self.list.setModel(self.model)
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self._empty = _note(_(NOTHING))
        self.pages = QStackedWidget()
        self.pages.addWidget(self._empty)
        self.pages.addWidget(self.list)
        self.private_note = _note(_(PRIVATE))
        self.private_note.setMargin(8)
        self.private_note.hide()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(SEARCH_MS)
        self._undo_timer = QTimer(self)
        self._undo_timer.setSingleShot(True)
        self._undo_timer.setInterval(UNDO_MS)
        self._build()
        self._connect()

    def _build(self) -> None:
        top = QHBoxLayout()
        top.setContentsMargins(10, 8, 10, 4)
        top.addWidget(self.search)
        filters = QHBoxLayout()
        filters.setContentsMargins(10, 0, 10, 6)
        filters.addWidget(self.kinds)
        filters.addStretch(1)
        filters.addWidget(self.pinned)
        self.undo_bar = QFrame()
        self.undo_bar.setObjectName("banner")
        row = QHBoxLayout(self.undo_bar)
        row.setContentsMargins(10, 4, 6, 4)
        self._undo_text = ShortLabel()
        self._undo_text.setObjectName("bannerText")
        self.undo = QPushButton(_("Undo"))
        self.undo.setAutoDefault(False)
        self.undo.setAccessibleName(_("Undo the deletion"))
        row.addWidget(self._undo_text, 1)
        row.addWidget(self.undo)
        self.undo_bar.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(top)
        layout.addLayout(filters)
        layout.addWidget(self.private_note)
        layout.addWidget(self.pages, 1)
        layout.addWidget(self.undo_bar)

    def _connect(self) -> None:
        self._timer.timeout.connect(self._ask)
        self.search.textChanged.connect(lambda: self._timer.start())
        self.search.returnPressed.connect(self._to_list)
        self.kinds.chosen.connect(lambda: self._ask())
        self.pinned.toggled.connect(lambda: self._ask())
        self.model.looked.connect(self._looked)
        self.model.modelAboutToBeReset.connect(self._remember)
        self.list.doubleClicked.connect(self._open)
        self.list.chosen.connect(self._open)
        self.list.deleted.connect(self._delete)
        self.list.pinned.connect(self._pin)
        self.list.customContextMenuRequested.connect(self._show_menu)
        self.undo.clicked.connect(self._undo)
        self._undo_timer.timeout.connect(self.undo_bar.hide)
        self._archive.ready.connect(self._ask)
        self._archive.altered.connect(self.model.again)

    # What is shown ----------------------------------------------------------

    def show_private(self, private: bool) -> None:
        """In private mode nothing here can be changed."""
        self.private_note.setVisible(private)
        if private:
            self.undo_bar.hide()

    def focus_search(self) -> None:
        self.search.setFocus()
        self.search.selectAll()

    def _ask(self) -> None:
        self.model.ask(
            self.search.text().strip(),
            self.kinds.choice or None,
            True if self.pinned.isChecked() else None,
        )

    def _looked(self, total: int) -> None:
        asked = bool(self.search.text().strip() or self.kinds.choice or self.pinned.isChecked())
        self._empty.setText(_(NOTHING_FOUND if asked else NOTHING))
        self.pages.setCurrentIndex(1 if total else 0)
        row = -1 if self._selected is None else self.model.row_of(self._selected)
        if row >= 0:
            self.list.setCurrentIndex(self.model.index(row))

    def _remember(self) -> None:
        entry = self.model.entry(self.list.currentIndex().row())
        self._selected = None if entry is None else entry.id

    # What the user does -----------------------------------------------------

    def _to_list(self) -> None:
        if self.model.rowCount():
            self.list.setFocus()
            if not self.list.currentIndex().isValid():
                self.list.setCurrentIndex(self.model.index(0))

    def _open(self, index: QModelIndex) -> None:
        entry = self.model.entry(index.row())
        if entry is not None:
            self.opened.emit(entry.id)

    def _pin(self) -> None:
        entry = self.model.entry(self.list.currentIndex().row())
        if entry is not None and not self._archive.private:
            self._archive.pin(entry.id, not entry.pinned)
            announce(self, _("No longer pinned") if entry.pinned else _("Pinned"))

    def _delete(self) -> None:
        row = self.list.currentIndex().row()
        entry = self.model.entry(row)
        if entry is None or self._archive.private:
            return
        below = self.model.entry(row + 1) or self.model.entry(row - 1)
        if below is not None:  # the next Delete hits the neighbour
            self.list.setCurrentIndex(self.model.index(self.model.row_of(below.id)))
        self._archive.delete([entry.id])
        self._undo_text.show_text(_("Deleted: {title}").format(title=entry.title))
        self._undo_text.setToolTip(entry.title)
        self.undo_bar.show()
        self._undo_timer.start()
        announce(self, _("Deleted {title}").format(title=entry.title))

    def _undo(self) -> None:
        self._archive.undo_delete()
        self.undo_bar.hide()
        announce(self, _("Brought back"))

    def _show_menu(self, point: QPoint) -> None:
        menu = self.make_menu(self.list.indexAt(point))
        if menu is not None:
            menu.popup(self.list.viewport().mapToGlobal(point))

    def make_menu(self, index: QModelIndex) -> QMenu | None:
        """What can be done with a row; None where there is none."""
        entry = self.model.entry(index.row())
        if entry is None:
            return None
        self.list.setCurrentIndex(index)
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for text, keys, slot, allowed in (
            (_("Open"), "Return", lambda: self._open(index), True),
            (_("Unpin") if entry.pinned else _("Pin"), "P", self._pin, not self._archive.private),
            (_("Delete"), "Del", self._delete, not self._archive.private),
        ):
            action = menu.addAction(text)
            action.setText(f"{text}\t{keys}")
            action.setEnabled(allowed)
            action.triggered.connect(lambda *_, call=slot: call())
        return menu


def _note(text: str) -> QLabel:
    label = QLabel(text)
    label.setObjectName("muted")
    label.setWordWrap(True)
    label.setAlignment(Qt.AlignmentFlag.AlignCenter)
    label.setMargin(24)
    return label
