"""The queue above the panes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app.i18n import ngettext
from app.views.dress import announce
from app.views.queue_strip import QueueStrip

if TYPE_CHECKING:
    from app.views.main_window import MainWindow


class Queueing(QObject):
    """Joins the queue's strip to the controller."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self.controller = window.controller
        self.strip = QueueStrip(window.actions_by_name, window.dresser)
        window.desk.put_above(self.strip)
        window.actions_by_name["next_picture"].triggered.connect(self.controller.next_picture)
        self.strip.removed.connect(self.controller.drop_waiting)
        self.strip.cleared.connect(self.controller.clear_queue)
        self.controller.queue_changed.connect(self._show)
        self.controller.changed.connect(self._show)
        self._waiting = 0
        self._show()

    def _show(self) -> None:
        queue = self.controller.queue
        self.strip.show_queue(queue)
        self._window.actions_by_name["next_picture"].setEnabled(bool(queue.waiting))
        if len(queue.waiting) > self._waiting:
            count = len(queue.waiting)
            words = ngettext("{count} picture waits", "{count} pictures wait", count)
            announce(self.strip, words.format(count=count))
        self._waiting = len(queue.waiting)
