"""The window of a page that may load from some hosts; it lives in a process of its own."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication, QKeySequence, QShortcut
from PySide6.QtWidgets import QApplication, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from app.i18n import _
from app.preview.order import Order
from app.preview.refused import Refused, hosts_of
from app.preview.web import WebPreview
from app.theme import Theme
from app.views.allow_row import few
from app.views.dress import Dresser, IconLabel, announce

NAMED = 8
"""Hosts that have room to be named; all are in the tool tip."""

LEAST = (360, 280)
"""Smallest size of the window in pixels."""


class AllowedWindow(QWidget):
    """`drawn()` once the page is on screen, `refused(list of Refused)` what it did not get."""

    drawn = Signal()
    refused = Signal(list)

    def __init__(self, order: Order) -> None:
        super().__init__()
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        self._theme = Theme(application, "dark" if order.dark else "light")
        self._permission = order.permission
        hosts = order.permission.hosts
        self.setWindowTitle(_("Preview with network: {hosts}").format(hosts=few(hosts)))
        self.setMinimumSize(*LEAST)
        dresser = Dresser(self._theme)
        self.line = _line(_("Hosts that this page loads from"))
        self.line.setText(
            _("Loads from {hosts}. Everything else stays blocked.").format(hosts=few(hosts, NAMED))
        )
        self.line.setToolTip("\n".join(hosts))
        self.note = _line(_("What stays blocked"))
        self.note.hide()
        icon = IconLabel()
        dresser.icon(icon, "online", "warn")
        self._top = QWidget()
        row = QHBoxLayout(self._top)
        row.setContentsMargins(12, 7, 12, 7)
        row.setSpacing(8)
        row.addWidget(icon, 0, Qt.AlignmentFlag.AlignTop)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(self.line)
        words.addWidget(self.note)
        row.addLayout(words, 1)
        self.web = WebPreview(self, order.permission)
        self.web.setAccessibleName(_("The page, with network"))
        self.web.scripts = order.scripts
        self.web.set_ground(self._theme.colour("canvas"))
        self.web.set_page_width(order.width)
        self.web.shown.connect(self._shown)
        self.web.refused.connect(self._refused)
        self.web.broke.connect(self._say)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._top)
        layout.addWidget(self.web, 1)
        for keys in (QKeySequence.StandardKey.Close, QKeySequence(Qt.Key.Key_Escape)):
            QShortcut(keys, self).activated.connect(self.close)
        self._resize(*order.size)
        self.web.show_html(order.html)
        self.web.setFocus()

    def _resize(self, width: int, height: int) -> None:
        """The page as large as wanted, as far as the screen goes."""
        room = QGuiApplication.primaryScreen().availableSize()
        top = self._top.heightForWidth(width) if self._top.hasHeightForWidth() else 32
        self.resize(min(width, room.width()), min(height + top, room.height()))

    def shut(self) -> None:
        """Let the page go before its profile."""
        self.web.shut()

    def _shown(self, _: int) -> None:
        self.drawn.emit()

    def _refused(self, found: Sequence[Refused]) -> None:
        # One that is permitted led elsewhere, or wanted to send something: no host to name for it.
        beyond = [one for one in found if not self._permission.allows(one.directive, one.uri)]
        if beyond:
            self._say(_("Still blocked: {hosts}").format(hosts=few(hosts_of(beyond))))
            self.refused.emit(beyond)

    def _say(self, text: str) -> None:
        self.note.setText(text)
        self.note.show()
        announce(self, text)


def _line(name: str) -> QLabel:
    label = QLabel()
    label.setObjectName("muted")
    label.setAccessibleName(name)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    return label
