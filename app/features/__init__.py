"""What the window can do beyond the bare conversion, each joined to it by a module of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize

from app.features.archiving import Archiving
from app.features.failing import Failing
from app.features.queueing import Queueing
from app.features.refining import Refining
from app.features.source import SourceTools

if TYPE_CHECKING:
    from app.views.main_window import MainWindow

LOW = 600
"""Below this height candidates are shown small."""
SMALL = 760
"""Below this width buttons have icons instead of words."""


class Features:
    """All of them, made once for a window."""

    def __init__(self, window: MainWindow) -> None:
        self.failing = Failing(window)
        self.source = SourceTools(window)
        self.refining = Refining(window, self.source)
        self.archiving = Archiving(window, self.refining.versions)
        self.queueing = Queueing(window)

    def fit(self, size: QSize) -> None:
        """Less of everything in a small window."""
        self.refining.set_size(size.height() < LOW, size.width() < SMALL)

    def close(self) -> None:
        """After the controller: what it gave at the end is still written."""
        self.archiving.close()
