"""The help page on errors: a section for each, opened at the right one, searched, by keyboard."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QPushButton

from app import error_help
from app.messages import ERRORS
from app.session import Failure
from app.theme import Theme
from app.views.help_window import HelpWindow
from app.views.main_window import MainWindow
from app.views.windows import Windows
from engine.errors import ErrorCode
from tests.app.looks import clipped, lengthen, nameless
from tests.app.scripted import ScriptedClient
from tests.app.windows import Make, request

PARTS = ("**What happened.** ", "**What to try.** ", "**When to report.** ")


@pytest.fixture
def main(make_window: Make) -> MainWindow:
    return make_window(ScriptedClient, request)


@pytest.fixture
def windows(main: MainWindow) -> Windows:
    return Windows(main)


def written() -> dict[str, str]:
    page = error_help.page()
    assert page is not None
    return dict(error_help.sections(page.read_text(encoding="utf-8")))


def opened(windows: Windows, qtbot: Any) -> HelpWindow:
    """The page, in front and laid out."""
    qtbot.waitUntil(lambda: windows.window("help") is not None)
    window = windows.window("help")
    assert isinstance(window, HelpWindow)
    qtbot.waitUntil(window.isActiveWindow)
    return window


def at_the_top(window: HelpWindow) -> str:
    """The first heading that is to be seen."""
    block = window.text.cursorForPosition(window.text.viewport().rect().topLeft()).block()
    while not block.blockFormat().headingLevel():
        block = block.next()
    return block.text()


def test_each_code_has_a_section_and_each_section_a_code() -> None:
    found = written()
    assert {code.value for code in ErrorCode} <= set(found)
    assert set(found) == set(ERRORS)


@pytest.mark.parametrize("code", sorted(ERRORS))
def test_a_section_says_what_happened_what_to_try_and_when_to_report(code: str) -> None:
    parts = written()[code].split("\n\n")
    assert len(parts) == len(PARTS)
    for part, beginning in zip(parts, PARTS, strict=True):
        assert part.startswith(beginning) and part.endswith(".")
        assert len(part) > len(beginning) + 10


@pytest.mark.parametrize("code", sorted(ERRORS))
def test_every_error_leads_to_its_own_section(
    code: str, main: MainWindow, windows: Windows, qtbot: Any
) -> None:
    main.show_failure(Failure(code, "It broke."))
    if ERRORS[code].explained:
        press(main, "Details")
    press(main, "Learn more")
    window = opened(windows, qtbot)
    block = window.text.textCursor().block()
    assert block.text() == ERRORS[code].title and block.next().text() == code
    last = window.codes[-1]
    bar = window.text.verticalScrollBar()
    if code != last and bar.value() < bar.maximum():
        qtbot.waitUntil(lambda: at_the_top(window) == ERRORS[code].title)
    assert not main.banner.isHidden(), "the error stays until it is answered"


def press(main: MainWindow, text: str) -> None:
    shown = [one for one in main.banner.findChildren(QPushButton) if one.isVisible()]
    next(one for one in shown if one.text() == text).click()


def test_a_code_that_is_unknown_leads_to_that_of_internal_errors(
    main: MainWindow, windows: Windows, qtbot: Any
) -> None:
    main.show_failure(Failure("never heard of", "It broke."))
    press(main, "Details")
    press(main, "Learn more")
    window = opened(windows, qtbot)
    assert window.text.textCursor().block().text() == ERRORS["internal"].title


def test_it_is_reached_read_searched_and_left_by_keyboard(
    main: MainWindow, windows: Windows, qtbot: Any
) -> None:
    main.show_failure(Failure("worker_died", "It broke."))
    main.activateWindow()
    qtbot.waitUntil(main.isActiveWindow)
    main.bar.menu.setFocus()
    for wanted in ("Details", "Learn more"):
        for _ in range(20):
            focus = QApplication.focusWidget()
            assert focus is not None
            if isinstance(focus, QPushButton) and focus.text() == wanted:
                break
            qtbot.keyClick(focus, Qt.Key.Key_Tab)
        qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Space)
    window = opened(windows, qtbot)
    assert QApplication.focusWidget() is window.text
    before = window.text.verticalScrollBar().value()
    qtbot.keyClick(window.text, Qt.Key.Key_PageDown)
    assert window.text.verticalScrollBar().value() > before
    qtbot.keyClick(window.text, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(window.needle.hasFocus)
    qtbot.keyClicks(window.needle, "landlock")
    cursor = window.text.textCursor()
    assert cursor.selectedText().lower() == "landlock"
    qtbot.keyClick(window.needle, Qt.Key.Key_Return)  # its only place: round to the same
    assert window.text.textCursor() == cursor and window.isVisible()
    qtbot.keyClicks(window.needle, "xyz")
    assert window.found.text() == "No match"
    window.needle.clear()
    assert window.found.text() == ""
    qtbot.keyClick(window.needle, Qt.Key.Key_Escape)
    assert not window.isVisible()


def test_without_the_page_nothing_is_offered(
    main: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(error_help, "PAGE", "help/none.md")
    main.show_failure(Failure("disk_full", "It broke."))
    texts = [b.text() for b in main.banner.findChildren(QPushButton) if b.isVisible()]
    assert "Learn more" not in texts


@pytest.mark.parametrize("choice", ["light", "dark"])
def test_it_has_the_colours_of_the_theme_names_and_room(
    main: MainWindow, windows: Windows, theme: Theme, qtbot: Any, choice: str
) -> None:
    theme.set_choice(choice)
    main.features.failing.learn.emit("no_code")
    window = opened(windows, qtbot)
    picture = window.text.viewport().grab().toImage()
    assert picture.pixelColor(3, picture.height() // 2) == theme.colour("surface")
    assert nameless(window) == []
    window.resize(window.minimumSize())
    lengthen(window)
    assert clipped(window) == []


def test_the_page_is_packed_with_the_application() -> None:
    """In a wheel the whole of assets/ goes along; a list of single files would have to name it."""
    root = error_help.page()
    assert root is not None
    project = (root.parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    assert 'assets = "engine/assets"' in project
    assert '"/assets",' in project
