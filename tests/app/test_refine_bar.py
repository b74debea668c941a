"""The instruction: what is asked for, with which models, and what becomes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QToolButton

from app.refining import QUICK_ACTIONS
from app.session import State
from app.versions import title
from app.views.refine_bar import RefineBar
from engine import protocol
from engine.hints import TextLine
from tests.app.scripted import DIED, WAIT, ScriptedClient, answer, matched
from tests.app.windows import Make, convert, load, request, state, trigger, wait_done

LINE = TextLine("Sign in", (4.0, 4.0, 60.0, 20.0), 0.99, (0, 0, 0), (255, 255, 255))
COLOURS = next(one.instruction for one in QUICK_ACTIONS if one.key == "colours")
Key, Control, Alt = Qt.Key, Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.AltModifier


class Deaf(ScriptedClient):
    """A model that takes no instructions."""

    takes_instructions = False


def opened(make_window: Make, qtbot: Any, sample: Path, client: ScriptedClient) -> Any:
    """A window with a first conversion, and its bar."""
    window = make_window(lambda: client, request)
    load(window, qtbot, sample)
    convert(window, qtbot)
    return window, window.features.refining.bar


def say(bar: RefineBar, qtbot: Any, text: str) -> None:
    bar.edit.setFocus()
    qtbot.keyClicks(bar.edit, text)
    qtbot.keyClick(bar.edit, Key.Key_Return)


def test_an_instruction_goes_to_the_model_with_the_code(
    make_window: Make, qtbot: Any, sample: Path
) -> None:
    client = ScriptedClient(answer("<p>red</p>"), answer("<p>blue</p>"))
    window, bar = opened(make_window, qtbot, sample, client)
    qtbot.keyClick(window, Key.Key_L, Control)
    assert bar.edit.hasFocus()
    assert not window.actions_by_name["refine"].isEnabled()
    qtbot.keyClicks(bar.edit, "Make it blue")
    assert window.actions_by_name["refine"].isEnabled()
    qtbot.keyClick(bar.edit, Key.Key_Return, Control)  # does not generate anew
    wait_done(window, qtbot)
    assert client.requests[1][2] == {"refine": ("Make it blue", "<p>red</p>")}
    assert window.code.edit.code == "<p>blue</p>"
    assert bar.edit.text() == ""
    assert bar.place.text() == "2 of 2"
    qtbot.keyClick(window, Key.Key_Left, Alt)
    assert window.code.edit.code == "<p>red</p>"
    assert bar.place.text() == "1 of 2"
    assert state(window) is State.DONE
    qtbot.keyClick(window, Key.Key_Right, Alt)
    assert window.code.edit.code == "<p>blue</p>"


def test_after_an_instruction_the_changes_are_in_front(
    make_window: Make, qtbot: Any, sample: Path, samples: Path
) -> None:
    client = ScriptedClient(
        answer("<p>red</p>"), answer("<p>blue</p>"), [*answer()[:6], WAIT, *answer()[6:]],
        answer("<p>green</p>"),
    )  # fmt: skip
    window, bar = opened(make_window, qtbot, sample, client)
    code = window.code
    assert code.edit.isVisible()
    say(bar, qtbot, "Make it blue")
    wait_done(window, qtbot)
    assert code.changes.isVisible() and window.actions_by_name["changes"].isChecked()
    qtbot.waitUntil(lambda: code.changes.summary.text().startswith("+1 \N{MINUS SIGN}1 lines"))
    trigger(window, "version_back")  # nothing was changed there
    assert code.edit.isVisible()
    trigger(window, "generate")
    qtbot.waitUntil(lambda: state(window) is State.GENERATING)
    assert code.edit.isVisible()  # one sees what arrives
    client.go.set()
    wait_done(window, qtbot)
    assert code.edit.isVisible()
    say(bar, qtbot, "Make it green")
    wait_done(window, qtbot)
    assert code.changes.isVisible()
    load(window, qtbot, samples / "chart.png")
    assert code.edit.isVisible()


def test_what_was_typed_a_moment_ago_is_refined(
    make_window: Make, qtbot: Any, sample: Path
) -> None:
    client = ScriptedClient(answer("<p>a</p>"), answer("<p>b</p>"))
    window, bar = opened(make_window, qtbot, sample, client)
    window.code.edit.setFocus()
    qtbot.keyClicks(window.code.edit, "x")
    typed = window.code.edit.code
    bar.wanted.emit("Go on")  # before the typing has settled
    wait_done(window, qtbot)
    assert client.requests[1][2]["refine"] == ("Go on", typed)
    assert [v.kind for v, _ in window.controller.session.versions.rows()] == [
        "conversion", "edit", "refine",
    ]  # fmt: skip


def test_the_marked_part_goes_along(make_window: Make, qtbot: Any, sample: Path) -> None:
    client = ScriptedClient(answer("<p>a</p>"), answer("<p>b</p>"))
    window, bar = opened(make_window, qtbot, sample, client)
    window.source.view.set_region((10, 20, 110, 90))
    assert bar.part.isVisible()
    say(bar, qtbot, "Bolder")
    wait_done(window, qtbot)
    assert client.requests[1][2]["region"] == (10.0, 20.0, 110.0, 90.0)
    qtbot.mouseClick(bar.part, Qt.MouseButton.LeftButton)
    assert window.source.view.region is None
    assert not bar.part.isVisible()


def test_up_and_down_bring_instructions_back(make_window: Make, qtbot: Any, sample: Path) -> None:
    client = ScriptedClient(answer("<p>a</p>"), answer("<p>b</p>"), answer("<p>c</p>"))
    window, bar = opened(make_window, qtbot, sample, client)
    for text in ("first", "second"):
        say(bar, qtbot, text)
        wait_done(window, qtbot)
    qtbot.keyClicks(bar.edit, "new")
    seen = []
    for key in (Key.Key_Up, Key.Key_Up, Key.Key_Down, Key.Key_Down):
        qtbot.keyClick(bar.edit, key)
        seen.append(bar.edit.text())
    assert seen == ["second", "first", "second", "new"]


def test_an_answer_that_changes_nothing_is_told(
    make_window: Make, qtbot: Any, sample: Path
) -> None:
    client = ScriptedClient(answer("<p>a</p>"), answer("<p>a</p>"))
    window, bar = opened(make_window, qtbot, sample, client)
    say(bar, qtbot, "Change nothing")
    wait_done(window, qtbot)
    assert window.code.note.text() == "No change"
    assert len(window.controller.session.versions) == 1


def test_a_change_that_fails_or_is_cancelled_leaves_the_code(
    make_window: Make, qtbot: Any, sample: Path
) -> None:
    half = [*answer("<p>other</p>")[:6], WAIT]
    client = ScriptedClient(answer("<p>a</p>"), [*half[:-1], DIED], half)
    window, bar = opened(make_window, qtbot, sample, client)
    say(bar, qtbot, "x")
    qtbot.waitUntil(lambda: state(window) is State.FAILED)
    assert window.code.edit.code == "<p>a</p>"
    assert window.banner.isVisible()
    say(bar, qtbot, "y")
    qtbot.waitUntil(lambda: state(window) is State.GENERATING)
    assert not bar.quick_actions["text"].isEnabled()
    trigger(window, "cancel")
    qtbot.waitUntil(lambda: state(window) is State.CANCELLED)
    assert window.code.edit.code == "<p>a</p>"
    assert len(window.controller.session.versions) == 1


def test_quick_actions_are_those_of_the_table(make_window: Make, qtbot: Any, sample: Path) -> None:
    rows = [one for one in QUICK_ACTIONS if one.instruction and not one.measured]
    client = ScriptedClient(answer("<p>0</p>"), *(answer(f"<p>{one.key}</p>") for one in rows))
    window, bar = opened(make_window, qtbot, sample, client)
    for number, one in enumerate(rows, 1):
        bar.quick_actions[one.key].trigger()
        wait_done(window, qtbot)
        assert client.requests[number][2]["refine"][0] == one.instruction


def test_what_is_measured_needs_no_model(make_window: Make, qtbot: Any, sample: Path) -> None:
    red, blue = "<p>red</p>", "<p>blue</p>"
    script = matched(red, blue)
    client = Deaf(answer(red), [*script[:2], WAIT, *script[2:]], matched(blue, blue))
    window, bar = opened(make_window, qtbot, sample, client)
    session = window.controller.session
    session.text_read([LINE])
    for key in ("colours", "text"):
        assert bar.quick_actions[key].isEnabled()
        assert "no instructions" not in bar.quick_actions[key].toolTip()
    bar.quick_actions["colours"].trigger()
    qtbot.waitUntil(lambda: "Reading the colours" in window.status.state.text())
    assert (state(window), window.code.edit.code) == (State.COMPARING, red)
    client.go.set()
    wait_done(window, qtbot)
    assert client.matched == [("colours", session.picture.png, red, "html", (LINE,))]
    assert window.code.edit.code == blue
    assert [title(one) for one, _ in session.versions.rows()] == ["Conversion", COLOURS]
    assert session.versions.current.similarity == 0.8
    bar.quick_actions["text"].trigger()
    qtbot.waitUntil(lambda: "No change" in window.code.note.text())
    assert len(session.versions) == 2


def test_what_is_measured_can_be_cancelled(make_window: Make, qtbot: Any, sample: Path) -> None:
    client = ScriptedClient(answer("<p>a</p>"), [*matched("<p>a</p>", "<p>b</p>")[:2], WAIT, DIED])
    window, bar = opened(make_window, qtbot, sample, client)
    window.controller.session.text_read([LINE])
    bar.quick_actions["text"].trigger()
    qtbot.waitUntil(lambda: state(window) is State.COMPARING)
    trigger(window, "cancel")
    qtbot.waitUntil(lambda: state(window) is State.CANCELLED)
    assert window.code.edit.code == "<p>a</p>"
    assert len(window.controller.session.versions) == 1


def test_model_without_instructions_can_still_try_again(
    make_window: Make, qtbot: Any, sample: Path
) -> None:
    client = Deaf(answer("<p>a</p>"), answer("<p>b</p>"), answer("<p>c</p>"))
    window, bar = opened(make_window, qtbot, sample, client)
    assert not bar.edit.isEnabled()
    assert "no instructions" in bar.edit.placeholderText()
    assert not bar.quick_actions["simplify"].isEnabled()
    assert "no instructions" in bar.quick_actions["simplify"].toolTip()
    qtbot.keyClick(window, Key.Key_L, Control)
    assert isinstance(window.focusWidget(), QToolButton)
    window.source.view.set_region((10, 20, 110, 90))
    assert not bar.part.isVisible()
    for number in (1, 2):
        bar.quick_actions["again"].trigger()
        wait_done(window, qtbot)
        wishes = client.requests[number][2]
        assert wishes["temperature"] > 0
        assert wishes["seed"] == 8 * number
    assert [v.instruction for v, _ in window.controller.session.versions.rows()] == [
        "", "Another try", "Another try",
    ]  # fmt: skip


def test_the_bar_waits_for_a_result(make_window: Make, qtbot: Any, sample: Path) -> None:
    window = make_window(lambda: ScriptedClient([protocol.Encoding(0.5), DIED]), request)
    assert not window.features.refining.bar.isVisible()
    load(window, qtbot, sample)
    bar = window.features.refining.bar
    assert bar.isVisible()
    bar.edit.setText("something")
    assert not window.actions_by_name["refine"].isEnabled()
