"""The place of the preview where one of several things is shown, as high as there is room."""

from __future__ import annotations

from PySide6.QtCore import QSize
from PySide6.QtWidgets import QSizePolicy, QStackedWidget, QWidget

LEAST_HEIGHT = 40
"""In pixels. What a page would like counts for nothing: the rows below have their height first, and
in a low window nothing lies on top of anything else."""


class PageStack(QStackedWidget):
    """Begins with the first of `pages`; makes no window grow."""

    def __init__(self, *pages: QWidget) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Ignored)
        self.setMinimumHeight(LEAST_HEIGHT)
        for page in pages:
            self.addWidget(page)

    def minimumSizeHint(self) -> QSize:
        return QSize(super().minimumSizeHint().width(), LEAST_HEIGHT)
