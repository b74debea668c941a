"""The model manager: what is here, what could be had, and servers; no dialog in the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from PySide6.QtCore import QMimeData, QTimer
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from app.i18n import _
from app.jobs import Job
from app.session import Failure
from app.shelf import Shelf, failure_on
from app.survey import Offer
from app.views.dress import Dresser
from app.views.fields import Page, TabChain, Window, button, heading, text_label
from app.views.model_card import ModelCard
from app.views.model_content import Content, of_installed, of_job, of_offer, of_server
from app.views.own_files import OwnFiles
from app.views.server_form import ServerForm

Key = tuple[str, str]
"""Kind ("here", "offer", "job" or "server") and name of a card."""


class ModelsWindow(Window):
    """Shows a shelf; whatever goes on there goes on when the window is closed."""

    def __init__(self, parent: QWidget, shelf: Shelf, dresser: Dresser) -> None:
        super().__init__(parent, _("Models"), 760, 640)
        self.setAcceptDrops(True)
        self.shelf = shelf
        self.cards: dict[Key, ModelCard] = {}
        self._tabs = TabChain()
        self._asked: Key | None = None  # whether this one may be removed
        self.banner = OwnFiles(shelf, dresser)
        self.machine = text_label(_("Looking at this machine…"), "muted")
        self.machine.setAccessibleName(_("This machine"))
        self.form = ServerForm(shelf)
        self.form.hide()
        self.form.done.connect(self._form_done)
        self.add_file = button(_("Add a model file…"), self.banner.choose)
        self.add_server = button(_("Add a server…"), lambda: self._open_form(""))
        dresser.icon(self.add_file, "open")
        dresser.icon(self.add_server, "server")
        self.page = Page(_("Models"))
        self._sections: dict[str, QVBoxLayout] = {}
        self._empty: dict[str, QWidget] = {}
        self._fill()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        above = QVBoxLayout()
        above.setContentsMargins(20, 10, 20, 0)
        above.addWidget(self.banner)
        layout.addLayout(above)
        layout.addWidget(self.page, 1)
        shelf.changed.connect(self.refresh)
        self.refresh()

    def _fill(self) -> None:
        column = self.page.column
        column.addWidget(self.machine)
        for kind, title, empty, more in (
            ("here", _("On this computer"), "", self.add_file),
            ("offer", _("To download"), _("Everything of the catalogue is here."), None),
            (
                "server",
                _("Servers"),
                _(
                    "None. A server that speaks the OpenAI chat API and sees pictures can convert "
                    "for you: vLLM, llama-server, Ollama. Pictures, and the text read from them, "
                    "then go to that server and nowhere else."
                ),
                self.add_server,
            ),
        ):
            column.addWidget(self._head(title, more))
            if empty:
                self._empty[kind] = text_label(empty, "muted")
                column.addWidget(self._empty[kind])
            self._sections[kind] = QVBoxLayout()
            self._sections[kind].setSpacing(8)
            column.addLayout(self._sections[kind])
        column.addWidget(self.form)
        column.addStretch(1)

    def _head(self, title: str, more: QPushButton | None) -> QWidget:
        head = QWidget()
        row = QHBoxLayout(head)
        row.setContentsMargins(0, 10, 0, 0)
        row.addWidget(heading(title), 1)
        if more is not None:
            row.addWidget(more)
        return head

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.shelf.refresh()

    # What is shown --------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Show the shelf as it is now."""
        found = self.shelf.survey
        wanted = self._contents()
        for key in [key for key in self.cards if key not in wanted]:
            card = self.cards.pop(key)
            card.hide()
            card.deleteLater()
        at: dict[str, int] = {}
        for key, content in wanted.items():
            section = "here" if key[0] == "job" else key[0]
            card = self.cards.get(key) or self._new_card(key)
            place = at.get(section, 0)
            if self._sections[section].indexOf(card) != place:
                self._sections[section].insertWidget(place, card)
            at[section] = place + 1
            card.show_content(content)
        for kind, label in self._empty.items():
            label.setVisible(found is not None and not at.get(kind) and not self.form.isVisible())
        if found is not None:
            self.machine.setText(found.notice or found.machine)
        self.banner.refresh()
        self._order(wanted)

    def _order(self, wanted: Mapping[Key, Content]) -> None:
        """Tab goes from top to bottom, whenever a button was made."""
        kinds = ("here", "job", "offer", "server")
        buttons: dict[str, list[QWidget]] = {kind: [] for kind in kinds}
        for key in wanted:
            buttons[key[0]] += self.cards[key].buttons.values()
        chain = [
            self.add_file, *buttons["here"], *buttons["job"], *buttons["offer"],
            self.add_server, *buttons["server"], *self.form.fields,
        ]  # fmt: skip
        self._tabs.set(chain)

    def _contents(self) -> dict[Key, Content]:
        shelf, wanted = self.shelf, dict[Key, Content]()
        found = shelf.survey
        known: set[str] = set()
        if shelf.elsewhere:
            line = _("Files of your own, or a model that is gone.")
            wanted["job", shelf.elsewhere] = Content(shelf.elsewhere, (_("In use"),), (line,))
        for one in found.installed if found is not None else ():
            key: Key = ("here", one.name)
            job, failure = self._state_of(one.name)
            wanted[key] = of_installed(one, shelf.uses(one), job, failure, self._asked == key)
            known.add(one.name)
        for offer in found.offers if found is not None else ():
            wanted["offer", offer.name] = of_offer(offer, *self._state_of(offer.name))
            known.add(offer.name)
        for job in shelf.jobs.all():
            if job.name not in known:
                wanted["job", job.name] = of_job(job)
        for server in shelf.settings.servers:
            key = ("server", server.name)
            used = shelf.settings.server == server.name
            failure = shelf.failures.get(server.name)
            wanted[key] = of_server(server, used, failure, self._asked == key)
        return wanted

    def _state_of(self, name: str) -> tuple[Job | None, Failure | None]:
        job = self.shelf.jobs.of(name)
        return job, failure_on(job, self.shelf.failures.get(name))

    def _new_card(self, key: Key) -> ModelCard:
        card = ModelCard()
        card.pressed.connect(lambda button, key=key: self._pressed(key, button))
        self.cards[key] = card
        return card

    # What is done ---------------------------------------------------------------------------------

    def _pressed(self, key: Key, button: str) -> None:
        if button in ("remove", "remove_no"):
            self._asked = key if button == "remove" else None
            self.refresh()
            return
        if button == "remove_yes":
            self._asked = None
        kind, name = key
        _ANSWERS[kind, button](self, name)
        self.refresh()

    def _pull(self, name: str) -> None:
        self.shelf.pull(name, self._offer(name).title)

    def _offer(self, name: str) -> Offer:
        assert self.shelf.survey is not None
        return next(one for one in self.shelf.survey.offers if one.name == name)

    def _use(self, name: str) -> None:
        assert self.shelf.survey is not None
        one = next(one for one in self.shelf.survey.installed if one.name == name)
        self.shelf.use("" if one.bundled else name)

    def _verify(self, name: str) -> None:
        assert self.shelf.survey is not None
        one = next(one for one in self.shelf.survey.installed if one.name == name)
        self.shelf.verify(name, one.folder)

    def _open_form(self, name: str) -> None:
        found = [one for one in self.shelf.settings.servers if one.name == name]
        self.form.open(found[0] if found else None)
        self.add_server.setEnabled(False)
        self.refresh()
        # Only when it has been laid out is it known where it is.
        QTimer.singleShot(0, lambda: self.page.ensureWidgetVisible(self.form))

    def _form_done(self) -> None:
        self.add_server.setEnabled(True)
        self.add_server.setFocus()
        self.refresh()

    # Files of the user's --------------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if model_paths(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        event.acceptProposedAction()
        self.shelf.add(model_paths(event.mimeData()))


