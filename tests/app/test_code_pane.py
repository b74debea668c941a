"""The pane of the code in the main window: edits, changes, errors, copies, files, keys, room."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QTextCursor
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QWidget

from app.preview.chart import Drawing
from app.session import Failure, State
from app.views import dialogs
from app.views.dress import Chip
from app.views.main_window import MainWindow
from app.views.preview_output import Drawable
from engine.errors import VisCodexError
from tests.app.scripted import PAGE, ScriptedClient, answer
from tests.app.windows import Make, convert, load, request, state, type_at_end

CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
CHART = (
    "import matplotlib.pyplot as plt\n\nfig, ax = plt.subplots(figsize=(2, 1))\n"
    "ax.plot([1, 2])\nax.set_title('Small')\n"
)


@pytest.fixture
def window(make_window: Make, qtbot: Any, sample: Path) -> MainWindow:
    made = make_window(lambda: ScriptedClient(answer(), answer(PAGE.replace("H", "J"))), request)
    load(made, qtbot, sample)
    convert(made, qtbot)
    return made


def test_message_of_the_page_leads_to_its_line(make_window: Make, qtbot: Any, sample: Path) -> None:
    rows = "<p>row\n" * 300
    code = f"<!DOCTYPE html>\n{rows}<script>\nnothing();\n</script>\n{rows}"
    window = make_window(lambda: ScriptedClient(answer(code, size=4000)), request, web=True)
    load(window, qtbot, sample)
    convert(window, qtbot)
    console = window.preview.notes.console
    qtbot.waitUntil(lambda: "Error, line 303" in console.item(0).text(), timeout=20_000)
    window.code.show_changes(True)
    window.preview.actions_by_name["console"].trigger()
    place = console.visualItemRect(console.item(0)).center()
    qtbot.mouseClick(console.viewport(), Qt.MouseButton.LeftButton, pos=place)
    edit = window.code.edit
    assert edit.isVisible() and edit.hasFocus()
    assert edit.textCursor().block().text() == "nothing();"
    seen = [number for number, _ in edit.visible_lines()]
    assert seen[0] + 3 < 303 < seen[-1] - 3  # in the middle, so that one sees what is around it


# Edits ----------------------------------------------------------------------


def test_edit_is_marked_and_is_what_the_session_has(window: MainWindow, qtbot: Any) -> None:
    pane = window.code
    assert not pane.state.isVisible()
    assert not window.controller.session.result.edited
    type_at_end(window, qtbot, "!")
    # At once: a refinement that is begun right now begins with it.
    assert window.controller.session.result.code == PAGE + "!"
    assert window.controller.session.result.edited
    assert pane.state.text() == "Edited" and pane.state.isVisible()
    qtbot.keyClick(pane.edit, Qt.Key.Key_Z, CONTROL)
    assert not pane.state.isVisible()  # it is again what came
    type_at_end(window, qtbot, "?")
    convert(window, qtbot)
    assert not pane.state.isVisible()
    assert not pane.edit.document().isUndoAvailable()


@pytest.mark.parametrize(("target", "pause"), [("html", 300), ("matplotlib", 800)])
def test_edits_are_drawn_when_typing_pauses(
    window: MainWindow, qtbot: Any, target: str, pause: int
) -> None:
    drawn: list[tuple[str, bool]] = []
    window.preview.show_code = (  # type: ignore[method-assign]
        lambda code, target, final: drawn.append((code, final))
    )
    window.code.show_code(PAGE, target)
    type_at_end(window, qtbot, "abc")
    assert window.code._settle.interval() == pause
    assert drawn == []
    qtbot.waitUntil(lambda: bool(drawn))
    assert drawn == [(PAGE + "abc", True)]


def test_code_that_was_mended_is_drawn_and_its_error_goes(
    make_window: Make, qtbot: Any, sample: Path
) -> None:
    window = make_window(lambda: ScriptedClient(answer()), request, web=True)
    load(window, qtbot, sample)
    convert(window, qtbot)
    web = window.preview.web
    assert web is not None
    qtbot.waitUntil(web.isVisible, timeout=20_000)
    os.kill(web.page.renderProcessPid(), signal.SIGKILL)
    qtbot.waitUntil(window.banner.isVisible, timeout=20_000)
    assert window.banner.title == "The code could not be drawn"
    type_at_end(window, qtbot, "<p>mended")
    qtbot.waitUntil(web.isVisible, timeout=20_000)
    assert not window.banner.isVisible()


def test_an_error_of_something_else_stays_when_a_page_is_drawn(
    window: MainWindow, qtbot: Any
) -> None:
    window.show_failure(Failure("disk_full", "It broke."))
    window.preview.drawn.emit()
    assert window.banner.isVisible()


def test_without_code_there_is_no_preview(make_window: Make, qtbot: Any, sample: Path) -> None:
    window = make_window(lambda: ScriptedClient(answer()), request, web=True)
    load(window, qtbot, sample)
    convert(window, qtbot)
    assert window.preview.web is not None
    qtbot.waitUntil(window.preview.web.isVisible, timeout=20_000)
    window.code.focus_pane()
    window.code.edit.selectAll()
    qtbot.keyClick(window.code.edit, Qt.Key.Key_Delete)
    qtbot.waitUntil(window.preview.card.isVisible)
    qtbot.keyClick(window.code.edit, Qt.Key.Key_Z, CONTROL)
    qtbot.waitUntil(window.preview.web.isVisible, timeout=20_000)


def test_an_edit_that_waits_is_not_drawn_into_the_next_conversion(
    window: MainWindow, qtbot: Any
) -> None:
    type_at_end(window, qtbot, "late")
    assert window.code._settle.isActive()
    window.controller.generate()
    assert not window.code._settle.isActive()
    qtbot.waitUntil(lambda: state(window) is State.DONE)


# Changes --------------------------------------------------------------------


def test_changes_against_the_code_before_the_conversion(window: MainWindow, qtbot: Any) -> None:
    window.code.take(PAGE + "\n<p>mine</p>")
    convert(window, qtbot)
    window.activateWindow()
    qtbot.keyClick(window.code.edit, Qt.Key.Key_D, CONTROL)
    changes = window.code.changes
    assert changes.isVisible() and changes.text.hasFocus()
    qtbot.waitUntil(lambda: "+1" in changes.summary.text())
    assert changes.summary.text() == "+1 \N{MINUS SIGN}2 lines against the version before"
    assert changes.text.toPlainText().split("\n") == [
        "  1  <!DOCTYPE html>",
        "  2  <html>",
        "  3  <body>",
        "- 4  <h1>Hello</h1>",
        "+ 4  <h1>Jello</h1>",
        "  5  </body>",
        "  6  </html>",
        "- 7  <p>mine</p>",
    ]
    grounds = [
        changes.text.document().findBlockByNumber(n).blockFormat().background().color().name()
        for n in (3, 4)
    ]
    assert grounds == [window.theme.tokens.bad_soft, window.theme.tokens.good_soft]
    window.theme.toggle()
    ground = changes.text.document().findBlockByNumber(4).blockFormat().background().color()
    assert ground.name() == window.theme.tokens.good_soft
    qtbot.keyClick(changes.text, Qt.Key.Key_D, CONTROL)
    assert window.code.edit.hasFocus()


def test_changes_follow_edits_and_the_version_given(window: MainWindow, qtbot: Any) -> None:
    summary = window.code.changes.summary
    window.actions_by_name["changes"].trigger()
    qtbot.waitUntil(lambda: bool(summary.text()))
    assert summary.text() == "No change against the code as it came"
    window.code.set_previous("<p>other</p>", "version 3")
    qtbot.waitUntil(lambda: "version 3" in summary.text())
    assert summary.text() == "+6 \N{MINUS SIGN}1 lines against version 3"
    window.code.set_previous(None)
    window.code.take(PAGE.replace("<body>\n", ""))
    qtbot.waitUntil(lambda: "as it came" in summary.text())
    assert summary.text().startswith("+0 \N{MINUS SIGN}1")


def test_another_picture_forgets_the_versions(
    window: MainWindow, qtbot: Any, samples: Path
) -> None:
    window.code.set_previous("x", "old")
    load(window, qtbot, samples / "chart.png")
    window.actions_by_name["changes"].setChecked(True)
    qtbot.waitUntil(lambda: bool(window.code.changes.summary.text()))
    assert window.code.changes.summary.text() == "No change against the code as it came"


# Errors ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "line"),
    [
        ("NameError: no x (line 12)", 12),
        ("ValueError: at line 3 of the file", 0),
        ("SyntaxError: (line 2) is odd (line 4)", 4),
        (None, 0),
    ],
)
def test_line_of_an_error(error: str | None, line: int) -> None:
    assert Drawing("", None, error, True).line == line


def test_error_of_a_chart_is_marked_and_goes_with_the_mistake(
    make_window: Make, qtbot: Any, samples: Path
) -> None:
    client = ScriptedClient(answer(CHART, "python"))
    window = make_window(lambda: client, request, unwalled=True)
    load(window, qtbot, samples / "chart.png")
    window.controller.generate()
    with qtbot.waitSignal(window.preview.drawn, timeout=60_000):
        pass
    edit = window.code.edit
    cursor = QTextCursor(edit.document().findBlockByNumber(3))
    edit.setTextCursor(cursor)
    qtbot.keyClicks(edit, "u")
    with qtbot.waitSignal(window.preview.failed, timeout=60_000):
        pass
    assert edit.error[0] == 4
    assert "uax" in edit.error[1]
    assert "Error in line 4" in edit.accessibleDescription()
    qtbot.keyClick(edit, Qt.Key.Key_Backspace)
    assert edit.error == (0, "")
    with qtbot.waitSignal(window.preview.drawn, timeout=60_000):
        pass
    assert edit.error == (0, "")


# Copy and files -------------------------------------------------------------


def test_copy_says_so_for_a_moment(window: MainWindow, qtbot: Any) -> None:
    window.activateWindow()
    qtbot.keyClick(window.code.edit, Qt.Key.Key_C, CONTROL | SHIFT)
    assert QGuiApplication.clipboard().text() == PAGE
    assert window.code.note.text() == "Copied" and window.code.note.isVisible()
    qtbot.waitUntil(lambda: not window.code.note.isVisible(), timeout=5000)


def test_selection_can_be_copied_only_where_there_is_one(window: MainWindow) -> None:
    copy = window.actions_by_name["copy_selection"]
    assert not copy.isEnabled()
    cursor = window.code.edit.textCursor()
    cursor.setPosition(2)
    cursor.setPosition(9, QTextCursor.MoveMode.KeepAnchor)
    window.code.edit.setTextCursor(cursor)
    assert copy.isEnabled()
    copy.trigger()
    assert QGuiApplication.clipboard().text() == PAGE[2:9]
    cursor.clearSelection()
    window.code.edit.setTextCursor(cursor)
    assert not copy.isEnabled()


def test_exports_and_their_failures(window: MainWindow, qtbot: Any, tmp_path: Path) -> None:
    place = tmp_path / "site"
    window.code_actions.export_folder_to(place)
    qtbot.waitUntil(place.is_dir)
    assert (place / "index.html").read_text() == PAGE + "\n"
    qtbot.waitUntil(lambda: window.code.note.text() == "Exported site")
    window.code_actions.export_folder_to(place)
    qtbot.waitUntil(window.banner.isVisible)
    assert "site: there is a folder" in window.banner.detail
    page = tmp_path / "page.html"
    window.code_actions.export_page_to(page)
    qtbot.waitUntil(page.exists)
    assert page.read_text() == PAGE + "\n"


def test_actions_need_code(make_window: Make, qtbot: Any, sample: Path) -> None:
    client = ScriptedClient(answer(CHART, "python"))
    window = make_window(lambda: client, request)
    names = ("copy", "save", "find", "changes", "open_editor", "export_folder", "export_page")
    assert [window.actions_by_name[name].isEnabled() for name in names] == [False] * 7
    load(window, qtbot, sample)
    convert(window, qtbot)
    assert [window.actions_by_name[name].isEnabled() for name in names] == [True] * 6 + [False]


# Keys and room --------------------------------------------------------------


def test_size_and_wrapping_by_keyboard_are_remembered(
    window: MainWindow, make_window: Make, qtbot: Any
) -> None:
    edit = window.code.edit
    window.code.focus_pane()
    usual = edit.font().pointSizeF()
    qtbot.keyClick(edit, Qt.Key.Key_Plus, CONTROL)
    qtbot.keyClick(edit, Qt.Key.Key_Equal, CONTROL)
    qtbot.keyClick(edit, Qt.Key.Key_Minus, CONTROL)
    assert edit.font().pointSizeF() == usual + 1
    assert window.code.changes.text.font().pointSizeF() == usual + 1
    qtbot.keyClick(edit, Qt.Key.Key_Z, Qt.KeyboardModifier.AltModifier)
    assert edit.lineWrapMode() is edit.LineWrapMode.WidgetWidth
    again = make_window(ScriptedClient, request)
    assert again.code.edit.font().pointSizeF() == usual + 1
    assert again.actions_by_name["wrap"].isChecked()
    assert again.code.edit.lineWrapMode() is edit.LineWrapMode.WidgetWidth
    qtbot.keyClick(edit, Qt.Key.Key_0, CONTROL)
    assert edit.font().pointSizeF() == usual


def test_keys_of_the_pane_come_before_those_of_the_window(window: MainWindow, qtbot: Any) -> None:
    from PySide6.QtGui import QShortcut

    other: list[int] = []
    QShortcut("Ctrl+H", window, lambda: other.append(1))
    qtbot.keyClick(window.code.edit, Qt.Key.Key_H, CONTROL)
    assert window.code.finder.replacement.isVisible()
    assert other == []
    window.source.focus_pane()
    qtbot.keyClick(window.source.view, Qt.Key.Key_H, CONTROL)
    assert other == [1]


def clipped(root: QWidget) -> list[str]:
    """Texts that stand in less room than they need."""
    return [
        f"{widget.text()!r}: {widget.width()} of {widget.sizeHint().width()}"
        for widget in root.findChildren(QWidget)
        if isinstance(widget, QLabel | QAbstractButton)
        and widget.isVisible()
        and widget.text()
        and widget.width() < widget.sizeHint().width()
    ]


GERMAN = {
    "Replace": "Ersetzen",
    "Replace all": "Alle Fundstellen ersetzen",
}


@pytest.mark.parametrize("width", [700, 420, 340, 290])
def test_long_texts_are_not_clipped(window: MainWindow, qtbot: Any, width: int) -> None:
    pane = window.code
    pane.setParent(None)
    qtbot.addWidget(pane)
    pane.resize(800, 300)
    pane.show()
    pane.target.show_text("Diagramm (matplotlib)")
    pane.state.show_text("Von Hand bearbeitet")
    pane.open_find(True)
    for button in (pane.finder.replace_one, pane.finder.replace_every):
        button.setText(GERMAN[button.text()])
    pane.finder.needle.setText("nothing of the kind")
    pane.finder.count.setText("Kein Treffer")
    pane.resize(width, 300)
    for note in ("", "In die Zwischenablage kopiert", f"Gespeichert: {'name-' * 12}.html"):
        pane._say(note)
        QApplication.processEvents()
        assert pane.width() == width
        assert clipped(pane) == []
    shown = [chip for chip in pane.findChildren(Chip) if chip.isVisible()]
    assert pane.note in shown
    assert pane.more.isVisible() and pane.more.geometry().right() <= width


def save_picture(window: MainWindow, place: Path) -> Drawable:
    """Save as a picture; what the rest of the application would draw."""
    picture, target = window.controller.session.picture, window.controller.session.result.target
    assert picture is not None
    window.banner.dismiss()
    dialogs.save_to(window, place)
    return Drawable(window.code.edit.code, target, picture.width)


@pytest.mark.slow
@pytest.mark.parametrize(("code", "fence"), [(PAGE, "html"), (CHART, "python")])
def test_saving_as_a_picture_draws_as_everything_else_does(
    make_window: Make, qtbot: Any, sample: Path, tmp_path: Path, code: str, fence: str
) -> None:
    window = make_window(lambda: ScriptedClient(answer(code, fence)), request)
    load(window, qtbot, sample)
    convert(window, qtbot)
    place = tmp_path / "drawn.png"
    wanted = save_picture(window, place).png()
    qtbot.waitUntil(place.exists, timeout=60_000)
    assert place.read_bytes() == wanted


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "fence", "typed"), [(PAGE, "html", "just words"), (CHART, "python", "plt.nothing()")]
)
def test_saving_as_a_picture_refuses_as_everything_else_does(
    make_window: Make, qtbot: Any, sample: Path, tmp_path: Path, code: str, fence: str, typed: str
) -> None:
    window = make_window(lambda: ScriptedClient(answer(code, fence)), request)
    load(window, qtbot, sample)
    convert(window, qtbot)
    window.code.take(typed)
    place = tmp_path / "drawn.png"
    what = save_picture(window, place)
    with pytest.raises(VisCodexError) as refused:
        what.png()
    # The preview of what is typed may fail as well, before or after, and tells so in the banner.
    qtbot.waitUntil(lambda: refused.value.message in window.banner.detail, timeout=60_000)
    assert not place.exists()
