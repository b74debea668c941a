"""All answers to one request beside each other: as they are written, then the likest first."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QIcon, QKeyEvent, QPixmap
from PySide6.QtWidgets import (
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from app.i18n import _
from app.session import Session
from app.versions import Version
from app.views.candidate_faces import Face, of_answers, of_versions
from app.views.dress import Dresser, tab_to_chosen
from app.views.versions_list import VersionsModel

LARGE, SMALL = QSize(104, 66), QSize(48, 30)


class _Card(QToolButton):
    """One answer: what it draws, and how like the picture. Arrow keys go to its neighbours."""

    stepped = Signal(int)

    def __init__(self, face: Face) -> None:
        super().__init__()
        self.face = face
        self.setObjectName("candidate")
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.refresh(face)

    def refresh(self, face: Face) -> None:
        """Show what is known of the answer by now."""
        self.face = face
        self.setText(face.text)
        self.setAccessibleName(face.name)
        self.setToolTip(face.tip)
        self.setChecked(face.chosen)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
        else:
            self.stepped.emit(step)


class CandidateStrip(QScrollArea):
    """`chosen(number)` of the version picked, `watched(number)` of an answer that is at work.

    Hidden where there is one answer only.
    """

    chosen = Signal(int)
    watched = Signal(int)

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
        self._at_work = False
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
        """Show complete answers in this order, `current` as the one picked."""
        self._show(of_versions(versions, current), False)

    def show_answers(self, session: Session) -> None:
        """Show answers while they are written and compared."""
        self._show(of_answers(session), True)

    def _show(self, faces: Sequence[Face], at_work: bool) -> None:
        wanted = list(faces) if len(faces) > 1 else []
        if at_work != self._at_work or [c.face.key for c in self.cards] != [f.key for f in wanted]:
            self._at_work = at_work
            self._rebuild(wanted)
        for card, face in zip(self.cards, wanted, strict=True):
            before = card.face
            card.refresh(face)
            if face.source is not before.source or face.icon != before.icon:
                self._dress_card(card)
            if face.chosen and not before.chosen:
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

    def _rebuild(self, faces: Sequence[Face]) -> None:
        had_focus = any(card.hasFocus() for card in self.cards)
        for old in self.cards:
            self._group.removeButton(old)
            old.hide()
            old.deleteLater()
        self.cards = [_Card(face) for face in faces]
        picked = self.watched if self._at_work else self.chosen
        for place, card in enumerate(self.cards):
            self._group.addButton(card)
            self._layout.insertWidget(place, card)
            card.stepped.connect(self.step)
            card.clicked.connect(lambda *_, key=card.face.key: picked.emit(key))
            if card.face.chosen:
                self.ensureWidgetVisible(card)
                if had_focus:  # whoever watched goes on where the answers are complete
                    card.setFocus()
        self._dress()

    def _dress(self) -> None:
        for card in self.cards:
            self._dress_card(card)
        self.updateGeometry()

    def _dress_card(self, card: _Card) -> None:
        card.setIconSize(self._size)
        style = Qt.ToolButtonStyle
        card.setToolButtonStyle(
            style.ToolButtonTextBesideIcon if self._size == SMALL else style.ToolButtonTextUnderIcon
        )
        card.setIcon(self._icon(card.face))

    def _icon(self, face: Face) -> QIcon:
        source = face.source
        if isinstance(source, Version):
            image = self._model.image(source)
        else:
            image = self._model.picture(None if source is None else source.png)
        if image.isNull():
            return self._dresser.make(face.icon, "muted")
        return QIcon(QPixmap.fromImage(image))
