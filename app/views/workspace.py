"""Picture, code and preview beside each other; in a narrow window the picture stands above."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QSplitter, QWidget

WIDE_SIZES = [380, 800]
NARROW_SIZES = [240, 400]


class Workspace(QSplitter):
    """The three panes in two splitters, whose sizes people can change."""

    def __init__(self, source: QWidget, code: QWidget, preview: QWidget) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.inner = QSplitter(Qt.Orientation.Horizontal)
        self.inner.addWidget(code)
        self.inner.addWidget(preview)
        self.addWidget(source)
        self.addWidget(self.inner)
        for splitter in (self, self.inner):
            splitter.setChildrenCollapsible(False)
            splitter.setHandleWidth(10)
        self.setStretchFactor(0, 2)
        self.setStretchFactor(1, 5)
        self.inner.setSizes([500, 500])
        self.setSizes(WIDE_SIZES)

    def set_narrow(self, narrow: bool) -> None:
        """Stack the picture above the rest, or put it beside."""
        wanted = Qt.Orientation.Vertical if narrow else Qt.Orientation.Horizontal
        if self.orientation() != wanted:
            self.setOrientation(wanted)
            self.setSizes(NARROW_SIZES if narrow else WIDE_SIZES)
