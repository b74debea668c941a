"""No text of any window is left out of the translation, and longer words find room."""

from __future__ import annotations

import gettext
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication, QWidget

from app import i18n, messages
from app.capture.flow import overlay_colours
from app.capture.geometry import NativeRect
from app.capture.models import Shot
from app.controller import failure_of
from app.finding import Finding
from app.hotkeys.main import Hotkey
from app.preview.console import ConsoleLog
from app.preview.refused import Refused
from app.session import Failure, State
from app.store.history import History
from app.store.settings import RemoteServer
from app.tray import Recent, Tray
from app.views import dialogs
from app.views.countdown import Countdown
from app.views.diagnostics_window import DiagnosticsWindow
from app.views.hotkey_box import hotkey_dialog
from app.views.main_window import MainWindow
from app.views.models_window import ModelsWindow
from app.views.overlay import Overlay
from app.views.settings_rows import PAGES
from app.views.settings_window import SettingsWindow
from app.views.windows import Windows
from engine.errors import ErrorCode, VisCodexError
from tests.app.histories import add
from tests.app.looks import clipped
from tests.app.pseudo import Pseudo, untranslated
from tests.app.scripted import ScriptedClient, answer, several
from tests.app.windows import Make, convert, load, request

DATA = (r"login\.png", r"scripted", r"CPU \(2 threads\)")
"""The picture's name, the model and the device of the scripted engine."""
FACTS = (
    r"[\w.-]*(?:nano|Qwen|qwen|Gemma|gemma|InternVL|SmolVLM)[\w. -]*",
    r"Apache-2\.0",
    r"[\w.-]*Research[\w. -]*",
)
"""Names of models and of their licences."""
TWO = (("<p>best</p>", 0.9), ("<p>broken</p>", None))


@pytest.fixture(autouse=True)
def language() -> None:
    i18n.use(Pseudo())


def all_there(root: QWidget, *allowed: str) -> None:
    assert untranslated(root, (*DATA, *allowed)) == []


@pytest.fixture
def window(make_window: Make, qtbot: Any, sample: Path, tmp_path: Path) -> MainWindow:
    """With an entry in its history, a conversion with candidates and everything open."""
    history = History.open(tmp_path / "history")
    add(history, "shop")
    history.close()
    client = ScriptedClient(several(*TWO, best="<p>best</p>"), answer("<p>more</p>"))
    window = make_window(lambda: client, request, history=tmp_path / "history")
    window.controller._bridge.start()
    load(window, qtbot, sample)
    convert(window, qtbot)
    return window


def test_start_page_and_menus(make_window: Make) -> None:
    all_there(make_window(ScriptedClient, request))


def test_main_window_with_code_candidates_history_and_versions(
    window: MainWindow, qtbot: Any
) -> None:
    window.controller.generate()
    qtbot.waitUntil(lambda: window.controller.session.state is State.DONE)
    qtbot.waitUntil(lambda: bool(window.controller.session.versions.current))
    window.code.edit.mark_error(1, "said by Python")
    window.source.view.set_region((10, 10, 60, 50))
    window.actions_by_name["versions"].trigger()
    window.actions_by_name["history"].trigger()
    panel = window.features.archiving.panel
    assert panel is not None
    qtbot.waitUntil(lambda: panel.model.rowCount() > 0)
    window.code.open_find(True)
    window.code.finder.needle.setText("p")
    window.actions_by_name["changes"].setChecked(True)
    window.actions_by_name["private"].setChecked(True)
    qtbot.wait(100)
    all_there(
        window, r"\bshop\b", r"said by Python", "It draws nothing", r"\bAM\b|\bPM\b", r"\bpx\b"
    )


def test_comparison_and_notes_of_the_preview(window: MainWindow, qtbot: Any) -> None:
    preview = window.preview
    log = ConsoleLog()
    for number in range(210):
        log.add(("error", "warning", "info")[number % 3], number, "said by the page")
    preview.notes.show_console(log)
    hosts = ("one.test", "two.test", "three.test", "four.test")
    preview.notes.show_refused(4, [Refused(i18n._("Font"), host, "/file") for host in hosts])
    preview.actions_by_name["compare"].setChecked(True)
    qtbot.waitUntil(lambda: preview.compare.comparison is not None, timeout=60_000)
    for mode in ("slider", "beside", "onion", "heat"):
        preview.compare.set_mode(mode)
        all_there(window, r"\bshop\b", "It draws nothing", "said by the page", r"\w+\.test|/file",
                  r"\bpx\b")  # fmt: skip


@pytest.mark.parametrize("code", sorted(messages.ERRORS))
def test_every_error_speaks_the_language(window: MainWindow, code: str) -> None:
    window.show_failure(Failure(code, "Said by the engine."))
    assert window.banner.detail == "Said by the engine."
    all_there(window, "Said by the engine", r"\bshop\b", "It draws nothing", r"\bpx\b")


def test_every_error_of_the_engine_has_title_and_advice() -> None:
    for code in ErrorCode:
        entry = messages.ERRORS[code.value]
        assert entry.title and entry.advice, code


def test_advice_is_for_the_window_and_the_details_are_those_of_the_engine(
    make_window: Make,
) -> None:
    i18n.use(gettext.NullTranslations())
    window = make_window(ScriptedClient, request)
    for code in ErrorCode:
        error = VisCodexError(code, "eyes.gguf: it is cut off.", "Run `viscodex doctor --debug`.")
        window.show_failure(failure_of(error))
        assert window.banner.title == messages.ERRORS[code.value].title
        assert window.banner.text == messages.ERRORS[code.value].advice
        assert window.banner.detail == "eyes.gguf: it is cut off."
        assert "`" not in window.banner.text and "--" not in window.banner.text
    own = failure_of(messages.WindowError(ErrorCode.bad_input, "Two models.", "Give one."))
    assert messages.told(own) == "Two models. Give one."


