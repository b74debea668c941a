"""All answers to one request beside each other, the likest first."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QIcon, QImage, QKeyEvent, QPixmap
from PySide6.QtWidgets import (
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from app.i18n import N_, _
from app.versions import Version
from app.views.dress import Dresser, tab_to_chosen
from app.views.versions_list import VersionsModel

LARGE, SMALL = QSize(104, 66), QSize(48, 30)
PARTS = (
    ("layout", N_("layout {percent} %")),
    ("colour", N_("colour {percent} %")),
    ("pixels", N_("pixels {percent} %")),
    ("text", N_("text {percent} %")),
)


class _Card(QToolButton):
    """One answer: what it draws, and how like the picture. Arrow keys go to its neighbours."""

    stepped = Signal(int)

    def __init__(self, version: Version, place: int, count: int) -> None:
        super().__init__()
        self.version = version
        self.setObjectName("candidate")
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.refresh(place, count)

    def refresh(self, place: int, count: int) -> None:
        """Say what is known of the answer by now."""
        alike, problem = self.version.similarity, self.version.problem
        percent = "–" if alike is None else f"{round(100 * alike)} %"
        self.setText(_("Draws nothing") if problem else percent)
        told = problem or _("not compared")
        if alike is not None and not problem:
            told = _("{percent} % alike").format(percent=round(100 * alike))
        # L10N: facts say how like the picture it is, or what is wrong with it.
        name = _("Candidate {number} of {total}, {facts}")
        self.setAccessibleName(name.format(number=place, total=count, facts=told))
        self.setToolTip(self._tip())

    def _tip(self) -> str:
        figures = self.version.likeness
        if not figures:
            number = self.version.candidate + 1
            return self.version.problem or _("Candidate {number}").format(number=number)
        parts = [
            _(words).format(percent=round(100 * value))
            for key, words in PARTS
            if (value := figures.get(key)) is not None
        ]
        return _("Likeness to the picture: {parts}").format(parts=", ".join(parts))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
        else:
            self.stepped.emit(step)


class CandidateStrip(QScrollArea):
    """`chosen(number)` of the version picked. Hidden where there is one answer only."""

    chosen = Signal(int)

    def __init__(self, dresser: Dresser, model: VersionsModel) -> None:
        super().__init__()
        self.setObjectName("strip")
        self.setAccessibleName(_("Candidates"))
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._dresser = dresser
        self._model = model
        self._size = LARGE
        inside = QWidget()
        inside.setObjectName("strip")
        self._layout = QHBoxLayout(inside)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(8)
        self._layout.addStretch(1)
        self.setWidget(inside)
        self._group = QButtonGroup(self)
        tab_to_chosen(self._group)
        self.cards: list[_Card] = []
        model.thumbs.arrived.connect(self._dress)
        dresser.theme.changed.connect(self._dress)
        self.hide()

    def sizeHint(self) -> QSize:
        return QSize(200, self.cards[0].sizeHint().height() + 2 if self.cards else 0)

    def minimumSizeHint(self) -> QSize:
        return QSize(80, self.sizeHint().height())

    def set_compact(self, compact: bool) -> None:
        """Smaller pictures in a small window."""
        size = SMALL if compact else LARGE
        if size != self._size:
            self._size = size
            self._dress()

    def show_candidates(self, versions: Sequence[Version], current: Version | None) -> None:
        """Show the answers in this order, `current` as the one picked."""
        wanted = list(versions) if len(versions) > 1 else []
        if [card.version for card in self.cards] != wanted:
            self._rebuild(wanted)
        for place, card in enumerate(self.cards, 1):
            card.refresh(place, len(self.cards))
            card.setChecked(card.version is current)
            if card.isChecked():
                self.ensureWidgetVisible(card)
        self.setVisible(bool(wanted))

    def step(self, step: int) -> None:
        """Pick the neighbour of the one picked."""
        place = next((n for n, card in enumerate(self.cards) if card.isChecked()), -1)
        if self.cards and place >= 0 and 0 <= place + step < len(self.cards):
            had_focus = self.cards[place].hasFocus()
            card = self.cards[place + step]
            if had_focus:
                card.setFocus()
            card.click()

    def _rebuild(self, versions: Sequence[Version]) -> None:
        for old in self.cards:
            self._group.removeButton(old)
            old.hide()
            old.deleteLater()
        self.cards = [_Card(one, n + 1, len(versions)) for n, one in enumerate(versions)]
        for place, card in enumerate(self.cards):
            self._group.addButton(card)
            self._layout.insertWidget(place, card)
            card.stepped.connect(self.step)
            card.clicked.connect(lambda *_, number=card.version.id: self.chosen.emit(number))
        self._dress()

    def _dress(self) -> None:
        for card in self.cards:
            image = self._model.image(card.version)
            card.setIconSize(self._size)
            style = Qt.ToolButtonStyle
            card.setToolButtonStyle(
                style.ToolButtonTextBesideIcon
                if self._size == SMALL
                else style.ToolButtonTextUnderIcon
            )
            card.setIcon(self._icon(image))
        self.updateGeometry()

    def _icon(self, image: QImage) -> QIcon:
        if image.isNull():
            return self._dresser.make("code", "muted")
        return QIcon(QPixmap.fromImage(image))
