"""What the main window needs from outside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QSettings

from app.archive import Archive
from app.capture.models import CaptureHandler
from app.preview.chart import Runner
from app.store.settings import Settings


@dataclass(frozen=True)
class Parts:
    """What the window needs from outside; tests give their own.

    Without an `archive` there is no history; the window closes the one it has.
    """

    make_runner: Callable[[bool], Runner]
    handlers: tuple[CaptureHandler, ...]
    web_allowed: bool
    state: QSettings
    save_settings: Callable[[Settings], None]
    archive: Archive | None = None
