"""The settings window: every row shows and changes its setting, at once and kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QComboBox, QLabel, QPushButton, QSpinBox

from app.store.history import History, Query
from app.store.settings import CHOICES, RANGES, RemoteServer, Settings
from app.views.main_window import MainWindow
from app.views.settings_boxes import HistoryBox
from app.views.settings_controls import RowView
from app.views.settings_rows import ACTION_SWITCH, BUTTON, CHOICE, NUMBER, PAGES, SWITCH
from app.views.settings_window import SettingsWindow
from app.views.switch import Switch
from app.views.windows import Windows
from tests.app.histories import add
from tests.app.looks import clipped, lengthen, nameless
from tests.app.scripted import ScriptedClient
from tests.app.windows import Make, request

ROWS = [row for page in PAGES for row in page.rows]


@pytest.fixture
def main(make_window: Make) -> MainWindow:
    return make_window(ScriptedClient, request)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    opened = History.open(tmp_path / "history")
    yield opened
    opened.close()


def opened(main: MainWindow, history: History | None = None) -> SettingsWindow:
    windows = Windows(main, lambda: history)
    main.actions_by_name["settings"].trigger()
    window = windows.window("settings")
    assert isinstance(window, SettingsWindow)
    return window


def row_of(window: SettingsWindow, name: str) -> RowView:
    page = next(p.name for p in PAGES if any(name in (r.field, r.action) for r in p.rows))
    window.open_page(page)
    return next(view for view in window.rows if name in (view.row.field, view.row.action))


def test_the_table_fits_the_settings() -> None:
    known = {field.name: field for field in fields(Settings)}
    for row in ROWS:
        if row.kind in (SWITCH, CHOICE, NUMBER):
            assert row.field in known, row
        if row.kind == SWITCH:
            assert isinstance(getattr(Settings(), row.field), bool), row
        if row.kind == NUMBER:
            assert row.field in RANGES, row
        if row.kind == CHOICE and row.field in CHOICES:
            assert tuple(value for value, _ in row.choices) == CHOICES[row.field], row
        assert row.action or row.kind not in (ACTION_SWITCH, BUTTON)


@pytest.mark.parametrize("row", [row for row in ROWS if row.kind == SWITCH], ids=lambda r: r.field)
def test_each_switch_changes_its_setting_and_follows(
    main: MainWindow, qtbot: Any, row: Any
) -> None:
    window = opened(main)
    switch = row_of(window, row.field).control
    assert isinstance(switch, Switch)
    before = getattr(main.settings, row.field)
    assert switch.isChecked() == before
    switch.click()
    assert getattr(main.settings, row.field) is not before
    main.keep(**{row.field: before})
    assert switch.isChecked() == before
    assert getattr(main.settings, row.field) is before


def test_choices_count_at_once(main: MainWindow) -> None:
    window = opened(main)
    box = row_of(window, "theme").control
    assert isinstance(box, QComboBox)
    box.setCurrentIndex(box.findData("dark"))
    assert main.settings.theme == "dark" and main.theme.dark
    main.actions_by_name["theme_light"].trigger()
    assert box.currentData() == "light"
    box = row_of(window, "target").control
    assert isinstance(box, QComboBox)
    box.setCurrentIndex(box.findData("matplotlib"))
    assert main.controller.session.target == "matplotlib"
    assert main.bar.targets.choice == "matplotlib"


def test_numbers_say_what_nothing_means(main: MainWindow) -> None:
    window = opened(main)
    box = row_of(window, "best_of").control
    assert isinstance(box, QSpinBox)
    assert box.text() == "As the model has it"
    box.setValue(4)
    assert main.settings.best_of == 4
    box.setValue(99)
    assert main.settings.best_of == RANGES["best_of"][1]


def test_settings_of_the_window_itself_are_followed(main: MainWindow) -> None:
    window = opened(main)
    for name in ("auto_start", "scripts"):
        switch = row_of(window, name).control
        assert isinstance(switch, Switch)
        switch.click()
        assert main.actions_by_name[name].isChecked() == getattr(main.settings, name)
    assert main.controller.auto_start == main.settings.auto_start


def test_a_switch_that_is_refused_goes_back(main: MainWindow) -> None:
    action = main.actions_by_name["autostart"]

    def refuse(on: bool) -> None:
        action.blockSignals(True)
        action.setChecked(False)
        action.blockSignals(False)

    action.toggled.connect(refuse)
    switch = row_of(opened(main), "autostart").control
    assert isinstance(switch, Switch)
    switch.click()
    assert not switch.isChecked()


def test_buttons_do_what_their_actions_do(main: MainWindow) -> None:
    asked: list[bool] = []
    main.hotkey_wanted.connect(lambda: asked.append(True))
    view = row_of(opened(main), "hotkey")
    view.control.findChild(QPushButton).click()
    assert asked == [True]
    main.keep(hotkey="")
    assert [label.text() for label in view.control.findChildren(QLabel)] == ["None"]


def test_what_is_in_use_is_told(main: MainWindow) -> None:
    window = opened(main)
    window.open_page("Models")
    box = window.boxes["models"]
    assert "bundled" in box.words.text()  # type: ignore[attr-defined]
    main.keep(servers=(RemoteServer("Office", "https://x.example"),), server="Office")
    assert "“Office”" in box.words.text()  # type: ignore[attr-defined]
    assert main.status.offline.text() == "Server: Office"
    assert "Office" in main.start.privacy.text()


class TestHistory:
    def box(self, main: MainWindow, history: History | None) -> HistoryBox:
        window = opened(main, history)
        window.open_page("History")
        box = window.boxes["history"]
        assert isinstance(box, HistoryBox)
        return box

    def test_all_entries_go_and_come_back(
        self, main: MainWindow, history: History, qtbot: Any
    ) -> None:
        for title in ("one", "two", "three"):
            add(history, title)
        box = self.box(main, history)
        qtbot.waitUntil(lambda: box.words.text().startswith("3 entries, "))
        box.clear.click()
        qtbot.waitUntil(lambda: box.undo.isVisible() and "deleted" in box.words.text())
        assert history.page(Query()).total == 0
        assert not box.clear.isEnabled()
        box.undo.click()
        qtbot.waitUntil(lambda: box.words.text().startswith("3 entries, "))
        assert history.page(Query()).total == 3
        assert not box.undo.isVisible()

    def test_an_empty_one_says_so(self, main: MainWindow, history: History, qtbot: Any) -> None:
        box = self.box(main, history)
        qtbot.waitUntil(lambda: box.words.text().startswith("No entries yet"))
        assert not box.clear.isEnabled()

    def test_without_one(self, main: MainWindow) -> None:
        assert "not open" in self.box(main, None).words.text()

    def test_private_mode_is_told_not_crashed(
        self, main: MainWindow, history: History, qtbot: Any
    ) -> None:
        add(history, "one")
        box = self.box(main, history)
        qtbot.waitUntil(box.clear.isEnabled)
        history.set_private(True).result()
        box.clear.click()
        qtbot.waitUntil(lambda: "private mode" in box.words.text().lower())


def test_every_control_has_a_name(main: MainWindow, history: History) -> None:
    window = opened(main, history)
    for page in PAGES:
        window.open_page(page.name)
    assert len(window.boxes) == 3 and nameless(window) == []


@pytest.mark.parametrize("size", [(720, 560), (440, 360)])
def test_long_words_fit(main: MainWindow, history: History, size: tuple[int, int]) -> None:
    window = opened(main, history)
    window.resize(*size)
    for page in PAGES:
        window.open_page(page.name)
        QApplication.processEvents()
        lengthen(window.pages.currentWidget())
        assert clipped(window.pages.currentWidget()) == [], page.name


def test_keyboard(main: MainWindow, qtbot: Any) -> None:
    window = opened(main)
    window.activateWindow()
    qtbot.waitUntil(window.names.hasFocus)
    qtbot.keyClick(window.names, Qt.Key.Key_Down)
    assert window.pages.currentIndex() == 1
    qtbot.keyClick(window.names, Qt.Key.Key_Tab)
    focus = window.focusWidget()
    assert focus is not None and window.pages.currentWidget().isAncestorOf(focus)
    qtbot.keyClick(focus, Qt.Key.Key_Escape)
    assert not window.isVisible() and main.isVisible()
    main.actions_by_name["settings"].trigger()
    assert window.isVisible(), "the same window comes again"
