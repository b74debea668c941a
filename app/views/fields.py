"""Small parts of the windows over what is stored: buttons, texts, scrolling pages."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QDialog,
    QFrame,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from app.views.dress import ICON


def button(text: str, call: Callable[[], object], kind: str = "", name: str = "") -> QPushButton:
    """A push button that Enter does not press from elsewhere; `name` is read out for `text`."""
    made = QPushButton(text)
    if kind:
        made.setObjectName(kind)
    made.setAutoDefault(False)
    made.setIconSize(ICON)
    made.setAccessibleName(name or text.rstrip("…"))
    made.clicked.connect(lambda: call())
    return made


def text_label(text: str = "", kind: str = "") -> QLabel:
    """Words that wrap and that cannot be markup."""
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    # A label that wraps must not ask for the width of its longest line.
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    label.setMinimumWidth(40)
    if kind:
        label.setObjectName(kind)
    return label


def heading(text: str) -> QLabel:
    """The title of a section."""
    return text_label(text, "sectionTitle")


class TabChain:
    """Keeps the order of Tab as one sees it where controls come and go."""

    def __init__(self) -> None:
        self._chain: list[QWidget] = []

    def set(self, chain: list[QWidget]) -> None:
        """From the first to the last of `chain`."""
        if chain != self._chain:
            self._chain = chain
            for one, other in pairwise(chain):
                QWidget.setTabOrder(one, other)


class Page(QScrollArea):
    """A column that scrolls up and down; `column` takes the content."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setObjectName("page")
        self.setAccessibleName(name)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.inside = QWidget()
        self.inside.setObjectName("pageInside")
        self.column = QVBoxLayout(self.inside)
        self.column.setContentsMargins(20, 16, 20, 20)
        self.column.setSpacing(10)
        self.setWidget(self.inside)


class Window(QDialog):
    """A window of its own that blocks nothing; Esc closes it."""

    def __init__(self, parent: QWidget | None, title: str, width: int, height: int) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setModal(False)
        self.setWindowFlag(Qt.WindowType.WindowContextHelpButtonHint, False)
        self.setMinimumSize(440, 360)
        self.resize(width, height)

    def come_up(self) -> None:
        """Show it in front."""
        self.showNormal() if self.isMinimized() else self.show()
        self.raise_()
        self.activateWindow()
