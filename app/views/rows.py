"""Rows with a small picture, a title and a line of facts: for versions and for the history."""

from __future__ import annotations

from enum import IntEnum

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QFont, QIcon, QImage, QPainter, QPalette, QPen
from PySide6.QtWidgets import QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from app.views.dress import Dresser

THUMB = QSize(72, 50)
HEIGHT = 66
PADDING = 8
INDENT = 14
MOST_INDENT = 5
Index = QModelIndex | QPersistentModelIndex


class Role(IntEnum):
    """What a model of rows gives, beside its title as Qt's display role."""

    FACTS = Qt.ItemDataRole.UserRole + 1
    IMAGE = Qt.ItemDataRole.UserRole + 2  # QImage
    INDENT = Qt.ItemDataRole.UserRole + 3  # int
    MARK = Qt.ItemDataRole.UserRole + 4  # icon name at the right, or ""
    ICON = Qt.ItemDataRole.UserRole + 5  # icon name where there is no picture
    STRONG = Qt.ItemDataRole.UserRole + 6  # whether the title is bold


class RowDelegate(QStyledItemDelegate):
    """Paints one row."""

    def __init__(self, dresser: Dresser, parent: QListView) -> None:
        super().__init__(parent)
        self._dresser = dresser

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(120, HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        theme = self._dresser.theme
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        rect: QRect = option.rect.adjusted(4, 2, -4, -2)
        state: QStyle.StateFlag = option.state
        font: QFont = option.font
        if state & QStyle.StateFlag.State_Selected:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.colour("accent_soft"))
            painter.drawRoundedRect(rect, 7, 7)
        if state & QStyle.StateFlag.State_HasFocus:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(theme.colour("accent"), 2))
            painter.drawRoundedRect(rect.adjusted(1, 1, -1, -1), 7, 7)
        indent = min(int(index.data(Role.INDENT) or 0), MOST_INDENT) * INDENT
        left = rect.left() + PADDING + indent
        place = QRect(left, rect.center().y() - THUMB.height() // 2, THUMB.width(), THUMB.height())
        self._paint_thumb(painter, place, index)
        right = rect.right() - PADDING
        mark = index.data(Role.MARK)
        if mark:
            icon: QIcon = self._dresser.make(str(mark), "accent")
            icon.paint(painter, QRect(right - 16, rect.center().y() - 8, 16, 16))
            right -= 24
        text = QRect(place.right() + 10, rect.top() + 8, right - place.right() - 10, 22)
        title = QFont(font)
        title.setBold(bool(index.data(Role.STRONG)))
        painter.setFont(title)
        painter.setPen(theme.colour("text"))
        self._line(painter, text, str(index.data(Qt.ItemDataRole.DisplayRole) or ""))
        painter.setFont(font)
        painter.setPen(theme.colour("muted"))
        self._line(painter, text.translated(0, 24), str(index.data(Role.FACTS) or ""))
        painter.restore()

    def _line(self, painter: QPainter, rect: QRect, text: str) -> None:
        plain = " ".join(text.split())
        short = painter.fontMetrics().elidedText(
            plain, Qt.TextElideMode.ElideRight, max(0, rect.width())
        )
        painter.drawText(rect, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, short)

    def _paint_thumb(self, painter: QPainter, place: QRect, index: Index) -> None:
        theme = self._dresser.theme
        painter.setPen(QPen(theme.colour("line"), 1))
        painter.setBrush(theme.colour("canvas"))
        painter.drawRoundedRect(place, 4, 4)
        image = index.data(Role.IMAGE)
        if isinstance(image, QImage) and not image.isNull():
            inside = QSize(place.width() - 4, place.height() - 4)
            size = image.size().scaled(inside, Qt.AspectRatioMode.KeepAspectRatio)
            target = QRect(0, 0, size.width(), size.height())
            target.moveCenter(place.center())
            painter.drawImage(QRectF(target), image)
        else:
            icon = self._dresser.make(str(index.data(Role.ICON) or "picture"), "muted")
            icon.paint(painter, place.adjusted(24, 12, -24, -12))


class RowList(QListView):
    """A list of such rows, quick with any number of them."""

    def __init__(self, name: str, dresser: Dresser) -> None:
        super().__init__()
        self.setObjectName("rows")
        self.setAccessibleName(name)
        self.setUniformItemSizes(True)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setItemDelegate(RowDelegate(dresser, self))
        self.setTabKeyNavigation(False)
        self.setMouseTracking(True)
        self.viewport().setBackgroundRole(QPalette.ColorRole.Base)
        dresser.theme.changed.connect(self.viewport().update)
