"""Several pictures: one after the other, with what is told and what can be done meanwhile."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QMimeData, Qt, QUrl
from PySide6.QtGui import QGuiApplication, QImage

from app.session import State
from app.views.main_window import MainWindow
from tests.app.scripted import DIED, WAIT, ScriptedClient, answer
from tests.app.windows import Make, request, state, trigger


def waiting(code: str) -> list[Any]:
    """A conversion that goes on only when it is let go."""
    script = answer(f"<p>{code}</p>")
    return [*script[:5], WAIT, *script[5:]]


@pytest.fixture
def files(sample: Path, tmp_path: Path) -> list[Path]:
    """Four pictures with names of their own."""
    made = [tmp_path / f"{name}.png" for name in ("a", "b", "c", "d")]
    for path in made:
        shutil.copy(sample, path)
    return made


def give(window: MainWindow, *paths: Path) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    window.controller.offer_mime(mime, "Dropped picture")


def name(window: MainWindow) -> str:
    picture = window.controller.session.picture
    return "" if picture is None else picture.name


def let_go(window: MainWindow, client: ScriptedClient, qtbot: Any, nth: str) -> None:
    """Wait until a picture is being converted and let it end."""
    qtbot.waitUntil(lambda: name(window) == nth and state(window) is State.GENERATING)
    client.go.set()
    qtbot.waitUntil(lambda: name(window) != nth or not window.controller.session.busy)


def test_dropped_files_are_converted_one_after_the_other(
    make_window: Make, qtbot: Any, files: list[Path]
) -> None:
    client = ScriptedClient(*(waiting(path.stem) for path in files))
    window = make_window(lambda: client, request, auto_start=True)
    strip = window.features.queueing.strip
    give(window, *files)
    qtbot.waitUntil(lambda: state(window) is State.GENERATING)
    assert strip.isVisible()
    assert strip.count.text() == "Picture 1 of 4"
    assert "b.png" in strip.next_name.text()
    assert [one.text() for one in strip.menu.actions()] == ["b.png", "c.png", "d.png"]
    for path in files:
        let_go(window, client, qtbot, path.name)
    qtbot.waitUntil(lambda: state(window) is State.DONE)
    assert name(window) == "d.png"
    assert window.code.edit.code == "<p>d</p>"
    assert not strip.isVisible()
    assert [one[0].name for one in client.requests] == [path.name for path in files]


def test_waiting_ones_can_be_taken_out_and_cleared(
    make_window: Make, qtbot: Any, files: list[Path]
) -> None:
    client = ScriptedClient(waiting("a"), waiting("c"))
    window = make_window(lambda: client, request, auto_start=True)
    strip = window.features.queueing.strip
    give(window, *files)
    qtbot.waitUntil(lambda: state(window) is State.GENERATING)
    strip.menu.actions()[0].trigger()
    assert "c.png" in strip.next_name.text()
    assert strip.count.text() == "Picture 1 of 3"
    let_go(window, client, qtbot, "a.png")
    qtbot.waitUntil(lambda: name(window) == "c.png")
    qtbot.mouseClick(strip.clear, Qt.MouseButton.LeftButton)
    assert not strip.isVisible()
    let_go(window, client, qtbot, "c.png")
    qtbot.waitUntil(lambda: state(window) is State.DONE)
    assert len(client.requests) == 2


def test_pastes_during_a_conversion_wait(make_window: Make, qtbot: Any, files: list[Path]) -> None:
    client = ScriptedClient(waiting("a"), answer("<p>1</p>"), answer("<p>2</p>"))
    window = make_window(lambda: client, request, auto_start=True)
    give(window, files[0])
    qtbot.waitUntil(lambda: state(window) is State.GENERATING)
    for side in (30, 50):
        image = QImage(side, side, QImage.Format.Format_RGB32)
        image.fill(Qt.GlobalColor.red)
        QGuiApplication.clipboard().setImage(image)
        window.paste()
    assert window.features.queueing.strip.count.text() == "Picture 1 of 3"
    client.go.set()
    qtbot.waitUntil(lambda: len(client.requests) == 3 and state(window) is State.DONE)
    assert [one[0].width for one in client.requests[1:]] == [30, 50]


def test_next_stops_the_present_one(make_window: Make, qtbot: Any, files: list[Path]) -> None:
    client = ScriptedClient(waiting("a"), answer("<p>b</p>"))
    window = make_window(lambda: client, request, auto_start=True)
    give(window, *files[:2])
    qtbot.waitUntil(lambda: state(window) is State.GENERATING)
    trigger(window, "next_picture")
    qtbot.waitUntil(lambda: name(window) == "b.png" and state(window) is State.DONE)


def test_cancel_stops_the_queue_too(make_window: Make, qtbot: Any, files: list[Path]) -> None:
    client = ScriptedClient(waiting("a"), answer("<p>b</p>"))
    window = make_window(lambda: client, request, auto_start=True)
    give(window, *files[:2])
    qtbot.waitUntil(lambda: state(window) is State.GENERATING)
    trigger(window, "cancel")
    qtbot.waitUntil(lambda: state(window) is State.CANCELLED)
    qtbot.wait(100)
    assert name(window) == "a.png"
    assert window.features.queueing.strip.isVisible()
    trigger(window, "next_picture")
    qtbot.waitUntil(lambda: name(window) == "b.png" and state(window) is State.DONE)


def test_one_that_fails_does_not_hold_up_the_others(
    make_window: Make, qtbot: Any, files: list[Path]
) -> None:
    files[1].write_text("no picture")
    client = ScriptedClient([DIED], waiting("c"), answer("<p>d</p>"))
    window = make_window(lambda: client, request, auto_start=True)
    give(window, *files)
    let_go(window, client, qtbot, "c.png")
    qtbot.waitUntil(lambda: name(window) == "d.png" and state(window) is State.DONE)
    strip = window.features.queueing.strip
    assert strip.count.text() == "Picture 4 of 4 · 2 failed"
    assert strip.count.toolTip() == "Failed: a.png\nFailed: b.png"
    assert strip.isVisible()
    qtbot.mouseClick(strip.clear, Qt.MouseButton.LeftButton)
    assert not strip.isVisible()


def test_without_starting_by_itself_the_queue_waits_for_the_user(
    make_window: Make, qtbot: Any, files: list[Path]
) -> None:
    client = ScriptedClient(answer("<p>a</p>"))
    window = make_window(lambda: client, request)
    give(window, *files[:2])
    qtbot.waitUntil(lambda: name(window) == "a.png")
    assert state(window) is State.READY
    window.controller.generate()
    qtbot.waitUntil(lambda: state(window) is State.DONE)
    qtbot.wait(50)
    assert name(window) == "a.png"  # its result stays in sight
    trigger(window, "next_picture")
    qtbot.waitUntil(lambda: name(window) == "b.png")


def test_newest_of_single_pictures_wins_where_nothing_starts(
    make_window: Make, qtbot: Any, files: list[Path]
) -> None:
    window = make_window(ScriptedClient, request)
    for path in files:
        window.controller.offer_path(path)
    qtbot.waitUntil(lambda: name(window) == "d.png")
    assert not window.features.queueing.strip.isVisible()
