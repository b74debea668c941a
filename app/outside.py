"""The code in another program: a file it can open, and what is saved there comes back."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QFileSystemWatcher, QObject, QProcess, QTimer, QUrl, Signal
from PySide6.QtGui import QDesktopServices

from app.documents import plain
from app.files import write_whole

SETTLE_MS = 120
"""Editors write in several steps; the file is read when it has been quiet for so long."""

EDITORS = (
    "code",
    "codium",
    "zed",
    "subl",
    "kate",
    "gnome-text-editor",
    "gedit",
    "pluma",
    "mousepad",
    "notepad++",
)
"""Editors that open a file by their name. Tried before the system's own choice, which for a page
would be the browser."""


def open_in_editor(path: Path) -> bool:
    """Open `path` for editing; False where nothing could be started."""
    if sys.platform == "darwin":
        return subprocess.run(["open", "-t", str(path)], check=False).returncode == 0
    for name in EDITORS:
        program = shutil.which(name)
        if program and QProcess.startDetached(program, [str(path)])[0]:
            return True
    return QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))


class OutsideEditor(QObject):
    """One file that another program edits. `saved(text)` tells what was saved there."""

    saved = Signal(str)

    def __init__(
        self, start: Callable[[Path], bool] = open_in_editor, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._start = start
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self.path: Path | None = None
        self.known = ""  # what the file held when it was last looked at
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(SETTLE_MS)
        self._timer.timeout.connect(self._look)
        self._watcher = QFileSystemWatcher(self)
        self._watcher.fileChanged.connect(lambda: self._timer.start())
        self._watcher.directoryChanged.connect(lambda: self._timer.start())

    def open(self, code: str, name: str, saved_at: Path | None = None) -> bool:
        """Open `code` in an editor; False where none could be started.

        The file is `saved_at` if that holds this code, else one called `name` in a folder that
        lasts as long as this object. Raises OSError where it cannot be written.
        """
        self.leave()
        if saved_at is not None and (_read(saved_at) or "").rstrip() == code.rstrip():
            path = saved_at
        else:
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory(
                    prefix="viscodex-", ignore_cleanup_errors=True
                )
            path = Path(self._folder.name) / name
            write_whole(path, f"{code.rstrip()}\n".encode())
        self.path, self.known = path, (_read(path) or "").rstrip()
        # Most editors save by renaming a new file into the place: only the folder tells of that.
        self._watcher.addPaths([str(path), str(path.parent)])
        return self._start(path)

    def leave(self) -> None:
        """Watch no more."""
        self._timer.stop()
        watched = [*self._watcher.files(), *self._watcher.directories()]
        if watched:
            self._watcher.removePaths(watched)
        self.path = None

    def close(self) -> None:
        """Watch no more and delete the temporary file."""
        self.leave()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _look(self) -> None:
        if self.path is None:
            return
        text = _read(self.path)
        if text is None:
            return  # between two steps of a save, or no text
        if str(self.path) not in self._watcher.files():
            self._watcher.addPath(str(self.path))
        text = text.rstrip()
        if text and text != self.known:
            self.known = text
            self.saved.emit(text)


def _read(path: Path) -> str | None:
    try:
        return plain(path.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError):
        return None
