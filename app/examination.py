"""The checks of `app.doctor` in a process of their own, one finding after the other."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from PySide6.QtCore import QObject, QProcess, Signal

from app.finding import Finding

ROOT = Path(__file__).resolve().parents[1]


class Examination(QObject):
    """`found(Finding)` as each is known; `done()` after the last, also where the process died."""

    found = Signal(object)
    done = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.findings: list[Finding] = []
        self._process: QProcess | None = None

    @property
    def running(self) -> bool:
        return self._process is not None

    def start(self) -> None:
        """Begin anew; nothing happens while the checks run."""
        if self.running:
            return
        self.findings = []
        process = QProcess(self)
        process.setWorkingDirectory(str(ROOT))
        process.setProgram(sys.executable)
        process.setArguments(["-m", "app.doctor"])
        process.setStandardErrorFile(QProcess.nullDevice())
        process.readyReadStandardOutput.connect(self._read)
        process.finished.connect(self._finished)
        process.errorOccurred.connect(self._failed)
        self._process = process
        process.start()

    def close(self) -> None:
        """End the checks; nothing more is told."""
        process, self._process = self._process, None
        if process is not None:
            process.readyReadStandardOutput.disconnect(self._read)
            process.finished.disconnect(self._finished)
            process.kill()
            process.waitForFinished(500)

    def _read(self) -> None:
        process = self._process
        while process is not None and process.canReadLine():
            line = bytes(process.readLine().data())
            try:
                self._take(Finding(**json.loads(line)))
            except (ValueError, TypeError):
                continue  # what a library prints is no finding

    def _take(self, finding: Finding) -> None:
        self.findings.append(finding)
        self.found.emit(finding)

    def _finished(self, status: int) -> None:
        self._read()
        self._end("" if status == 0 else f"The checks ended early (exit status {status}).")

    def _failed(self, error: QProcess.ProcessError) -> None:
        if error is QProcess.ProcessError.FailedToStart:
            self._end("The checks could not be started.")

    def _end(self, trouble: str) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.deleteLater()
        if trouble:
            self._take(Finding("checks", False, trouble))
        self.done.emit()