def test_settings(window: MainWindow) -> None:
    windows = Windows(window)
    window.actions_by_name["settings"].trigger()
    settings = windows.window("settings")
    assert isinstance(settings, SettingsWindow)
    for page in PAGES:
        settings.open_page(page.name)
    assert len(settings.rows) == sum(len(page.rows) for page in PAGES)
    all_there(settings, r"\b0\.1\.0\b", "简体中文", *FACTS)


def test_models_and_servers(window: MainWindow, qtbot: Any) -> None:
    windows = Windows(window)
    window.keep(servers=(RemoteServer("work", "http://models.example.test", "eyes"),))
    window.actions_by_name["models"].trigger()
    models = windows.window("models")
    assert isinstance(models, ModelsWindow)
    qtbot.waitUntil(lambda: len(models.cards) >= 8, timeout=60_000)
    models._open_form("work")
    models.form._answered(_Facts(("eyes", "ears")))  # type: ignore[arg-type]
    all_there(models, *FACTS, r"\bwork\b", r"\beyes\b|\bears\b", r"(?:https?://)?models\.example\.\w+",
              r"https")  # fmt: skip


class _Facts:
    """What a server answers."""

    seconds = 0.12

    def __init__(self, models: tuple[str, ...]) -> None:
        self.models = models


def test_first_run(make_window: Make, qtbot: Any) -> None:
    window = make_window(ScriptedClient, request, first_run_done=False)
    windows = Windows(window)
    page = windows.first_run
    assert page is not None
    windows.shelf.refresh()
    qtbot.waitUntil(lambda: windows.shelf.survey is not None, timeout=60_000)
    qtbot.wait(50)
    all_there(page, *FACTS)


def test_diagnostics(window: MainWindow, tmp_path: Path) -> None:
    from app.doctor import examine

    made = DiagnosticsWindow(
        window, window, window.controller, window.dresser,
        lambda: "Qt WebEngine 6.12, in its sandbox", tmp_path,
    )  # fmt: skip
    for finding in examine():
        made.examination._take(finding)
    made.examination._take(Finding("checks", False, "The checks could not be started."))
    window.controller.session.engine_ready("scripted", "CUDA0", "RTX: 10 of 20 layers fit")
    made.show()
    try:
        all_there(made, *FACTS, "checks", "CUDA0", r"\bRTX\b", r"[\w.-]*\.gguf", r"Linux[\w.-]*",
                  r"CPU \(\w+\)", r"(?:no )?Landlock(?: \(ABI \d\) and|,) seccomp")  # fmt: skip
    finally:
        made.close_down()
        made.close()


def test_dialogs_overlay_and_tray(window: MainWindow, qtbot: Any) -> None:
    shortcuts = dialogs.shortcuts_dialog(window)
    all_there(shortcuts, r"Page(?:Up|Down)?\b", r"&?Close")  # Qt's own words
    hotkey = Hotkey(None, window)
    hotkey.set("Ctrl+Shift+F8")
    dialog, _box = hotkey_dialog(window, hotkey, "Ctrl+Shift+F8")
    all_there(dialog, r"&?Close", "Press shortcut", "viscodex --capture")
    picture = QImage(200, 200, QImage.Format.Format_RGB32)
    screen = QApplication.primaryScreen()
    overlay = Overlay(Shot(screen, picture, (NativeRect(0, 0, 50, 50),)), overlay_colours())
    countdown = Countdown(3, overlay_colours())
    tray = Tray(window.actions_by_name, window.windowIcon(), window)
    tray.set_recent([Recent("login.png", lambda: None)])
    for one in (overlay, countdown, tray.menu):
        qtbot.addWidget(one)
        all_there(one)
    assert not any(letter.isascii() and letter.isalpha() for letter in overlay._hint)


@pytest.mark.parametrize("width", [1200, 760, 520])
def test_longer_words_fit_the_main_window(window: MainWindow, qtbot: Any, width: int) -> None:
    window.resize(width, 700)
    window.source.view.set_region((10, 10, 60, 50))
    qtbot.wait(80)
    assert clipped(window) == []


def test_the_bar_gives_up_words_before_they_are_cut(window: MainWindow, qtbot: Any) -> None:
    for width in (520, 560, 640, 760, 1200):
        window.resize(width, 700)
        qtbot.wait(30)
        assert clipped(window.bar) == []
        assert window.bar.layout().minimumSize().width() <= window.bar.width()
    assert window.bar.generate.text() and window.bar.snip.text()


def test_longer_words_fit_the_other_windows(make_window: Make, qtbot: Any) -> None:
    window = make_window(ScriptedClient, request, first_run_done=False)
    windows = Windows(window)
    windows.shelf.refresh()
    qtbot.waitUntil(lambda: windows.shelf.survey is not None, timeout=60_000)
    for width in (520, 1200):
        window.resize(width, 700)
        qtbot.wait(80)
        assert clipped(window) == []
    window.actions_by_name["settings"].trigger()
    settings = windows.window("settings")
    assert isinstance(settings, SettingsWindow)
    for page in PAGES:
        settings.open_page(page.name)
        for width in (720, 440):
            settings.resize(width, 640)
            qtbot.wait(30)
            assert clipped(settings.pages.currentWidget()) == []
    window.actions_by_name["models"].trigger()
    models = windows.window("models")
    assert isinstance(models, ModelsWindow)
    qtbot.waitUntil(lambda: len(models.cards) >= 8, timeout=60_000)
    models._open_form("")
    for width in (760, 480):
        models.resize(width, 640)
        qtbot.wait(80)
        assert clipped(models) == []
