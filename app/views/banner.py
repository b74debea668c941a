"""Errors and notices inside the window: never a dialog in the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QResizeEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.i18n import _
from app.views.banner_details import BannerDetails, learn_button
from app.views.dress import Dresser, IconLabel, announce

_ICONS = {"bad": "error", "warn": "warning", "info": "info"}
_TOKENS = {"bad": "bad", "warn": "warn", "info": "accent"}
LEAST_WORDS = 360
"""Width in pixels that words and icons get beside the buttons, at least."""


class Banner(QFrame):
    """One message with title, advice and up to a few buttons. Hidden while there is none."""

    dismissed = Signal()

    def __init__(self, dresser: Dresser) -> None:
        super().__init__()
        self.setObjectName("banner")
        self._dresser = dresser
        self._about = ""
        self._icon = IconLabel(20)
        self._title = QLabel()
        self._title.setObjectName("bannerTitle")
        self._text = QLabel()
        self._text.setObjectName("bannerText")
        self._text.setWordWrap(True)
        self._text.setTextFormat(Qt.TextFormat.PlainText)  # messages may quote foreign text
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        row = QWidget()
        self._buttons = QHBoxLayout(row)
        self._buttons.setContentsMargins(0, 0, 0, 0)
        self._buttons.setSpacing(6)
        self._close = QToolButton()
        self._close.setObjectName("flat")
        self._close.setAccessibleName(_("Close this message"))
        self._close.setToolTip(_("Close this message"))
        self._close.clicked.connect(self.dismiss)
        dresser.icon(self._close, "close", "muted")
        self._detail = QLabel()
        self._detail.setObjectName("bannerDetail")
        self._detail.setWordWrap(True)
        self._detail.setTextFormat(Qt.TextFormat.PlainText)
        self._detail.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(self._title)
        words.addWidget(self._text)
        words.addWidget(self._detail)
        self.details = BannerDetails(dresser)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 9, 8, 9)
        column.setSpacing(6)
        layout = QHBoxLayout()
        layout.setSpacing(12)
        column.addLayout(layout)
        column.addWidget(self.details)
        layout.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        self._middle = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._middle.addLayout(words, 1)
        self._middle.addWidget(row, 0, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        layout.addLayout(self._middle, 1)
        layout.addWidget(self._close, 0, Qt.AlignmentFlag.AlignTop)
        self.hide()

    @property
    def title(self) -> str:
        return self._title.text()

    @property
    def text(self) -> str:
        return self._text.text()

    @property
    def detail(self) -> str:
        return self._detail.text()

    @property
    def controls(self) -> list[QWidget]:
        """What can be pressed now, in its order; none while there is no message."""
        items = map(self._buttons.itemAt, range(self._buttons.count()))
        buttons = [item.widget() for item in items if item is not None]
        return [] if self.isHidden() else [*filter(None, buttons), self._close]

    def present(
        self,
        tone: str,
        title: str,
        text: str,
        actions: Sequence[QAction | tuple[str, object]] = (),
        detail: str = "",
        more: Callable[[], str] | None = None,
        learn: Callable[[], object] | None = None,
        about: str = "",
    ) -> None:
        """Show a message; `tone` is "bad", "warn" or "info".

        `actions` are QActions or pairs of a text and a callable; `detail` is what happened exactly,
        as the part that failed puts it; `more` gives what a button "Details" unfolds. `learn`
        opens the page on the error; its button stands with the details where there are any.
        `about` names what it tells of, for `settle`.
        """
        self._about = about
        self._clear()
        self.setProperty("tone", tone)
        self.style().unpolish(self)
        self.style().polish(self)
        self._dresser.icon(self._icon, _ICONS[tone], _TOKENS[tone])
        self._title.setText(title)
        self._text.setText(text)
        self._text.setVisible(bool(text))
        self._detail.setText(detail)
        self._detail.setVisible(bool(detail))
        for entry in actions:
            self._buttons.addWidget(self._button(entry))
        self.details.offer(more, learn)
        if more is not None:
            self._buttons.addWidget(self.details.make_button())
        elif learn is not None:
            self._buttons.addWidget(learn_button(learn))
        self._arrange()
        spoken = "\n".join(filter(None, (title, text, detail)))
        self.setAccessibleName(spoken)
        self.show()
        announce(self, spoken, urgent=tone == "bad")

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def _arrange(self) -> None:
        """Buttons stand below the words where they would leave them no room beside."""
        wanted = self._buttons.sizeHint().width()
        low = self.width() - wanted < LEAST_WORDS and wanted > 0
        way = QBoxLayout.Direction
        self._middle.setDirection(way.TopToBottom if low else way.LeftToRight)

    def settle(self, about: str) -> None:
        """Take the message away if it tells of this."""
        if self._about == about:
            self.dismiss()

    def dismiss(self) -> None:
        """Take the message away."""
        if not self.isHidden():
            self._clear()
            self.hide()
            self.dismissed.emit()

    def _button(self, entry: QAction | tuple[str, object]) -> QPushButton:
        button = QPushButton()
        button.setAutoDefault(False)
        if isinstance(entry, QAction):
            button.setText(entry.text())
            button.setEnabled(entry.isEnabled())
            button.clicked.connect(self.dismiss)
            button.clicked.connect(entry.trigger)
        else:
            text, call = entry
            button.setText(text)
            button.clicked.connect(self.dismiss)
            button.clicked.connect(call)
        button.setAccessibleName(button.text())
        return button

    def _clear(self) -> None:
        while self._buttons.count():
            item = self._buttons.takeAt(0)
            widget = item.widget() if item else None
            if widget is not None:
                widget.hide()
                widget.deleteLater()
