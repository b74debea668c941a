"""A server of the user's own: its name, address and key, a test, and the choice of its model."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from app.controller import failure_of
from app.i18n import N_, _, ngettext
from app.messages import WindowError, told
from app.shelf import Shelf
from app.store.settings import RemoteServer
from app.views.dress import announce
from app.views.fields import button, text_label
from app.views.model_content import notice_of
from engine.errors import ErrorCode, VisCodexError
from engine.remote.server import Server

if TYPE_CHECKING:
    from engine.remote.http import ServerFacts

ONLY = N_("Its only model")


class ServerForm(QFrame):
    """Stands in the window, in nobody's way. `done()` when it was saved or left."""

    done = Signal()

    def __init__(self, shelf: Shelf) -> None:
        super().__init__()
        self.setObjectName("box")
        self._shelf = shelf
        self._old: RemoteServer | None = None
        self._round = 0  # of tests; the answer to an older one is not shown
        self.title = text_label("", "boxTitle")
        self.name = _line(_("Name"), _("Office"))
        self.url = _line(_("Address"), "https://models.example.org")
        self.key = _line(_("Key"), "")
        self.key.setEchoMode(QLineEdit.EchoMode.Password)
        self.model = QComboBox()
        self.model.setEditable(True)
        self.model.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.model.setAccessibleName(_("Model"))
        line = self.model.lineEdit()
        if line is not None:
            line.setAccessibleName(_("Model"))
            line.setPlaceholderText(_(ONLY))
        self.notice = text_label("", "status")
        self.notice.setProperty("tone", "warn")
        self.notice.setAccessibleName(_("Notice"))
        self.result = text_label("", "status")
        self.result.setAccessibleName(_("Result of the test"))
        self.test = button(_("Test"), self._test, name=_("Test the server"))
        self.save = button(_("Save"), self._save, "primary", _("Save the server"))
        self.leave = button(_("Cancel"), self._leave, name=_("Leave the server as it was"))
        self.fields: tuple[QWidget, ...] = (
            self.name, self.url, self.key, self.model, self.test, self.save, self.leave,
        )  # fmt: skip
        form = QFormLayout()
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.setHorizontalSpacing(14)
        form.setVerticalSpacing(8)
        rows: tuple[tuple[str, QWidget], ...] = (
            (_("Name"), self.name),
            (_("Address"), self.url),
            # L10N: the key (a secret) that a server asks for.
            (_("Key"), self.key),
            (_("Model"), self.model),
        )
        for text, field in rows:
            form.addRow(text, field)
        buttons = QHBoxLayout()
        for one in (self.test, self.save, self.leave):
            buttons.addWidget(one)
        buttons.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 12, 14, 12)
        layout.setSpacing(8)
        layout.addWidget(self.title)
        layout.addLayout(form)
        for widget in (self.notice, self.result):
            layout.addWidget(widget)
            widget.hide()
        layout.addLayout(buttons)
        self.url.textChanged.connect(self._address_changed)
        self.key.textChanged.connect(lambda: self._say(""))

    def open(self, server: RemoteServer | None) -> None:
        """Begin with a server that is there, or a new one."""
        self._old = server
        self._round += 1
        self.title.setText(
            _("A new server") if server is None else _("Change “{name}”").format(name=server.name)
        )
        self.name.setText("" if server is None else server.name)
        self.url.setText("" if server is None else server.url)
        self.key.clear()
        self.key.setPlaceholderText(
            _("If it wants one; kept in the system's keyring")
            if server is None
            else _("Leave empty to keep the one there is")
        )
        self.model.clear()
        self.model.setEditText("" if server is None else server.model)
        self._say("")
        self._address_changed()
        self.test.setEnabled(True)
        self.show()
        self.name.setFocus()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc leaves the form and not the window."""
        if event.key() == Qt.Key.Key_Escape:
            self._leave()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._save()
        else:
            super().keyPressEvent(event)

    def _address_changed(self) -> None:
        self._say("")
        notice = notice_of(self.url.text())
        self.notice.setText(notice)
        self.notice.setVisible(bool(notice))

    def _test(self) -> None:
        """Ask the server for its models, with the key typed here or the one that is kept."""
        self._round += 1
        self.test.setEnabled(False)
        self._say(_("Asking…"))
        self._shelf.tasks.run(
            partial(_probe, self.url.text(), self.key.text().strip()),
            partial(self._if_current, self._round, self._answered),
            partial(self._if_current, self._round, self._failed),
        )

    def _if_current(self, number: int, call: Callable[[Any], None], value: Any) -> None:
        if number == self._round:
            self.test.setEnabled(True)
            call(value)

    def _answered(self, facts: ServerFacts) -> None:
        chosen = self.model.currentText().strip()
        self.model.clear()
        self.model.addItems(list(facts.models))
        self.model.setEditText(chosen or (facts.models[0] if facts.models else ""))
        host = Server.at(self.url.text()).host
        count = len(facts.models)
        words = ngettext(
            "It works: {host} answered in {time} ms and has {count} model.",
            "It works: {host} answered in {time} ms and has {count} models.",
            count,
        )
        text = words.format(host=host, time=f"{1000 * facts.seconds:.0f}", count=count)
        if not count:
            words = _("{host} answered, but has no model to offer. Load one there.")
            self._say(words.format(host=host), "warn")
        elif chosen and chosen not in facts.models:
            words = _("“{model}” is not one of them.")
            self._say(f"{text} {words.format(model=chosen)}", "warn")
        else:
            self._say(text, "good")

    def _failed(self, error: Exception) -> None:
        self._say(told(failure_of(error)), "bad")

    def _save(self) -> None:
        try:
            server = self._server()
            self._shelf.save_server(server, self._old.name if self._old is not None else "")
        except VisCodexError as error:
            self._failed(error)
            return
        key = self.key.text().strip()
        self.key.clear()
        if not key:
            self._left()
            return
        self._old = server  # it is kept; should the keyring refuse, only the key is missing
        self._say(_("Keeping the key…"))
        self._shelf.tasks.run(
            partial(_keep_key, server.url, key), lambda _: self._key_kept(), self._failed
        )

    def _server(self) -> RemoteServer:
        """What stands in the fields. Raises VisCodexError for what is no server."""
        url, key = self.url.text().strip(), self.key.text().strip()
        host = Server.at(url, key).host
        name = self.name.text().strip() or host
        if len(name) > 80:
            raise WindowError(ErrorCode.bad_input, _("The name is too long."), _("Shorten it."))
        return RemoteServer(name, url, self.model.currentText().strip())

    def _key_kept(self) -> None:
        self._shelf.server_changed.emit()
        self._left()

    def _leave(self) -> None:
        self.key.clear()
        self._left()

    def _left(self) -> None:
        self._round += 1
        self.hide()
        self.done.emit()

    def _say(self, text: str, tone: str = "") -> None:
        self.result.setText(text)
        self.result.setVisible(bool(text))
        self.result.setProperty("tone", tone)
        self.result.style().unpolish(self.result)
        self.result.style().polish(self.result)
        if text:
            announce(self, text, urgent=tone == "bad")


def _line(name: str, example: str) -> QLineEdit:
    line = QLineEdit()
    line.setAccessibleName(name)
    line.setPlaceholderText(example)
    return line


# Off the GUI thread ---------------------------------------------------------------------------


def _probe(url: str, key: str) -> ServerFacts:
    from engine.remote.client import probe
    from engine.remote.server import find_key

    return probe(Server.at(url, key or find_key(url)))


def _keep_key(url: str, key: str) -> None:
    from engine.remote.keys import keep_key

    keep_key(url, key)
