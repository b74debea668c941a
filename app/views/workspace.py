"""Picture, code and preview beside each other; in a narrow window the picture stands above."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QSplitter, QWidget

from app.views.dress import Pane

WIDE_SIZES = [380, 800]
NARROW_SIZES = [240, 400]
LEAST_HEIGHT = 180
"""Of code and preview, in pixels; what they hold would like more and leave the picture nothing."""


class Workspace(QSplitter):
    """The three panes in two splitters, whose sizes people can change."""

    def __init__(self, source: Pane, code: Pane, preview: Pane) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self._panes = (source, code, preview)
        self.inner = QSplitter(Qt.Orientation.Horizontal)
        self.inner.addWidget(code)
        self.inner.addWidget(preview)
        self.addWidget(source)
        self.addWidget(self.inner)
        for splitter in (self, self.inner):
            splitter.setChildrenCollapsible(False)
            splitter.setHandleWidth(10)
        for pane in (code, preview):
            pane.setMinimumHeight(LEAST_HEIGHT)
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

    def step_pane(self, focus: QWidget | None, step: int) -> None:
        """Go to the pane after the one with the focus, or before it; else to the first."""
        here = (n for n, pane in enumerate(self._panes) if focus and pane.isAncestorOf(focus))
        place = next(here, None)
        self._panes[0 if place is None else (place + step) % len(self._panes)].focus_pane()
