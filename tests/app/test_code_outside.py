"""The code in another editor: a real program, real files, what comes back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton

from app.views import dialogs
from app.views.main_window import MainWindow
from tests.app.scripted import PAGE, ScriptedClient, answer
from tests.app.windows import Make, convert, load, request, type_at_end


@pytest.fixture
def window(make_window: Make, qtbot: Any, sample: Path) -> MainWindow:
    made = make_window(lambda: ScriptedClient(answer()), request)
    load(made, qtbot, sample)
    convert(made, qtbot)
    return made


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program called as an editor is, that notes which file it was given."""
    folder = tmp_path / "bin"
    folder.mkdir()
    noted = tmp_path / "opened"
    program = folder / "code"
    program.write_text(f'#!/bin/sh\nprintf "%s" "$1" > "{noted}.new"; mv "{noted}.new" "{noted}"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return noted


def opened(window: MainWindow, qtbot: Any, editor: Path) -> Path:
    editor.unlink(missing_ok=True)
    window.actions_by_name["open_editor"].trigger()
    qtbot.waitUntil(editor.exists)
    return Path(editor.read_text())


def test_what_is_saved_outside_comes_back(window: MainWindow, qtbot: Any, editor: Path) -> None:
    path = opened(window, qtbot, editor)
    assert path.name == "hello.html"
    assert path.read_text() == PAGE + "\n"
    with qtbot.waitSignal(window.code.settled):
        path.write_text(PAGE.replace("Hello", "Written over") + "\n")
    assert "Written over" in window.controller.session.result.code
    assert window.code.state.text() == "Edited"
    beside = path.with_name("hello.tmp")
    beside.write_text(PAGE.replace("Hello", "Renamed into place"))
    with qtbot.waitSignal(window.code.settled):
        beside.replace(path)
    assert "Renamed into place" in window.code.edit.code
    with qtbot.waitSignal(window.code.settled):  # still followed
        path.write_text(PAGE.replace("Hello", "Once more"))
    assert "Once more" in window.code.edit.code
    assert not window.banner.isVisible()
    window.code.edit.undo()
    assert "Renamed into place" in window.code.edit.code
    window.close()
    assert not path.exists()


def test_edits_on_both_sides_are_asked_about(window: MainWindow, qtbot: Any, editor: Path) -> None:
    path = opened(window, qtbot, editor)
    type_at_end(window, qtbot, "mine")
    path.write_text("<p>theirs</p>")
    qtbot.waitUntil(window.banner.isVisible)
    assert window.code.edit.code.endswith("mine")
    button = next(b for b in window.banner.findChildren(QAbstractButton) if b.text() == "Take it")
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert window.code.edit.code == "<p>theirs</p>"
    window.code.edit.undo()
    assert window.code.edit.code.endswith("mine")


def test_a_saved_file_is_opened_itself_and_never_written(
    window: MainWindow, qtbot: Any, editor: Path, tmp_path: Path
) -> None:
    place = tmp_path / "kept.html"
    dialogs.save_to(window, place)
    qtbot.waitUntil(lambda: window.code.note.text() == "Saved kept.html")
    assert opened(window, qtbot, editor) == place
    type_at_end(window, qtbot, "new")
    assert opened(window, qtbot, editor) != place
    assert place.read_text() == PAGE + "\n"


def test_another_picture_ends_the_following(
    window: MainWindow, qtbot: Any, editor: Path, samples: Path
) -> None:
    path = opened(window, qtbot, editor)
    load(window, qtbot, samples / "chart.png")
    path.write_text("<p>late</p>")
    qtbot.wait(400)
    assert window.code.edit.code == ""
    assert not window.banner.isVisible()
