"""The main window with a scripted engine: ways in, states, errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication, QImage
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
)

from app.main import take_wish
from app.session import State
from app.views import dialogs
from app.views.main_window import MainWindow
from engine import protocol
from engine.errors import ErrorCode, VisCodexError
from tests.app.scripted import DIED, PAGE, WAIT, ScriptedClient, answer
from tests.app.windows import Make, load, request, state


def drop(window: MainWindow, mime: QMimeData) -> None:
    where = QPoint(100, 100)
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPointF(where), Qt.DropAction.CopyAction, mime, buttons, keys)
    QApplication.sendEvent(window, enter)
    assert enter.isAccepted()
    event = QDropEvent(QPointF(where), Qt.DropAction.CopyAction, mime, buttons, keys)
    QApplication.sendEvent(window, event)


# Ways in --------------------------------------------------------------------


def test_start_page_is_left_with_the_first_picture(
    make_window: Make, qtbot: Any, sample: Path
) -> None:
    window = make_window(ScriptedClient, request)
    assert window.pages.currentWidget() is window.start
    assert state(window) is State.EMPTY
    load(window, qtbot, sample)
    assert window.pages.currentWidget() is window.outer
    picture = window.controller.session.picture
    assert picture is not None
    assert window.source.view.image.width() == picture.width
    assert window.actions_by_name["generate"].isEnabled()


def test_drop_of_a_file(make_window: Make, qtbot: Any, sample: Path) -> None:
    window = make_window(ScriptedClient, request)
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(sample))])
    drop(window, mime)
    qtbot.waitUntil(lambda: state(window) is State.READY)
    picture = window.controller.session.picture
    assert picture is not None
    assert picture.name == sample.name


def test_drop_of_pixels_with_alpha_is_laid_on_white(make_window: Make, qtbot: Any) -> None:
    window = make_window(ScriptedClient, request)
    image = QImage(64, 48, QImage.Format.Format_ARGB32)
    image.fill(Qt.GlobalColor.transparent)
    mime = QMimeData()
    mime.setImageData(image)
    drop(window, mime)
    qtbot.waitUntil(lambda: not window.source.view.image.isNull())
    assert window.source.view.image.pixelColor(5, 5).name() == "#ffffff"


@pytest.mark.parametrize("kind", ["text", "html"])
def test_paste_of_a_data_url(make_window: Make, qtbot: Any, sample: Path, kind: str) -> None:
    import base64

    url = "data:image/png;base64," + base64.b64encode(sample.read_bytes()).decode()
    mime = QMimeData()
    mime.setText(url) if kind == "text" else mime.setHtml(f'<img alt="x" src="{url}">')
    QGuiApplication.clipboard().setMimeData(mime)
    window = make_window(ScriptedClient, request)
    qtbot.keyClick(window, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: not window.source.view.image.isNull())
    with Image.open(sample) as wanted:
        assert window.source.view.image.width() == wanted.width


def test_picture_pasted_into_the_code_is_a_new_picture(
    make_window: Make, qtbot: Any, sample: Path
) -> None:
    client = ScriptedClient(answer())
    window = make_window(lambda: client, request)
    load(window, qtbot, sample)
    window.controller.generate()
    qtbot.waitUntil(lambda: state(window) is State.DONE)
    clipboard = QGuiApplication.clipboard()
    image = QImage(40, 30, QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.red)
    clipboard.setImage(image)
    window.code.edit.setFocus()
    qtbot.keyClick(window.code.edit, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: window.source.view.image.width() == 40)


def test_remote_address_is_refused_with_advice(make_window: Make, qtbot: Any) -> None:
    window = make_window(ScriptedClient, request)
    mime = QMimeData()
    mime.setUrls([QUrl("https://example.org/a.png")])
    drop(window, mime)
    assert window.banner.isVisible()
    assert "network" in window.banner.title
    assert "Save the picture" in window.banner.text


def test_bad_files_give_a_banner_and_nothing_else(
    make_window: Make, qtbot: Any, tmp_path: Path
) -> None:
    window = make_window(ScriptedClient, request)
    empty = tmp_path / "empty.png"
    empty.touch()
    for path in (tmp_path / "missing.png", empty, Path(__file__)):
        window.banner.dismiss()
        window.controller.offer_path(path)
        qtbot.waitUntil(window.banner.isVisible)
        assert state(window) is State.EMPTY


def test_empty_clipboard(make_window: Make, qtbot: Any) -> None:
    window = make_window(ScriptedClient, request)
    QGuiApplication.clipboard().setText("just words")
    window.paste()
    assert "clipboard" in window.banner.title


def test_wish_of_a_second_start(make_window: Make, qtbot: Any, sample: Path) -> None:
    window = make_window(ScriptedClient, request)
    window.showMinimized()
    take_wish(window, {"image": str(sample), "capture": False})
    qtbot.waitUntil(lambda: state(window) is State.READY)
    assert window.isVisible()
    assert not window.isMinimized()
    take_wish(window, {"image": 7, "capture": "yes"})  # rubbish changes nothing
    assert not window.flow.active
    take_wish(window, {"image": "", "capture": True})
    qtbot.waitUntil(lambda: window.flow.snip is not None)
    assert window.flow.snip is not None
    qtbot.keyClick(window.flow.snip.overlays[0], Qt.Key.Key_Escape)
    assert window.isVisible()


def test_large_picture_is_shrunk_for_display_only(
    make_window: Make, qtbot: Any, tmp_path: Path
) -> None:
    path = tmp_path / "large.png"
    Image.new("RGB", (5000, 1000), "red").save(path)
    window = make_window(ScriptedClient, request)
    load(window, qtbot, path)
    picture = window.controller.session.picture
    assert picture is not None
    assert (picture.width, picture.height) == (5000, 1000)
    assert window.source.view.image.width() == 2560
    assert "5000" in window.source.size_chip.text()


# Conversion -----------------------------------------------------------------


def test_conversion_streams_into_the_code(make_window: Make, qtbot: Any, sample: Path) -> None:
    client = ScriptedClient(answer())
    window = make_window(lambda: client, request)
    load(window, qtbot, sample)
    shown: list[str] = []
    window.code.edit.textChanged.connect(lambda: shown.append(window.code.edit.code))
    qtbot.keyClick(window, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert window.bar.cancel.isVisible()
    qtbot.waitUntil(lambda: state(window) is State.DONE)
    assert window.code.edit.code == PAGE
    assert not any("`" in text for text in shown)
    assert not window.code.edit.isReadOnly()
    assert window.code.target.text() == "HTML"
    assert "97 %" in window.status.state.text()
    assert "9 tokens" in window.status.speed.text()
    assert window.status.device.text() == "CPU, 2 threads"
    assert client.requests[0][1] == "auto"
    window.actions_by_name["copy"].trigger()
    assert QGuiApplication.clipboard().text() == PAGE


def test_an_answer_that_gives_way_to_another(make_window: Make, qtbot: Any, sample: Path) -> None:
    first, second = answer("<p>first</p>"), answer("<p>second</p>")
    script = [*first[:-1], protocol.Revised("", "It failed; trying again"), WAIT, *second[3:]]
    client = ScriptedClient(script)
    window = make_window(lambda: client, request)
    load(window, qtbot, sample)
    window.controller.generate()
    qtbot.waitUntil(lambda: "trying again" in window.status.state.text())
    assert window.code.edit.toPlainText() == ""
    client.go.set()
    qtbot.waitUntil(lambda: state(window) is State.DONE)
    assert window.code.edit.toPlainText() == "<p>second</p>"
    assert "trying again" not in window.status.state.text()


def test_target_switch_goes_into_the_request(make_window: Make, qtbot: Any, sample: Path) -> None:
    client = ScriptedClient(answer())
    window = make_window(lambda: client, request)
    load(window, qtbot, sample)
    button = next(b for b in window.bar.targets.findChildren(QAbstractButton) if b.text() == "HTML")
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    window.controller.generate()
    qtbot.waitUntil(lambda: state(window) is State.DONE)
    assert client.requests[0][1] == "html"
    assert window.settings.target == "html"


def test_starts_right_away_if_wanted(make_window: Make, qtbot: Any, sample: Path) -> None:
    client = ScriptedClient(answer())
    window = make_window(lambda: client, request, auto_start=True)
    window.controller.offer_path(sample)
    qtbot.waitUntil(lambda: state(window) is State.DONE)


def test_cancel_by_escape(make_window: Make, qtbot: Any, sample: Path) -> None:
    client = ScriptedClient([*answer()[:6], WAIT, *answer()[6:]], answer())
    window = make_window(lambda: client, request)
    load(window, qtbot, sample)
    window.controller.generate()
    qtbot.waitUntil(lambda: bool(window.code.edit.code))
    partial = window.code.edit.code
    qtbot.keyClick(window, Qt.Key.Key_Escape)
    assert state(window) is State.CANCELLING
    qtbot.waitUntil(lambda: state(window) is State.CANCELLED)
    assert window.code.edit.code.rstrip() == partial.rstrip()
    assert window.actions_by_name["generate"].isEnabled()
    window.controller.generate()
    qtbot.waitUntil(lambda: state(window) is State.DONE)


def test_cancel_before_the_engine_has_begun(make_window: Make, qtbot: Any, sample: Path) -> None:
    class SlowStart(ScriptedClient):
        def warm_up(self) -> Any:
            yield protocol.Loading(0.25)
            self.go.wait(5)

    client = SlowStart(answer())
    window = make_window(lambda: client, request)
    load(window, qtbot, sample)
    window.controller.generate()
    qtbot.waitUntil(lambda: "25 %" in window.status.state.text())
    window.controller.cancel()
    assert state(window) is State.CANCELLED
    client.go.set()
    window.controller.generate()
    qtbot.waitUntil(lambda: state(window) is State.DONE)
    assert len(client.requests) == 1


def test_death_of_the_worker_and_the_next_try(make_window: Make, qtbot: Any, sample: Path) -> None:
    client = ScriptedClient([*answer()[:6], DIED], answer())
    window = make_window(lambda: client, request)
    load(window, qtbot, sample)
    window.controller.generate()
    qtbot.waitUntil(lambda: state(window) is State.FAILED)
    assert window.banner.isVisible()
    assert "stopped" in window.banner.title
    again = next(b for b in window.banner.findChildren(QAbstractButton) if b.text() == "Try again")
    qtbot.mouseClick(again, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: state(window) is State.DONE)
    assert not window.banner.isVisible()


@pytest.mark.parametrize(
    ("script", "title"),
    [
        ([protocol.Encoding(1.0)], "process stopped"),
        ([ValueError("odd")], "went wrong"),
        ([VisCodexError(ErrorCode.context_full, "Too long.", "Cut.")], "memory"),
        ([protocol.Token("```html\n"), protocol.Done("stop", {})], "no code"),
    ],
)
def test_every_end_is_an_end(
    make_window: Make, qtbot: Any, sample: Path, script: list[Any], title: str
) -> None:
    window = make_window(lambda: ScriptedClient(script), request)
    load(window, qtbot, sample)
    window.controller.generate()
    qtbot.waitUntil(lambda: state(window) is State.FAILED)
    assert title in window.banner.title


def test_missing_model_is_told_and_offers_another(
    make_window: Make, qtbot: Any, sample: Path
) -> None:
    def no_client() -> Any:
        raise VisCodexError(ErrorCode.model_missing, "There is no model.", "Choose one.")

    window = make_window(no_client, request)
    load(window, qtbot, sample)
    window.controller.generate()
    qtbot.waitUntil(lambda: state(window) is State.FAILED)
    texts = [b.text() for b in window.banner.findChildren(QAbstractButton)]
    assert "Get a model…" in texts


def test_truncated_keeps_the_code_and_says_so(make_window: Make, qtbot: Any, sample: Path) -> None:
    script = [*answer()[:-2], protocol.Done("length", {})]
    window = make_window(lambda: ScriptedClient(script), request)
    load(window, qtbot, sample)
    window.controller.generate()
    qtbot.waitUntil(lambda: state(window) is State.TRUNCATED)
    assert window.code.edit.code.startswith("<!DOCTYPE")
    assert "length limit" in window.banner.title


# The code pane --------------------------------------------------------------


def test_reader_is_not_moved_by_the_stream(make_window: Make, qtbot: Any) -> None:
    window = make_window(ScriptedClient, request)
    window.pages.setCurrentWidget(window.outer)
    qtbot.waitExposed(window)
    edit = window.code.edit
    text = "\n".join(f"line {n}" for n in range(200))
    edit.stream(text)
    bar = edit.verticalScrollBar()
    qtbot.waitUntil(lambda: bar.maximum() > 50)
    bar.setValue(20)
    edit.stream(text + "\nmore\nand more")
    assert bar.value() == 20
    bar.setValue(bar.maximum())
    edit.stream(text + "\nmore\nand more" + "\nx" * 50)
    assert bar.value() == bar.maximum()


def test_selection_survives_the_stream(make_window: Make) -> None:
    edit = make_window(ScriptedClient, request).code.edit
    edit.stream("alpha beta")
    cursor = edit.textCursor()
    cursor.setPosition(0)
    cursor.setPosition(5, cursor.MoveMode.KeepAnchor)
    edit.setTextCursor(cursor)
    edit.stream("alpha beta gamma")
    assert edit.textCursor().selectedText() == "alpha"


def test_edit_by_hand_reaches_session_and_preview(
    make_window: Make, qtbot: Any, sample: Path
) -> None:
    window = make_window(lambda: ScriptedClient(answer()), request)
    load(window, qtbot, sample)
    window.controller.generate()
    qtbot.waitUntil(lambda: state(window) is State.DONE)
    seen: list[str] = []
    window.preview.show_code = lambda code, *rest, **more: seen.append(code)  # type: ignore[method-assign]
    window.code.edit.setFocus()
    qtbot.keyClicks(window.code.edit, "x")
    qtbot.waitUntil(lambda: bool(seen))
    assert window.controller.session.result.edited
    assert window.controller.session.result.code == window.code.edit.code == seen[-1]


def test_save_and_save_that_fails(
    make_window: Make, qtbot: Any, sample: Path, tmp_path: Path
) -> None:
    window = make_window(lambda: ScriptedClient(answer()), request)
    load(window, qtbot, sample)
    window.controller.generate()
    qtbot.waitUntil(lambda: state(window) is State.DONE)
    place = tmp_path / "page.html"
    dialogs.save_to(window, place)
    qtbot.waitUntil(place.exists)
    assert place.read_text() == PAGE + "\n"
    dialogs.save_to(window, tmp_path / "no such folder" / "page.html")
    qtbot.waitUntil(window.banner.isVisible)
    assert "could not be saved" in window.banner.title
    assert [p.name for p in tmp_path.glob("*.html")] == ["page.html"]
