"""Everybody's use of every window: reached by Tab, seen to have the focus, named, spoken of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QAccessible, QImage
from PySide6.QtWidgets import QApplication, QDialog, QScrollArea, QWidget

from app.session import State
from app.store.settings import Settings
from app.theme import Theme
from app.views import dress
from app.views.main_window import MainWindow
from app.views.models_window import ModelsWindow
from app.views.settings_rows import PAGES
from app.views.settings_window import SettingsWindow
from app.views.windows import Windows
from app.wiring import Engine
from tests.app.looks import nameless, takes_tab
from tests.app.scripted import ScriptedClient
from tests.app.stages import STAGES, on_stage
from tests.app.windows import Make, load, request, state, trigger, wait_done

OTHERS = ("models", "diagnostics", "shortcuts")
"""Actions that open a window of their own, beside the settings."""

ROUND = 150
"""No window has as many controls."""


@pytest.fixture
def steady_cursor(qapp: QApplication) -> Iterator[None]:
    """A text cursor that does not blink: it is there, or it is not."""
    before = qapp.cursorFlashTime()
    qapp.setCursorFlashTime(0)
    yield
    qapp.setCursorFlashTime(before)


def named(widgets: list[QWidget]) -> list[str]:
    return sorted(f"{type(one).__name__} {one.accessibleName()!r}" for one in widgets)


def reached(qtbot: Any, back: bool = False) -> list[QWidget]:
    """The controls that Tab goes through, from the first it comes to until it is there again."""
    key = Qt.Key.Key_Backtab if back else Qt.Key.Key_Tab
    shift = Qt.KeyboardModifier.ShiftModifier
    seen: list[QWidget] = []
    for _ in range(ROUND):
        focus = QApplication.focusWidget()
        assert focus is not None, "nothing has the keyboard"
        qtbot.keyClick(focus, key, shift if back else Qt.KeyboardModifier.NoModifier)
        focus = QApplication.focusWidget()
        assert focus is not None, "the keyboard was lost"
        if focus in seen:
            assert focus is seen[0], f"Tab is caught between {named(seen[seen.index(focus) :])}"
            return seen
        seen.append(focus)
    raise AssertionError("Tab does not come round")


@pytest.mark.parametrize("stage", STAGES)
def test_tab_reaches_every_control_and_comes_round(
    make_window: Make, qtbot: Any, sample: Path, tmp_path: Path, stage: str
) -> None:
    window = on_stage(stage, make_window, qtbot, sample, tmp_path)
    wanted = [one for one in window.findChildren(QWidget) if takes_tab(one)]
    assert len(wanted) > 8
    forward, back = reached(qtbot), reached(qtbot, back=True)
    assert named([one for one in wanted if one not in forward]) == []
    assert named(forward) == named(back)


@pytest.mark.slow
def test_tab_goes_through_a_page_in_the_preview_and_out_of_it(
    make_window: Make, qtbot: Any, sample: Path, tmp_path: Path
) -> None:
    window = on_stage("done", make_window, qtbot, sample, tmp_path, web=True)
    shown: list[bool] = []
    window.preview.drawn.connect(lambda: shown.append(True))
    page = '<!DOCTYPE html><a href="#a">one</a> <a href="#b">two</a> <input aria-label="three">'
    window.preview.show_code(page, "html", True)
    qtbot.waitUntil(lambda: bool(shown), timeout=60_000)
    window.preview.focus_pane()
    inside = QApplication.focusWidget()
    assert inside is not None
    outside = None
    for _ in range(12):
        target = QApplication.focusWidget()
        assert target is not None
        qtbot.keyClick(target, Qt.Key.Key_Tab)
        qtbot.wait(60)  # the page answers from its own process
        if QApplication.focusWidget() not in (inside, None):
            outside = QApplication.focusWidget()
            break
    assert outside is not None and outside is not inside


@pytest.mark.parametrize("choice", ["light", "dark"])
@pytest.mark.parametrize("stage", STAGES)
def test_what_has_the_focus_is_seen(
    make_window: Make, qtbot: Any, sample: Path, tmp_path: Path, theme: Theme, stage: str,
    choice: str, steady_cursor: None,
) -> None:  # fmt: skip
    theme.set_choice(choice)
    window = on_stage(stage, make_window, qtbot, sample, tmp_path)
    assert unseen(reached(qtbot), window) == []


def unseen(controls: list[QWidget], window: QWidget) -> list[str]:
    """Those that look the same whether they have the focus or not."""
    found = []
    for control in filter(window.isAncestorOf, controls):
        for around in window.findChildren(QScrollArea):
            if around.isAncestorOf(control):  # Tab would have scrolled there
                around.ensureWidgetVisible(control)
        control.setFocus(Qt.FocusReason.TabFocusReason)
        in_sight(control)
        with_focus = grabbed(control)
        window.setFocus()
        if with_focus == grabbed(control):
            found.append(control)
    return named(found)


def in_sight(control: QWidget) -> None:
    """Scroll to a control as Tab does; `setFocus` alone does not."""
    around = control.parentWidget()
    while around is not None:
        if isinstance(around, QScrollArea):
            around.ensureWidgetVisible(control)
        around = around.parentWidget()


def grabbed(control: QWidget) -> QImage:
    """The window where a control stands, with a little around it."""
    window = control.window()
    corner = control.mapTo(window, QPoint(0, 0))
    return window.grab(QRect(corner, control.size()).adjusted(-3, -3, 3, 3)).toImage()


@pytest.mark.parametrize("stage", STAGES)
def test_everything_has_a_name(
    make_window: Make, qtbot: Any, sample: Path, tmp_path: Path, stage: str
) -> None:
    assert nameless(on_stage(stage, make_window, qtbot, sample, tmp_path)) == []


@pytest.mark.parametrize("name", [*(page.name for page in PAGES), *OTHERS])
@pytest.mark.parametrize("choice", ["light", "dark"])
def test_the_windows_beside_the_main_one(
    make_window: Make, qtbot: Any, theme: Theme, tmp_path: Path, name: str, choice: str,
    monkeypatch: pytest.MonkeyPatch, steady_cursor: None,
) -> None:  # fmt: skip
    """Settings page by page, models, diagnostics, shortcuts: names, Tab, what has the focus."""
    monkeypatch.setenv("VISCODEX_MODELS", str(tmp_path / "models"))
    theme.set_choice(choice)
    main = make_window(ScriptedClient, request, history=tmp_path / "history")
    windows = Windows(main)
    window = opened(main, windows, name)
    qtbot.waitUntil(window.isActiveWindow)
    if isinstance(window, ModelsWindow):  # what fits the machine is found out beside
        qtbot.waitUntil(lambda: len(window.cards) >= 8, timeout=60_000)
    qtbot.wait(100)
    assert nameless(window) == []
    forward = reached(qtbot)
    wanted = [one for one in window.findChildren(QWidget) if takes_tab(one)]
    assert named([one for one in wanted if one not in forward]) == []
    assert unseen(forward, window) == []


def opened(main: MainWindow, windows: Windows, name: str) -> QWidget:
    """One of the windows, as its action opens it."""
    action = name if name in OTHERS else "settings"
    trigger(main, action)
    window = windows.window(action)
    if isinstance(window, SettingsWindow):
        window.open_page(name)
    if window is not None:
        return window
    (dialog,) = [one for one in main.findChildren(QDialog) if one.isVisible()]
    return dialog


def test_the_overlay_and_the_countdown_have_names(
    make_window: Make, qtbot: Any, sample: Path
) -> None:
    window = make_window(ScriptedClient, request)
    window.flow.start(3)
    assert window.flow.countdown is not None
    assert nameless(window.flow.countdown) == [] and window.flow.countdown.accessibleName()
    window.flow.start()  # the countdown is over at once
    qtbot.waitUntil(lambda: window.flow.snip is not None)
    assert window.flow.snip is not None
    (overlay,) = window.flow.snip.overlays
    assert nameless(overlay) == [] and overlay.accessibleName() and overlay.accessibleDescription()
    overlay.left.emit()


@pytest.mark.slow
def test_a_conversion_is_spoken_of(
    make_window: Make, qtbot: Any, sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the bundled model: each phase once and politely, no token by itself."""
    heard: list[tuple[str, QAccessible.AnnouncementPoliteness]] = []

    class Listening:
        AnnouncementPoliteness = QAccessible.AnnouncementPoliteness

        @staticmethod
        def updateAccessibility(event: Any) -> None:
            assert event.type() == QAccessible.Event.Announcement
            heard.append((event.message(), event.politeness()))
            QAccessible.updateAccessibility(event)

    monkeypatch.setattr(dress, "QAccessible", Listening)
    engine = Engine(Settings())
    window = make_window(engine.make_client, engine.make_request)
    load(window, qtbot, sample)
    window.controller.generate()
    wait_done(window, qtbot, 120)
    tokens = window.controller.session.result.tokens
    said = [words for words, _ in heard]
    phases = ["Loading the model", "Reading the picture", "Writing code", f"Done, {tokens} tokens"]
    assert [words for words in said if words in phases] == phases
    assert len(said) < 12, said
    polite = QAccessible.AnnouncementPoliteness.Polite
    assert all(how == polite for _, how in heard)
    assert state(window) is State.DONE
