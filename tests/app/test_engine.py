"""The window with the real engine process: conversion, cancel, kill, and a window that stays quick.

The models are real GGUF files whose answers are written down (tests.engine.scripted_model); one
test runs the bundled model where it is there.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QTimer

from app.session import BUSY, State
from app.store.settings import Settings
from app.views.main_window import MainWindow
from app.wiring import Engine, ModelClient
from engine.client import EngineClient
from engine.improver import Wishes
from engine.models.store import ModelFiles
from engine.protocol import ConvertRequest
from tests.app.windows import Make, load
from tests.engine.scripted_model import Script, build, chain

ROOT = Path(__file__).parents[2]
BUNDLED = ROOT / "assets" / "models" / "viscodex-nano"
ROWS = [f"<p>row {number}</p>" for number in range(120)]
PAGE = ["<!DOCTYPE html>", "<html>", "<body>", *ROWS, "</body>", "</html>"]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModelFiles]:
    """A model that writes a page, and one that never ends."""
    folder = tmp_path_factory.mktemp("models")
    endless = Script(
        words=[f"w{index} " for index in range(100)],
        follows={"\n": {"w0 ": 5.0}}
        | {f"w{i} ": {f"w{(i * 7 + k) % 100} ": 1.0 for k in range(9)} for i in range(100)},
    )
    return {
        "page": build(folder / "page", chain(*PAGE, "\n``", "`\nmore")),
        "endless": build(folder / "endless", endless, context=8192),
    }


@pytest.fixture
def clients() -> list[ModelClient]:
    """The clients made by `open_window`, so that a test can see their processes."""
    return []


@pytest.fixture
def open_window(
    make_window: Make, models: dict[str, ModelFiles], clients: list[ModelClient]
) -> Callable[[str], MainWindow]:
    """Opens a window on the real engine with one of the models."""

    def open_it(name: str) -> MainWindow:
        def make() -> ModelClient:
            clients.append(ModelClient(EngineClient(models[name]), Wishes))
            return clients[-1]

        def request(picture: Any, target: str) -> ConvertRequest:
            return ConvertRequest(image=picture.png, target=target, temperature=1.0)

        return make_window(make, request, web=True, target="html")

    return open_it


def wait_end(window: MainWindow, qtbot: Any) -> State:
    session = window.controller.session
    qtbot.waitUntil(lambda: session.state not in BUSY, timeout=120_000)
    return session.state


@pytest.mark.slow
def test_conversion_with_a_window_that_stays_quick(
    open_window: Callable[[str], MainWindow], qtbot: Any, sample: Path
) -> None:
    window = open_window("page")
    load(window, qtbot, sample)
    gaps: list[float] = []
    last = time.monotonic()

    def beat() -> None:
        nonlocal last
        now = time.monotonic()
        gaps.append(1000 * (now - last))
        last = now

    timer = QTimer()
    timer.setInterval(5)
    timer.timeout.connect(beat)
    timer.start()
    window.controller.generate()
    state = wait_end(window, qtbot)
    timer.stop()
    assert state is State.DONE
    assert window.code.edit.code == "".join(PAGE)
    qtbot.waitUntil(lambda: window.preview.web is not None and window.preview.web.isVisible())
    gaps.sort()
    print(f"\nlongest block {gaps[-1]:.0f} ms, 99 % under {gaps[int(0.99 * len(gaps))]:.0f} ms")
    assert window.status.device.text()
    assert window.controller.session.result.tokens > 0
    # The budget of 50 ms is held by test_responsive, which leaves out the load of the machine; a
    # window that waits for the engine anywhere would be off by far more than this.
    assert gaps[-1] < 1000


@pytest.mark.slow
def test_cancel_is_answered_and_done(
    open_window: Callable[[str], MainWindow], qtbot: Any, sample: Path
) -> None:
    window = open_window("endless")
    session = window.controller.session
    load(window, qtbot, sample)
    window.controller.generate()
    qtbot.waitUntil(lambda: session.state is State.GENERATING, timeout=120_000)
    began = time.monotonic()
    window.actions_by_name["cancel"].trigger()
    answered = time.monotonic() - began
    assert session.state is State.CANCELLING
    qtbot.waitUntil(lambda: session.state is State.CANCELLED, timeout=20_000)
    print(
        f"\ncancel: answered in {1000 * answered:.0f} ms, done in {time.monotonic() - began:.2f} s"
    )
    window.controller.generate()
    qtbot.waitUntil(lambda: session.state is State.GENERATING, timeout=120_000)
    window.controller.cancel()
    assert wait_end(window, qtbot) is State.CANCELLED


@pytest.mark.slow
def test_killed_worker_gives_a_banner_and_the_next_conversion_works(
    open_window: Callable[[str], MainWindow], qtbot: Any, sample: Path, clients: list[ModelClient]
) -> None:
    window = open_window("endless")
    session = window.controller.session
    load(window, qtbot, sample)
    window.controller.generate()
    qtbot.waitUntil(lambda: session.state is State.GENERATING, timeout=120_000)
    pid = clients[0].pid
    assert pid is not None
    os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    assert wait_end(window, qtbot) is State.FAILED
    assert session.failure is not None
    assert session.failure.code == "worker_died"
    assert window.banner.isVisible()
    window.controller.generate()
    assert not window.banner.isVisible()
    qtbot.waitUntil(lambda: session.state is State.GENERATING, timeout=120_000)
    assert clients[0].pid not in {None, pid}
    assert len(clients) == 1
    window.controller.cancel()
    wait_end(window, qtbot)


@pytest.mark.slow
def test_broken_model_is_told(make_window: Make, qtbot: Any, sample: Path, tmp_path: Path) -> None:
    bad = tmp_path / "model-x.gguf"
    bad.write_bytes(b"GGUF but not really")
    window = make_window(Engine(Settings(model=str(bad))).make_client, lambda picture, target: None)
    load(window, qtbot, sample)
    window.controller.generate()
    assert wait_end(window, qtbot) is State.FAILED
    assert window.controller.session.failure is not None
    assert window.controller.session.failure.code.startswith("model_")
    assert "model" in window.banner.title.lower()


@pytest.mark.slow
@pytest.mark.skipif(not (BUNDLED / "viscodex.json").is_file(), reason="no bundled model here")
@pytest.mark.parametrize("name", ["login.png", "chart.png"])
def test_bundled_model_turns_a_picture_into_code(
    make_window: Make, qtbot: Any, samples: Path, name: str
) -> None:
    engine = Engine(Settings())
    window = make_window(engine.make_client, engine.make_request, web=True)
    load(window, qtbot, samples / name)
    drawn: list[bool] = []
    window.preview.drawn.connect(lambda: drawn.append(True))
    window.controller.generate()
    assert wait_end(window, qtbot) in {State.DONE, State.TRUNCATED}
    result = window.controller.session.result
    assert window.code.edit.code.strip()
    assert result.target == ("html" if name == "login.png" else "matplotlib")
    assert result.confidence is not None
    qtbot.waitUntil(lambda: bool(drawn), timeout=60_000)
    print(f"\n{name}: {result.tokens} tokens in {result.seconds:.1f} s")
