"""The process that draws HTML: QtWebEngine without a window, one page after another, no network.

Spoken to by `engine.render.html.HtmlRenderer`. A request is one JSON line on stdin, an answer is
one JSON line on stdout followed by as many raw bytes as its `png_bytes` says.

The page is served from memory under a scheme of its own with the policy of `engine.render.policy`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
from collections import deque
from typing import Any, BinaryIO

from engine.garbage import collect_by
from engine.render.page_scripts import DESCRIBE_JS, HEIGHT_JS, SETTLE_JS, UNMARK_JS
from engine.render.policy import CHROMIUM_FLAGS, SETTINGS_OFF, document_csp
from engine.singletons import make_immortal

SCHEME = b"viscodex-render"
# Beside those of the policy: the same pixels on every machine.
DRAWING_FLAGS = (
    "--disable-gpu",
    "--disable-lcd-text",
    "--font-render-hinting=none",
)
SETTLED = "viscodex-settled-"
# A frame is drawn in another process and reaches the view later, on a busy machine much later:
# until then the view shows ground, or the page before.
FRAME_MS = 8
FRAME_TRIES = 250
LEAST_HEIGHT = 16


def prepare_environment(no_sandbox: bool) -> None:
    """Set what Qt reads once, before it is imported."""
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    os.environ.setdefault("QT_LOGGING_RULES", "*.debug=false;qt.webenginecontext.info=false")
    flags = [*CHROMIUM_FLAGS, *DRAWING_FLAGS]
    if no_sandbox:
        flags.append("--no-sandbox")
        os.environ["QTWEBENGINE_DISABLE_SANDBOX"] = "1"
    os.environ["QTWEBENGINE_CHROMIUM_FLAGS"] = " ".join(flags)


def serve(requests: BinaryIO, answers: BinaryIO) -> int:
    """Answer requests until `requests` ends. Returns the exit status."""
    from PySide6.QtCore import (
        QBuffer,
        QByteArray,
        QIODevice,
        QObject,
        QRect,
        QTimer,
        QUrl,
        Signal,
    )
    from PySide6.QtGui import QColor
    from PySide6.QtWebEngineCore import (
        QWebEnginePage,
        QWebEngineProfile,
        QWebEngineScript,
        QWebEngineSettings,
        QWebEngineUrlRequestInfo,
        QWebEngineUrlRequestInterceptor,
        QWebEngineUrlRequestJob,
        QWebEngineUrlScheme,
        QWebEngineUrlSchemeHandler,
    )
    from PySide6.QtWebEngineWidgets import QWebEngineView
    from PySide6.QtWidgets import QApplication

    scheme = QWebEngineUrlScheme(QByteArray(SCHEME))
    scheme.setSyntax(QWebEngineUrlScheme.Syntax.Host)
    scheme.setFlags(QWebEngineUrlScheme.Flag.SecureScheme)
    QWebEngineUrlScheme.registerScheme(scheme)
    application = QApplication(["viscodex-render"])
    world = QWebEngineScript.ScriptWorldId.ApplicationWorld.value

    class Documents(QWebEngineUrlSchemeHandler):
        """Serves the document being drawn and nothing else."""

        def __init__(self) -> None:
            super().__init__()
            self.current = b""
            self.policy = b""

        def requestStarted(self, job: QWebEngineUrlRequestJob) -> None:
            if job.requestUrl().path() != "/page":
                job.fail(QWebEngineUrlRequestJob.Error.UrlNotFound)
                return
            buffer = QBuffer(job)
            buffer.setData(QByteArray(self.current))
            buffer.open(QIODevice.OpenModeFlag.ReadOnly)
            # A multi-map in Qt: PySide takes lists, its type stubs do not know.
            headers = {QByteArray(b"Content-Security-Policy"): [QByteArray(self.policy)]}
            job.setAdditionalResponseHeaders(headers)  # type: ignore[arg-type]
            job.reply(QByteArray(b"text/html; charset=utf-8"), buffer)

    class OnlyOwn(QWebEngineUrlRequestInterceptor):
        """Refuses every request but for our scheme and inline data."""

        def interceptRequest(self, info: QWebEngineUrlRequestInfo) -> None:
            if info.requestUrl().scheme() not in {SCHEME.decode(), "data", "blob"}:
                info.block(True)

    class Page(QWebEnginePage):
        """A page that opens nothing, asks nothing and goes nowhere."""

        refused = 0  # ways to other pages that this document has tried

        def acceptNavigationRequest(self, url: QUrl | str, kind: Any, main: bool) -> bool:
            own = QUrl(url).scheme() == SCHEME.decode()
            wanted = own and main and kind == QWebEnginePage.NavigationType.NavigationTypeTyped
            self.refused += not wanted
            return wanted

        def createWindow(self, kind: Any) -> Any:
            return None

        def javaScriptAlert(self, origin: Any, message: str) -> None:
            return

        def javaScriptConfirm(self, origin: Any, message: str) -> bool:
            return False

        def javaScriptPrompt(self, origin: Any, message: str, default: str) -> Any:
            return False, ""

        def javaScriptConsoleMessage(self, *ignored: Any) -> None:
            return

    class Inbox(QObject):
        """Carries request lines from the reading thread to the Qt thread."""

        arrived = Signal(bytes)
        ended = Signal()

    profile = QWebEngineProfile()
    documents, only_own = Documents(), OnlyOwn()
    profile.installUrlSchemeHandler(QByteArray(SCHEME), documents)
    profile.setUrlRequestInterceptor(only_own)
    settings = profile.settings()
    # Chromium's own --hide-scrollbars does nothing here: a bar took 15 pixels of the width.
    for name in (*SETTINGS_OFF, "ScrollAnimatorEnabled", "ShowScrollBars"):
        settings.setAttribute(getattr(QWebEngineSettings.WebAttribute, name), False)

    class Renderer(QObject):
        """Draws one request at a time: load, measure the height, settle, describe, grab."""

        def __init__(self) -> None:
            super().__init__()
            self.queue: deque[dict[str, Any]] = deque()
            self.job: dict[str, Any] | None = None
            self.serial = 0
            self.mark = QColor()
            self.view = QWebEngineView()
            self.page = Page(profile, self.view)
            self.view.setPage(self.page)
            self.view.resize(640, 480)
            self.view.show()
            self.page.loadFinished.connect(self.loaded)
            self.page.titleChanged.connect(self.titled)
            self.page.renderProcessTerminated.connect(self.renderer_died)
            self.limit = QTimer(self)
            self.limit.setSingleShot(True)
            self.limit.timeout.connect(self.timed_out)

        def submit(self, line: bytes) -> None:
            self.queue.append(json.loads(line))
            self.next()

        def next(self) -> None:
            if self.job is not None or not self.queue:
                return
            self.job = job = self.queue.popleft()
            self.serial += 1
            documents.current = job["html"].encode("utf-8", "replace")
            documents.policy = document_csp(job["scripts"]).encode()
            # Without a wanted height the page is laid out low and then grown to its content, so
            # that `100vh` does not make every page as high as the first guess.
            self.view.resize(job["width"], job["height"] or LEAST_HEIGHT)
            self.limit.start(int(job["timeout"] * 1000))
            self.page.refused = 0
            self.page.setUrl(QUrl(f"{SCHEME.decode()}://page{self.serial}/page"))

        def loaded(self, ok: bool) -> None:
            if self.job is None:
                return
            # A refused way to another page is told as a failed load, though the document stays.
            if not ok and not self.page.refused:
                self.answer({"error": "render_failed", "message": "The page could not be loaded."})
                return
            if self.job["height"]:
                self.settle()
            else:
                self.page.runJavaScript(HEIGHT_JS, world, self.measured)

        def measured(self, height: Any) -> None:
            if self.job is None:
                return
            wanted = int(height or 0)
            self.view.resize(
                self.job["width"], max(LEAST_HEIGHT, min(wanted, self.job["max_height"]))
            )
            self.settle()

        def settle(self) -> None:
            size = (self.view.width(), self.view.height())
            # Of another colour each time: a late frame of the page before has the wrong one.
            self.mark = QColor.fromRgb(self.serial * 0x9E3779B1 & 0xFFFFFF)
            script = SETTLE_JS % (self.mark.name(), f"{SETTLED}{self.serial}", *size)
            self.page.runJavaScript(script, world)

        def titled(self, title: str) -> None:
            if self.job is None or title != f"{SETTLED}{self.serial}":
                return
            if self.job["probe"] is not None:
                self.page.runJavaScript(UNMARK_JS, world)  # nothing is drawn: none of our own there
                self.page.runJavaScript(self.job["probe"], world, self.probed)
            elif self.job["describe"]:
                self.page.runJavaScript(DESCRIBE_JS, world, self.described)
            else:
                self.await_frame(None)

        def probed(self, result: Any) -> None:
            if self.job is not None:
                size = {"width": self.view.width(), "height": self.view.height()}
                self.answer({**size, "description": result if isinstance(result, str) else ""})

        def described(self, text: Any) -> None:
            self.await_frame(json.loads(text) if text else None)

        def await_frame(
            self, description: Any, marked: bool = True, tries: int = FRAME_TRIES
        ) -> None:
            """Go on with the frame that shows the mark, and then with the one without it."""
            if self.job is None:
                return
            corner = self.view.grab(QRect(0, 0, 1, 1)).toImage().pixelColor(0, 0)
            if (corner == self.mark) is not marked and tries:
                serial = self.serial
                QTimer.singleShot(
                    FRAME_MS,
                    lambda: (
                        self.await_frame(description, marked, tries - 1)
                        if serial == self.serial
                        else None
                    ),
                )
            elif marked:
                self.page.runJavaScript(UNMARK_JS, world)
                self.await_frame(description, marked=False)
            else:
                self.finish(description)

        def finish(self, description: Any) -> None:
            assert self.job is not None
            picture = self.view.grab().toImage()
            data = QByteArray()
            buffer = QBuffer(data)
            buffer.open(QIODevice.OpenModeFlag.WriteOnly)
            # Quality 90 of a PNG means little compression. The stubs want bytes, the call str.
            picture.save(buffer, "PNG", 90)  # type: ignore[call-overload]
            self.answer(
                {
                    "width": picture.width(),
                    "height": picture.height(),
                    "description": description,
                },
                bytes(data.data()),
            )

        def answer(self, fields: dict[str, Any], png: bytes = b"") -> None:
            assert self.job is not None
            fields = {"id": self.job["id"], "png_bytes": len(png), **fields}
            self.job = None
            self.limit.stop()
            answers.write(json.dumps(fields).encode() + b"\n" + png)
            answers.flush()
            QTimer.singleShot(0, self.next)

        def timed_out(self) -> None:
            if self.job is not None:
                self.page.triggerAction(QWebEnginePage.WebAction.Stop)
                self.answer({"error": "timeout", "message": "The page took too long to draw."})
                application.exit(3)  # its script may still run: the parent starts a new process

        def renderer_died(self, *ignored: Any) -> None:
            if self.job is not None:
                self.answer({"error": "render_failed", "message": "The page crashed the renderer."})
                application.exit(3)

    renderer, inbox = Renderer(), Inbox()
    inbox.arrived.connect(renderer.submit)
    inbox.ended.connect(application.quit)

    def read() -> None:
        for line in requests:
            inbox.arrived.emit(line)
        inbox.ended.emit()

    collecting = QTimer()
    collect_by(collecting)
    threading.Thread(target=read, daemon=True).start()
    status = application.exec()
    # The page must go before its profile, or Qt complains and may crash at exit.
    renderer.view.setPage(None)  # type: ignore[arg-type]
    renderer.page.deleteLater()
    application.processEvents()
    return int(status)


def main() -> int:
    parser = argparse.ArgumentParser(description="VisCodex HTML drawing process")
    parser.add_argument("--no-sandbox", action="store_true", help="Chromium's sandbox off")
    arguments = parser.parse_args()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever Qt or Chromium print must not fall between the answers
    make_immortal()
    prepare_environment(arguments.no_sandbox)
    status = serve(sys.stdin.buffer, answers)
    answers.flush()
    os._exit(status)


if __name__ == "__main__":
    sys.exit(main())