def model_paths(mime: QMimeData) -> list[Path]:
    """The GGUF files among what is dragged."""
    paths = [Path(url.toLocalFile()) for url in mime.urls() if url.isLocalFile()]
    return [path for path in paths if path.suffix.lower() == ".gguf"]


Answer = Callable[[ModelsWindow, str], None]
_RUNNING: Mapping[str, Answer] = {
    "pause": lambda window, name: window.shelf.jobs.pause(name),
    "resume": lambda window, name: window.shelf.jobs.resume(name),
    "cancel": lambda window, name: window.shelf.jobs.cancel(name),
    "dismiss": lambda window, name: window.shelf.jobs.forget(name),
}
_ANSWERS: Mapping[tuple[str, str], Answer] = {
    **{(kind, key): call for kind in ("here", "offer", "job") for key, call in _RUNNING.items()},
    ("here", "use"): ModelsWindow._use,
    ("here", "verify"): ModelsWindow._verify,
    ("here", "remove_yes"): lambda window, name: window.shelf.remove(name),
    ("offer", "pull"): ModelsWindow._pull,
    ("offer", "discard"): lambda window, name: window.shelf.remove(name),
    ("server", "use"): lambda window, name: window.shelf.use_server(name),
    ("server", "edit"): ModelsWindow._open_form,
    ("server", "remove_yes"): lambda window, name: window.shelf.remove_server(name),
}
"""What the buttons of the cards do, by kind of card."""
