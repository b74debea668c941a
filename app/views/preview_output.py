"""What the code draws, taken out of the preview: as a picture, or to the browser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QGuiApplication, QImage

from app.files import write_whole
from app.i18n import _
from app.preview.standalone import PrivateFolder, standalone
from app.tasks import TaskRunner


@dataclass(frozen=True)
class Drawable:
    """Code as the preview shows it; `width` in CSS pixels is for pages only."""

    code: str
    target: str
    width: int
    unwalled: bool = False

    def png(self) -> bytes:
        """Drawn by the engine's own renderer, as high as it is. Raises VisCodexError."""
        from app.rendering import draw  # heavy, and not needed for the first paint

        return draw(self.code, self.target, (self.width, None), unwalled=self.unwalled)


class PreviewOutput(QObject):
    """Draws and writes in the background. `told(text)` of success, `failed(message)` of none."""

    told = Signal(str)
    failed = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._tasks = TaskRunner(self)
        self._folder = PrivateFolder()

    def close(self) -> None:
        """Drop what is still being drawn, and the file that a browser was given."""
        self._tasks.close()
        self._folder.close()

    def copy(self, what: Drawable) -> None:
        """Put the picture on the clipboard."""

        def done(image: QImage) -> None:
            QGuiApplication.clipboard().setImage(image)
            self.told.emit(_("Picture copied"))

        self._run(lambda: QImage.fromData(what.png()), done)

    def save(self, what: Drawable, path: Path) -> None:
        """Write the picture to `path`, whole or not at all."""
        self._run(
            lambda: write_whole(path, what.png()),
            lambda done: self.told.emit(_("Saved {name}").format(name=path.name)),
        )

    def browse(self, html: str, scripts: bool) -> None:
        """Open the page in the browser."""

        def opened(path: Path) -> None:
            if QDesktopServices.openUrl(QUrl.fromLocalFile(str(path))):
                self.told.emit(_("Opened in the browser"))
            else:
                self.failed.emit(_("No browser could be opened: this system names none."))

        self._run(lambda: self._folder.write(standalone(html, scripts)), opened)

    def _run(self, work: Callable[[], object], done: Callable[..., None]) -> None:
        def failed(error: Exception) -> None:
            reason = error.strerror if isinstance(error, OSError) else None
            self.failed.emit(str(reason or error))

        self._tasks.run(work, done, failed)
