"""The in-app page for generated HTML. Import this module after first paint: WebEngine is heavy.

Its scheme has to be registered before the QApplication is made (`app.preview.scheme`).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
from typing import Any

import shiboken6
from PySide6.QtCore import QChildEvent, QEvent, QObject, Qt, QTimer, QUrl, Signal
from PySide6.QtGui import QColor, QWheelEvent
from PySide6.QtWebEngineCore import QWebEnginePage
from PySide6.QtWebEngineWidgets import QWebEngineView
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.i18n import N_, _
from app.preview import policy
from app.preview.console import ConsoleLog, of_policy
from app.preview.page import Documents, LockedPage, OnlyOwn, address_of, locked_profile
from app.preview.permission import Permission
from app.preview.refused import refused_of

HANG_SECONDS = 6.0
"""A page that was not drawn, or has not answered, for so long is taken for an endless script."""

PULSE_SECONDS = 2.0
"""How often a page on screen is asked whether it is still alive."""

ENDLESS = N_("A script of this page did not end and was stopped.")
CRASHED = N_("The page crashed. Nothing else was touched: it ran in a process of its own.")
TOO_LARGE = N_("The page is too large for the preview.")


NOTHING = (0, 0, 0, 0, 0)
"""State of a shell that has just been loaded: document shown, resources refused, links clicked,
percent, width."""


class WebPreview(QWidget):
    """Shows HTML documents one after the other, without flicker and without network.

    Only where a `permission` is given may they load what it holds; that wants Chromium's flags to
    be those of the permission too, hence a process of its own (`app.preview.allowed`).

    `shown(serial)` tells that a document is on screen, `blocked(count)` how many resources of it
    were refused and `refused(list of Refused)` which, `logged()` that `console` has grown,
    `scaled(percent, width)` how large a page laid out at so many CSS pixels is drawn, `stepped(n)`
    that the wheel was turned with Ctrl, `link_clicked(address)` that people want to go elsewhere,
    and `broke(message)` that a page had to be given up.
    """

    shown = Signal(int)
    blocked = Signal(int)
    refused = Signal(list)
    logged = Signal()
    scaled = Signal(int, int)
    stepped = Signal(int)
    link_clicked = Signal(str)
    broke = Signal(str)

    def __init__(self, parent: QWidget | None = None, permission: Permission | None = None) -> None:
        super().__init__(parent)
        permission = permission or Permission()
        self.scripts = True
        self.console = ConsoleLog()
        self._ready = False
        self._waiting: bytes | None = None
        self._newest: bytes | None = None
        self._given_up: bytes | None = None  # the document that hung or crashed
        self._serial = 0
        self._width = 0
        self._zoom = 0.0
        self._ground = QColor()
        self._awaited = 0
        self._state: tuple[int, ...] = NOTHING
        self._loaded = 0
        self._unanswered = 0
        self._hangs = False
        self._documents = Documents(self, permission)
        self._interceptor = OnlyOwn(self, permission)
        self._profile = locked_profile(self._documents, self._interceptor, self)
        self._view = QWebEngineView(self)
        self._view.setAccessibleName(_("Preview of the page"))
        self._view.setAcceptDrops(False)  # a dropped picture belongs to the window, not the page
        self._view.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
        self._view.installEventFilter(self)
        self._page = LockedPage(self._profile, self._view)
        self._page.said.connect(self._said)
        self._view.setPage(self._page)
        self._page.titleChanged.connect(self._told)
        self._page.renderProcessTerminated.connect(self._terminated)
        self._watchdog = self._timer(HANG_SECONDS, self._hung, once=True)
        self._pulse = self._timer(PULSE_SECONDS, self._ask)
        self._telling = self._timer(0.1, self.logged.emit, once=True)
        for child in self._view.children():
            self._watch_wheel(child)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._view)
        self.setFocusProxy(self._view)
        self._load_shell()

    def _timer(self, seconds: float, call: Any, once: bool = False) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(once)
        timer.setInterval(int(seconds * 1000))
        timer.timeout.connect(call)
        return timer

    def show_html(self, html: str, afresh: bool = True) -> None:
        """Show a document as soon as the one being drawn is done; only the newest waits.

        After a page that had to be given up another one begins `afresh`; the same one waits for
        `reload`.
        """
        body = html.encode("utf-8", "replace")
        if len(body) > policy.MAX_DOCUMENT_BYTES:
            self.broke.emit(_(TOO_LARGE))
            return
        if not self._ready:
            self._waiting = body
            if afresh and self._given_up not in (None, body):
                self._load_shell()
            return
        self._newest = body
        self._serial += 1
        url = self._documents.add(self._serial, body, self.scripts)
        self._page.expected = self._documents.addresses
        self._page.listening_to = address_of(self._serial)
        self.console.clear()
        self._telling.start()
        if not self._watchdog.isActive():
            self._watchdog.start()
        self._awaited = self._serial
        self._call("show", self._serial, url)

    def set_page_width(self, pixels: int) -> None:
        """Width in CSS pixels that pages are laid out at; 0 means the width of the pane."""
        self._width = pixels
        self._size()

    def set_zoom(self, factor: float) -> None:
        """How much pages are enlarged; 0 means as large as fits, never above their own size."""
        self._zoom = factor
        self._size()

    def _size(self) -> None:
        if self._ready:
            self._call("size", self._width, self._zoom)

    def set_ground(self, colour: QColor) -> None:
        """Colour around the page."""
        self._ground = colour
        self._page.setBackgroundColor(colour)
        if self._ready:
            self._call("dress", colour.name())

    def reload(self) -> None:
        """Start again with a fresh shell, after a crash."""
        self._load_shell()

    def shut(self) -> None:
        """Let the page go before its profile; Qt complains and may crash otherwise."""
        for timer in (self._watchdog, self._pulse, self._telling):
            timer.stop()
        self._page.titleChanged.disconnect(self._told)
        self._page.renderProcessTerminated.disconnect(self._terminated)
        self._view.setPage(None)  # type: ignore[arg-type]
        shiboken6.delete(self._page)

    @property
    def page(self) -> QWebEnginePage:
        return self._page

    def _load_shell(self) -> None:
        self._ready = False
        self._given_up = None
        self._state = NOTHING
        self._page.setUrl(QUrl(policy.SHELL_URL))

    def _call(self, function: str, *arguments: object) -> None:
        given = ", ".join(json.dumps(argument) for argument in arguments)
        self._page.runJavaScript(f"viscodex.{function}({given})")

    # What the shell and the page tell ---------------------------------------

    def _told(self, title: str) -> None:
        """The shell talks by its title; generated pages have no access to it."""
        words = title.split()
        if len(words) != 8 or words[0] != "viscodex":
            return
        loaded, _, shown, blocked, links, *scale = (int(word) for word in words[1:])
        if not self._ready and loaded == self._loaded:
            return  # a last word of the shell that has been replaced
        self._loaded = loaded
        before, self._state = self._state, (shown, blocked, links, *scale)
        if not self._ready:
            self._start()
        if tuple(scale) != before[3:] and scale[0]:
            self.scaled.emit(*scale)
        if blocked != before[1] and blocked:
            self.blocked.emit(blocked)
            self._page.runJavaScript("viscodex.refused()", 0, self._list_refused)
        if links != before[2] and links:
            self._page.runJavaScript("viscodex.link()", 0, self._clicked)
        if shown != before[0] and shown:
            if shown >= self._awaited:
                self._watchdog.stop()
            else:
                self._watchdog.start()
            self.shown.emit(shown)

    def _start(self) -> None:
        self._ready = True
        self._hangs = False
        self._unanswered = 0
        self._pulse.start()
        self._size()
        if self._ground.isValid():
            self.set_ground(self._ground)
        if self._waiting is not None:
            body, self._waiting = self._waiting, None
            self.show_html(body.decode("utf-8", "replace"))

    def _list_refused(self, text: Any) -> None:
        with contextlib.suppress(ValueError, TypeError):
            self.refused.emit(refused_of(json.loads(text)))

    def _clicked(self, address: Any) -> None:
        if isinstance(address, str) and QUrl(address).scheme() in {"http", "https"}:
            self.link_clicked.emit(address)

    def _said(self, level: str, line: int, text: str) -> None:
        if not of_policy(text):
            self.console.add(level, line, text)
            if not self._telling.isActive():
                self._telling.start()

    # Pages that do not answer -----------------------------------------------

    def _ask(self) -> None:
        """Shell and page share a thread: an endless script of the page keeps the shell silent."""
        if not self._ready:
            return
        if self._unanswered * PULSE_SECONDS >= HANG_SECONDS:
            self._hung()
            return
        self._unanswered += 1
        self._page.runJavaScript("1", 0, self._answered)

    def _answered(self, _: Any) -> None:
        self._unanswered = 0

    def _hung(self) -> None:
        """An endless script blocks only its own process; that process is ended."""
        pid = self._page.renderProcessPid()
        if pid > 0:
            self._hangs = True
            with contextlib.suppress(OSError):
                os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))

    def _terminated(self, *ignored: object) -> None:
        self._watchdog.stop()
        self._pulse.stop()
        self._ready = False
        self._given_up = self._newest
        self.broke.emit(_(ENDLESS if self._hangs else CRASHED))

    # Ctrl and the wheel -----------------------------------------------------

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QChildEvent) and event.added():
            self._watch_wheel(event.child())
        elif isinstance(event, QWheelEvent) and watched is not self._view:
            delta = event.angleDelta().y()
            if delta and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
                self.stepped.emit(1 if delta > 0 else -1)
                return True
        return False

    def _watch_wheel(self, child: QObject) -> None:
        """The widget that Chromium draws on comes anew with each render process."""
        if isinstance(child, QWidget):
            child.installEventFilter(self)
