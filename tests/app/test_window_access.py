"""The main window: names of controls, keyboard, sizes, theme, what it remembers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QByteArray, Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QApplication, QDialog, QLabel, QWidget

from app.actions import ACTIONS
from app.session import State
from app.views import dialogs
from tests.app.looks import clipped, nameless
from tests.app.scripted import DIED, ScriptedClient, answer
from tests.app.stages import on_stage
from tests.app.windows import Make, load, request, state

# Access ---------------------------------------------------------------------


def test_every_control_has_a_name(make_window: Make, qtbot: Any, sample: Path) -> None:
    window = make_window(lambda: ScriptedClient([DIED]), request)
    load(window, qtbot, sample)
    window.controller.generate()
    qtbot.waitUntil(window.banner.isVisible)
    assert nameless(window) == []
    dialog = dialogs.shortcuts_dialog(window)
    assert nameless(dialog) == []
    assert isinstance(dialog, QDialog)


def test_tab_reaches_every_control_and_leaves_the_code(
    make_window: Make, qtbot: Any, sample: Path
) -> None:
    window = make_window(lambda: ScriptedClient(answer()), request)
    load(window, qtbot, sample)
    window.controller.generate()
    qtbot.waitUntil(lambda: state(window) is State.DONE)
    window.activateWindow()
    window.bar.snip.setFocus()
    seen: set[QWidget] = set()
    for _ in range(60):
        focus = QApplication.focusWidget()
        assert focus is not None
        seen.add(focus)
        qtbot.keyClick(focus, Qt.Key.Key_Tab)
    wanted: list[QWidget] = [
        window.bar.snip, window.bar.generate, window.bar.menu, window.source.view,
        window.code.edit, window.preview.tools.fit,
    ]  # fmt: skip
    assert [type(w).__name__ for w in wanted if w not in seen] == []


def test_pane_shortcuts_move_the_focus(make_window: Make, qtbot: Any, sample: Path) -> None:
    window = make_window(lambda: ScriptedClient(answer()), request)
    load(window, qtbot, sample)
    window.activateWindow()
    control = Qt.KeyboardModifier.ControlModifier
    qtbot.keyClick(window, Qt.Key.Key_1, control)
    assert window.source.view.hasFocus()
    qtbot.keyClick(window, Qt.Key.Key_2, control)
    assert window.code.edit.hasFocus()
    qtbot.keyClick(window.code.edit, Qt.Key.Key_F6, Qt.KeyboardModifier.ShiftModifier)
    assert window.source.view.hasFocus()


def test_every_shortcut_is_an_action_of_the_window(make_window: Make) -> None:
    window = make_window(ScriptedClient, request)
    assert QKeySequence("Ctrl+N") in window.actions_by_name["snip"].shortcuts()
    held = {*window.actions(), *window.code.actions()}
    assert set(window.actions_by_name.values()) == held
    scopes = {spec.name: spec.scope for spec in ACTIONS}
    assert all(scopes[action.objectName()] == "code" for action in window.code.actions())


# Window ---------------------------------------------------------------------


def test_window_remembers_its_size(make_window: Make) -> None:
    window = make_window(ScriptedClient, request)
    window.resize(700, 500)
    window.close()
    again = make_window(ScriptedClient, request)
    assert (again.width(), again.height()) == (700, 500)


def test_small_window_stacks_the_picture(make_window: Make, qtbot: Any, sample: Path) -> None:
    window = make_window(ScriptedClient, request)
    load(window, qtbot, sample)
    window.resize(640, 520)
    assert window.outer.orientation() is Qt.Orientation.Vertical
    window.resize(1100, 700)
    assert window.outer.orientation() is Qt.Orientation.Horizontal
    assert window.minimumSizeHint().width() <= 640


def test_theme_toggle_is_kept(make_window: Make) -> None:
    window = make_window(ScriptedClient, request)
    window.actions_by_name["theme_toggle"].trigger()
    assert window.settings.theme == "dark"
    assert window.actions_by_name["theme_dark"].isChecked()
    window.actions_by_name["theme_toggle"].trigger()
    assert window.settings.theme == "light"


def test_old_state_of_the_window_does_no_harm(make_window: Make, tmp_path: Path) -> None:
    from PySide6.QtCore import QSettings

    state = QSettings(str(tmp_path / "state.ini"), QSettings.Format.IniFormat)
    state.setValue("window/geometry", QByteArray(b"rubbish"))
    state.setValue("window/outer", "text")
    state.sync()
    window = make_window(ScriptedClient, request)
    assert window.width() == 1200


@pytest.mark.parametrize("width", [520, 640, 760, 1200])
def test_nothing_is_cut_off_at_any_width(
    make_window: Make, qtbot: Any, sample: Path, width: int
) -> None:
    window = make_window(lambda: ScriptedClient(answer()), request)
    load(window, qtbot, sample)
    window.controller.generate()
    qtbot.waitUntil(lambda: state(window) is State.DONE)
    window.resize(width, 700)
    qtbot.wait(50)
    assert clipped(window.bar) == []
    assert clipped(window.status) == []
    for chip in (window.status.device, window.status.state):
        right = chip.mapTo(window, chip.rect().topRight()).x()
        assert not chip.isVisible() or right < window.width()


def test_narrow_window_leaves_room_for_the_picture(
    make_window: Make, qtbot: Any, sample: Path, tmp_path: Path
) -> None:
    window = on_stage("done", make_window, qtbot, sample, tmp_path)
    window.resize(520, 700)
    qtbot.wait(50)
    assert window.source.height() > 130
    assert window.source.view.zoom.rect().height() > 60


def test_the_comparison_fits_a_small_window(
    make_window: Make, qtbot: Any, sample: Path, tmp_path: Path
) -> None:
    window = on_stage("compare", make_window, qtbot, sample, tmp_path)
    compare = window.preview.compare
    for size, scores, parts in (
        ((1200, 760), True, True), ((520, 700), True, False), ((520, 420), False, False),
    ):  # fmt: skip
        window.resize(*size)
        qtbot.wait(80)
        assert (compare.scores.isVisible(), compare.scores.parts.isVisible()) == (scores, parts)
        shown = [one for one in compare.findChildren(QLabel) if one.isVisible() and one.text()]
        assert [one.text() for one in shown if one.height() < one.fontMetrics().height()] == []


def test_small_window_keeps_to_what_fits_when_settings_change(make_window: Make) -> None:
    window = make_window(ScriptedClient, request)
    window.resize(520, 700)
    assert not window.status.offline.isVisible()
    window.keep(private=True)
    assert not window.status.offline.isVisible()
    window.resize(1200, 700)
    assert window.status.offline.isVisible()
