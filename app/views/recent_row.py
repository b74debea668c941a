"""The newest conversions on the start page, to go on with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QIcon, QImage, QPixmap
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from app.i18n import _
from app.views.dress import Dresser

if TYPE_CHECKING:
    from app.store.history import Entry

MOST = 5
THUMB = QSize(108, 72)


class RecentRow(QWidget):
    """`opened(number)` of an entry. Hidden while there is none."""

    opened = Signal(int)

    def __init__(self, dresser: Dresser) -> None:
        super().__init__()
        self._dresser = dresser
        heading = QLabel(_("Go on with"))
        heading.setObjectName("muted")
        heading.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._row = QHBoxLayout()
        self._row.setSpacing(10)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 12, 0, 0)
        column.setSpacing(6)
        column.addWidget(heading)
        column.addLayout(self._row)
        self.buttons: list[QToolButton] = []
        self._row.addStretch(1)
        self._row.addStretch(1)
        self.hide()

    def show_entries(self, entries: Sequence[Entry]) -> None:
        """Show some of the newest entries."""
        for old in self.buttons:
            old.hide()
            old.deleteLater()
        self.buttons = []
        for entry in entries[:MOST]:
            button = QToolButton()
            button.setObjectName("candidate")
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
            button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            button.setIconSize(THUMB)
            short = button.fontMetrics().elidedText(
                entry.title, Qt.TextElideMode.ElideMiddle, THUMB.width()
            )
            button.setText(short.replace("&", "&&"))
            button.setToolTip(entry.title)
            button.setAccessibleName(_("Open {title} again").format(title=entry.title))
            button.setIcon(self._dresser.make("picture", "muted"))
            number = entry.id
            button.clicked.connect(lambda *_, number=number: self.opened.emit(number))
            self._row.insertWidget(self._row.count() - 1, button)
            self.buttons.append(button)
        self.setVisible(bool(self.buttons))

    def set_image(self, place: int, image: QImage) -> None:
        """The picture of the entry at a place."""
        if place < len(self.buttons) and not image.isNull():
            self.buttons[place].setIcon(QIcon(QPixmap.fromImage(image)))
