"""Beside the notice of blocked resources: the button that lets this page load them."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from app.i18n import _, ngettext
from app.preview.refused import shorten
from app.views.dress import ICON, Dresser

LONGEST = 40
"""Characters of a host that fit beside each other in the narrowest preview."""


def few(hosts: Sequence[str], named: int = 1) -> str:
    """The first hosts by name, the others by number."""
    names = ", ".join(shorten(host, LONGEST) for host in hosts[:named]) or _("nowhere")
    more = len(hosts) - named
    if more <= 0:
        return names
    words = ngettext("{hosts} and {count} more", "{hosts} and {count} more", more)
    return words.format(hosts=names, count=more)


class AllowRow(QWidget):
    """`allowed()` when people want it, `ended()` when they want the end of it."""

    allowed = Signal()
    ended = Signal()

    def __init__(self, dresser: Dresser) -> None:
        super().__init__()
        self._dresser = dresser
        self._running = False
        self.button = QPushButton()
        self.button.setObjectName("chipButton")
        self.button.setIconSize(ICON)
        self.button.setAutoDefault(False)
        self.button.clicked.connect(self._clicked)
        self.words = QLabel()  # in whole: it says what will happen
        self.words.setObjectName("muted")
        self.words.setTextFormat(Qt.TextFormat.PlainText)
        self.words.setWordWrap(True)
        self.words.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(10, 0, 10, 5)
        rows.setSpacing(3)
        rows.addWidget(self.button, 0, Qt.AlignmentFlag.AlignLeft)
        rows.addWidget(self.words)
        self.hide()

    def offer(self, hosts: Sequence[str]) -> None:
        """Say what a press would load from; without hosts there is nothing to allow."""
        text = _("Loads from {hosts}, in a window of its own").format(hosts=few(hosts))
        self._show(_("Allow for this page"), "online", text, hosts, running=False)
        self.setVisible(bool(hosts))

    def show_running(self, hosts: Sequence[str]) -> None:
        """Say what is being loaded from at present."""
        text = _("Loading from {hosts} is allowed, in a window of its own").format(hosts=few(hosts))
        self._show(_("End the permission"), "close", text, hosts, running=True)
        self.show()

    def _show(self, name: str, icon: str, text: str, hosts: Sequence[str], running: bool) -> None:
        self._running = running
        self._dresser.icon(self.button, icon, "muted")
        self.button.setText(name)
        self.button.setAccessibleName(name)
        self.button.setAccessibleDescription(text)
        self.words.setText(f"{text}.")
        every = "\n".join([f"{text}:", *hosts, "", _("Everything else stays blocked.")])
        self.button.setToolTip(every)
        self.words.setToolTip(every)

    def _clicked(self) -> None:
        (self.ended if self._running else self.allowed).emit()
