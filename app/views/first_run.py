"""The first page of a new installation: pick a model, try the sample, learn the key, or skip."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from app.i18n import _
from app.jobs import Job
from app.shelf import Shelf, failure_on
from app.store.settings import Settings
from app.views.dress import Dresser, IconLabel, announce
from app.views.fields import Page, TabChain, button, text_label
from app.views.model_card import ModelCard
from app.views.model_content import Content, of_job, of_offer
from app.views.own_files import OwnFiles

OFFERED = 2  # larger models that are named here; all others are in the manager
WIDTH = 720


class FirstRunPage(Page):
    """Shown once, in the place of the start page. `left()` when the user goes on without more,
    `sample()` for a conversion of the sample."""

    left = Signal()
    sample = Signal()

    def __init__(self, actions: Mapping[str, QAction], dresser: Dresser, shelf: Shelf) -> None:
        super().__init__(_("Welcome"))
        self.setObjectName("startArea")
        self.inside.setObjectName("start")
        self.inside.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._shelf = shelf
        self._dresser = dresser
        self.cards: dict[str, ModelCard] = {}
        self._tabs = TabChain()
        self._said: tuple[object, ...] = ()
        self.looking = text_label(_("Looking which larger models fit this machine…"), "muted")
        self.looking.setAccessibleName(_("Larger models"))
        self._offers = QVBoxLayout()
        self._offers.setSpacing(8)
        self.files = OwnFiles(shelf, dresser)
        self.own_file = button(_("I have a GGUF file…"), self.files.choose)
        dresser.icon(self.own_file, "open")
        self.ready = text_label("", "status")
        self.ready.setAccessibleName(_("The model that converts"))
        self.all_models = button(_("All models and servers…"), actions["models"].trigger, "link")
        self.try_sample = button(_("Try the sample"), self.sample.emit, "primary")
        dresser.icon(self.try_sample, "sample", "on_accent")
        self.key = text_label("")
        self.change_key = button(
            _("Change or test it…"), actions["hotkey"].trigger, name=_("Change or test the hotkey")
        )
        self.go_on = button(_("Go on without"), self.left.emit, name=_("Leave this page"))
        inside = QVBoxLayout()
        inside.setSpacing(12)
        title = text_label(_("Turn a picture into code"), "startTitle")
        inside.addWidget(title)
        inside.addWidget(
            text_label(
                _(
                    "Snip any part of the screen: an interface becomes HTML, a chart becomes "
                    "matplotlib. Everything runs on this computer. Nothing is uploaded."
                ),
                "startText",
            )
        )
        inside.addWidget(self._models_step())
        inside.addWidget(
            self._step(
                "2", _("Try it"), _("One click converts a small sign-in form."), self.try_sample
            )
        )
        inside.addWidget(self._step("3", _("Learn the key"), self.key, self.change_key))
        foot = QHBoxLayout()
        foot.addStretch(1)
        foot.addWidget(self.go_on)
        inside.addLayout(foot)
        middle = QWidget()
        middle.setMaximumWidth(WIDTH)
        middle.setLayout(inside)
        inside.setContentsMargins(0, 0, 0, 0)
        across = QHBoxLayout()
        across.addStretch(1)
        across.addWidget(middle, 20)
        across.addStretch(1)
        self.column.addStretch(1)
        self.column.addLayout(across)
        self.column.addStretch(2)
        shelf.changed.connect(self.refresh)
        self.show_settings(shelf.settings)
        self.refresh()

    def show_settings(self, settings: Settings) -> None:
        """Show the key that snips."""
        keys = QKeySequence(settings.hotkey)
        text = keys.toString(QKeySequence.SequenceFormat.NativeText)
        self.key.setText(
            _("{keys} starts a snip, whatever is in front.").format(keys=text)
            if text
            else _("No key is set yet.")
        )

    def refresh(self) -> None:
        """Show what converts, which larger models fit, and what becomes of those on their way."""
        self.files.refresh()
        self._show_ready()
        contents = self._contents()
        said = (
            self.files.text,
            self.files.isHidden(),
            *(contents[one].tone for one in self._own()),
        )
        if said != self._said:
            self._said = said
            self._reveal(self.own_file)  # what came of a file stands just above
        for name in self.cards.keys() - contents:
            card = self.cards.pop(name)
            card.hide()
            card.deleteLater()
        for name, content in contents.items():
            if name not in self.cards:
                self.cards[name] = ModelCard()
                self.cards[name].pressed.connect(lambda key, name=name: self._pressed(name, key))
                self._offers.addWidget(self.cards[name])
            self.cards[name].show_content(content)
        chain: list[QWidget] = [
            one for card in self.cards.values() for one in card.buttons.values()
        ]
        chain += [*self.files.controls, self.own_file, self.all_models]
        self._tabs.set([*chain, self.try_sample, self.change_key, self.go_on])

    def _show_ready(self) -> None:
        settings = self._shelf.settings
        if settings.remote is not None:
            text = _("{name} is chosen: that server converts from now on.").format(
                name=settings.remote.name
            )
        elif settings.model:
            text = _("{name} is ready: it converts from now on.").format(name=settings.model)
        else:
            text = _(
                "The bundled model is ready: quick on any computer, rough in its results. "
                "It is used until you choose another one."
            )
        before = self.ready.text()
        if text != before:
            self.ready.setText(text)
        if before not in ("", text):
            announce(self.ready, text)
            self._reveal(self.ready)

    def _contents(self) -> dict[str, Content]:
        """By name: offers that fit, those that are on their way, and files being taken over."""
        shelf = self._shelf
        found = shelf.survey
        contents: dict[str, Content] = {}
        self.looking.setVisible(found is not None or shelf.failure is None)
        if found is not None:
            offers = found.recommended(OFFERED)
            offers += tuple(
                offer
                for offer in found.offers
                if offer not in offers and shelf.jobs.of(offer.name) is not None
            )
            for offer in offers:
                job = shelf.jobs.of(offer.name)
                failure = failure_on(job, shelf.failures.get(offer.name))
                contents[offer.name] = of_offer(offer, job, failure)
            self.looking.setText(
                _("Larger models are better, and these fit this machine:")
                if offers
                else _("No larger model fits the memory that is free here. A server can help out.")
            )
        return contents | {name: of_job(job) for name, job in self._own().items()}

    def _own(self) -> dict[str, Job]:
        """Files that are being taken over, or were in vain."""
        return {job.name: job for job in self._shelf.jobs.all() if job.kind == "add"}

    def _reveal(self, widget: QWidget) -> None:
        """Scroll to where a widget will be once all is laid out."""
        if self.isVisible():
            QTimer.singleShot(0, self, lambda: self.ensureWidgetVisible(widget))

    def _pressed(self, name: str, key: str) -> None:
        jobs = self._shelf.jobs
        {
            "pull": lambda: self._pull(name),
            "discard": lambda: self._shelf.remove(name),
            "pause": lambda: jobs.pause(name),
            "resume": lambda: jobs.resume(name),
            "cancel": lambda: jobs.cancel(name),
            "dismiss": lambda: jobs.forget(name),
        }[key]()

    def _pull(self, name: str) -> None:
        assert self._shelf.survey is not None
        offer = next(one for one in self._shelf.survey.offers if one.name == name)
        self._shelf.pull(name, offer.title)

    def _models_step(self) -> QFrame:
        ready = QHBoxLayout()
        ready.setSpacing(8)
        mark = IconLabel(18)
        self._dresser.icon(mark, "done", "good")
        ready.addWidget(mark, 0, Qt.AlignmentFlag.AlignTop)
        ready.addWidget(self.ready, 1)
        frame = self._step("1", _("Pick a model"), "")
        column = frame.layout()
        assert isinstance(column, QVBoxLayout)
        column.addLayout(ready)
        column.addWidget(self.looking)
        column.addLayout(self._offers)
        column.addWidget(self.files)
        more = QHBoxLayout()
        more.setSpacing(14)
        more.addWidget(self.own_file)
        more.addWidget(self.all_models)
        more.addStretch(1)
        column.addLayout(more)
        return frame

    def _step(
        self, number: str, title: str, words: str | QWidget, control: QWidget | None = None
    ) -> QFrame:
        """A framed step: its number and title, words, and a control below or beside them."""
        frame = QFrame()
        frame.setObjectName("box")
        column = QVBoxLayout(frame)
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(8)
        column.addWidget(text_label(f"{number}   {title}", "boxTitle"))
        row = QHBoxLayout()
        row.setSpacing(14)
        label = words if isinstance(words, QWidget) else text_label(words)
        if words:
            row.addWidget(label, 1)
        if control is not None:
            row.addWidget(control)
        column.addLayout(row)
        return frame
