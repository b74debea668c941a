"""Finding and replacing in the code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QTextFormat
from PySide6.QtWidgets import QApplication, QWidget

from app.search import find_all, next_match, previous_match, replace_all, within
from app.session import State
from app.views.main_window import MainWindow
from tests.app.scripted import WAIT, ScriptedClient, answer
from tests.app.windows import Make, load, request, state

CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
CODE = "<p>red</p>\n<p>Red</p>\n<b>redred</b>\n" + "<i>x</i>\n" * 200 + "<p>red</p>"


def focus() -> QWidget:
    widget = QApplication.focusWidget()
    assert widget is not None
    return widget


@pytest.fixture
def window(make_window: Make, qtbot: Any, sample: Path) -> MainWindow:
    made = make_window(lambda: ScriptedClient(answer(CODE)), request)
    load(made, qtbot, sample)
    made.controller.generate()
    qtbot.waitUntil(lambda: state(made) is State.DONE)
    made.code.focus_pane()
    made.code.edit.moveCursor(made.code.edit.textCursor().MoveOperation.Start)
    return made


def test_places_are_counted_as_qt_counts() -> None:
    assert find_all("a\U0001f600b AB", "ab", False) == [(5, 7)]
    assert find_all("a\U0001f600b", "b", True) == [(3, 4)]
    assert find_all("x.y.z", ".", True) == [(1, 2), (3, 4)]
    assert find_all("aaaa", "aa", True) == [(0, 2), (2, 4)]
    assert find_all("aaaa", "", True) == []
    assert replace_all("a.B.b", ".b", False, r"\1") == r"a\1\1"
    assert replace_all("ab", "", True, "x") == "ab"


def test_next_and_previous_go_round() -> None:
    matches = [(2, 4), (6, 8)]
    assert [next_match(matches, place) for place in (0, 2, 3, 7)] == [0, 0, 1, 0]
    assert [previous_match(matches, place) for place in (0, 2, 3, 7)] == [1, 1, 0, 1]
    assert next_match([], 0) == previous_match([], 3) == -1
    assert within(matches, 3, 6) == [(2, 4)]
    assert within(matches, 4, 7) == [(6, 8)]


def test_find_by_keyboard(window: MainWindow, qtbot: Any) -> None:
    finder, edit = window.code.finder, window.code.edit
    qtbot.keyClick(focus(), Qt.Key.Key_F, CONTROL)
    assert finder.isVisible() and finder.needle.hasFocus()
    assert not finder.replacement.isVisible()
    qtbot.keyClicks(focus(), "red")
    assert finder.count.text() == "1 of 5"
    qtbot.keyClick(focus(), Qt.Key.Key_Return)
    assert finder.count.text() == "2 of 5"
    assert edit.textCursor().selectedText() == "Red"
    qtbot.keyClick(focus(), Qt.Key.Key_F3)
    assert finder.count.text() == "3 of 5"
    qtbot.keyClick(focus(), Qt.Key.Key_Return, SHIFT)
    qtbot.keyClick(focus(), Qt.Key.Key_F3, SHIFT)
    qtbot.keyClick(focus(), Qt.Key.Key_F3, SHIFT)
    assert finder.count.text() == "5 of 5"
    qtbot.keyClick(focus(), Qt.Key.Key_C, Qt.KeyboardModifier.AltModifier)
    assert finder.count.text() == "4 of 4"  # "Red" is no match any more
    qtbot.keyClicks(focus(), "dish")
    assert finder.count.text() == "No match"
    assert finder.count.property("found") == "false"
    qtbot.keyClick(focus(), Qt.Key.Key_Escape)
    assert not finder.isVisible()
    assert edit.hasFocus()


def marked(window: MainWindow) -> list[int]:
    """Numbers of the lines in which matches are marked."""
    ground = window.theme.colour("match")
    return [
        mark.cursor.blockNumber()
        for mark in window.code.edit.extraSelections()
        if mark.format.background().color() == ground
        and not mark.format.property(QTextFormat.Property.FullWidthSelection)
    ]


def test_only_visible_matches_are_marked(window: MainWindow, qtbot: Any) -> None:
    edit, finder = window.code.edit, window.code.finder
    finder.open(False)
    finder.needle.setText("red")
    bar = edit.verticalScrollBar()
    bar.setValue(0)
    assert marked(window) == [0, 1, 2, 2]
    bar.setValue(bar.maximum())
    assert marked(window) == [203]
    bar.setValue(bar.maximum() // 2)
    assert marked(window) == []
    finder.leave()
    bar.setValue(0)
    assert marked(window) == []


def test_replace_one_and_all(window: MainWindow, qtbot: Any) -> None:
    edit, finder = window.code.edit, window.code.finder
    qtbot.keyClick(focus(), Qt.Key.Key_H, CONTROL)
    assert finder.replacement.isVisible()
    qtbot.keyClicks(focus(), "red")
    qtbot.keyClick(focus(), Qt.Key.Key_Tab)
    finder.replacement.setFocus()
    qtbot.keyClicks(finder.replacement, "Red hat")
    qtbot.keyClick(finder.replacement, Qt.Key.Key_Return)
    assert edit.code.startswith("<p>Red hat</p>\n<p>Red</p>")
    assert finder.count.text() == "2 of 5"  # behind what was put in
    qtbot.mouseClick(finder.replace_every, Qt.MouseButton.LeftButton)
    assert edit.code.count("Red hat") == 5
    assert "redred" not in edit.code
    edit.undo()
    assert edit.code == CODE.replace("red", "Red hat", 1)
    edit.undo()
    assert edit.code == CODE
    assert window.controller.session.result.code == CODE


def test_matches_follow_what_is_typed(window: MainWindow, qtbot: Any) -> None:
    finder = window.code.finder
    finder.open(False)
    finder.needle.setText("red")
    window.code.edit.setFocus()
    window.code.edit.textCursor().clearSelection()
    window.code.edit.moveCursor(window.code.edit.textCursor().MoveOperation.End)
    qtbot.keyClicks(window.code.edit, "red")
    qtbot.waitUntil(lambda: finder.count.text() == "6")


def test_selection_is_what_is_sought(window: MainWindow) -> None:
    edit, finder = window.code.edit, window.code.finder
    cursor = edit.textCursor()
    cursor.setPosition(3)
    cursor.setPosition(6, cursor.MoveMode.KeepAnchor)
    edit.setTextCursor(cursor)
    window.actions_by_name["find"].trigger()
    assert finder.needle.text() == "red"
    assert finder.count.text() == "1 of 5"


def test_nothing_is_replaced_while_code_arrives(
    make_window: Make, qtbot: Any, sample: Path
) -> None:
    window = make_window(lambda: ScriptedClient([*answer(CODE)[:9], WAIT, *answer()[9:]]), request)
    load(window, qtbot, sample)
    window.controller.generate()
    qtbot.waitUntil(lambda: "red" in window.code.edit.code)
    finder = window.code.finder
    finder.open(True)
    finder.needle.setText("red")
    before = window.code.edit.code
    finder.replace_all()
    finder.replace()
    assert window.code.edit.code == before
    assert not finder.replace_every.isEnabled()
    # Esc closes the bar; it cancels only from elsewhere.
    qtbot.keyClick(finder.needle, Qt.Key.Key_Escape)
    assert not finder.isVisible()
    assert window.controller.session.busy
    qtbot.keyClick(window.code.edit, Qt.Key.Key_Escape)
    assert state(window) is State.CANCELLING
    qtbot.waitUntil(lambda: state(window) is State.CANCELLED)
