"""Candidates, text and history with the bundled model, the real engine and real renderers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.session import State
from app.store.history import History, Query
from app.store.settings import Settings
from app.wiring import Engine, ModelClient
from engine.client import EngineClient
from engine.improver import Wishes
from tests.app.windows import Make, load, state, trigger, wait_done
from tests.engine.scripted_model import build
from tests.engine.test_improver import torn

BUNDLED = Path(__file__).parents[2] / "assets" / "models" / "viscodex-nano"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not BUNDLED.is_dir(), reason="no bundled model"),
]


def test_bundled_model_gives_candidates_text_and_an_entry(
    make_window: Make, qtbot: Any, sample: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "history"
    engine = Engine(Settings())
    window = make_window(engine.make_client, engine.make_request, history=folder)
    load(window, qtbot, sample)
    window.controller.generate()
    wait_done(window, qtbot, 120)
    session = window.controller.session
    texts = {line.text for line in window.source.view.lines}
    assert {"Welcome back", "Email", "Password"} <= texts
    candidates = session.versions.candidates()
    assert len(candidates) > 1
    assert all(0 < (one.similarity or 0) < 1 and one.png for one in candidates)
    strip = window.features.refining.strip
    assert strip.isVisible()
    assert session.versions.current is not None
    assert session.versions.current.code == window.code.edit.code
    # A small model takes no instructions: the box says so, another try works.
    assert session.takes_instructions is False
    assert not window.features.refining.bar.edit.isEnabled()
    before = session.versions.current.code
    strip.step(1 if strip.cards[0].isChecked() else -1)
    picked = session.versions.current
    assert picked.code == window.code.edit.code != before
    trigger(window, "again")
    wait_done(window, qtbot, 120)
    runs = {version.run for version in session.versions}
    assert len(runs) == 2
    window.close()
    history = History.open(folder)
    (entry,) = history.page(Query(text="Welcome back")).entries
    assert entry.versions == len(list(session.versions))
    assert entry.figures["tokens"] > 0
    history.close()


def test_only_the_marked_part_and_its_text(make_window: Make, qtbot: Any, sample: Path) -> None:
    engine = Engine(Settings())
    window = make_window(engine.make_client, engine.make_request)
    load(window, qtbot, sample)
    trigger(window, "copy_text")  # without a conversion
    qtbot.waitUntil(lambda: bool(window.controller.session.words), timeout=60_000)
    whole = {line.text: line.box for line in window.source.view.lines}
    assert state(window) is State.READY
    window.source.view.set_region((60, 40, 420, 140))
    trigger(window, "crop")
    picture = window.controller.session.picture
    qtbot.waitUntil(lambda: window.controller.session.picture is not picture, timeout=10_000)
    wait_done(window, qtbot, 120)
    part = {line.text: line.box for line in window.source.view.lines}
    assert "Welcome back" in part
    assert "Password" not in part
    assert abs(part["Welcome back"][0] + 60 - whole["Welcome back"][0]) < 8
    trigger(window, "undo_crop")
    assert {line.text for line in window.source.view.lines} == set(whole)


def test_a_change_brings_several_answers_where_several_are_wished_for(
    make_window: Make, qtbot: Any, sample: Path, tmp_path: Path
) -> None:
    """A model of two minds that takes instructions: all its answers are candidates of one run."""
    codes = [f'<body style="background: {name}"></body>\n' for name in ("pink", "teal")]
    files = build(tmp_path / "model", torn(*codes))
    wishes = Wishes(best_of=6, draw=True)
    history = tmp_path / "history"
    window = make_window(
        lambda: ModelClient(EngineClient(files), lambda own: wishes),
        Engine(Settings()).make_request,
        history=history,
    )
    load(window, qtbot, sample)
    session = window.controller.session
    seen: list[tuple[State, int]] = []
    session.subscribe(lambda _, now: seen.append((now, len(session.result.answers))))
    trigger(window, "generate")
    wait_done(window, qtbot, 120)
    assert (State.GENERATING, 6) in seen  # all can be watched
    assert (State.COMPARING, 6) in seen
    tree = session.versions
    assert tree.current is not None
    first = tree.current
    assert len(tree.candidates()) == 2
    window.features.refining.bar.wanted.emit("Another colour")
    wait_done(window, qtbot, 120)
    changed = tree.current
    assert changed.kind == "refine" and changed.parent == first.id
    assert changed.code != first.code  # the change, though the old code was the likest
    assert {one.code.strip() for one in tree.candidates()} == {code.strip() for code in codes}
    assert {one.instruction for one in tree.candidates()} == {"Another colour"}
    assert window.features.refining.strip.isVisible()
    window.close()
    kept = History.open(history)
    (entry,) = kept.page(Query()).entries
    assert entry.versions == 4
    kept.close()


def test_what_is_measured_works_with_the_bundled_model(
    make_window: Make, qtbot: Any, sample: Path
) -> None:
    """A page of one's own with a wrong colour and a wrong word, beside the picture it should be."""
    engine = Engine(Settings())
    window = make_window(engine.make_client, engine.make_request)
    load(window, qtbot, sample)
    right = (sample.parent / "sources" / "login.html").read_text().rstrip("\n")
    wrong = right.replace("#0f766e", "#760f6e").replace("Welcome back", "Welcame bock")
    window.controller.generate()
    wait_done(window, qtbot, 120)
    window.controller.edit_code(wrong)
    quick = window.features.refining.bar.quick_actions
    for key, after in (
        ("colours", right.replace("Welcome back", "Welcame bock")),
        ("text", right),
    ):
        quick[key].trigger()
        qtbot.waitUntil(lambda: state(window) is not State.DONE, timeout=30_000)
        wait_done(window, qtbot, 120)
        assert window.code.edit.code == after
    top = window.controller.session.versions.current
    assert top is not None and top.similarity is not None and top.similarity > 0.97
    assert window.controller.session.state is State.DONE
