"""The source pane in the window: crop, parts, text to copy."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from PIL import Image
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QGuiApplication

from app.session import State
from app.views.main_window import MainWindow
from engine import protocol
from engine.hints import TextLine
from tests.app.scripted import DIED, PAGE, WAIT, ScriptedClient, answer
from tests.app.windows import Make, convert, load, request, state, trigger, wait_done

LINES = [
    TextLine("Welcome back", (80.0, 70.0, 250.0, 100.0), 0.9, (0, 0, 0), (255, 255, 255)),
    TextLine("Sign in", (240.0, 290.0, 300.0, 310.0), 0.9, (255, 255, 255), (0, 120, 100)),
]


def read(code: str = PAGE, lines: list[TextLine] = LINES) -> list[Any]:
    """A conversion in which the text is read first."""
    return [protocol.TextRead(lines), *answer(code)]


def size_asked(client: ScriptedClient, number: int) -> tuple[int, int]:
    png = client.requests[number][0].png
    with Image.open(io.BytesIO(png)) as image:
        assert (image.width, image.height) == (
            client.requests[number][0].width, client.requests[number][0].height,
        )  # fmt: skip
        return image.size


def opened(make_window: Make, qtbot: Any, sample: Path, *scripts: Any) -> Any:
    client = ScriptedClient(*scripts)
    window = make_window(lambda: client, request)
    load(window, qtbot, sample)
    return window, client


def test_text_is_there_before_the_code(make_window: Make, qtbot: Any, sample: Path) -> None:
    script = [protocol.TextRead(LINES), WAIT, *answer()]
    window, client = opened(make_window, qtbot, sample, script)
    window.controller.generate()
    qtbot.waitUntil(lambda: len(window.source.view.lines) == 2)
    assert not window.code.edit.code
    trigger(window, "copy_text")
    assert QGuiApplication.clipboard().text() == "Welcome back\nSign in"
    client.go.set()
    wait_done(window, qtbot)


def test_click_on_a_line_copies_it(make_window: Make, qtbot: Any, sample: Path) -> None:
    window, _ = opened(make_window, qtbot, sample, read())
    convert(window, qtbot)
    view = window.source.view
    point = (view.zoom.rect().topLeft() + QPointF(270, 300) * view.zoom.scale).toPoint()
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=point)
    assert QGuiApplication.clipboard().text() == "Sign in"
    assert window.source.note.text() == "Copied"
    assert window.source.note.isVisible()
    qtbot.waitUntil(lambda: not window.source.note.isVisible(), timeout=4000)
    trigger(window, "text_boxes")
    QGuiApplication.clipboard().clear()
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=point)
    assert QGuiApplication.clipboard().text() == ""


def test_text_can_be_copied_without_a_conversion(
    make_window: Make, qtbot: Any, sample: Path
) -> None:
    script = [protocol.TextRead(LINES), protocol.Done("read", {})]
    window, client = opened(make_window, qtbot, sample, script)
    QGuiApplication.clipboard().clear()
    trigger(window, "copy_text")
    qtbot.waitUntil(lambda: "Sign in" in QGuiApplication.clipboard().text())
    assert client.requests[0][1] == "text"
    assert state(window) is State.READY
    assert len(window.source.view.lines) == 2
    trigger(window, "copy_text")  # known now
    assert len(client.requests) == 1


def test_picture_without_text_says_so(make_window: Make, qtbot: Any, sample: Path) -> None:
    script = [protocol.TextRead([]), protocol.Done("read", {})]
    window, _ = opened(make_window, qtbot, sample, script)
    QGuiApplication.clipboard().setText("mine")
    trigger(window, "copy_text")
    qtbot.waitUntil(lambda: window.source.note.text() == "No text was found")
    assert QGuiApplication.clipboard().text() == "mine"


def test_reader_that_fails_is_told(make_window: Make, qtbot: Any, sample: Path) -> None:
    window, _ = opened(make_window, qtbot, sample, [DIED])
    trigger(window, "copy_text")
    qtbot.waitUntil(window.banner.isVisible)
    assert state(window) is State.READY


def test_crop_is_a_new_picture_and_can_be_undone(
    make_window: Make, qtbot: Any, sample: Path
) -> None:
    scripts = (read("<p>whole</p>"), read("<p>part</p>", LINES[:1]))
    window, client = opened(make_window, qtbot, sample, *scripts)
    convert(window, qtbot)
    whole = window.controller.session.picture
    assert not window.actions_by_name["crop"].isEnabled()
    window.source.view.set_region((40, 60, 260, 220))
    trigger(window, "crop")
    qtbot.waitUntil(lambda: window.controller.session.picture is not whole)
    wait_done(window, qtbot)
    assert size_asked(client, 1) == (220, 160)
    assert window.code.edit.code == "<p>part</p>"
    assert window.source.undo.isVisible()
    assert "220" in window.source.size_chip.text()
    assert window.source.view.region is None
    trigger(window, "undo_crop")
    assert window.controller.session.picture is whole
    assert window.code.edit.code == "<p>whole</p>"
    assert [line.text for line in window.source.view.lines] == ["Welcome back", "Sign in"]
    assert not window.source.undo.isVisible()
    assert len(client.requests) == 2


def test_crop_can_be_undone_while_it_is_converted(
    make_window: Make, qtbot: Any, sample: Path
) -> None:
    script = [*answer()[:5], WAIT, *answer()[5:]]
    window, _ = opened(make_window, qtbot, sample, script)
    whole = window.controller.session.picture
    window.source.view.set_region((0, 0, 100, 100))
    trigger(window, "crop")
    qtbot.waitUntil(lambda: state(window) is State.GENERATING)
    trigger(window, "undo_crop")
    qtbot.waitUntil(lambda: window.controller.session.picture is whole)
    assert state(window) is State.READY


def test_another_picture_ends_the_undo(
    make_window: Make, qtbot: Any, sample: Path, samples: Path
) -> None:
    window, _ = opened(make_window, qtbot, sample, answer())
    window.source.view.set_region((0, 0, 100, 100))
    trigger(window, "crop")
    qtbot.waitUntil(lambda: state(window) is State.DONE)
    load(window, qtbot, samples / "chart.png")
    assert not window.actions_by_name["undo_crop"].isEnabled()


def test_only_a_part_is_converted_and_the_picture_stays(
    make_window: Make, qtbot: Any, sample: Path
) -> None:
    inside = [TextLine("Sign in", (5.0, 6.0, 50.0, 20.0), 0.9, (0, 0, 0), (255, 255, 255))]
    window, client = opened(make_window, qtbot, sample, read("<p>part</p>", inside))
    picture = window.controller.session.picture
    window.source.view.set_region((40, 60, 260, 220))
    trigger(window, "convert_part")
    qtbot.waitUntil(lambda: state(window) is State.DONE)
    assert size_asked(client, 0) == (220, 160)
    assert window.controller.session.picture is picture
    assert window.source.view.lines[0].box == (45.0, 66.0, 90.0, 80.0)  # where it really lies
    version = window.controller.session.versions.current
    assert version is not None
    assert version.instruction == "Only the part at 40, 60 (220 × 160)"


def press(window: MainWindow, qtbot: Any, key: Any) -> None:
    qtbot.keyClick(window.focusWidget(), key)


def test_escape_takes_the_mark_away_before_it_cancels(
    make_window: Make, qtbot: Any, sample: Path
) -> None:
    script = [*answer()[:5], WAIT, *answer()[5:]]
    window, _ = opened(make_window, qtbot, sample, script)
    window.controller.generate()
    qtbot.waitUntil(lambda: state(window) is State.GENERATING)
    window.source.focus_pane()
    press(window, qtbot, Qt.Key.Key_M)
    assert window.source.view.region is not None
    press(window, qtbot, Qt.Key.Key_Escape)
    assert window.source.view.region is None
    assert state(window) is State.GENERATING
    press(window, qtbot, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: state(window) is State.CANCELLED)


def test_lines_that_the_comparison_misses_are_marked(
    make_window: Make, qtbot: Any, sample: Path
) -> None:
    window, _ = opened(make_window, qtbot, sample, read())
    convert(window, qtbot)
    window.preview.compare.lines_wanted.emit([LINES[1]])
    assert window.source.view.missing == [LINES[1]]
    window.preview.compare.lines_wanted.emit([])
    assert window.source.view.missing == []
