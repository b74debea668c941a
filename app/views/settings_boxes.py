"""Parts of the settings window that are more than rows: the history's size, the model, about."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from importlib.metadata import version
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices, QShowEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from app.controller import failure_of
from app.download_words import size
from app.i18n import _, ngettext
from app.log import log_folder
from app.messages import told
from app.shelf import Shelf
from app.store import settings as store
from app.tasks import TaskRunner
from app.views.dress import announce
from app.views.fields import button, text_label

if TYPE_CHECKING:
    from app.store.history import Page, Query, Size


class Entries(Protocol):
    """What is needed of `app.store.history.History`."""

    def page(self, query: Query = ...) -> Page: ...

    def size(self) -> Size: ...

    def delete(self, numbers: list[int]) -> Future[list[int]]: ...

    def undo_delete(self) -> Future[list[int]]: ...


History = Callable[[], "Entries | None"]
"""Gives the history once it is open; it is opened after the window."""

ALL = 1_000_000_000


class HistoryBox(QFrame):
    """How much the history holds, and a button that empties it and can take that back."""

    def __init__(self, history: History, tasks: TaskRunner) -> None:
        super().__init__()
        self.setObjectName("box")
        self._history = history
        self._tasks = tasks
        self.words = text_label(_("Looking…"))
        self.words.setAccessibleName(_("Size of the history"))
        self.clear = button(_("Delete all entries"), self._clear)
        self.undo = button(_("Undo"), self._undo, name=_("Bring the entries back"))
        self.undo.hide()
        self.clear.setEnabled(False)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(14, 10, 14, 10)
        layout.addWidget(self.words, 1)
        layout.addWidget(self.undo)
        layout.addWidget(self.clear)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.look()

    def look(self) -> None:
        """Count again, in the background."""
        history = self._history()
        if history is None:
            self.words.setText(_("The history is not open."))
            self.clear.setEnabled(False)
            return
        self._tasks.run(history.size, self._show, self._failed)

    def _show(self, found: Size) -> None:
        self.clear.setEnabled(found.entries > 0)
        if found.entries:
            words = ngettext(
                "{count} entry, {size} on the disk",
                "{count} entries, {size} on the disk",
                found.entries,
            )
            text = words.format(count=found.entries, size=size(found.total))
        elif self.undo.isVisibleTo(self):
            text = _("All entries are deleted; for good when VisCodex ends.")
        else:
            text = _("No entries yet. What you convert is kept here.")
        self.words.setText(text)

    def _clear(self) -> None:
        history = self._history()
        if history is None:
            return

        def work() -> int:
            from app.store.history import Query

            numbers = [entry.id for entry in history.page(Query(limit=ALL)).entries]
            return len(history.delete(numbers).result())

        self.clear.setEnabled(False)
        self._tasks.run(work, self._cleared, self._failed)

    def _cleared(self, count: int) -> None:
        self.undo.show()
        self.undo.setFocus()
        words = ngettext("{count} entry deleted", "{count} entries deleted", count)
        announce(self, words.format(count=count))
        self.look()

    def _undo(self) -> None:
        history = self._history()
        if history is not None:
            self.undo.hide()
            self.clear.setFocus()
            self._tasks.run(
                lambda: history.undo_delete().result(), lambda _: self.look(), self._failed
            )

    def _failed(self, error: Exception) -> None:
        self.words.setText(told(failure_of(error)))
        announce(self, self.words.text(), urgent=True)


class ModelsBox(QFrame):
    """What converts just now."""

    def __init__(self, shelf: Shelf) -> None:
        super().__init__()
        self.setObjectName("box")
        self._shelf = shelf
        self.words = text_label()
        self.words.setAccessibleName(_("In use"))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 10, 14, 10)
        layout.addWidget(self.words)
        shelf.changed.connect(self._show)
        self._show()

    def _show(self) -> None:
        settings = self._shelf.settings
        if settings.remote is not None:
            words = _("In use: {model} on the server “{name}”")
            if not settings.remote.model:
                words = _("In use: the only model on the server “{name}”")
            text = words.format(model=settings.remote.model, name=settings.remote.name)
        elif settings.model:
            text = _("In use: {model}, on this computer").format(model=settings.model)
        else:
            text = _("In use: the bundled model, on this computer")
        self.words.setText(text)


class AboutBox(QFrame):
    """Version, licence, and where things are kept."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("box")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 12, 14, 12)
        layout.setSpacing(6)
        layout.addWidget(text_label(f"VisCodex {version('viscodex')}", "boxTitle"))
        layout.addWidget(
            text_label(
                _(
                    "Turns a picture of a page or a chart into its code, on your own machine. "
                    "Apache-2.0. No account, no telemetry."
                )
            )
        )
        buttons = QHBoxLayout()
        for text, folder in (
            (_("Open the settings' folder"), store.default_path().parent),
            (_("Open the log's folder"), log_folder()),
        ):
            buttons.addWidget(button(text, _opener(str(folder))))
        buttons.addStretch(1)
        layout.addLayout(buttons)


def _opener(folder: str) -> Callable[[], object]:
    return lambda: QDesktopServices.openUrl(QUrl.fromLocalFile(folder))


def make_box(name: str, history: History, shelf: Shelf) -> QWidget | None:
    """The part of a page by the name that `PAGES` gives it."""
    if name == "history":
        return HistoryBox(history, shelf.tasks)
    if name == "models":
        return ModelsBox(shelf)
    return AboutBox() if name == "about" else None
