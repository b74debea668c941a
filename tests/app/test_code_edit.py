"""The code editor: what streams in, what is typed, marks, size."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QEvent, QPoint, QRect, Qt
from PySide6.QtGui import QHelpEvent, QTextCursor, QTextFormat
from PySide6.QtWidgets import QApplication, QToolTip

from app import highlight, indent
from app.documents import changed_part
from app.theme import Theme, code_font
from app.views.code_edit import CodeEdit

CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def edit(theme: Theme, qtbot: Any) -> CodeEdit:
    made = CodeEdit(theme)
    qtbot.addWidget(made)
    made.resize(500, 300)
    with qtbot.waitActive(made):
        made.show()
        made.activateWindow()
    made.setFocus()
    return made


def ready(edit: CodeEdit, code: str) -> CodeEdit:
    """The editor as it is after a conversion that brought `code`."""
    edit.set_streaming(True)
    edit.stream(code)
    edit.set_streaming(False)
    return edit


def select(edit: CodeEdit, start: int, end: int) -> None:
    cursor = edit.textCursor()
    cursor.setPosition(start)
    cursor.setPosition(end, QTextCursor.MoveMode.KeepAnchor)
    edit.setTextCursor(cursor)


# Streaming ------------------------------------------------------------------


@given(st.text("ab\n\U0001f600", max_size=12), st.text("ab\n\U0001f600", max_size=12))
def test_changed_part_makes_one_text_the_other(old: str, new: str) -> None:
    start, end, text = changed_part(old, new)
    assert old[:start] + text + old[end:] == new
    assert start <= end
    assert not (text and old[start:end]) or (text[0] != old[start] and text[-1] != old[end - 1])


def test_only_what_differs_is_touched(edit: CodeEdit) -> None:
    ready(edit, "one\ntwo \U0001f600\nthree\n")
    touched: list[tuple[int, int, int]] = []
    edit.document().contentsChange.connect(lambda *what: touched.append(what))
    edit.stream("one\ntwo \U0001f600\nthree")  # the last extraction drops the empty line
    edit.stream("one\nTWO \U0001f600\nthree")
    assert edit.code == "one\nTWO \U0001f600\nthree"
    assert touched[0] == (17 - 1, 1, 0) or touched[0][1:] == (1, 0)
    assert (4, 3, 3) in touched


def test_no_break_spaces_stay_and_cost_no_redraw(edit: CodeEdit) -> None:
    ready(edit, "a\u00a0b")
    assert edit.code == "a\u00a0b"
    changes: list[int] = []
    edit.code_changed.connect(lambda: changes.append(1))
    edit.stream("a\u00a0b")
    assert changes == []


def test_line_ends_of_windows_do_not_flicker(edit: CodeEdit) -> None:
    ready(edit, "a\r\nb\r\n")
    assert edit.code == "a\nb\n"
    changes: list[int] = []
    edit.code_changed.connect(lambda: changes.append(1))
    edit.stream("a\r\nb\r\n")
    assert changes == []


def test_undo_takes_back_typing_and_never_the_stream(edit: CodeEdit, qtbot: Any) -> None:
    ready(edit, "<p>\nhello")
    edit.stream("<p>\nhello\n</p>")  # the last word of the engine, after the stream has ended
    assert not edit.document().isUndoAvailable()
    edit.moveCursor(QTextCursor.MoveOperation.End)
    qtbot.keyClicks(edit, "xyz")
    edit.stream(edit.code)  # what is told again changes nothing
    qtbot.keyClick(edit, Qt.Key.Key_Z, CONTROL)
    assert edit.code == "<p>\nhello\n</p>"
    qtbot.keyClick(edit, Qt.Key.Key_Z, CONTROL)
    assert edit.code == "<p>\nhello\n</p>"
    qtbot.keyClick(edit, Qt.Key.Key_Z, CONTROL | SHIFT)
    assert edit.code.endswith("xyz")


def test_only_typing_counts_as_an_edit(edit: CodeEdit, qtbot: Any) -> None:
    told: list[int] = []
    edit.edited.connect(lambda: told.append(1))
    ready(edit, "<!-- a -->\n<p>x</p>")
    edit.highlighter.refresh()
    edit.stream("<!-- a -->")
    assert told == []
    qtbot.keyClicks(edit, "x")
    assert told == [1]
    edit.highlighter.refresh()  # colours change, the text does not
    assert told == [1]


# Keys -----------------------------------------------------------------------


def test_enter_keeps_the_indent(edit: CodeEdit, qtbot: Any) -> None:
    ready(edit, "<div>\n    <p>(")
    edit.moveCursor(QTextCursor.MoveOperation.End)
    qtbot.keyClick(edit, Qt.Key.Key_Return)
    assert edit.code == "<div>\n    <p>(\n    "  # no more for the bracket
    qtbot.keyClick(edit, Qt.Key.Key_Z, CONTROL)
    assert edit.code == "<div>\n    <p>("
    select(edit, 8, 8)  # inside of the indent
    qtbot.keyClick(edit, Qt.Key.Key_Enter, Qt.KeyboardModifier.KeypadModifier)
    assert edit.code == "<div>\n  \n    <p>("


def test_tab_moves_selected_lines_and_otherwise_leaves(edit: CodeEdit, qtbot: Any) -> None:
    ready(edit, "<a>\n  <b>\n\n  <c>\n<d>")
    select(edit, 1, 17)  # up to the beginning of the last line, which is left out
    assert edit.code[17:] == "<d>"
    qtbot.keyClick(edit, Qt.Key.Key_Tab)
    assert edit.code == "  <a>\n    <b>\n\n    <c>\n<d>"
    assert edit.hasFocus()
    qtbot.keyClick(edit, Qt.Key.Key_Backtab, SHIFT)
    assert edit.code == "<a>\n  <b>\n\n  <c>\n<d>"
    qtbot.keyClick(edit, Qt.Key.Key_Backtab, SHIFT)
    assert edit.code == "<a>\n<b>\n\n<c>\n<d>"
    for _ in range(3):
        qtbot.keyClick(edit, Qt.Key.Key_Z, CONTROL)  # each was one step
    assert edit.code == "<a>\n  <b>\n\n  <c>\n<d>"
    assert not edit.document().isUndoAvailable()


def test_tab_without_a_selection_changes_nothing(edit: CodeEdit, qtbot: Any) -> None:
    ready(edit, "x")
    qtbot.keyClick(edit, Qt.Key.Key_Tab)
    assert edit.code == "x"


@pytest.mark.parametrize(
    ("text", "step"),
    [("a\n\tb", "\t"), ("a\n  b\n    c", "  "), ("a\n        b\n    c", "    "), ("a", "    ")],
)
def test_step_of_indentation_is_that_of_the_text(text: str, step: str) -> None:
    assert indent.unit(text) == step


# Marks ----------------------------------------------------------------------


def test_error_is_marked_told_and_cleared_by_an_edit(edit: CodeEdit, qtbot: Any) -> None:
    ready(edit, "import a\n  x = 1\ny")
    edit.mark_error(2, "NameError: no x")
    assert edit.accessibleDescription() == "Error in line 2: NameError: no x"
    waves = [
        mark.cursor.selectedText()
        for mark in edit.extraSelections()
        if mark.format.underlineStyle() == mark.format.UnderlineStyle.WaveUnderline
    ]
    assert waves == ["x = 1"]
    tops = dict(edit.visible_lines())
    assert edit.tip_at(tops[2] + 2) == "Line 2: NameError: no x"
    assert edit.tip_at(tops[3] + 2) == ""
    for target in (edit.viewport(), edit._gutter):
        QToolTip.hideText()
        at = QPoint(30, tops[2] + 3)
        QApplication.sendEvent(target, QHelpEvent(QEvent.Type.ToolTip, at, target.mapToGlobal(at)))
        assert QToolTip.text() == "Line 2: NameError: no x"
    before = edit._gutter.grab(QRect(0, tops[2], 18, 16)).toImage()
    red = edit.theme.colour("bad")
    pixels = [before.pixelColor(x, y) for x in range(18) for y in range(16)]
    assert any(abs(p.red() - red.red()) + abs(p.green() - red.green()) < 24 for p in pixels)
    qtbot.keyClicks(edit, "z")
    assert edit.error == (0, "")
    assert edit.accessibleDescription() == ""


def test_error_beyond_the_code_marks_nothing(edit: CodeEdit) -> None:
    ready(edit, "a\nb")
    edit.mark_error(3, "no such line")
    assert edit.error == (0, "")


def test_present_line_is_marked(edit: CodeEdit, qtbot: Any) -> None:
    ready(edit, "a\nb\nc")
    select(edit, 2, 2)
    bands = [
        mark.cursor.blockNumber()
        for mark in edit.extraSelections()
        if mark.format.property(QTextFormat.Property.FullWidthSelection)
    ]
    assert bands == [1]


# Size -----------------------------------------------------------------------


def test_zoom_has_limits_and_comes_back(edit: CodeEdit) -> None:
    ready(edit, "a\n" * 120)
    usual, room = code_font().pointSizeF(), edit._gutter.width()
    edit.zoom(3)
    assert edit.font().pointSizeF() == usual + 3
    assert edit._gutter.width() > room
    for _ in range(60):
        edit.zoom(-1)
    assert edit.font().pointSizeF() == 6.0
    edit.zoom(0)
    assert edit.font().pointSizeF() == usual
    assert edit._gutter.width() == room


def test_long_lines_wrap_if_wanted(edit: CodeEdit, qtbot: Any) -> None:
    ready(edit, "word " * 100 + "\nnext")
    assert edit.horizontalScrollBar().maximum() > 0
    edit.set_wrapped(True)
    qtbot.waitUntil(lambda: edit.horizontalScrollBar().maximum() == 0)
    first, second = (top for _, top in list(edit.visible_lines())[:2])
    assert second - first > 3 * edit.fontMetrics().height()


# Highlighting ---------------------------------------------------------------


def test_long_page_is_painted_in_slices_beginning_at_the_reader(
    edit: CodeEdit, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready(edit, "<!-- note -->\n" * 400)
    edit.highlighter.refresh()
    qtbot.waitUntil(lambda: not edit.highlighter._unpainted and painted(edit, 399))
    bar = edit.verticalScrollBar()
    bar.setValue(bar.maximum())
    reader = edit.firstVisibleBlock().blockNumber()
    monkeypatch.setattr(highlight, "SLICE_SECONDS", 0.0)  # one line at a time
    order: list[int] = []
    paint = edit.highlighter.rehighlightBlock
    edit.highlighter.rehighlightBlock = (  # type: ignore[method-assign]
        lambda block: (order.append(block.blockNumber()), paint(block))
    )
    edit.highlighter.set_colours({"code_comment": edit.theme.colour("bad")})
    assert order == [reader]
    qtbot.waitUntil(lambda: not edit.highlighter._unpainted)
    assert order == [*range(reader, 401), *range(reader)]
    assert painted(edit, 0)


def test_large_edit_is_painted_in_slices_as_well(
    edit: CodeEdit, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready(edit, "<!-- note -->\n" * 400)
    edit.highlighter.refresh()
    qtbot.waitUntil(lambda: not edit.highlighter._unpainted and painted(edit, 399))
    monkeypatch.setattr(highlight, "SLICE_SECONDS", 0.0)
    edit.replace_code("<!-- other -->\n" * 400)
    assert len(edit.highlighter._unpainted) > 300
    qtbot.waitUntil(lambda: not edit.highlighter._unpainted and painted(edit, 399), timeout=10_000)
    assert painted(edit, 0)


def painted(edit: CodeEdit, line: int) -> bool:
    return bool(edit.document().findBlockByNumber(line).layout().formats())
