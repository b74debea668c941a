"""Looks at snip and render together: slider, side by side, onion skin, difference, and figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QHideEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QSlider,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.actions import make_actions
from app.i18n import N_, _
from app.preview.compare_canvas import CompareCanvas
from app.preview.compare_job import Comparer, Comparison, Wish
from app.preview_actions import COMPARE_ACTIONS, MODES
from app.views.action_segments import ActionSegments
from app.views.card import Card
from app.views.compare_scores import CompareScores
from app.views.dress import Dresser, announce

if TYPE_CHECKING:
    from engine.hints import TextLine

WAITING = N_("The comparison follows when the code is complete.")
MEASURING = N_("Drawing the code at the size of the picture, and measuring it…")
NO_SNIP = N_("There is no picture to compare with.")
PARTS_HEIGHT, SCORES_HEIGHT = 340, 200
"""Below these heights in pixels the likeness is told without its parts, or not at all."""


class CompareView(QWidget):
    """Compares while it is on screen. `lines_wanted(list of TextLine)` asks to mark those in the
    source picture, [] to take the marks away."""

    lines_wanted = Signal(list)

    def __init__(self, dresser: Dresser) -> None:
        super().__init__()
        self._snip = b""
        self._lines: tuple[TextLine, ...] = ()
        self._code, self._target = "", "html"
        self._final = False
        self._unwalled = False
        self._shares = {"slider": 50, "onion": 50}
        self.comparison: Comparison | None = None
        self.comparer = Comparer(self)
        self.comparer.compared.connect(self._compared)
        self.actions_by_name = make_actions(self, COMPARE_ACTIONS)
        for spec in COMPARE_ACTIONS:
            self.addAction(self.actions_by_name[spec.name])
            dresser.icon(self.actions_by_name[spec.name], spec.icon)
        self.modes = ActionSegments(
            _("Way to compare"), {key: self.actions_by_name[f"compare_{key}"] for key, *_ in MODES}
        )
        self.mode_name = QLabel()
        self.mode_name.setObjectName("muted")
        self.mode_name.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.modes.chosen.connect(self.set_mode)
        self.canvas = CompareCanvas()
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.canvas.moved.connect(lambda share: self.slider.setValue(round(100 * share)))
        self.slider.setRange(0, 100)
        self.slider.setMinimumHeight(24)  # the handle and its ring
        self.slider.setPageStep(10)
        self.slider.valueChanged.connect(self._slid)
        self._ends = (QLabel(_("Snip")), QLabel(_("Code")))
        for end in self._ends:
            end.setObjectName("muted")
        self.hint = QLabel()
        self.hint.setObjectName("muted")
        self.hint.setWordWrap(True)
        self.scores = CompareScores()
        self.scores.lines_wanted.connect(self.lines_wanted)
        self.card = Card()
        self._stack = QStackedWidget()
        self._stack.addWidget(self.card)
        self._stack.addWidget(self._result())
        top = QHBoxLayout()
        top.setContentsMargins(10, 4, 8, 4)
        top.setSpacing(8)
        top.addWidget(self.modes)
        top.addWidget(self.mode_name, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(top)
        layout.addWidget(self._stack, 1)
        self.set_mode("slider")
        self._refresh()

    def _result(self) -> QWidget:
        row = QHBoxLayout()
        row.setContentsMargins(12, 4, 12, 4)
        row.setSpacing(8)
        row.addWidget(self._ends[0])
        row.addWidget(self.slider, 1)
        row.addWidget(self._ends[1])
        row.addWidget(self.hint, 1)
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.canvas, 1)
        layout.addLayout(row)
        layout.addWidget(self.scores)
        return page

    def focus_view(self) -> None:
        """Put the focus on what moves the comparison, or else on the ways to compare.

        Not by a focus proxy: Tab would leave out the other controls of this view.
        """
        slides = self.mode in self._shares  # it takes the focus when it comes to be seen
        (self.slider if slides else self.modes.buttons[self.mode]).setFocus()

    # What is compared -------------------------------------------------------

    def set_snip(self, png: bytes) -> None:
        """A new source picture; the lines of the old one go."""
        self._snip, self._lines, self._code = png, (), ""
        self.comparison = None
        self._refresh()

    def set_lines(self, lines: list[TextLine]) -> None:
        """The text that was read in the snip."""
        self._lines = tuple(lines)
        self._refresh()

    def set_code(self, code: str, target: str, final: bool) -> None:
        """What to draw; while it still grows nothing is compared."""
        self._code, self._target, self._final = code, target, final
        self._refresh()

    def set_unwalled(self, on: bool) -> None:
        self._unwalled = on

    def close_down(self) -> None:
        """End what runs behind this view."""
        self.comparer.close()

    def _refresh(self) -> None:
        if not self._snip:
            self.card.show_text(_(NO_SNIP))
            self._stack.setCurrentIndex(0)
        elif not (self._final and self._code.strip()):
            self.card.show_text(_(WAITING))
            self._stack.setCurrentIndex(0)
        elif self.isVisible():
            known = self.comparer.compare(self._wish())
            if known is not None:
                self._show(known)
            elif self.comparison is None:
                self.card.show_text(_(MEASURING))
                self._stack.setCurrentIndex(0)

    def _wish(self) -> Wish:
        return Wish(self._snip, self._lines, self._code, self._target, self._unwalled)

    def _compared(self, done: Comparison) -> None:
        if self._snip and self._final and done.key == self._wish().key:
            self._show(done)
            if done.likeness is not None and self.isVisible():
                announce(self, self.scores.total.text())

    def _show(self, done: Comparison) -> None:
        if done is self.comparison and self._stack.currentIndex() == 1:
            return
        self.comparison = None if done.problem else done
        if done.problem or done.likeness is None:
            self.card.show_text(done.problem)
            self._stack.setCurrentIndex(0)
            return
        self.canvas.show_images(done.snip, done.drawn, done.heat)
        self.scores.show_likeness(done.likeness, done.missing, len(self._lines))
        self._stack.setCurrentIndex(1)

    # How it is looked at ----------------------------------------------------

    @property
    def mode(self) -> str:
        return self.modes.choice

    def set_mode(self, mode: str) -> None:
        """One of MODES."""
        self.modes.set_choice(mode)
        self.canvas.set_mode(mode)
        slides = mode in self._shares
        self.slider.setVisible(slides)
        for end in self._ends:
            end.setVisible(mode == "onion")
        name, tip = next((name, tip) for key, name, tip, _icon in MODES if key == mode)
        self.mode_name.setText(_(name))
        self.hint.setText("" if slides else _(tip))
        self.hint.setVisible(not slides)
        self.slider.setAccessibleName(
            _("Opacity of the code's picture") if mode == "onion" else _("Place of the line")
        )
        if slides:
            self.slider.setValue(self._shares[mode])
            self._slid(self.slider.value())

    def _slid(self, value: int) -> None:
        self._shares[self.mode] = value
        self.canvas.set_share(value / 100)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.scores.parts.setVisible(self.height() >= PARTS_HEIGHT)
        self.scores.setVisible(self.height() >= SCORES_HEIGHT)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._refresh()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        if self.scores.lines.isChecked():
            self.scores.lines.setChecked(False)
