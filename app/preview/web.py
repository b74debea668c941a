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
from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QTimer, QUrl, Signal
from PySide6.QtGui import QColor
from PySide6.QtWebEngineCore import (
    QWebEngineCertificateError,
    QWebEngineDownloadRequest,
    QWebEngineFullScreenRequest,
    QWebEnginePage,
    QWebEnginePermission,
    QWebEngineProfile,
    QWebEngineScript,
    QWebEngineSettings,
    QWebEngineUrlRequestInfo,
    QWebEngineUrlRequestInterceptor,
    QWebEngineUrlRequestJob,
    QWebEngineUrlSchemeHandler,
)
from PySide6.QtWebEngineWidgets import QWebEngineView
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.preview import policy

HANG_SECONDS = 6.0
"""A page that has not been drawn after this long is taken for an endless script."""


class _Documents(QWebEngineUrlSchemeHandler):
    """Serves the shell and the newest documents from memory, each with its policy."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.pages: dict[str, tuple[bytes, str]] = {
            "/shell": (policy.SHELL_HTML.encode(), policy.SHELL_CSP)
        }

    def add(self, serial: int, html: bytes, scripts: bool) -> str:
        """Keep a document and forget those that can no longer be asked for."""
        self.pages[f"/page/{serial}"] = (html, policy.document_csp(scripts))
        self.pages.pop(f"/page/{serial - 8}", None)
        return f"{policy.SCHEME}://{policy.HOST}/page/{serial}"

    def requestStarted(self, job: QWebEngineUrlRequestJob) -> None:
        found = self.pages.get(job.requestUrl().path())
        if found is None or bytes(job.requestMethod().data()) != b"GET":
            job.fail(QWebEngineUrlRequestJob.Error.UrlNotFound)
            return
        body, csp = found
        buffer = QBuffer(job)
        buffer.setData(QByteArray(body))
        buffer.open(QIODevice.OpenModeFlag.ReadOnly)
        headers = {QByteArray(b"Content-Security-Policy"): [QByteArray(csp.encode())]}
        # The stubs do not know that a header may have several values.
        job.setAdditionalResponseHeaders(headers)  # type: ignore[arg-type]
        job.reply(QByteArray(b"text/html; charset=utf-8"), buffer)


class _OnlyOwn(QWebEngineUrlRequestInterceptor):
    """Refuses every request but those for our scheme and for inline data."""

    def interceptRequest(self, info: QWebEngineUrlRequestInfo) -> None:
        if info.requestUrl().scheme() not in {policy.SCHEME, "data", "blob"}:
            info.block(True)


class _Page(QWebEnginePage):
    """A page that opens nothing, asks nothing and goes nowhere."""

    def __init__(self, profile: QWebEngineProfile, parent: QWidget) -> None:
        super().__init__(profile, parent)
        self.expected: set[str] = {policy.SHELL_URL}
        self.permissionRequested.connect(self._deny)
        self.fullScreenRequested.connect(self._no_full_screen)
        self.certificateError.connect(self._no_certificate)

    def acceptNavigationRequest(self, url: QUrl | str, kind: Any, main: bool) -> bool:
        address = url if isinstance(url, str) else url.toString()
        if main:
            typed = kind == QWebEnginePage.NavigationType.NavigationTypeTyped
            return typed and address == policy.SHELL_URL
        return address in self.expected

    def createWindow(self, kind: Any) -> Any:
        return None

    def chooseFiles(self, mode: Any, old: Any, accepted: Any) -> list[str]:
        return []

    def javaScriptAlert(self, origin: QUrl | str, message: str) -> None:
        return

    def javaScriptConfirm(self, origin: QUrl | str, message: str) -> bool:
        return False

    def javaScriptPrompt(self, origin: Any, message: str, default: str) -> Any:
        return False, ""

    def javaScriptConsoleMessage(self, *ignored: Any) -> None:
        return

    def _deny(self, permission: QWebEnginePermission) -> None:
        permission.deny()

    def _no_full_screen(self, request: QWebEngineFullScreenRequest) -> None:
        request.reject()

    def _no_certificate(self, error: QWebEngineCertificateError) -> None:
        error.rejectCertificate()


class WebPreview(QWidget):
    """Shows HTML documents one after the other, without flicker and without network.

    `shown(serial)` tells that a document is on screen, `blocked(count)` how many resources of it
    were refused, `broke(message)` that a page had to be given up.
    """

    shown = Signal(int)
    blocked = Signal(int)
    broke = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.scripts = True
        self._serial = 0
        self._ready = False
        self._waiting: bytes | None = None
        self._width = 0
        self._ground = QColor()
        self._awaited = 0
        self._profile = QWebEngineProfile(self)  # no name: off the record
        self._documents = _Documents(self)
        self._interceptor = _OnlyOwn(self)
        self._dress_profile()
        self._view = QWebEngineView(self)
        self._view.setAccessibleName("Preview of the page")
        self._view.setAcceptDrops(False)  # a dropped picture belongs to the window, not the page
        self._page = _Page(self._profile, self._view)
        self._view.setPage(self._page)
        self._page.titleChanged.connect(self._told)
        self._page.renderProcessTerminated.connect(self._terminated)
        self._watchdog = QTimer(self)
        self._watchdog.setSingleShot(True)
        self._watchdog.setInterval(int(HANG_SECONDS * 1000))
        self._watchdog.timeout.connect(self._hung)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._view)
        self.setFocusProxy(self._view)
        self._load_shell()

    def _dress_profile(self) -> None:
        profile = self._profile
        profile.installUrlSchemeHandler(QByteArray(policy.SCHEME.encode()), self._documents)
        profile.setUrlRequestInterceptor(self._interceptor)
        profile.downloadRequested.connect(self._no_download)
        settings = profile.settings()
        for name in policy.SETTINGS_OFF:
            settings.setAttribute(getattr(QWebEngineSettings.WebAttribute, name), False)
        script = QWebEngineScript()
        script.setName("viscodex-frame")
        script.setInjectionPoint(QWebEngineScript.InjectionPoint.DocumentCreation)
        script.setWorldId(QWebEngineScript.ScriptWorldId.ApplicationWorld.value)
        script.setRunsOnSubFrames(True)
        script.setSourceCode(policy.FRAME_JS)
        profile.scripts().insert(script)

    def show_html(self, html: str) -> None:
        """Show a document as soon as the one being drawn is done; only the newest waits."""
        body = html.encode("utf-8", "replace")
        if len(body) > policy.MAX_DOCUMENT_BYTES:
            self.broke.emit("The page is too large for the preview.")
            return
        if not self._ready:
            self._waiting = body
            return
        self._serial += 1
        url = self._documents.add(self._serial, body, self.scripts)
        self._page.expected = {
            f"{policy.SCHEME}://{policy.HOST}{path}" for path in self._documents.pages
        }
        if not self._watchdog.isActive():
            self._watchdog.start()
        self._awaited = self._serial
        self._call("show", self._serial, url)

    def set_page_width(self, pixels: int) -> None:
        """Width in CSS pixels that pages are laid out at; 0 means the width of the pane."""
        self._width = pixels
        if self._ready:
            self._call("width", pixels)

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
        self._watchdog.stop()
        self._page.titleChanged.disconnect(self._told)
        self._page.renderProcessTerminated.disconnect(self._terminated)
        self._view.setPage(None)  # type: ignore[arg-type]
        shiboken6.delete(self._page)

    @property
    def page(self) -> QWebEnginePage:
        return self._page

    def _load_shell(self) -> None:
        self._ready = False
        self._page.setUrl(QUrl(policy.SHELL_URL))

    def _call(self, function: str, *arguments: object) -> None:
        given = ", ".join(json.dumps(argument) for argument in arguments)
        self._page.runJavaScript(f"viscodex.{function}({given})")

    def _told(self, title: str) -> None:
        """The shell talks by its title; generated pages have no access to it."""
        words = title.split()
        if len(words) < 2:
            return
        if words[0] == "ready":
            self._ready = True
            self.set_page_width(self._width)
            if self._ground.isValid():
                self.set_ground(self._ground)
            if self._waiting is not None:
                body, self._waiting = self._waiting, None
                self.show_html(body.decode("utf-8", "replace"))
        elif words[0] == "shown":
            serial = int(words[1])
            if serial >= self._awaited:
                self._watchdog.stop()
            else:
                self._watchdog.start()
            self.shown.emit(serial)
        elif words[0] == "blocked":
            self.blocked.emit(int(words[1]))

    def _hung(self) -> None:
        """An endless script blocks only its own process; that process is ended."""
        pid = self._page.renderProcessPid()
        if pid > 0:
            with contextlib.suppress(OSError):
                os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))

    def _terminated(self, *ignored: object) -> None:
        self._watchdog.stop()
        self._ready = False
        self.broke.emit("The page stopped the preview, probably by an endless script.")

    def _no_download(self, request: QWebEngineDownloadRequest) -> None:
        request.cancel()
