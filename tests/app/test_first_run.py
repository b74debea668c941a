"""The page of the first run: shown once, with what fits, the sample by one click, and the key."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication, QFileDialog, QWidget

from app.session import State
from app.store.settings import RemoteServer
from app.views.first_run import OFFERED, FirstRunPage
from app.views.main_window import MainWindow
from app.views.windows import Windows
from app.wiring import Engine
from engine.models.store import find_model
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


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What the dialog for files gives."""
    paths: list[Path] = []
    monkeypatch.setattr(
        QFileDialog, "getOpenFileNames", lambda *given: ([str(path) for path in paths], "")
    )
    return paths


def test_a_file_of_ones_own_is_taken_over_and_converts(
    main: MainWindow, qtbot: Any, tmp_path: Path, chosen: list[Path]
) -> None:
    windows = Windows(main)
    page = page_of(windows)
    assert page.ready.text().startswith("The bundled model is ready")
    folder = tmp_path / "mine"
    shutil.copytree(find_model().model.parent, folder)
    chosen[:] = sorted(folder.glob("*.gguf"), reverse=True)
    assert len(chosen) == 2
    page.own_file.click()
    qtbot.waitUntil(lambda: main.settings.model != "", timeout=60_000)
    name = main.settings.model
    assert page.ready.text() == f"{name} is ready: it converts from now on."
    qtbot.waitUntil(lambda: in_view(page, page.ready))
    assert find_model(name).model.read_bytes() == find_model().model.read_bytes()
    assert page.files.isHidden() and not main.banner.isVisible()
    assert main.pages.currentWidget() is page, "one can go on with the sample"
    # It is a model like any other: the engine loads it.
    client = Engine(main.settings).make_client()
    try:
        events = [event.event for event in client.warm_up()]
    finally:
        client.close()
    assert "ready" in events and "error" not in events


def in_view(page: FirstRunPage, widget: QWidget) -> bool:
    """Whether all of a widget is to be seen without scrolling."""
    port = page.viewport()
    return port.rect().contains(widget.rect().translated(widget.mapTo(port, QPoint(0, 0))))


def test_a_file_without_its_vision_file_asks_for_it(
    main: MainWindow, qtbot: Any, tmp_path: Path, chosen: list[Path], monkeypatch: Any
) -> None:
    page = page_of(Windows(main))
    files = find_model()
    alone = tmp_path / "alone" / "mine.gguf"
    alone.parent.mkdir()
    shutil.copy(files.model, alone)
    chosen[:] = [alone]
    page.own_file.click()
    qtbot.waitUntil(lambda: not page.files.isHidden(), timeout=10_000)
    assert "mine.gguf" in page.files.text and main.settings.model == ""
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *given: (str(files.mmproj), ""))
    page.files.controls[0].click()
    qtbot.waitUntil(lambda: main.settings.model == "mine", timeout=60_000)
    assert page.ready.text().startswith("mine is ready") and page.files.isHidden()


def test_a_bad_file_is_told_in_the_page_in_one_line(
    main: MainWindow, qtbot: Any, tmp_path: Path, chosen: list[Path]
) -> None:
    main.resize(720, 480)
    windows = Windows(main)
    page = page_of(windows)
    windows.shelf.refresh()
    qtbot.waitUntil(lambda: windows.shelf.survey is not None, timeout=60_000)
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(b"GGUF, but no more than that")
    chosen[:] = [bad, find_model().mmproj]
    page.own_file.click()
    qtbot.waitUntil(lambda: "bad" in page.cards and "dismiss" in page.cards["bad"].buttons)
    said = page.cards["bad"].status.text()
    qtbot.waitUntil(lambda: in_view(page, page.cards["bad"].status))
    assert "bad.gguf" in said and "\n" not in said
    assert main.settings.model == "" and page.ready.text().startswith("The bundled model")
    page.cards["bad"].buttons["dismiss"].click()
    assert "bad" not in page.cards
    chosen[:] = [find_model().mmproj]
    page.own_file.click()
    assert "not one model" in page.files.text and "\n" not in page.files.text
    page.files.controls[-1].click()
    assert page.files.isHidden() and page.files.controls == []


def test_what_converts_is_told_whoever_chose_it(main: MainWindow, qtbot: Any) -> None:
    page = page_of(Windows(main))
    main.keep(model="qwen3-vl-2b")
    assert page.ready.text() == "qwen3-vl-2b is ready: it converts from now on."
    main.keep(servers=(RemoteServer("Lab", "https://lab.example"),), server="Lab")
    assert page.ready.text().startswith("Lab is chosen")
    main.keep(model="", server="")
    assert page.ready.text().startswith("The bundled model is ready")


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
    chain = [*buttons, page.own_file, page.all_models]
    chain += [page.try_sample, page.change_key, page.go_on]
    start = seen.index(chain[0])
    assert seen[start : start + len(chain)] == chain
    lengthen(page)
    assert clipped(page) == []
