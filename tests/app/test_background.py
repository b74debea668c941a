"""The window and what lives on without it, on a screen that has no tray."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QKeySequence
from PySide6.QtWidgets import QApplication, QKeySequenceEdit, QPushButton

from app.autostart import XdgAutostart
from app.bootstrap import Application
from app.capture.models import DENIED, CaptureError
from app.hotkeys.main import Hotkey, HotkeyState
from app.hotkeys.models import Combination, Told
from app.resident import Resident
from app.session import State
from app.store.history import History
from app.tray import Recent
from app.views.hotkey_box import hotkey_dialog
from app.views.main_window import MainWindow
from tests.app.desktop import ROOT
from tests.app.histories import add
from tests.app.scripted import DIED, ScriptedClient, answer
from tests.app.test_window_access import nameless
from tests.app.windows import Make, load, request, state


class Keyboard:
    """A keyboard in this process: `press` stands for the system's report."""

    method = "Only one key is seen."

    def __init__(self) -> None:
        self.told: Told | None = None
        self.held: list[str] = []
        self.taken: set[str] = set()

    def reason(self) -> str:
        return ""

    def register(self, combination: Combination, told: Told) -> None:
        if combination.text in self.taken:
            told.failed(f"{combination.text} belongs to another program: choose another one.")
            return
        self.held, self.told = [combination.text], told
        told.active("")

    def unregister(self) -> None:
        self.held, self.told = [], None

    def press(self) -> None:
        assert self.told is not None
        self.told.pressed()


Made = tuple[MainWindow, Resident, Keyboard]


@pytest.fixture
def resident(make_window: Make, qapp: QApplication, tmp_path: Path) -> Callable[..., Made]:
    def make(script: Any = None, **changes: Any) -> Made:
        window = make_window(lambda: ScriptedClient(script or answer()), request, **changes)
        keyboard = Keyboard()
        hotkey = Hotkey(keyboard, window)
        made = Resident(window, hotkey, XdgAutostart(["viscodex"], tmp_path), qapp)
        return window, made, keyboard

    return make


def test_without_a_tray_closing_is_quitting(resident: Callable[..., Made], qtbot: Any) -> None:
    window, made, keyboard = resident()
    made.begin()
    qtbot.waitUntil(lambda: made.hotkey.state is HotkeyState.ACTIVE)
    assert not made.tray.visible
    with qtbot.waitSignal(window.closed):
        window.close()
    assert keyboard.held == []


