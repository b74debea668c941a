"""The page of the first run: shown once, with what fits, the sample by one click, and the key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from app.session import State
from app.views.first_run import OFFERED, FirstRunPage
from app.views.main_window import MainWindow
from app.views.windows import Windows
from tests.app.looks import clipped, lengthen, nameless
from tests.app.scripted import ScriptedClient, answer
from tests.app.windows import Make, load, request, state


@pytest.fixture
def main(make_window: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MainWindow:
    monkeypatch.setenv("VISCODEX_MODELS", str(tmp_path / "models"))
    return make_window(lambda: ScriptedClient(answer()), request, first_run_done=False)


def page_of(windows: Windows) -> FirstRunPage:
    assert windows.first_run is not None
    return windows.first_run


def test_one_click_converts_the_sample_whatever_the_settings_say(
    main: MainWindow, qtbot: Any
) -> None:
    windows = Windows(main)
    assert main.pages.currentWidget() is page_of(windows)
    assert not main.settings.auto_start
    page_of(windows).try_sample.click()
    qtbot.waitUntil(lambda: state(main) is State.DONE)
    assert main.code.edit.code.strip()
    assert main.settings.first_run_done and windows.first_run is None
    assert main.pages.currentWidget() is main.outer


def test_it_is_shown_once(main: MainWindow, make_window: Make) -> None:
    windows = Windows(main)
    page_of(windows).go_on.click()
    assert main.settings.first_run_done
    assert main.pages.currentWidget() is main.start
    again = make_window(ScriptedClient, request)
    assert Windows(again).first_run is None
    assert again.pages.currentWidget() is again.start


def test_a_picture_ends_it_without_a_conversion(main: MainWindow, qtbot: Any, sample: Path) -> None:
    windows = Windows(main)
    load(main, qtbot, sample)
    assert windows.first_run is None and main.settings.first_run_done
    assert state(main) is State.READY
    assert main.pages.currentWidget() is main.outer


def test_what_fits_is_offered(main: MainWindow, qtbot: Any) -> None:
    windows = Windows(main)
    page = page_of(windows)
    assert "Looking" in page.looking.text()
    windows.shelf.refresh()
    qtbot.waitUntil(lambda: windows.shelf.survey is not None, timeout=60_000)
    survey = windows.shelf.survey
    assert survey is not None
    assert list(page.cards) == [one.name for one in survey.recommended(OFFERED)]
    assert page.cards or "No larger model fits" in page.looking.text()
    page.all_models.click()
    manager = windows.window("models")
    assert manager is not None and manager.isVisible()


def test_the_key_is_told_and_can_be_changed(main: MainWindow) -> None:
    page = page_of(Windows(main))
    assert main.settings.hotkey in page.key.text()
    asked: list[bool] = []
    main.hotkey_wanted.connect(lambda: asked.append(True))
    page.change_key.click()
    assert asked == [True]
    main.keep(hotkey="")
    assert page.key.text() == "No key is set yet."


@pytest.mark.parametrize("size", [(1200, 760), (520, 420)])
def test_names_long_words_and_tab(main: MainWindow, qtbot: Any, size: tuple[int, int]) -> None:
    windows = Windows(main)
    page = page_of(windows)
    windows.shelf.refresh()
    qtbot.waitUntil(lambda: windows.shelf.survey is not None, timeout=60_000)
    assert nameless(page) == []
    main.resize(*size)
    main.activateWindow()
    qtbot.waitUntil(lambda: all(card.isVisible() for card in page.cards.values()))
    main.bar.menu.setFocus()
    seen = []
    for _ in range(20):
        focus = QApplication.focusWidget()
        assert focus is not None
        seen.append(focus)
        qtbot.keyClick(focus, Qt.Key.Key_Tab)
    buttons = [one for card in page.cards.values() for one in card.buttons.values()]
    chain = [*buttons, page.all_models, page.try_sample, page.change_key, page.go_on]
    start = seen.index(chain[0])
    assert seen[start : start + len(chain)] == chain
    lengthen(page)
    assert clipped(page) == []
