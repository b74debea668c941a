"""Process set-up, as functions that are called: nothing happens on import."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication

from app.preview import policy
from engine.garbage import collect_by
from engine.singletons import make_immortal

APPLICATION = "VisCodex"


def prepare_environment(flags: Sequence[str] = policy.CHROMIUM_FLAGS) -> None:
    """Set the variables that Qt and qtpy read once. Call before any QApplication."""
    make_immortal()
    os.environ.setdefault("QT_API", "pyside6")
    policy.set_chromium_flags(os.environ, flags)


def preview_allowed() -> bool:
    """Whether Chromium can run with its sandbox, or has been told to run without.

    As root Chromium ends the whole process unless its sandbox is off, and the sandbox is never
    switched off silently.
    """
    root = sys.platform != "win32" and os.geteuid() == 0
    return not root or os.environ.get(policy.NO_SANDBOX_VARIABLE) == "1"


class Application(QApplication):
    """Tells by `quit_asked()` that the system asks to quit (the Dock, the end of a session).

    Not by an event filter: one written in Python is handed objects that are still being made.
    """

    quit_asked = Signal()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Quit:
            self.quit_asked.emit()
        return super().event(event)


def make_application(
    arguments: list[str], flags: Sequence[str] = policy.CHROMIUM_FLAGS
) -> QApplication:
    """The QApplication with everything that has to come before it. Needs one call only.

    `flags` are Chromium's; they hold for the whole process.
    """
    prepare_environment(flags)
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    if preview_allowed():
        from app.preview.scheme import register_scheme

        register_scheme()
        QCoreApplication.setAttribute(Qt.ApplicationAttribute.AA_ShareOpenGLContexts)
    application = Application(arguments or [APPLICATION])
    collect_by(QTimer(application))
    application.setApplicationName(APPLICATION)
    application.setOrganizationName(APPLICATION)
    application.setApplicationDisplayName(APPLICATION)
    application.setDesktopFileName("viscodex")
    application.setStyle("Fusion")
    logo = asset("icons/viscodex.svg")
    if logo is not None:
        application.setWindowIcon(QIcon(str(logo)))
    return application


def asset(name: str) -> Path | None:
    """A file of the assets folder: in a checkout beside the packages, in a wheel in the engine."""
    root = Path(__file__).resolve().parent.parent
    for folder in (root / "assets", root / "engine" / "assets"):
        if (folder / name).exists():
            return folder / name
    return None
