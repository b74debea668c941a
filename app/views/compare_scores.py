"""How alike the two pictures are: one figure, its parts as small bars with numbers and words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QGridLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.i18n import N_, _, ngettext

if TYPE_CHECKING:
    from engine.compare import Similarity
    from engine.hints import TextLine

PARTS: tuple[tuple[str, str, str], ...] = (
    ("text", N_("Text"), N_("The words, and whether they stand at the same place")),
    ("layout", N_("Layout"), N_("Where something is drawn, whatever its colour")),
    ("colour", N_("Colours"), N_("The colours of the areas")),
    ("pixels", N_("Details"), N_("The fine structure, point by point")),
)
WORDS = (
    (0.97, N_("nearly equal")),
    (0.85, N_("very close")),
    (0.7, N_("close")),
    (0.5, N_("in parts")),
)
FAR_APART = N_("far apart")
LONGEST = 120


def in_words(figure: float) -> str:
    """What a figure of 0 to 1 means to the eye."""
    return _(next((words for least, words in WORDS if figure >= least), FAR_APART))


class CompareScores(QWidget):
    """`lines_wanted(list of TextLine)` asks to mark the lines that are missing, [] for none."""

    lines_wanted = Signal(list)

    def __init__(self) -> None:
        super().__init__()
        self.total = QLabel()
        self.total.setObjectName("paneTitle")
        self.total.setWordWrap(True)
        self.total.setAccessibleName(_("Similarity"))
        self.bars: dict[str, QProgressBar] = {}
        self.figures: dict[str, QLabel] = {}
        self.parts = QWidget()
        grid = QGridLayout(self.parts)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(3)
        grid.setColumnStretch(1, 1)
        for row, (key, name, tip) in enumerate(PARTS):
            label, bar, figure = QLabel(_(name)), QProgressBar(), QLabel()
            bar.setRange(0, 100)
            bar.setTextVisible(False)
            bar.setAccessibleName(_(name))
            label.setToolTip(_(tip))
            bar.setToolTip(_(tip))
            figure.setObjectName("muted")
            self.bars[key], self.figures[key] = bar, figure
            for column, widget in enumerate((label, bar, figure)):
                grid.addWidget(widget, row, column)
        self.lines = QPushButton()
        self.lines.setObjectName("link")
        self.lines.setAccessibleName(_("Lines of text that are missing"))
        self.lines.setCheckable(True)
        self.lines.setAutoDefault(False)
        self.lines.toggled.connect(self._show_lines)
        self.list = QListWidget()
        self.list.setObjectName("notes")
        self.list.setAccessibleName(_("Lines of text that the code's picture lacks"))
        self.list.setFixedHeight(110)
        self.list.setWordWrap(True)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 8, 12, 8)
        layout.setSpacing(6)
        layout.addWidget(self.total)
        layout.addWidget(self.parts)
        layout.addWidget(self.lines, 0, Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(self.list)
        self._missing: list[TextLine] = []
        self.list.hide()

    def show_likeness(
        self, likeness: Similarity, missing: tuple[TextLine, ...], lines: int
    ) -> None:
        """The figures, and the lines of `lines` read in the snip that are missing."""
        total = likeness.total
        self.total.setText(
            _("Similarity {percent}: {words}").format(percent=f"{total:.0%}", words=in_words(total))
        )
        for key, name, _tip in PARTS:
            figure: float | None = getattr(likeness, key)
            said = _("not measured") if figure is None else f"{figure:.0%}, {in_words(figure)}"
            self.bars[key].setValue(round(100 * (figure or 0.0)))
            self.bars[key].setEnabled(figure is not None)
            self.bars[key].setAccessibleDescription(said)
            self.figures[key].setText(said)
            self.figures[key].setAccessibleName(f"{_(name)}: {said}")
        self._missing = list(missing)
        self._say_lines(lines)
        if self.lines.isChecked():
            self._show_lines(True)

    def _say_lines(self, lines: int) -> None:
        count = len(self._missing)
        if count:
            text = ngettext(
                "{count} of {total} line of text missing",
                "{count} of {total} lines of text missing",
                lines,
            ).format(count=count, total=lines)
        else:
            text = _("No line of text is missing") if lines else ""
        self.lines.setText(text)
        self.lines.setAccessibleName(text or _("No text was read"))
        self.lines.setToolTip(_("List them, and mark them in the picture") if count else "")
        self.lines.setEnabled(count > 0)
        self.lines.setVisible(bool(text))
        if not count:
            self.lines.setChecked(False)

    def _show_lines(self, on: bool) -> None:
        self.list.clear()
        for line in self._missing if on else ():
            text = line.text if len(line.text) <= LONGEST else f"{line.text[: LONGEST - 1]}…"
            self.list.addItem(QListWidgetItem(text))
        self.list.setVisible(on)
        self.lines_wanted.emit(self._missing if on else [])
