"""The permission of the page on screen: offered, given, and ended with that page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app.i18n import N_, _
from app.preview.allowed_process import AllowedPage
from app.preview.order import Order
from app.preview.permission import Permission
from app.preview.refused import Refused
from app.views.dress import announce
from app.views.preview_notes import PreviewNotes

if TYPE_CHECKING:
    from app.preview.web import WebPreview

LEAST_HEIGHT = 640
"""Of a page in the window with network, in pixels."""

CLOSE_MS = 2000
OPENED = N_("Opened in a window of its own, with network")


class Allowing(QObject):
    """Joins the notes below the preview with what the page on screen wants from elsewhere: the
    resources that were blocked, the process of the allowed page, the links that were clicked.

    `make_order(permission)` gives the page on screen as it is to be shown.
    """

    def __init__(
        self,
        notes: PreviewNotes,
        make_order: Callable[[Permission], Order],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._notes = notes
        self._make_order = make_order
        self._refused: list[Refused] = []
        self._beyond: list[Refused] = []
        self._order: Order | None = None
        self._scripts, self._final = True, False
        self._count = 0
        self.page = AllowedPage(self)
        self.page.opened.connect(lambda: announce(notes, _(OPENED)))
        self.page.refused.connect(self._take_beyond)
        self.page.ended.connect(self._ended)
        notes.allow.allowed.connect(self._allow)
        notes.allow.ended.connect(self._end_by_hand)

    @property
    def permission(self) -> Permission:
        """What the page would be allowed: all that it was seen to want and did not get."""
        return Permission.of([*self._refused, *self._beyond], self._scripts)

    def follow(self, view: WebPreview) -> None:
        """Tell what the pages in `view` did not get."""
        view.blocked.connect(self._take_count)
        view.refused.connect(self._take)
        view.link_clicked.connect(self._notes.link.offer)

    def show(self, html: str, scripts: bool, final: bool) -> None:
        """A page comes on screen. A permission for any other ends; only a `final` one gets any."""
        self._notes.show_refused(0, [])
        order = self._order
        if order is None or (order.html, order.scripts) != (html, scripts):
            self.end()
        self._scripts, self._final = scripts, final

    def end(self) -> None:
        """The page is no longer on screen, or is another one."""
        self.page.stop()
        self._order = None
        self._refused, self._beyond = [], []
        self._notes.show_ended("")
        self._notes.link.offer("")
        self._offer()

    def close(self) -> None:
        """The application ends, and the process with it."""
        self.page.stop(CLOSE_MS)

    def _take_count(self, count: int) -> None:
        self._count = count

    def _take(self, refused: Sequence[Refused]) -> None:
        self._notes.show_refused(self._count, refused)
        if self._final:
            self._refused = list(refused)
            self._offer()

    def _allow(self) -> None:
        permission = self.permission
        if not permission.grants:
            return
        self._notes.show_ended("")
        self._order = self._make_order(permission)
        self._scripts = self._order.scripts
        self.page.start(self._order)
        self._offer()

    def _end_by_hand(self) -> None:
        self.page.stop()
        self._ended("")

    def _ended(self, message: str) -> None:
        self._order = None
        self._notes.show_ended(message)
        if message:
            announce(self._notes, message, urgent=True)
        self._offer()

    def _take_beyond(self, refused: Sequence[Refused]) -> None:
        """What the allowed page wanted next, such as the fonts that an allowed style sheet names.

        It stays blocked; a further press, after the end of this permission, allows that as well.
        """
        self._beyond = list(dict.fromkeys([*self._beyond, *refused]))
        self._offer()

    def _offer(self) -> None:
        if self._order is not None and self.page.running:
            self._notes.allow.show_running(self._order.permission.hosts)
        else:
            self._notes.allow.offer(self.permission.hosts)
