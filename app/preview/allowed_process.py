"""The process of an allowed page as the application sees it: started, followed, ended."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, QProcess, QProcessEnvironment, QTimer, Signal

from app.i18n import N_, _
from app.preview import policy
from app.preview.order import Order
from app.preview.refused import Refused, refused_of

START_SECONDS = 60.0
"""A window that does not show its page after so long is given up."""

ROOT = Path(__file__).resolve().parents[2]

MAX_ANSWER = 400_000
"""Bytes of one line: 200 reports, each as long as they get."""

ENDED = N_("The window with network ended by itself. This page is blocked as before.")
NOT_STARTED = N_("The window with network could not be started: {reason}.")
SLOW = N_("The window with network did not open in time. This page is blocked as before.")


def own_command() -> list[str]:
    """Program and arguments of the process, also where the application is frozen."""
    if getattr(sys, "frozen", False):
        return [sys.executable, "--allowed-page"]  # see `app.workers`
    return [sys.executable, "-m", "app.preview.allowed"]


class AllowedPage(QObject):
    """At most one process. `opened()` once its page is drawn, `refused(list of Refused)` what the
    page still did not get, `ended(message)` once it is gone by itself: empty where people closed
    the window."""

    opened = Signal()
    refused = Signal(list)
    ended = Signal(str)

    def __init__(self, parent: QObject, command: Sequence[str] = ()) -> None:
        super().__init__(parent)
        self._command = list(command) or own_command()
        self._process: QProcess | None = None
        self._limit = QTimer(self)
        self._limit.setSingleShot(True)
        self._limit.setInterval(int(START_SECONDS * 1000))
        self._limit.timeout.connect(lambda: self._over(_(SLOW)))

    @property
    def pid(self) -> int:
        """The process number; 0 where none runs."""
        return 0 if self._process is None else int(self._process.processId())

    @property
    def running(self) -> bool:
        return self._process is not None

    def start(self, order: Order) -> None:
        """Show the page of `order` in a process of its own, in place of an older one."""
        self.stop()
        process = QProcess(self)
        environment = QProcessEnvironment.systemEnvironment()
        flags = policy.without_flags(environment.value(policy.FLAGS_VARIABLE, ""))
        environment.insert(policy.FLAGS_VARIABLE, flags)
        process.setProcessEnvironment(environment)
        process.setWorkingDirectory(str(ROOT))
        if os.environ.get("VISCODEX_DEBUG"):
            process.setProcessChannelMode(QProcess.ProcessChannelMode.ForwardedErrorChannel)
        else:
            process.setStandardErrorFile(QProcess.nullDevice())
        process.readyReadStandardOutput.connect(self._read)
        process.errorOccurred.connect(self._failed)
        process.finished.connect(self._finished)
        self._process = process
        self._limit.start()
        program, *arguments = self._command
        process.start(program, arguments)
        process.write(order.line())  # and the pipe stays open: its end is the end of the process

    def stop(self, wait_ms: int = 0) -> None:
        """End the permission now; with `wait_ms` also wait for the end of the process."""
        self._limit.stop()
        process, self._process = self._process, None
        if process is None:
            return
        process.readyReadStandardOutput.disconnect(self._read)
        process.errorOccurred.disconnect(self._failed)
        process.finished.disconnect(self._finished)
        process.kill()
        if wait_ms:
            process.waitForFinished(wait_ms)
        if process.state() == QProcess.ProcessState.NotRunning:
            process.deleteLater()
        else:
            process.finished.connect(process.deleteLater)

    def _over(self, message: str) -> None:
        self.stop()
        self.ended.emit(message)

    def _read(self) -> None:
        process = self._process
        while process is not None and process is self._process and process.canReadLine():
            self._take(bytes(process.readLine().data()))
        if process is not None and process.bytesAvailable() > MAX_ANSWER:
            self._over(_(ENDED))

    def _take(self, line: bytes) -> None:
        try:
            fields = json.loads(line)
        except ValueError:
            return
        event = fields.get("event") if isinstance(fields, dict) else None
        if event == "ready":
            self._limit.stop()
            self.opened.emit()
        elif event == "refused":
            found: list[Refused] = refused_of(fields.get("reports"))
            self.refused.emit(found)

    def _failed(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart and self._process is not None:
            reason = self._process.errorString().rstrip(".")
            self._over(_(NOT_STARTED).format(reason=reason))

    def _finished(self, code: int, status: QProcess.ExitStatus) -> None:
        by_hand = status == QProcess.ExitStatus.NormalExit and code == 0
        self._over("" if by_hand else _(ENDED))