def test_with_a_tray_closing_hides_until_one_quits(
    resident: Callable[..., Made], qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    window, made, _ = resident()
    monkeypatch.setattr(type(made.tray), "visible", property(lambda self: True))
    told: list[tuple[str, str]] = []
    monkeypatch.setattr(made.tray, "notify", lambda *words: told.append(words))
    for _ in range(2):
        window.close()
        assert not window.isVisible()
        made.tray.opened.emit()
        assert window.isVisible()
    assert len(told) == 1  # only the first time
    with qtbot.waitSignal(window.closed):
        made.tray.quitting.emit()


def test_the_systems_wish_to_quit_is_not_turned_into_hiding(
    resident: Callable[..., Made], qapp: Application, monkeypatch: pytest.MonkeyPatch, qtbot: Any
) -> None:
    window, made, _ = resident()
    monkeypatch.setattr(type(made.tray), "visible", property(lambda self: True))
    qapp.quit_asked.emit()
    with qtbot.waitSignal(window.closed):
        window.close()


def test_the_application_hears_that_it_is_asked_to_quit() -> None:
    """In a process of its own, which the event ends."""
    code = """
from PySide6.QtCore import QEvent
from app import bootstrap
application = bootstrap.make_application(["quit"])
application.quit_asked.connect(lambda: print("asked"))
application.sendEvent(application, QEvent(QEvent.Type.Quit))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "asked\n", done.stderr


def test_tray_can_be_switched_off(
    resident: Callable[..., Made], qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    window, made, _ = resident()
    monkeypatch.setattr(type(made.tray), "visible", property(lambda self: True))
    window.actions_by_name["tray"].trigger()
    assert not window.settings.tray
    with qtbot.waitSignal(window.closed):
        window.close()


def test_hotkey_starts_a_snip(resident: Callable[..., Made], qtbot: Any) -> None:
    window, made, keyboard = resident()
    made.begin()
    qtbot.waitUntil(lambda: made.hotkey.state is HotkeyState.ACTIVE)
    keyboard.press()
    qtbot.waitUntil(lambda: window.flow.snip is not None)
    keyboard.press()  # a second press changes nothing
    qtbot.wait(50)
    assert window.flow.snip is not None
    qtbot.keyClick(window.flow.snip.overlays[0], Qt.Key.Key_Escape)
    qtbot.waitUntil(window.isVisible)


def test_delayed_snip_counts_down_and_can_be_left(
    resident: Callable[..., Made], qtbot: Any
) -> None:
    window, _, _ = resident(capture_delay=2)
    window.actions_by_name["snip_later"].trigger()
    countdown = window.flow.countdown
    assert countdown is not None and countdown.isVisible() and not window.isVisible()
    qtbot.mouseClick(countdown, Qt.MouseButton.LeftButton)
    assert window.flow.countdown is None and not window.flow.active
    assert window.isVisible()
    window.actions_by_name["snip_later"].trigger()
    qtbot.waitUntil(lambda: window.flow.snip is not None, timeout=10_000)
    qtbot.keyClick(window.flow.snip.overlays[0], Qt.Key.Key_Escape)
    window.actions_by_name["snip_later"].trigger()
    window.actions_by_name["snip"].trigger()  # does not want to wait any longer
    qtbot.waitUntil(lambda: window.flow.snip is not None, timeout=1000)
    window.flow.snip.overlays[0].left.emit()


def test_key_that_is_taken_is_told_once(resident: Callable[..., Made], qtbot: Any) -> None:
    window, made, keyboard = resident()
    keyboard.taken = {Combination.parse(window.settings.hotkey).text}
    made.begin()
    qtbot.waitUntil(window.banner.isVisible)
    assert "belongs to another program" in window.banner.text
    window.banner.dismiss()
    made.hotkey.set("")
    made.hotkey.set(window.settings.hotkey)
    qtbot.waitUntil(lambda: made.hotkey.state is HotkeyState.FAILED)
    assert not window.banner.isVisible()


def test_dialog_changes_and_tests_the_key(resident: Callable[..., Made], qtbot: Any) -> None:
    window, made, keyboard = resident()
    made.begin()
    qtbot.waitUntil(lambda: made.hotkey.state is HotkeyState.ACTIVE)
    dialog, box = hotkey_dialog(window, made.hotkey, window.settings.hotkey)
    box.chosen.connect(lambda text: window.keep(hotkey=text))
    dialog.show()
    assert nameless(dialog) == []
    keys = box.findChild(QKeySequenceEdit)
    assert keys is not None
    keys.setKeySequence(QKeySequence("Ctrl+Shift+K"))
    keys.editingFinished.emit()
    assert window.settings.hotkey == "Ctrl+Shift+K"
    qtbot.waitUntil(lambda: "starts a snip" in box.status)
    assert keyboard.held == ["Ctrl+Shift+K"]
    test = next(one for one in box.findChildren(QPushButton) if one.text() == "Test")
    test.click()
    assert "Press Ctrl+Shift+K" in box.status
    keyboard.press()
    qtbot.waitUntil(lambda: "It works" in box.status)
    assert not window.flow.active
    dialog.close()  # a test does not outlive it
    assert test.text() == "Test"
    keyboard.press()
    qtbot.waitUntil(lambda: window.flow.snip is not None)
    window.flow.snip.overlays[0].left.emit()


def test_refused_key_says_why_and_cannot_be_tested(
    resident: Callable[..., Made], qtbot: Any
) -> None:
    window, made, _ = resident()
    dialog, box = hotkey_dialog(window, made.hotkey, "F9")
    box.chosen.connect(made.hotkey.set)
    dialog.show()
    made.hotkey.set("F9")
    none = next(one for one in box.findChildren(QPushButton) if one.text() == "None")
    none.click()
    assert made.hotkey.state is HotkeyState.OFF
    box.chosen.emit("Shift+A")
    assert "needed for typing" in box.status
    test = next(one for one in box.findChildren(QPushButton) if one.text() == "Test")
    assert not test.isEnabled()
    dialog.close()


@pytest.mark.parametrize(
    ("script", "title", "results"),
    [(answer(), "The code is ready", 1), ([DIED], "The conversion failed", 0)],
)
def test_end_of_a_conversion_in_the_background_is_told(
    resident: Callable[..., Made], qtbot: Any, sample: Path, monkeypatch: pytest.MonkeyPatch,
    script: Any, title: str, results: int,
) -> None:  # fmt: skip
    window, made, _ = resident(script)
    told: list[tuple[str, str]] = []
    monkeypatch.setattr(made.tray, "notify", lambda *words: told.append(words))
    load(window, qtbot, sample)
    window.hide()
    window.controller.generate()
    qtbot.waitUntil(lambda: state(window) in (State.DONE, State.FAILED))
    assert told == [(title, sample.name)]
    assert len(made.results.recent) == results
    for result in made.results.recent:
        assert result.title.startswith(f"Copy code: {sample.name}")
        result.choose()
        assert QGuiApplication.clipboard().text() == window.controller.session.result.code


def test_nothing_is_told_in_front_of_ones_eyes_or_when_switched_off(
    resident: Callable[..., Made], qtbot: Any, sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for hide, changes in ((False, {}), (True, {"notifications": False})):
        window, made, _ = resident(**changes)
        told: list[tuple[str, str]] = []
        monkeypatch.setattr(made.tray, "notify", lambda *words, t=told: t.append(words))
        load(window, qtbot, sample)
        window.activateWindow()
        window.setVisible(not hide)
        window.controller.generate()
        qtbot.waitUntil(lambda w=window: state(w) is State.DONE)
        assert told == []
        assert len(made.results.recent) == 1


def test_only_the_last_results_are_in_the_menu(resident: Callable[..., Made]) -> None:
    _, made, _ = resident()
    for number in range(8):
        made.results.remember(Recent(f"a&b {number} " + 60 * "x", lambda: None))
    assert [text.split()[1] for text in menu(made)] == ["7", "6", "5", "4", "3"]
    assert all(len(text) <= 61 for text in menu(made))


def menu(made: Resident) -> list[str]:
    """The results in the menu of the tray."""
    found, separators = [], 0
    for one in made.tray.menu.actions():
        separators += one.isSeparator()
        if separators == 1 and not one.isSeparator():
            found.append(one.text())
    return found


def test_last_results_come_out_of_the_history_and_open_again(
    resident: Callable[..., Made], qtbot: Any, tmp_path: Path, samples: Path
) -> None:
    history = History.open(tmp_path / "history")
    for number in range(7):
        add(history, f"old {number}", code=f"<p>{number}</p>", picture=str(number))
    history.close()
    window, made, _ = resident(history=tmp_path / "history")
    made.begin()
    qtbot.waitUntil(lambda: len(menu(made)) == 5, timeout=10_000)
    assert menu(made)[0].startswith("Open: old 6 · HTML · ")
    load(window, qtbot, samples / "chart.png")
    window.controller.generate()
    qtbot.waitUntil(lambda: menu(made)[0].startswith("Open: chart.png"), timeout=10_000)
    window.hide()
    made.results.recent[3].choose()
    qtbot.waitUntil(lambda: window.code.edit.code == "<p>4</p>", timeout=10_000)
    assert window.isVisible()


def test_private_results_are_copied_and_forgotten_with_the_session(
    resident: Callable[..., Made], qtbot: Any, tmp_path: Path, sample: Path
) -> None:
    history = History.open(tmp_path / "history")
    add(history, "old")
    history.close()
    window, made, _ = resident(history=tmp_path / "history", private=True)
    qtbot.waitUntil(lambda: len(menu(made)) == 1, timeout=10_000)
    load(window, qtbot, sample)
    window.controller.generate()
    qtbot.waitUntil(lambda: len(menu(made)) == 2, timeout=10_000)
    assert menu(made)[0].startswith(f"Copy code: {sample.name}")
    made.results.recent[0].choose()
    assert QGuiApplication.clipboard().text() == window.controller.session.result.code


def test_start_with_the_system_follows_the_record(
    resident: Callable[..., Made], tmp_path: Path
) -> None:
    window, made, _ = resident()
    action = window.actions_by_name["autostart"]
    assert not action.isChecked()
    action.trigger()
    assert made.autostart.enabled() and action.isChecked()
    action.trigger()
    assert not made.autostart.enabled() and not action.isChecked()


def test_start_with_the_system_that_fails_says_so(
    resident: Callable[..., Made], tmp_path: Path
) -> None:
    window, made, _ = resident()
    (tmp_path / "file").write_text("")
    made.autostart = XdgAutostart(["viscodex"], tmp_path / "file")
    action = window.actions_by_name["autostart"]
    action.trigger()
    assert not action.isChecked()
    assert window.banner.isVisible()


def test_a_refused_screen_offers_the_ways_around_it(resident: Callable[..., Made]) -> None:
    window, _, _ = resident()
    window.flow.failed.emit(CaptureError("the system does not allow it", DENIED, "Allow it."))
    assert window.banner.title == "VisCodex may not see the screen"
    assert window.banner.text == "Allow it."
    assert window.banner.detail == "The system does not allow it."
    offered = [one.text() for one in window.banner.findChildren(QPushButton) if one.isVisible()]
    mac_only = ["Open the system's settings", "Quit and reopen"]
    ways = ["Try again", "Open another picture…", "Learn more"]
    wanted = [*(mac_only if sys.platform == "darwin" else []), *ways]
    assert offered == wanted
