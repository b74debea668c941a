"""The history in the window: written by itself, looked through, opened again."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QElapsedTimer, Qt

from app.session import State
from app.store.history import History, NewConversion, NewVersion, Query
from app.views.main_window import MainWindow
from app.views.rows import Role
from engine import protocol
from engine.hints import TextLine
from tests.app.histories import add, png, titles
from tests.app.scripted import WAIT, ScriptedClient, answer, several
from tests.app.windows import Make, convert, load, request, state, trigger, wait_done

Key = Qt.Key
LINE = TextLine("Welcome back", (80.0, 70.0, 250.0, 100.0), 0.9, (0, 0, 0), (255, 255, 255))
FOUR = (("<p>worst</p>", 0.3), ("<p>best</p>", 0.9), ("<p>good</p>", 0.7))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "history"


@pytest.fixture
def filled(folder: Path) -> Path:
    """A history with three entries, the chart pinned."""
    history = History.open(folder)
    add(history, "login", "<p>Sign in</p>", words="Welcome back")
    chart = add(history, "sales", "plt.bar()", kind="matplotlib")
    add(history, "prices", "<table></table>")
    history.pin(chart).result()
    history.close()
    return folder


@pytest.fixture
def open_window(make_window: Make, qtbot: Any, folder: Path) -> Callable[..., MainWindow]:
    """Opens a window with a history."""

    def open_it(*scripts: Any, **changes: Any) -> MainWindow:
        client = ScriptedClient(*scripts)
        window = make_window(lambda: client, request, history=folder, **changes)
        archive = window.parts.archive
        assert archive is not None
        qtbot.waitUntil(lambda: archive.open_)
        return window

    return open_it


def kept(folder: Path) -> list[dict[str, Any]]:
    """What is on the disk, through SQLite itself."""
    db = sqlite3.connect(folder / "history.sqlite3")
    db.row_factory = sqlite3.Row
    rows = db.execute("SELECT * FROM versions ORDER BY id").fetchall()
    db.close()
    return [dict(row) for row in rows]


def shown(window: MainWindow) -> list[str]:
    model = window.features.archiving.panel.model
    return [str(model.index(n).data()) for n in range(model.rowCount())]


def show_history(window: MainWindow, qtbot: Any, count: int) -> Any:
    trigger(window, "history")
    panel = window.features.archiving.panel
    qtbot.waitUntil(lambda: panel.model.rowCount() == count)
    return panel


# Writing --------------------------------------------------------------------


def test_conversion_change_edit_and_pick_are_kept(
    open_window: Any, qtbot: Any, sample: Path, folder: Path
) -> None:
    first = [protocol.TextRead([LINE]), *several(*FOUR, best="<p>best</p>")]
    window = open_window(first, answer("<p>bluer</p>"))
    load(window, qtbot, sample)
    convert(window, qtbot)
    window.features.refining.bar.wanted.emit("Bluer")
    wait_done(window, qtbot)
    window.code.edit.setFocus()
    qtbot.keyClicks(window.code.edit, "x")
    trigger(window, "version_back")  # to the change: the edit is complete now
    trigger(window, "version_back")
    window.features.refining.strip.step(1)
    window.close()
    rows = kept(folder)
    codes = [row["code"] for row in rows]
    assert codes[:4] == ["<p>best</p>", "<p>worst</p>", "<p>good</p>", "<p>bluer</p>"]
    assert "x" in codes[4]
    assert [row["parent"] for row in rows] == [None, None, None, rows[0]["id"], rows[3]["id"]]
    assert [row["candidate"] for row in rows[:3]] == [1, 0, 2]
    assert [row["similarity"] for row in rows[:3]] == [0.9, 0.3, 0.7]
    assert rows[3]["instruction"] == "Bluer"
    history = History.open(folder)
    (entry,) = history.page(Query(text="welcome")).entries
    assert entry.head == rows[2]["id"]
    assert (entry.title, entry.kind, entry.model) == ("login.png", "html", "scripted")
    assert entry.figures["tokens"] == 9
    assert history.picture(entry.picture).read_bytes() == window.controller.session.picture.png
    history.close()


def test_typing_that_was_not_settled_is_kept_at_the_end(
    open_window: Any, qtbot: Any, sample: Path, folder: Path
) -> None:
    window = open_window(answer("<p>a</p>"))
    load(window, qtbot, sample)
    convert(window, qtbot)
    window.code.edit.setFocus()
    qtbot.keyClicks(window.code.edit, "typed")
    window.close()
    assert "typed" in kept(folder)[-1]["code"]


def test_failed_and_cancelled_conversions_leave_nothing(
    open_window: Any, qtbot: Any, sample: Path, folder: Path
) -> None:
    window = open_window([protocol.Encoding(1.0)], [*answer()[:6], WAIT])
    load(window, qtbot, sample)
    window.controller.generate()
    qtbot.waitUntil(lambda: state(window) is State.FAILED)
    window.controller.generate()
    qtbot.waitUntil(lambda: state(window) is State.GENERATING)
    trigger(window, "cancel")
    qtbot.waitUntil(lambda: state(window) is State.CANCELLED)
    window.close()
    assert kept(folder) == []


def test_history_that_cannot_be_opened_is_told_once_and_does_no_harm(
    open_window: Any, make_window: Make, qtbot: Any, sample: Path, folder: Path
) -> None:
    folder.write_text("a file where the folder should be")
    client = ScriptedClient(answer("<p>a</p>"))
    window = make_window(lambda: client, request, history=folder)
    qtbot.waitUntil(window.banner.isVisible)
    assert "history" in window.banner.title.lower()
    load(window, qtbot, sample)
    convert(window, qtbot)
    assert window.code.edit.code == "<p>a</p>"


# Private mode ---------------------------------------------------------------


def test_private_mode_writes_nothing_and_what_comes_of_it_neither(
    open_window: Any, qtbot: Any, sample: Path, samples: Path, folder: Path
) -> None:
    scripts = [answer(f"<p>{n}</p>") for n in range(3)]
    window = open_window(*scripts, private=True)
    chip = window.features.archiving.chip
    assert chip.isChecked()
    assert chip.isVisible()
    assert chip.toolButtonStyle() is Qt.ToolButtonStyle.ToolButtonTextBesideIcon
    load(window, qtbot, sample)
    convert(window, qtbot)
    qtbot.mouseClick(chip, Qt.MouseButton.LeftButton)
    assert not window.settings.private
    window.features.refining.bar.wanted.emit("Bluer")
    wait_done(window, qtbot)
    load(window, qtbot, samples / "chart.png")
    convert(window, qtbot)
    window.close()
    assert [row["code"] for row in kept(folder)] == ["<p>2</p>"]


def test_private_mode_shows_but_does_not_change(open_window: Any, qtbot: Any, filled: Path) -> None:
    window = open_window()
    panel = show_history(window, qtbot, 3)
    trigger(window, "private")
    assert panel.private_note.isVisible()
    panel.list.setCurrentIndex(panel.model.index(0))
    qtbot.keyClick(panel.list, Key.Key_Delete)
    menu = panel.make_menu(panel.model.index(0))
    assert [action.isEnabled() for action in menu.actions()] == [True, False, False]
    qtbot.wait(100)
    assert shown(window) == ["prices", "sales", "login"]


def test_history_that_is_switched_off_is_not_written(
    open_window: Any, qtbot: Any, sample: Path, folder: Path
) -> None:
    window = open_window(answer(), history_on=False)
    load(window, qtbot, sample)
    convert(window, qtbot)
    trigger(window, "private")
    trigger(window, "private")  # leaving private mode does not switch it on
    window.close()
    assert not folder.exists()


def test_settings_and_the_chip_say_the_same(open_window: Any, qtbot: Any, filled: Path) -> None:
    window = open_window()
    chip, archive = window.features.archiving.chip, window.parts.archive
    window.keep(private=True)
    assert chip.isChecked()
    assert archive.private
    window.keep(private=False, history=False)
    assert not chip.isChecked()
    assert archive.private
    window.keep(history=True, history_count=1)
    panel = show_history(window, qtbot, 2)  # the pinned one does not count
    assert shown(window) == ["prices", "sales"]
    assert panel.isVisible()


# Looking --------------------------------------------------------------------


def test_search_kind_and_pinned(open_window: Any, qtbot: Any, filled: Path) -> None:
    window = open_window()
    panel = show_history(window, qtbot, 3)
    assert panel.search.hasFocus()
    assert shown(window) == ["prices", "sales", "login"]
    qtbot.keyClicks(panel.search, "welcome")
    qtbot.waitUntil(lambda: shown(window) == ["login"])
    panel.search.setText("nothing like that")
    qtbot.waitUntil(lambda: panel.model.rowCount() == 0)
    assert "Nothing was found" in panel.pages.currentWidget().text()
    panel.search.clear()
    qtbot.waitUntil(lambda: panel.model.rowCount() == 3)
    panel.kinds.findChildren(type(panel.undo))[2].click()
    qtbot.waitUntil(lambda: shown(window) == ["sales"])
    panel.kinds.findChildren(type(panel.undo))[0].click()
    qtbot.waitUntil(lambda: panel.model.rowCount() == 3)
    panel.pinned.click()
    qtbot.waitUntil(lambda: shown(window) == ["sales"])
    assert panel.model.index(0).data(Role.MARK) == "pinned"
    qtbot.waitUntil(lambda: not panel.model.index(0).data(Role.IMAGE).isNull())


def test_pin_delete_and_undo_by_keyboard(open_window: Any, qtbot: Any, filled: Path) -> None:
    window = open_window()
    panel = show_history(window, qtbot, 3)
    qtbot.keyClick(panel.search, Key.Key_Return)
    assert panel.list.hasFocus()
    qtbot.keyClick(panel.list, Key.Key_P)
    qtbot.waitUntil(lambda: panel.model.index(0).data(Role.MARK) == "pinned")
    qtbot.keyClick(panel.list, Key.Key_Delete)
    qtbot.waitUntil(lambda: shown(window) == ["sales", "login"])
    assert panel.list.currentIndex().data() == "sales"  # the neighbour, not the first by chance
    assert panel.undo_bar.isVisible()
    qtbot.mouseClick(panel.undo, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: shown(window) == ["prices", "sales", "login"])
    assert not panel.undo_bar.isVisible()
    window.close()
    history = History.open(filled)
    assert sorted(titles(history)) == ["login", "prices", "sales"]
    assert titles(history, pinned=True) == ["prices", "sales"]
    history.close()


def test_ten_thousand_entries_are_read_as_they_come_into_sight(
    open_window: Any, qtbot: Any, folder: Path
) -> None:
    History.open(folder).close()
    db = sqlite3.connect(folder / "history.sqlite3")
    db.executemany(
        "INSERT INTO conversions (time, kind, title, picture, model, figures, words) "
        "VALUES (?, 'html', ?, ?, '', '{}', '')",
        [(number, f"entry {number}", "0" * 64) for number in range(10_000)],
    )
    db.commit()
    db.close()
    window = open_window(history_count=0)
    panel = show_history(window, qtbot, 10_000)
    model = panel.model
    assert model.index(0).data() == "entry 9999"
    asked: list[int] = []
    fetch = model._fetch
    model._fetch = lambda page: (asked.append(page), fetch(page))  # type: ignore[func-returns-value]
    panel.list.scrollTo(model.index(5000), panel.list.ScrollHint.PositionAtTop)
    qtbot.waitUntil(lambda: model.entry(5000) is not None)
    assert model.index(5000).data() == "entry 4999"
    assert model.entry(7000) is None
    assert set(asked) <= {82, 83, 84}
    timer = QElapsedTimer()
    timer.start()
    panel.search.setText("entry 77")
    waited = timer.elapsed()
    qtbot.waitUntil(lambda: model.rowCount() not in (0, 10_000))
    print(f"{waited} ms on the GUI thread to ask")
    assert all("77" in title for title in shown(window)[:20])


# Opening again --------------------------------------------------------------


def test_an_entry_comes_back_with_all_it_had(
    open_window: Any, qtbot: Any, sample: Path, folder: Path
) -> None:
    first = [protocol.TextRead([LINE]), *several(*FOUR, best="<p>best</p>")]
    window = open_window(first, answer("<p>bluer</p>"))
    load(window, qtbot, sample)
    convert(window, qtbot)
    window.features.refining.bar.wanted.emit("Bluer")
    wait_done(window, qtbot)
    before = window.controller.session.picture
    window.close()

    window = open_window(answer("<p>redder</p>"))
    recent = window.start.recent
    qtbot.waitUntil(lambda: len(recent.buttons) == 1)
    assert recent.isVisible()
    assert [entry.title for entry in window.parts.archive.recent(3)] == ["login.png"]
    qtbot.mouseClick(recent.buttons[0], Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: state(window) is State.DONE)
    assert window.controller.session.picture == before
    qtbot.waitUntil(lambda: not window.source.view.image.isNull())
    assert window.code.edit.code == "<p>bluer</p>"
    assert window.controller.session.words == "Welcome back"
    trigger(window, "version_back")
    assert window.code.edit.code == "<p>best</p>"
    assert [card.text() for card in window.features.refining.strip.cards] == [
        "90 %", "70 %", "30 %",
    ]  # fmt: skip
    window.controller.session.takes_instructions = True
    window.features.refining.bar.wanted.emit("Redder")
    wait_done(window, qtbot)
    window.close()
    rows = kept(folder)
    assert rows[-1]["code"] == "<p>redder</p>"
    assert rows[-1]["parent"] == rows[0]["id"]
    assert len({row["conversion"] for row in rows}) == 1


def test_double_click_opens_and_keys_too(open_window: Any, qtbot: Any, filled: Path) -> None:
    window = open_window()
    panel = show_history(window, qtbot, 3)
    place = panel.list.visualRect(panel.model.index(1)).center()
    viewport = panel.list.viewport()
    qtbot.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=place)
    assert state(window) is State.EMPTY
    qtbot.mouseDClick(viewport, Qt.MouseButton.LeftButton, pos=place)
    qtbot.waitUntil(lambda: window.code.edit.code == "plt.bar()")
    assert window.code.target.text() == "Chart"
    panel.list.setFocus()
    panel.list.setCurrentIndex(panel.model.index(2))
    qtbot.keyClick(panel.list, Key.Key_Return)
    qtbot.waitUntil(lambda: window.code.edit.code == "<p>Sign in</p>")


def test_opening_during_a_conversion_asks_first(
    open_window: Any, qtbot: Any, sample: Path, filled: Path
) -> None:
    window = open_window([*answer()[:6], WAIT])
    load(window, qtbot, sample)
    window.controller.generate()
    qtbot.waitUntil(lambda: state(window) is State.GENERATING)
    panel = show_history(window, qtbot, 3)
    panel.list.chosen.emit(panel.model.index(0))
    assert state(window) is State.GENERATING
    stop = next(b for b in window.banner.findChildren(type(panel.undo)) if "Stop" in b.text())
    qtbot.mouseClick(stop, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.code.edit.code == "<table></table>")


def test_entry_whose_picture_is_gone_is_told(open_window: Any, qtbot: Any, filled: Path) -> None:
    for path in (filled / "pictures").glob("*/*"):
        path.unlink()
    window = open_window()
    panel = show_history(window, qtbot, 3)
    panel.opened.emit(1)
    qtbot.waitUntil(window.banner.isVisible)
    assert "gone" in window.banner.detail
    assert state(window) is State.EMPTY


def test_what_is_too_old_goes_at_the_start(open_window: Any, qtbot: Any, folder: Path) -> None:
    history = History.open(folder, clock=lambda: 1000.0)  # long ago
    add(history, "old")
    history.pin(add(history, "old but pinned")).result()
    history.close()
    window = open_window(history_days=30)
    show_history(window, qtbot, 1)
    assert shown(window) == ["old but pinned"]


def test_narrow_window_shows_the_panel_instead(
    open_window: Any, qtbot: Any, sample: Path, filled: Path
) -> None:
    window = open_window()
    load(window, qtbot, sample)
    window.resize(640, 520)
    panel = show_history(window, qtbot, 3)
    assert not window.outer.isVisible()
    panel.opened.emit(1)
    qtbot.waitUntil(window.outer.isVisible)
    assert not panel.isVisible()
    assert not window.actions_by_name["history"].isChecked()
    window.resize(1200, 760)
    trigger(window, "history")
    assert panel.isVisible()
    assert window.outer.isVisible()


def test_pictures_of_one_content_do_not_mix_up(open_window: Any, qtbot: Any, folder: Path) -> None:
    history = History.open(folder)
    for title in ("one", "two"):
        new = NewConversion(png("same"), "html", title)
        history.add(new, [NewVersion(f"<p>{title}</p>")]).result()
    history.close()
    window = open_window()
    panel = show_history(window, qtbot, 2)
    panel.opened.emit(2)
    qtbot.waitUntil(lambda: window.code.edit.code == "<p>two</p>")
