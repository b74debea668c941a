"""The first page of a new installation: pick a model, try the sample, learn the key, or skip."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from app.i18n import _
from app.messages import told
from app.shelf import Shelf, failure_on
from app.store.settings import Settings
from app.views.dress import Dresser, IconLabel
from app.views.fields import Page, TabChain, button, text_label
from app.views.model_card import ModelCard
from app.views.model_content import of_offer

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
        self.looking = text_label(_("Looking which larger models fit this machine…"), "muted")
        self.looking.setAccessibleName(_("Larger models"))
        self._offers = QVBoxLayout()
        self._offers.setSpacing(8)
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
        """Show which larger models fit, and what becomes of their downloads."""
        shelf = self._shelf
        found = shelf.survey
        if found is None:
            if shelf.failure is not None:
                self.looking.setText(told(shelf.failure))
            return
        offers = found.recommended(OFFERED)
        going_on = [
            offer
            for offer in found.offers
            if offer not in offers and shelf.jobs.of(offer.name) is not None
        ]
        shown = {offer.name: offer for offer in (*offers, *going_on)}
        for name in self.cards.keys() - shown:
            card = self.cards.pop(name)
            card.hide()
            card.deleteLater()
        for name, offer in shown.items():
            if name not in self.cards:
                self.cards[name] = ModelCard()
                self.cards[name].pressed.connect(
                    lambda key, name=name, title=offer.title: self._pressed(name, title, key)
                )
                self._offers.addWidget(self.cards[name])
            job = shelf.jobs.of(name)
            failure = failure_on(job, shelf.failures.get(name))
            self.cards[name].show_content(of_offer(offer, job, failure))
        cards: list[QWidget] = [
            one for card in self.cards.values() for one in card.buttons.values()
        ]
        self._tabs.set([*cards, self.all_models, self.try_sample, self.change_key, self.go_on])
        self.looking.setText(
            _("Larger models are better, and these fit this machine:")
            if shown
            else _("No larger model fits the memory that is free here. A server can help out.")
        )

    def _pressed(self, name: str, title: str, key: str) -> None:
        jobs = self._shelf.jobs
        {
            "pull": lambda: self._shelf.pull(name, title),
            "discard": lambda: self._shelf.remove(name),
            "pause": lambda: jobs.pause(name),
            "resume": lambda: jobs.resume(name),
            "cancel": lambda: jobs.cancel(name),
        }[key]()

    def _models_step(self) -> QFrame:
        ready = QHBoxLayout()
        ready.setSpacing(8)
        mark = IconLabel(18)
        self._dresser.icon(mark, "done", "good")
        ready.addWidget(mark, 0, Qt.AlignmentFlag.AlignTop)
        ready.addWidget(
            text_label(
                _(
                    "The bundled model is ready: quick on any computer, rough in its results. "
                    "It is used until you choose another one."
                )
            ),
            1,
        )
        frame = self._step("1", _("Pick a model"), "")
        column = frame.layout()
        assert isinstance(column, QVBoxLayout)
        column.addLayout(ready)
        column.addWidget(self.looking)
        column.addLayout(self._offers)
        column.addWidget(self.all_models, 0, Qt.AlignmentFlag.AlignLeft)
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
