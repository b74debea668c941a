"""How Chromium says that it shuts pages in: read from its own page on that, chrome://sandbox.

Qt WebEngine loads that page (seen with 6.12), and it is the browser process that fills it in, by
what it found when it started its children: layer 1 (namespaces or the SUID helper) and seccomp-BPF.
/proc/PID/status of a render process would tell of one process only, and not of what is enough. The
page exists on Linux alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import shiboken6
from PySide6.QtCore import QObject, QTimer, QUrl, Signal

from app.finding import Finding

if TYPE_CHECKING:
    from PySide6.QtWebEngineCore import QWebEnginePage, QWebEngineProfile

ADDRESS = "chrome://sandbox/"
NAME = "page isolation"
PATIENCE = 15.0
"""Seconds after which a page that says nothing is given up."""

LAYERS: Mapping[str, str] = {
    "Namespace": "namespaces",
    "SUID": "SUID helper",
    "None": "no namespaces",
}
SECCOMP: Mapping[str, str] = {"Yes": "seccomp-BPF", "No": "no seccomp-BPF"}
VERDICTS: Mapping[str, bool] = {
    "You are adequately sandboxed.": True,
    "You are NOT adequately sandboxed.": False,
}


def untold(why: str) -> Finding:
    """That nothing is known is no good news, but no bad news either."""
    return Finding(NAME, False, f"could not be told: {why}", needed=False)


def finding_of(text: str) -> Finding:
    """What the text of the page says: rows of a name, a tab and a value, and a verdict."""
    lines = [line.strip() for line in text.splitlines()]
    rows = dict(line.split("\t", 1) for line in lines if "\t" in line)
    verdicts = [VERDICTS[line] for line in lines if line in VERDICTS]
    layer = LAYERS.get(rows.get("Layer 1 Sandbox", ""))
    seccomp = SECCOMP.get(rows.get("Seccomp-BPF sandbox", ""))
    if layer is None or seccomp is None or len(verdicts) != 1:
        return untold("Chromium's page on it reads otherwise than expected")
    if verdicts[0]:
        detail = f"{layer}, {seccomp}: adequately sandboxed, says Chromium"
    else:
        detail = f"{layer}, {seccomp}: NOT adequately sandboxed, says Chromium"
    return Finding(NAME, verdicts[0], detail, needed=False)


class SandboxState(QObject):
    """`told(Finding)` once after each `start`, whatever happens to the hidden page.

    `running` says whether Chromium runs in this process: it is not started for this.
    """

    told = Signal(object)

    def __init__(self, running: Callable[[], bool], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.address = ADDRESS
        self._running = running
        self._profile: QWebEngineProfile | None = None
        self._page: QWebEnginePage | None = None
        self._clock = QTimer(self)
        self._clock.setSingleShot(True)
        self._clock.setInterval(int(PATIENCE * 1000))
        self._clock.timeout.connect(lambda: self._tell(untold("Chromium's page on it is silent")))

    def start(self) -> None:
        """Ask anew; nothing happens while it is being asked."""
        if self._clock.isActive():
            return
        if not self._running():
            self.told.emit(untold("the preview is off"))
            return
        from PySide6.QtWebEngineCore import QWebEngineProfile

        from app.preview.page import LockedPage

        self.close()
        self._profile = QWebEngineProfile(self)  # no name: nothing is written to disk
        page = self._page = LockedPage(self._profile, self, ADDRESS)
        page.loadFinished.connect(self._loaded)
        page.renderProcessTerminated.connect(
            lambda *_: self._tell(untold("Chromium's page on it crashed"))
        )
        self._clock.start()
        page.load(QUrl(self.address))

    def close(self) -> None:
        """Let the hidden page go; nothing more is told."""
        self._clock.stop()
        page, self._page = self._page, None
        profile, self._profile = self._profile, None
        if page is not None:
            shiboken6.delete(page)  # before its profile, or Qt complains and may crash
        if profile is not None:
            shiboken6.delete(profile)

    def _loaded(self, well: bool) -> None:
        if self._page is None:
            return
        if not well:
            self._tell(untold("Chromium's page on it does not load"))
            return
        self._page.runJavaScript("document.body.innerText", 0, self._read)

    def _read(self, text: Any) -> None:
        self._tell(finding_of(text if isinstance(text, str) else ""))

    def _tell(self, finding: Finding) -> None:
        page = self._page
        if page is None or not self._clock.isActive():
            return
        self._clock.stop()
        # Not within its own signal.
        QTimer.singleShot(0, self, lambda: self.close() if page is self._page else None)
        self.told.emit(finding)
