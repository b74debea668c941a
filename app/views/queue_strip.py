"""What waits to be converted: a row with the count and the names."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QToolButton,
)

from app.i18n import _, ngettext
from app.picture_queue import PictureQueue
from app.views.dress import ActionButton, Dresser, IconLabel, ShortLabel

LONGEST_NAME = 48


class QueueStrip(QFrame):
    """`removed(index)` and `cleared()` tell what the user does not want any more."""

    removed = Signal(int)
    cleared = Signal()

    def __init__(self, actions: Mapping[str, QAction], dresser: Dresser) -> None:
        super().__init__()
        self.setObjectName("banner")
        self._dresser = dresser
        icon = IconLabel(18)
        dresser.icon(icon, "picture", "accent")
        self.count = QLabel()
        self.count.setObjectName("bannerTitle")
        self.count.setAccessibleName(_("Pictures in the queue"))
        self.next_name = ShortLabel(Qt.TextElideMode.ElideMiddle)
        self.next_name.setObjectName("bannerText")
        self.list = QToolButton()
        self.list.setText(_("Waiting"))
        self.list.setAccessibleName(_("Pictures that wait"))
        self.list.setToolTip(_("Click one to take it out"))
        self.list.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.list.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.menu = QMenu(self)
        self.menu.setAccessibleName(_("Pictures that wait"))
        self.list.setMenu(self.menu)
        self.clear = QPushButton(_("Clear"))
        self.clear.setAccessibleName(_("Clear the queue"))
        self.clear.setAutoDefault(False)
        self.clear.clicked.connect(self.cleared.emit)
        self.next = ActionButton(actions["next_picture"], _("Next"))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(14, 5, 8, 5)
        layout.setSpacing(8)
        layout.addWidget(icon)
        layout.addWidget(self.count)
        layout.addWidget(self.next_name, 1)
        for widget in (self.list, self.next, self.clear):
            layout.addWidget(widget)
        self.hide()

    def minimumSizeHint(self) -> QSize:
        return QSize(120, super().minimumSizeHint().height())

    def show_queue(self, queue: PictureQueue) -> None:
        """Show what waits; hidden where nothing does and nothing failed."""
        words = _("Picture {number} of {total}")
        parts = [words.format(number=queue.position, total=queue.total)]
        if queue.failed:
            words = ngettext("{count} failed", "{count} failed", len(queue.failed))
            parts.append(words.format(count=len(queue.failed)))
        self.count.setText(" · ".join(parts))
        self.count.setToolTip(
            "\n".join(_("Failed: {name}").format(name=name) for name in queue.failed)
        )
        names = [one.name for one in queue.waiting]
        self.list.setText(_("Waiting: {count}").format(count=len(names)))
        self.next_name.show_text(_("next: {name}").format(name=names[0]) if names else "")
        self.menu.clear()
        for index, name in enumerate(names):
            action = self.menu.addAction(_short(name).replace("&", "&&"))
            action.setToolTip(_("Take {name} out of the queue").format(name=name))
            self._dresser.icon(action, "close", "muted")
            action.triggered.connect(self._told(index))
        self.list.setVisible(bool(names))
        self.next.setVisible(bool(names))
        self.setVisible(queue.active)

    def _told(self, index: int) -> Callable[[], None]:
        return lambda: self.removed.emit(index)


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
