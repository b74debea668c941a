"""The windows beside the main window, and the page of the first run: made when they are wanted."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib.metadata import version

from PySide6.QtCore import QObject

from app import error_help
from app.bootstrap import asset
from app.i18n import _
from app.jobs import Job
from app.preview.policy import NO_SANDBOX_VARIABLE
from app.preview.sandbox_state import SandboxState
from app.shelf import Shelf
from app.views.diagnostics_window import DiagnosticsWindow
from app.views.download_strip import DownloadStrip
from app.views.fields import Window
from app.views.first_run import FirstRunPage
from app.views.help_window import HelpWindow
from app.views.main_window import MainWindow
from app.views.models_window import ModelsWindow
from app.views.settings_boxes import History
from app.views.settings_window import SettingsWindow

SAMPLE = "samples/login.png"


def _no_history() -> None:
    return None


class Windows(QObject):
    """Owns the shelf and at most one window of each kind; they end with the main window."""

    def __init__(self, main: MainWindow, history: History = _no_history) -> None:
        super().__init__(main)
        self.main = main
        self.shelf = Shelf(main, self)
        self.downloads = DownloadStrip(self.shelf, main.dresser)
        main.desk.put_above(self.downloads)
        self.first_run: FirstRunPage | None = None
        self._history = history
        self._made: dict[str, Window] = {}
        self._convert_next = False
        makers: dict[str, Callable[[], Window]] = {
            "settings": self._settings, "models": self._models, "diagnostics": self._diagnostics,
        }  # fmt: skip
        for name, make in makers.items():
            main.actions_by_name[name].triggered.connect(
                lambda *_, name=name, make=make: self._open(name, make)
            )
        main.features.failing.learn.connect(self._explain)
        self.shelf.arrived.connect(self._arrived)
        self.shelf.failed.connect(self._failed)
        main.closed.connect(self._close)
        main.put_away.connect(self._put_away)
        main.controller.picture_changed.connect(self._picture_came)
        if not main.settings.first_run_done:
            self._begin_first_run()

    def window(self, name: str) -> Window | None:
        """The window of an action's name, where it has been opened."""
        return self._made.get(name)

    def _open(self, name: str, make: Callable[[], Window]) -> None:
        self._have(name, make).come_up()

    def _have(self, name: str, make: Callable[[], Window]) -> Window:
        if name not in self._made:
            self._made[name] = make()
        return self._made[name]

    def _explain(self, code: str) -> None:
        """Open the page on errors at one of them."""
        page = error_help.page()
        if page is not None:
            window = self._have("help", lambda: HelpWindow(self.main, page))
            assert isinstance(window, HelpWindow)
            window.open_at(code)

    def _settings(self) -> Window:
        main = self.main
        return SettingsWindow(
            main, main, main.actions_by_name, main.dresser, self.shelf, self._history
        )

    def _models(self) -> Window:
        return ModelsWindow(self.main, self.shelf, self.main.dresser)

    def _diagnostics(self) -> Window:
        main = self.main
        return DiagnosticsWindow(
            main, main, main.controller, main.dresser, self._preview_words, pages=self._pages()
        )

    def _pages(self) -> SandboxState | None:
        """What asks Chromium for its sandbox; None where it has no page on it."""
        if sys.platform != "linux":
            return None
        return SandboxState(lambda: self.main.preview.web is not None, self)

    def _preview_words(self) -> str:
        """What draws the preview in the window, and whether it is shut in; in English."""
        if not self.main.parts.web_allowed:
            return "off: Chromium does not run with its sandbox for this user"
        if self.main.preview.web is None:
            return "not started yet"
        off = os.environ.get(NO_SANDBOX_VARIABLE) == "1"
        shut = "without its sandbox, as was asked for" if off else "in its sandbox"
        return f"Qt WebEngine {version('PySide6-WebEngine')}, {shut}"

    # First run ------------------------------------------------------------------------------------

    def _begin_first_run(self) -> None:
        main = self.main
        page = FirstRunPage(main.actions_by_name, main.dresser, self.shelf)
        page.try_sample.setEnabled(asset(SAMPLE) is not None)
        page.left.connect(self._end_first_run)
        page.sample.connect(self._try_sample)
        main.kept.connect(page.show_settings)
        main.painted.connect(self.shelf.refresh)
        main.pages.addWidget(page)
        main.pages.setCurrentWidget(page)
        self.first_run = page

    def _end_first_run(self) -> None:
        page, self.first_run = self.first_run, None
        if page is None:
            return
        main = self.main
        main.keep(first_run_done=True)
        if main.pages.currentWidget() is page:
            main.pages.setCurrentWidget(main.start)
            main.start.cards[0].setFocus()
        main.kept.disconnect(page.show_settings)
        self.shelf.changed.disconnect(page.refresh)
        main.pages.removeWidget(page)
        page.deleteLater()

    def _try_sample(self) -> None:
        self._convert_next = True
        self.main.actions_by_name["sample"].trigger()

    def _picture_came(self) -> None:
        self._end_first_run()
        if self._convert_next:
            self._convert_next = False
            self.main.controller.generate()

    # Downloads ------------------------------------------------------------------------------------

    def _arrived(self, job: Job) -> None:
        """Tell of a model that came while nobody watched.

        A file given to the page of the first run was given to be used; the page says so.
        """
        window = self._made.get("models")
        if window is not None and window.isVisible():
            return
        if self.first_run is not None and job.kind == "add":
            self.shelf.use(job.name)
        else:
            self.main.banner.present(
                "info",
                _("{title} is here").format(title=job.title),
                _("It can be used from the next conversion on."),
                [(_("Use it"), lambda: self.shelf.use(job.name))],
            )

    def _failed(self, job: Job) -> None:
        window = self._made.get("models")
        if (window is None or not window.isVisible()) and job.failure is not None:
            self.main.show_failure(job.failure)

    # End ------------------------------------------------------------------------------------------

    def _put_away(self) -> None:
        for window in self._made.values():
            window.close()

    def _close(self) -> None:
        self._put_away()
        diagnostics = self._made.get("diagnostics")
        if isinstance(diagnostics, DiagnosticsWindow):
            diagnostics.close_down()
        self.shelf.close()
