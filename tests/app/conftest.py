"""Set-up of the application's tests: environment before Qt, one QApplication with our scheme."""

from __future__ import annotations

import gc
import gettext
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("QT_API", "pyside6")
os.environ["LANGUAGE"] = "en"  # whatever whoever runs the tests speaks
if hasattr(os, "geteuid") and os.geteuid() == 0:
    os.environ.setdefault("VISCODEX_RENDER_NO_SANDBOX", "1")
os.environ["QTWEBENGINE_CHROMIUM_FLAGS"] = "--disable-gpu"

from PySide6.QtCore import QSettings, QTranslator
from PySide6.QtWidgets import QApplication

from app import bootstrap, i18n, language
from app.archive import Archive
from app.bridge import EngineBridge
from app.capture.handlers.qt_screen import QtScreenHandler
from app.controller import Controller
from app.preview.chart import default_runner
from app.store.settings import Settings
from app.theme import Theme
from app.views.main_window import MainWindow
from app.views.parts import Parts


@pytest.fixture(scope="session")
def qapp() -> QApplication:
    """The application as the program makes it: scheme, flags and style included."""
    present = QApplication.instance()
    if isinstance(present, QApplication):
        return present
    return bootstrap.make_application(["viscodex-tests"])


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    """No language is left over for the next test."""
    yield
    present = QApplication.instance()
    i18n.use(gettext.NullTranslations())
    if isinstance(present, QApplication) and present.findChildren(QTranslator):
        language.install(present, "en")


@pytest.fixture(autouse=True)
def garbage_stays_in_this_thread() -> Iterator[None]:
    """As in the application, see `engine.garbage`; other tests leave it to Python."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def theme(qapp: QApplication) -> Theme:
    return Theme(qapp, "light")


@pytest.fixture
def sample(samples: Path) -> Path:
    """A picture of a page."""
    return samples / "login.png"


@pytest.fixture
def make_window(
    qapp: QApplication, theme: Theme, tmp_path: Path, qtbot: Any
) -> Iterator[Callable[..., MainWindow]]:
    """Makes main windows with a given engine client and closes them after the test."""
    made: list[MainWindow] = []

    def make(
        make_client: Callable[[], Any],
        make_request: Callable[..., Any],
        *,
        web: bool = False,
        history: Path | None = None,
        history_on: bool = True,
        **changes: Any,
    ) -> MainWindow:
        settings = Settings(
            **{
                "auto_start": False,
                "first_run_done": True,
                "theme": theme.choice,
                "history": history_on,
                **changes,
            }
        )
        controller = Controller(EngineBridge(make_client), make_request)
        archive = None
        if history is not None:
            private = settings.private or not settings.history
            archive = Archive(
                history,
                private=private,
                days=settings.history_days,
                count=settings.history_count,
            )
            archive.open()
        parts = Parts(
            make_runner=default_runner,
            handlers=(QtScreenHandler(),),
            web_allowed=web,
            state=QSettings(str(tmp_path / "state.ini"), QSettings.Format.IniFormat),
            save_settings=lambda settings: None,
            archive=archive,
        )
        window = MainWindow(controller, theme, settings, parts)
        with qtbot.waitActive(window):
            window.show()
            window.activateWindow()
        if web:
            window.preview.create_web()
        made.append(window)
        return window

    yield make
    for window in made:
        window.close()
        window.deleteLater()
    qtbot.wait(50)
