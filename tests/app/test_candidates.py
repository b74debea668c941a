"""Candidates and versions in the window."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QPushButton

from app.session import State
from app.views.candidate_strip import CandidateStrip
from app.views.main_window import MainWindow
from app.views.rows import Role
from engine import protocol
from tests.app.scripted import WAIT, ScriptedClient, answer, compared, several, together
from tests.app.windows import Make, convert, load, request, state, trigger, wait_done

Key, Alt = Qt.Key, Qt.KeyboardModifier.AltModifier
FOUR = (("<p>worst</p>", 0.3), ("<p>best</p>", 0.9), ("<p>broken</p>", None), ("<p>good</p>", 0.7))


@pytest.fixture
def client() -> ScriptedClient:
    return ScriptedClient(several(*FOUR, best="<p>best</p>"), answer("<p>bluer</p>"))


@pytest.fixture
def window(make_window: Make, qtbot: Any, sample: Path, client: ScriptedClient) -> MainWindow:
    """A window with four candidates."""
    window = make_window(lambda: client, request)
    load(window, qtbot, sample)
    convert(window, qtbot)
    return window


def strip(window: MainWindow) -> CandidateStrip:
    return window.features.refining.strip


def texts(window: MainWindow) -> list[str]:
    return [card.text() for card in strip(window).cards]


def rows(window: MainWindow) -> list[str]:
    model = window.features.refining.versions.model
    return [model.index(n).data() for n in range(model.rowCount())]


def test_strip_shows_all_by_score_with_what_they_draw(window: MainWindow, qtbot: Any) -> None:
    assert strip(window).isVisible()
    assert texts(window) == ["90 %", "70 %", "30 %", "Draws nothing"]
    assert [card.isChecked() for card in strip(window).cards] == [True, False, False, False]
    assert "Layout".lower() in strip(window).cards[0].toolTip()
    assert strip(window).cards[3].toolTip() == "It draws nothing."

    def colours() -> list[str]:
        return [
            card.icon().pixmap(60, 40).toImage().pixelColor(30, 20).name()
            for card in strip(window).cards[:3]
        ]

    wanted = [QColor(name).name() for name in ("green", "orange", "red")]
    qtbot.waitUntil(lambda: colours() == wanted)


def test_one_click_makes_another_one_current(window: MainWindow, qtbot: Any) -> None:
    qtbot.mouseClick(strip(window).cards[1], Qt.MouseButton.LeftButton)
    assert window.code.edit.code == "<p>good</p>"
    assert rows(window) == ["Conversion", "Candidate 4"]
    assert state(window) is State.DONE
    qtbot.keyClick(window, Key.Key_Left, Alt)
    assert window.code.edit.code == "<p>best</p>"


def test_arrow_keys_pick(window: MainWindow, qtbot: Any) -> None:
    first = strip(window).cards[0]
    first.setFocus()
    qtbot.keyClick(first, Key.Key_Right)
    assert window.code.edit.code == "<p>good</p>"
    assert strip(window).cards[1].hasFocus()
    qtbot.keyClick(window, Key.Key_Down, Alt)
    assert window.code.edit.code == "<p>worst</p>"
    qtbot.keyClick(window, Key.Key_Up, Alt)
    qtbot.keyClick(window, Key.Key_Up, Alt)
    qtbot.keyClick(window, Key.Key_Up, Alt)  # there is none before the first
    assert window.code.edit.code == "<p>best</p>"


def test_change_of_a_candidate_and_a_branch(
    window: MainWindow, client: ScriptedClient, qtbot: Any
) -> None:
    qtbot.mouseClick(strip(window).cards[2], Qt.MouseButton.LeftButton)
    client.scripts.append(answer("<p>redder</p>"))
    window.features.refining.bar.wanted.emit("Bluer")
    wait_done(window, qtbot)
    assert client.requests[1][2]["refine"] == ("Bluer", "<p>worst</p>")
    assert not strip(window).isVisible()
    trigger(window, "version_back")
    trigger(window, "version_back")
    assert strip(window).isVisible()
    window.features.refining.bar.wanted.emit("Redder")
    wait_done(window, qtbot)
    assert rows(window) == ["Conversion", "Candidate 1", "Bluer", "Redder"]


def test_versions_can_be_picked_in_the_list(window: MainWindow, qtbot: Any) -> None:
    window.features.refining.bar.wanted.emit("Bluer")
    wait_done(window, qtbot)
    trigger(window, "versions")
    versions = window.features.refining.versions
    assert versions.isVisible()
    assert versions.list.currentIndex().row() == 1
    facts = versions.model.index(0).data(Role.FACTS)
    assert "90 % alike" in facts
    place = versions.list.visualRect(versions.model.index(0)).center()
    qtbot.mouseClick(versions.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert window.code.edit.code == "<p>best</p>"
    assert "on top" in versions.model.index(0).data(Qt.ItemDataRole.AccessibleTextRole)
    trigger(window, "versions")
    assert not versions.isVisible()


def test_comparing_is_told_and_cancel_keeps_what_was_compared(
    make_window: Make, qtbot: Any, sample: Path
) -> None:
    script = several(*FOUR, best="<p>worst</p>")
    end = next(n for n, one in enumerate(script) if isinstance(one, protocol.CandidateDrawn))
    client = ScriptedClient([*script[: end + 3], WAIT, *script[end + 3 :]])
    window = make_window(lambda: client, request)
    load(window, qtbot, sample)
    spoken: list[tuple[int, int]] = []
    window.controller.compared.connect(lambda *told: spoken.append(told))
    window.controller.generate()
    qtbot.waitUntil(lambda: spoken == [(1, 4), (2, 4)])
    qtbot.waitUntil(lambda: "Comparing 2 of 4" in window.status.state.text())
    assert state(window) is State.COMPARING
    trigger(window, "cancel")
    qtbot.waitUntil(lambda: state(window) is State.CANCELLED)
    assert window.code.edit.code == "<p>best</p>"
    assert texts(window) == ["90 %", "30 %"]


THREE = ("<p>the first</p>", "<p>the second one</p>", "<p>the third, and the longest</p>")


def test_answers_are_watched_while_they_are_written(
    make_window: Make, qtbot: Any, sample: Path
) -> None:
    script = together(*THREE)
    client = ScriptedClient([*script[:-4], WAIT, *script[-4:], WAIT])
    window = make_window(lambda: client, request)
    load(window, qtbot, sample)
    window.controller.generate()
    qtbot.waitUntil(lambda: [len(text) > 0 for text in texts(window)] == [True] * 3)
    qtbot.waitUntil(lambda: window.code.edit.code == THREE[0])
    assert state(window) is State.GENERATING
    assert strip(window).isEnabled()
    names = [card.accessibleName() for card in strip(window).cards]
    assert names[0].startswith("Candidate 1 of 3, complete, ")
    assert names[2].startswith("Candidate 3 of 3, being written, ")
    qtbot.mouseClick(strip(window).cards[2], Qt.MouseButton.LeftButton)
    assert window.code.edit.code == THREE[2][: len(window.code.edit.code)]
    assert [card.isChecked() for card in strip(window).cards] == [False, False, True]
    client.go.set()
    qtbot.waitUntil(lambda: window.code.edit.code == THREE[2])
    qtbot.keyClick(window, Key.Key_Up, Alt)
    assert window.code.edit.code == THREE[1]
    assert state(window) is State.GENERATING
    assert window.actions_by_name["copy"].isEnabled()
    trigger(window, "cancel")
    qtbot.waitUntil(lambda: state(window) is State.CANCELLED)
    # All were complete: all stay, the one that was watched in front.
    assert window.code.edit.code == THREE[1]
    assert len(strip(window).cards) == 3
    qtbot.waitUntil(lambda: texts(window) == ["50 %"] * 3)  # drawn afterwards


def test_cancel_while_they_are_written_keeps_those_that_are_complete(
    make_window: Make, qtbot: Any, sample: Path
) -> None:
    client = ScriptedClient([*together(*THREE)[:-4], WAIT])
    window = make_window(lambda: client, request)
    load(window, qtbot, sample)
    window.controller.generate()
    qtbot.waitUntil(lambda: "complete, 4" in (strip(window).cards or [window])[0].accessibleName())
    qtbot.mouseClick(strip(window).cards[2], Qt.MouseButton.LeftButton)
    trigger(window, "cancel")
    qtbot.waitUntil(lambda: state(window) is State.CANCELLED)
    codes = [one.code for one in window.controller.session.versions.candidates()]
    assert THREE[0] in codes
    assert THREE[2] not in codes
    assert window.code.edit.code == THREE[0]


def test_an_answer_picked_while_they_are_compared_comes_on_top(
    make_window: Make, qtbot: Any, sample: Path
) -> None:
    drawn = compared(*zip(THREE, (0.3, 0.9, 0.5), strict=True))
    wrapped = [protocol.Revised(f"```html\n{THREE[1]}\n```", ""), answer()[-1]]
    script = [*together(*THREE), *drawn[:3], WAIT, *drawn[3:], *wrapped]
    client = ScriptedClient(script)
    window = make_window(lambda: client, request)
    load(window, qtbot, sample)
    chosen: list[str] = []
    window.controller.chosen.connect(lambda tree, version: chosen.append(version.code))
    window.controller.generate()
    qtbot.waitUntil(lambda: "Comparing 2 of 3" in window.status.state.text())
    assert texts(window)[:2] == ["30 %", "Comparing…"]
    assert window.actions_by_name["copy"].isEnabled()
    qtbot.mouseClick(strip(window).cards[2], Qt.MouseButton.LeftButton)
    client.go.set()
    wait_done(window, qtbot)
    assert window.code.edit.code == THREE[2]
    assert chosen == [THREE[2]]
    assert texts(window) == ["90 %", "50 %", "30 %"]
    assert rows(window) == ["Conversion", "Candidate 3"]


def test_each_answer_knows_whether_it_was_cut_off(
    make_window: Make, qtbot: Any, sample: Path
) -> None:
    drawn = compared(*zip(THREE, (0.3, 0.9, 0.5), strict=True))
    wrapped = [protocol.Revised(f"```html\n{THREE[1]}\n```", ""), answer()[-1]]
    script = [*together(*THREE, cut=frozenset({2})), *drawn[:3], WAIT, *drawn[3:], *wrapped]
    client = ScriptedClient(script)
    window = make_window(lambda: client, request)
    load(window, qtbot, sample)
    window.controller.generate()
    qtbot.waitUntil(lambda: "Comparing 2 of 3" in window.status.state.text())
    qtbot.mouseClick(strip(window).cards[2], Qt.MouseButton.LeftButton)
    client.go.set()
    qtbot.waitUntil(lambda: state(window) is State.TRUNCATED)
    assert window.code.edit.code == THREE[2]
    assert window.banner.isVisible() and window.actions_by_name["go_on"].isEnabled()
    best = window.controller.session.versions.candidates()[0]
    window.controller.choose_version(best.id)
    assert (state(window), window.code.edit.code) == (State.DONE, THREE[1])
    assert not window.banner.isVisible() and not window.actions_by_name["go_on"].isEnabled()
    window.controller.step_version(forward=True)
    assert state(window) is State.TRUNCATED
    window.controller.edit_code("<p>typed</p>")
    assert window.controller.can_go_on


def test_watching_alone_does_not_change_what_wins(
    make_window: Make, qtbot: Any, sample: Path
) -> None:
    drawn = compared(*zip(THREE, (0.3, 0.9, 0.5), strict=True))
    wrapped = [protocol.Revised(f"```html\n{THREE[1]}\n```", ""), answer()[-1]]
    client = ScriptedClient([*together(*THREE), WAIT, *drawn, *wrapped])
    window = make_window(lambda: client, request)
    load(window, qtbot, sample)
    window.controller.generate()
    qtbot.waitUntil(lambda: len(strip(window).cards) == 3)
    qtbot.mouseClick(strip(window).cards[2], Qt.MouseButton.LeftButton)
    client.go.set()
    wait_done(window, qtbot)
    assert window.code.edit.code == THREE[1]
    assert rows(window) == ["Conversion"]


def test_code_that_was_cut_off_can_be_written_on(
    make_window: Make, qtbot: Any, sample: Path
) -> None:
    cut, rest = "<p>one</p>\n<p>tw", "<p>one</p>\n<p>two</p>"
    script = answer(cut)
    script[-1] = protocol.Done("length", script[-1].stats)
    client = ScriptedClient(script, answer(rest), answer("<p>x</p>"))
    window = make_window(lambda: client, request)
    load(window, qtbot, sample)
    window.controller.generate()
    qtbot.waitUntil(lambda: state(window) is State.TRUNCATED)
    (offer,) = [one for one in window.banner.findChildren(QPushButton) if one.isVisible()]
    assert offer.text() == "Write on"
    offer.click()
    wait_done(window, qtbot)
    # The last line may be half a word: it is written again.
    assert client.requests[1][1:] == ("html", {"begun": "<p>one</p>\n"})
    assert window.code.edit.code == rest
    assert rows(window) == ["Conversion", "Written on"]
    assert not window.actions_by_name["go_on"].isEnabled()
    trigger(window, "generate")
    wait_done(window, qtbot)
    assert len(client.requests[2]) == 2


def test_what_went_round_in_circles_is_not_written_on(
    make_window: Make, qtbot: Any, sample: Path
) -> None:
    script = answer("<p>one</p>\n" * 5)
    script[-1] = protocol.Done("loop", script[-1].stats)
    client = ScriptedClient(script)
    window = make_window(lambda: client, request)
    load(window, qtbot, sample)
    window.controller.generate()
    qtbot.waitUntil(lambda: state(window) is State.TRUNCATED)
    assert window.banner.isVisible()
    assert not [one for one in window.banner.findChildren(QPushButton) if one.isVisible()]
    assert not window.actions_by_name["go_on"].isEnabled()


def test_nothing_can_be_picked_during_a_conversion(
    window: MainWindow, client: ScriptedClient, qtbot: Any
) -> None:
    client.scripts[0] = [*answer()[:5], WAIT, *answer()[5:]]
    window.controller.generate()
    qtbot.waitUntil(lambda: state(window) is State.GENERATING)
    assert not strip(window).isEnabled()
    assert not window.actions_by_name["version_back"].isEnabled()
    window.controller.choose_version(1)
    assert state(window) is State.GENERATING
    client.go.set()
    wait_done(window, qtbot)


def test_a_new_picture_begins_a_new_tree(window: MainWindow, qtbot: Any, samples: Path) -> None:
    load(window, qtbot, samples / "chart.png")
    assert not strip(window).isVisible()
    assert rows(window) == []


def test_what_was_typed_is_drawn_and_compared_when_it_is_complete(
    window: MainWindow, client: ScriptedClient, qtbot: Any
) -> None:
    trigger(window, "versions")
    window.code.edit.setFocus()
    qtbot.keyClicks(window.code.edit, "x")
    qtbot.waitUntil(lambda: rows(window) == ["Conversion", "Edited by hand"])
    typed = window.code.edit.code
    qtbot.wait(50)
    assert client.appraised == []  # not while it is typed
    trigger(window, "version_back")
    assert window.status.state.text() == "Done · Conversion"
    model = window.features.refining.versions.model
    qtbot.waitUntil(lambda: "50 % alike" in model.index(1).data(Role.FACTS))
    qtbot.waitUntil(lambda: not model.index(1).data(Role.IMAGE).isNull())
    assert client.appraised == [typed]
