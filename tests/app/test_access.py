"""Everybody's use of every window: reached by Tab, seen to have the focus, named, spoken of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QAccessible, QImage
from PySide6.QtWidgets import QApplication, QWidget

from app.session import State
from app.store.settings import Settings
from app.theme import Theme
from app.views import dress
from app.wiring import Engine
from tests.app.looks import nameless, takes_tab
from tests.app.stages import STAGES, on_stage
from tests.app.windows import Make, load, wait_done

ROUND = 150
"""No window has as many controls."""
Tabbed = Callable[[QWidget, bool], list[QWidget]]


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
    choice: str, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    theme.set_choice(choice)
    monkeypatch.setattr(QApplication, "cursorFlashTime", lambda: 0, raising=False)
    window = on_stage(stage, make_window, qtbot, sample, tmp_path)
    unseen = []
    for control in reached(qtbot):
        if not window.isAncestorOf(control):
            continue
        control.setFocus(Qt.FocusReason.TabFocusReason)
        with_focus = grabbed(control)
        window.setFocus()
        if with_focus == grabbed(control):
            unseen.append(control)
    assert named(unseen) == []


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
    assert state_of(window) is State.DONE


def state_of(window: Any) -> State:
    found: State = window.controller.session.state
    return found
