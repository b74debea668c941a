"""The hotkey: real key presses on a real X server, the mock portal, tables for the rest."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from app.hotkeys.handlers import macos_carbon, windows_keys
from app.hotkeys.handlers.portal import PortalHandler, trigger
from app.hotkeys.handlers.x11_grab import X11Handler, modifier_bits
from app.hotkeys.keys import KEYS
from app.hotkeys.main import Hotkey, HotkeyState
from app.hotkeys.models import COMMAND, Combination, HotkeyError
from app.store.settings import Settings
from tests.app.desktop import need, portal, session_bus, x_server

KEY, XDO = "Ctrl+Shift+F8", "ctrl+shift+F8"


class Heard:
    """Counts what a hotkey tells."""

    def __init__(self, hotkey: Hotkey) -> None:
        self.hotkey = hotkey
        self.pressed = self.tested = 0
        hotkey.pressed.connect(self._press)
        hotkey.tested.connect(self._test)

    def _press(self) -> None:
        self.pressed += 1

    def _test(self) -> None:
        self.tested += 1

    def settled(self) -> bool:
        return self.hotkey.state is not HotkeyState.WAITING


# X11 ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    need("xdotool")
    with x_server(640, 480) as name:
        yield name


def xdo(display: str, *words: str) -> None:
    subprocess.run(["xdotool", *words], env={"DISPLAY": display, "PATH": "/usr/bin"}, check=True)


@pytest.fixture
def x_hotkey(display: str, qtbot: Any) -> Iterator[Heard]:
    hotkey = Hotkey(X11Handler(display))
    heard = Heard(hotkey)
    hotkey.set(KEY)
    qtbot.waitUntil(heard.settled)
    assert hotkey.state is HotkeyState.ACTIVE, hotkey.text
    yield heard
    hotkey.close()


@pytest.mark.display
def test_a_real_key_press_is_heard_whatever_the_locks(
    display: str, x_hotkey: Heard, qtbot: Any
) -> None:
    xdo(display, "key", "a", "key", "F8", "key", "ctrl+F8", "key", XDO)
    qtbot.waitUntil(lambda: x_hotkey.pressed == 1)
    for lock in ("Caps_Lock", "Num_Lock"):
        xdo(display, "key", lock, "key", XDO)
    qtbot.waitUntil(lambda: x_hotkey.pressed == 3)
    xdo(display, "key", "Caps_Lock", "key", "Num_Lock", "key", XDO)
    qtbot.waitUntil(lambda: x_hotkey.pressed == 4)
    qtbot.wait(100)
    assert x_hotkey.pressed == 4


@pytest.mark.display
def test_a_key_held_down_counts_once(display: str, x_hotkey: Heard, qtbot: Any) -> None:
    xdo(display, "keydown", "ctrl", "keydown", "shift", "keydown", "F8", "sleep", "1.2")
    xdo(display, "keyup", "F8", "keyup", "shift", "keyup", "ctrl")
    qtbot.wait(200)
    assert x_hotkey.pressed == 1


@pytest.mark.display
def test_a_taken_key_is_told_and_free_again_later(
    display: str, x_hotkey: Heard, qtbot: Any
) -> None:
    other = Hotkey(X11Handler(display))
    heard = Heard(other)
    other.set(KEY)
    qtbot.waitUntil(heard.settled)
    assert other.state is HotkeyState.FAILED
    assert "belongs to another program" in other.text
    assert "\n" not in other.text
    x_hotkey.hotkey.set("")
    assert x_hotkey.hotkey.state is HotkeyState.OFF
    other.set(KEY)
    qtbot.waitUntil(lambda: other.state is HotkeyState.ACTIVE)
    xdo(display, "key", XDO)
    qtbot.waitUntil(lambda: heard.pressed == 1)
    assert x_hotkey.pressed == 0
    other.close()


@pytest.mark.display
def test_key_is_changed_at_run_time_and_tested(display: str, x_hotkey: Heard, qtbot: Any) -> None:
    x_hotkey.hotkey.set("Ctrl+Alt+Shift+Print")
    qtbot.waitUntil(lambda: x_hotkey.hotkey.state is HotkeyState.ACTIVE)
    x_hotkey.hotkey.begin_test()
    xdo(display, "key", XDO, "key", "ctrl+alt+shift+Print")
    qtbot.waitUntil(lambda: x_hotkey.tested == 1)
    x_hotkey.hotkey.end_test()
    xdo(display, "key", "ctrl+alt+shift+Print")
    qtbot.waitUntil(lambda: x_hotkey.pressed == 1)
    assert x_hotkey.tested == 1


@pytest.mark.display
def test_another_keyboard_layout_keeps_the_key(display: str, x_hotkey: Heard, qtbot: Any) -> None:
    """The letter Y and Z change places on a German keyboard; the hotkey follows its letter."""
    need("setxkbmap")
    x_hotkey.hotkey.set("Meta+Ctrl+Z")
    qtbot.waitUntil(lambda: x_hotkey.hotkey.state is HotkeyState.ACTIVE)
    environment = {"DISPLAY": display, "PATH": "/usr/bin"}
    try:
        subprocess.run(["setxkbmap", "de"], env=environment, check=True)
        qtbot.wait(200)
        xdo(display, "key", "super+ctrl+z")
        qtbot.waitUntil(lambda: x_hotkey.pressed == 1)
    finally:
        subprocess.run(["setxkbmap", "us"], env=environment, check=True)


@pytest.mark.display
def test_a_server_that_goes_is_told(qtbot: Any) -> None:
    with x_server(320, 240, manager=False) as display:
        hotkey = Hotkey(X11Handler(display))
        hotkey.set(KEY)
        qtbot.waitUntil(lambda: hotkey.state is HotkeyState.ACTIVE)
    qtbot.waitUntil(lambda: hotkey.state is HotkeyState.FAILED)
    assert "lost" in hotkey.text
    hotkey.set(KEY)
    qtbot.waitUntil(lambda: "does not answer" in hotkey.text)
    hotkey.close()


# Portal ---------------------------------------------------------------------


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with session_bus() as address:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
        yield address


def press(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("press\n")
    process.stdin.flush()


def test_portal_gives_a_key_and_reports_it(bus: str, qtbot: Any) -> None:
    with portal(bus) as process:
        hotkey = Hotkey(PortalHandler(seconds=5))
        heard = Heard(hotkey)
        hotkey.set(KEY)
        qtbot.waitUntil(heard.settled)
        assert (hotkey.state, hotkey.text) == (HotkeyState.ACTIVE, "Press CTRL+SHIFT+F8")
        press(process)
        qtbot.waitUntil(lambda: heard.pressed == 1)
        hotkey.set("Meta+F2")
        qtbot.waitUntil(heard.settled)
        assert hotkey.text == "Press LOGO+F2"
        press(process)
        qtbot.waitUntil(lambda: heard.pressed == 2)
        hotkey.set("")
        assert not [one for one in threading.enumerate() if one.name == "hotkey"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [("left", "declined"), ("none_bound", "no key"), ("missing", COMMAND)],
)
def test_portal_that_gives_no_key_says_why(bus: str, qtbot: Any, answer: str, words: str) -> None:
    with portal(bus, shortcut=answer):
        hotkey = Hotkey(PortalHandler(seconds=5))
        heard = Heard(hotkey)
        hotkey.set(KEY)
        qtbot.waitUntil(heard.settled)
        assert hotkey.state is HotkeyState.FAILED
        assert words in hotkey.text
        hotkey.close()


def test_portal_that_goes_is_told(bus: str, qtbot: Any) -> None:
    hotkey = Hotkey(PortalHandler(seconds=5))
    hotkey.set(KEY)
    assert hotkey.state is HotkeyState.FAILED
    assert COMMAND in hotkey.text


def test_a_bus_that_goes_is_told(qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with session_bus() as address:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
        with portal(address):
            hotkey = Hotkey(PortalHandler(seconds=5))
            hotkey.set(KEY)
            qtbot.waitUntil(lambda: hotkey.state is HotkeyState.ACTIVE)
    qtbot.waitUntil(lambda: hotkey.state is HotkeyState.FAILED)
    assert "lost" in hotkey.text
    hotkey.close()


# Tables ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "one key"),
        ("Ctrl+K, Ctrl+S", "one key"),
        ("A", "needed for typing"),
        ("Shift+7", "needed for typing"),
        ("Ctrl+Alt+S", "AltGr"),
        ("Ctrl+Alt+Shift+S", "AltGr"),
        ("Ctrl+Tab", "cannot be used"),
        ("Ctrl+ö", "cannot be used"),
    ],
)
def test_bad_combinations_are_refused_in_one_line(
    qapp: QApplication, text: str, words: str
) -> None:
    with pytest.raises(HotkeyError, match=words) as caught:
        Combination.parse(text, "linux")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["Ctrl+Shift+F8", "F8", "Print", "Ctrl+Alt+Meta+S", "Ctrl+Shift+S", "Ctrl+Alt+F1"]
)
def test_good_combinations(qapp: QApplication, text: str) -> None:
    assert Combination.parse(text, "linux").key in KEYS


def test_the_suggestion_is_usable_on_every_system(qapp: QApplication) -> None:
    for platform in ("linux", "win32"):
        assert Combination.parse(Settings().hotkey, platform).key is Qt.Key.Key_F8
    # Control, Option, Command and S: there Qt calls Command Ctrl and Control Meta.
    assert Combination.parse("Ctrl+Alt+Meta+S", "darwin").key is Qt.Key.Key_S
    assert Combination.parse("Ctrl+Alt+S", "darwin").key is Qt.Key.Key_S


@pytest.mark.parametrize(
    ("text", "x11", "windows", "macos", "portal_name"),
    [
        ("Ctrl+Shift+F8", (5, 0xFFC5), (0x4006, 0x77), (100, 0x300), "CTRL+SHIFT+F8"),
        ("Meta+S", (64, 0x73), (0x4008, 0x53), (1, 0x1000), "LOGO+s"),
        ("Ctrl+Alt+Meta+7", (76, 0x37), (0x400B, 0x37), (26, 0x1900), "CTRL+ALT+LOGO+7"),
        ("F24", (0, 0xFFD5), (0x4000, 0x87), None, "F24"),
        ("Ctrl+PgDown", (4, 0xFF56), (0x4002, 0x22), (121, 0x100), "CTRL+Page_Down"),
    ],
)
def test_codes_for_each_system(
    qapp: QApplication,
    text: str,
    x11: tuple[int, int],
    windows: tuple[int, int],
    macos: tuple[int, int] | None,
    portal_name: str,
) -> None:
    combination = Combination.parse(text, "darwin")
    assert (modifier_bits(combination), combination.codes.keysym) == x11
    assert windows_keys.register_arguments(combination) == windows
    assert trigger(combination) == portal_name
    if macos is None:
        with pytest.raises(HotkeyError, match="no keyboard"):
            macos_carbon.register_arguments(combination)
    else:
        assert macos_carbon.register_arguments(combination) == macos


def test_no_two_keys_share_a_code() -> None:
    for field in ("keysym", "windows", "macos", "portal"):
        codes = [getattr(one, field) for one in KEYS.values()]
        codes = [one for one in codes if one is not None]
        assert len(codes) == len(set(codes)), field


def test_without_a_way_the_command_is_told(qapp: QApplication) -> None:
    hotkey = Hotkey(None)
    hotkey.set(KEY)
    assert hotkey.state is HotkeyState.FAILED
    assert COMMAND in hotkey.text
    hotkey.set("A")
    assert "needed for typing" in hotkey.text
