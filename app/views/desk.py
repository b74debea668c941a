"""What lies around the panes: a panel beside, the queue above, the instruction below."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget


class Desk(QWidget):
    """Holds the pages of the window; the features put their widgets around them."""

    def __init__(self, pages: QWidget) -> None:
        super().__init__()
        self.pages = pages
        self.narrow = False
        self._side: QWidget | None = None
        self._beside = QHBoxLayout(self)
        self._beside.setContentsMargins(0, 0, 0, 0)
        self._beside.setSpacing(10)
        self._middle = QWidget()
        self._column = QVBoxLayout(self._middle)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(8)
        self._column.addWidget(pages, 1)
        self._beside.addWidget(self._middle, 1)

    def put_above(self, widget: QWidget) -> None:
        self._column.insertWidget(0, widget)

    def put_below(self, widget: QWidget) -> None:
        self._column.addWidget(widget)

    def put_beside(self, side: QWidget) -> None:
        self._side = side
        self._beside.insertWidget(0, side)

    def set_narrow(self, narrow: bool) -> None:
        """In a narrow window an open side panel takes the place of the panes."""
        self.narrow = narrow
        self.arrange()

    def arrange(self) -> None:
        """Call when the side panel came or went."""
        if self._side is None:
            return
        open_ = not self._side.isHidden()
        self._middle.setVisible(not (self.narrow and open_))
        self._side.setMaximumWidth(16_777_215 if self.narrow else 360)
