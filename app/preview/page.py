"""The walls around previewed pages: whence they come, what they may ask for, where they may go."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QObject, QUrl, Signal
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

from app.preview import policy, shell
from app.preview.permission import Permission

_LEVELS = {
    QWebEnginePage.JavaScriptConsoleMessageLevel.InfoMessageLevel: "info",
    QWebEnginePage.JavaScriptConsoleMessageLevel.WarningMessageLevel: "warning",
    QWebEnginePage.JavaScriptConsoleMessageLevel.ErrorMessageLevel: "error",
}

_TYPE = QWebEngineUrlRequestInfo.ResourceType
_DIRECTIVES = {
    _TYPE.ResourceTypeImage: "img-src",
    _TYPE.ResourceTypeStylesheet: "style-src",
    _TYPE.ResourceTypeScript: "script-src",
    _TYPE.ResourceTypeFontResource: "font-src",
    _TYPE.ResourceTypeMedia: "media-src",
    _TYPE.ResourceTypeXhr: "connect-src",
}
"""Kind of a request -> the directive that it can be permitted under."""


class Documents(QWebEngineUrlSchemeHandler):
    """Serves the shell and the newest documents from memory, each with its policy."""

    def __init__(self, parent: QObject, permission: Permission) -> None:
        super().__init__(parent)
        self._permission = permission
        self.pages: dict[str, tuple[bytes, str]] = {
            "/shell": (shell.SHELL_HTML.encode(), policy.SHELL_CSP)
        }

    @property
    def addresses(self) -> set[str]:
        return {f"{policy.SCHEME}://{policy.HOST}{path}" for path in self.pages}

    def add(self, serial: int, html: bytes, scripts: bool) -> str:
        """Keep a document and forget those that can no longer be asked for. Returns its address."""
        self.pages[f"/page/{serial}"] = (html, self._permission.csp(scripts))
        self.pages.pop(f"/page/{serial - 8}", None)
        return address_of(serial)

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


def address_of(serial: int) -> str:
    """Where the document with this number is served."""
    return f"{policy.SCHEME}://{policy.HOST}/page/{serial}"


class OnlyOwn(QWebEngineUrlRequestInterceptor):
    """Refuses every request but those for our scheme, for inline data, and those permitted.

    Permitted is only reading: what sends something away is refused wherever it goes.
    """

    def __init__(self, parent: QObject, permission: Permission) -> None:
        super().__init__(parent)
        self._permission = permission

    def interceptRequest(self, info: QWebEngineUrlRequestInfo) -> None:
        url = info.requestUrl()
        if url.scheme() in {policy.SCHEME, "data", "blob"}:
            return
        directive = _DIRECTIVES.get(info.resourceType(), "")
        reads = bytes(info.requestMethod().data()) in {b"GET", b"HEAD"}
        encoded = bytes(url.toEncoded().data()).decode("ascii", "replace")
        if not (reads and self._permission.allows(directive, encoded)):
            info.block(True)


class LockedPage(QWebEnginePage):
    """A page that opens nothing, asks nothing and goes nowhere but `home`.

    `said(level, line, text)` passes on what the document at `listening_to` writes on the console.
    """

    said = Signal(str, int, str)

    def __init__(
        self, profile: QWebEngineProfile, parent: QObject, home: str = policy.SHELL_URL
    ) -> None:
        super().__init__(profile, parent)
        self._home = home
        self.expected: set[str] = {home}
        self.listening_to = ""
        self.permissionRequested.connect(self._deny)
        self.fullScreenRequested.connect(self._no_full_screen)
        self.certificateError.connect(self._no_certificate)

    def acceptNavigationRequest(self, url: QUrl | str, kind: Any, main: bool) -> bool:
        address = url if isinstance(url, str) else url.toString()
        if main:
            typed = kind == QWebEnginePage.NavigationType.NavigationTypeTyped
            return typed and address == self._home
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

    def javaScriptConsoleMessage(self, level: Any, message: str, line: int, source: str) -> None:
        if source == self.listening_to:
            self.said.emit(_LEVELS.get(level, "info"), line, message)

    def _deny(self, permission: QWebEnginePermission) -> None:
        permission.deny()

    def _no_full_screen(self, request: QWebEngineFullScreenRequest) -> None:
        request.reject()

    def _no_certificate(self, error: QWebEngineCertificateError) -> None:
        error.rejectCertificate()


def locked_profile(
    documents: Documents, interceptor: OnlyOwn, parent: QObject
) -> QWebEngineProfile:
    """A profile off the record with everything switched off that a page could reach out by."""
    profile = QWebEngineProfile(parent)  # no name: nothing is written to disk
    profile.installUrlSchemeHandler(QByteArray(policy.SCHEME.encode()), documents)
    profile.setUrlRequestInterceptor(interceptor)
    profile.downloadRequested.connect(_no_download)
    settings = profile.settings()
    for name in policy.SETTINGS_OFF:
        settings.setAttribute(getattr(QWebEngineSettings.WebAttribute, name), False)
    world = QWebEngineScript.ScriptWorldId
    profile.scripts().insert(_script("frame", shell.FRAME_JS, world.ApplicationWorld))
    profile.scripts().insert(_script("disarm", shell.DISARM_JS, world.MainWorld))
    return profile


def _script(name: str, code: str, world: QWebEngineScript.ScriptWorldId) -> QWebEngineScript:
    """A script of ours in every frame, before those of the page."""
    script = QWebEngineScript()
    script.setName(f"viscodex-{name}")
    script.setInjectionPoint(QWebEngineScript.InjectionPoint.DocumentCreation)
    script.setWorldId(world.value)
    script.setRunsOnSubFrames(True)
    script.setSourceCode(code)
    return script


def _no_download(request: QWebEngineDownloadRequest) -> None:
    request.cancel()
