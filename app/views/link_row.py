"""Below the preview: where a link leads that was clicked, and the button that goes there.

The preview itself goes nowhere, and nothing is opened without this second press.
"""

from __future__ import annotations

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QWidget

from app.i18n import _
from app.preview.console import plain
from app.views.dress import ICON, Dresser, ShortLabel, announce


class LinkRow(QWidget):
    """Hidden until a link was clicked."""

    def __init__(self, dresser: Dresser) -> None:
        super().__init__()
        self._address = ""
        self.button = QPushButton(_("Open in the browser"))
        self.button.setObjectName("chipButton")
        self.button.setIconSize(ICON)
        self.button.setAutoDefault(False)
        self.button.setAccessibleName(_("Open the link in the browser"))
        self.button.clicked.connect(self._open)
        dresser.icon(self.button, "browser", "muted")
        self.words = ShortLabel(Qt.TextElideMode.ElideRight)  # the host stands at the beginning
        self.words.setObjectName("muted")
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 0, 10, 5)
        row.setSpacing(8)
        row.addWidget(self.button)
        row.addWidget(self.words, 1)
        self.hide()

    def offer(self, address: str) -> None:
        """Say where the link leads; "" takes the row away."""
        self._address = address
        self.setVisible(bool(address))
        if address:
            # What stands before an @ is no host.
            place, slash, rest = address.partition("://")[2].partition("/")
            leads = plain(place.rpartition("@")[2] + slash + rest)
            text = _("Leads to {address}").format(address=leads)
            self.words.show_text(text)
            self.button.setToolTip(plain(address))
            self.button.setAccessibleDescription(text)
            announce(self, text)

    def _open(self) -> None:
        if QDesktopServices.openUrl(QUrl(self._address)):
            self.offer("")
        else:
            self.words.show_text(_("No browser could be opened: this system names none."))
