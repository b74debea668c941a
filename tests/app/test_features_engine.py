"""Candidates, text and history with the bundled model, the real engine and real renderers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.session import State
from app.store.history import History, Query
from app.store.settings import Settings
from app.wiring import Engine
from tests.app.windows import Make, load, state, trigger, wait_done

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
