"""The empty state: what VisCodex does, and the ways in."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction, QKeySequence, QResizeEvent
from PySide6.QtSvgWidgets import QSvgWidget
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from app.bootstrap import asset
from app.i18n import N_, _
from app.views.dress import ActionButton, Dresser, IconLabel
from app.views.recent_row import RecentRow

_CARDS = (
    ("snip", N_("Snip the screen"), N_("Drag a rectangle around what you see")),
    ("open", N_("Open a picture"), N_("PNG, JPEG, WebP, BMP or GIF")),
    ("paste", N_("Paste a picture"), N_("From the clipboard, also files")),
)
_CENTRE = Qt.AlignmentFlag.AlignHCenter


class _Card(QPushButton):
    """A big button with icon, title, one line of text and its shortcut."""

    def __init__(self, action: QAction, icon: str, title: str, text: str, dresser: Dresser) -> None:
        super().__init__()
        self.setObjectName("card")
        self.setAccessibleName(_(title))
        self.setAccessibleDescription(_(text))
        self.setAutoDefault(False)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        self.setMinimumWidth(130)
        self._action = action
        self.clicked.connect(action.trigger)
        action.changed.connect(self._follow)
        picture = IconLabel(30)
        dresser.icon(picture, icon, "accent")
        heading = QLabel(_(title))
        heading.setObjectName("cardTitle")
        heading.setWordWrap(True)
        line = QLabel(_(text))
        line.setObjectName("cardText")
        line.setWordWrap(True)
        keys = QLabel(action.shortcut().toString(QKeySequence.SequenceFormat.NativeText))
        keys.setObjectName("chip")
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(12, 18, 12, 16)
        self._layout.setSpacing(6)
        for widget in (picture, heading, line, keys):
            widget.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
            if isinstance(widget, QLabel) and widget is not picture:
                widget.setAlignment(_CENTRE | Qt.AlignmentFlag.AlignTop)
        self._layout.addWidget(picture, 0, _CENTRE)
        self._layout.addWidget(heading)
        self._layout.addWidget(line, 1)
        self._layout.addSpacing(4)
        self._layout.addWidget(keys, 0, _CENTRE)
        self._follow()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Words that wrap want more height."""
        super().resizeEvent(event)
        self.setMinimumHeight(self._layout.heightForWidth(self.width()))

    def sizeHint(self) -> QSize:
        return QSize(200, max(164, self._layout.sizeHint().height()))

    def _follow(self) -> None:
        self.setEnabled(self._action.isEnabled())
        self.setToolTip(self._action.toolTip())


class StartPage(QScrollArea):
    """Shown while there is no picture. Scrolls where the window is very small."""

    def __init__(self, actions: Mapping[str, QAction], dresser: Dresser) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setObjectName("startArea")
        self.setAccessibleName(_("Start"))
        page = QWidget()
        page.setObjectName("start")
        page.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        column = QVBoxLayout(page)
        column.setContentsMargins(24, 16, 24, 24)
        column.addStretch(2)
        logo = asset("icons/viscodex.svg")
        if logo is not None:
            mark = QSvgWidget(str(logo))
            mark.setFixedSize(60, 60)
            column.addWidget(mark, 0, _CENTRE)
            column.addSpacing(10)
        for text, name, gap in (
            (_("Turn a picture into code"), "startTitle", 4),
            (_("An interface becomes HTML, a chart becomes matplotlib."), "startText", 24),
        ):
            label = QLabel(text)
            label.setObjectName(name)
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            label.setWordWrap(True)
            column.addWidget(label)
            column.addSpacing(gap)
        row = QWidget()
        row.setMaximumWidth(720)
        cards = QHBoxLayout(row)
        cards.setContentsMargins(0, 0, 0, 0)
        cards.setSpacing(14)
        self.cards = [
            _Card(actions[name], name, title, text, dresser) for name, title, text in _CARDS
        ]
        for card in self.cards:
            cards.addWidget(card, 1)
        wide = QHBoxLayout()
        wide.addStretch(1)
        wide.addWidget(row, 20)
        wide.addStretch(1)
        column.addLayout(wide)
        column.addSpacing(18)
        drop = QLabel(_("…or drop a picture anywhere in this window"))
        drop.setObjectName("startText")
        drop.setAlignment(Qt.AlignmentFlag.AlignCenter)
        column.addWidget(drop)
        column.addSpacing(4)
        self.sample = ActionButton(
            actions["sample"], _("No picture at hand? Try the sample"), "link", own_icon=True
        )
        dresser.icon(self.sample, "sample", "accent")
        self.sample.setCursor(Qt.CursorShape.PointingHandCursor)
        column.addWidget(self.sample, 0, _CENTRE)
        self.recent = RecentRow(dresser)
        column.addWidget(self.recent)
        column.addStretch(3)
        privacy = QHBoxLayout()
        privacy.setSpacing(6)
        self._dresser = dresser
        self._shield = IconLabel(16)
        self.privacy = QLabel()
        self.privacy.setObjectName("muted")
        self.show_server("")
        privacy.addStretch(1)
        privacy.addWidget(self._shield)
        privacy.addWidget(self.privacy)
        privacy.addStretch(1)
        column.addLayout(privacy)
        self.setWidget(page)

    def show_server(self, name: str) -> None:
        """Say where pictures go: to the server `name`, or nowhere for ""."""
        self._dresser.icon(self._shield, *(("server", "warn") if name else ("offline", "good")))
        self.privacy.setText(
            _("Pictures go to the server “{name}” and nowhere else.").format(name=name)
            if name
            else _("Everything runs on this computer. Nothing is uploaded.")
        )
