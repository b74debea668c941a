"""The window with the real engine process: conversion, cancel, kill, and a window that stays quick.

The bundled model is used where it is there, else a tiny one with random weights: its answers are
nonsense, so what they say is not looked at then.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QTimer

from app.session import BUSY, State
from app.views.main_window import MainWindow
from app.wiring import ModelClient, make_client
from engine.protocol import ConvertRequest

Make = Callable[..., MainWindow]
ROOT = Path(__file__).parents[2]
BUNDLED = ROOT / "assets" / "models" / "viscodex-nano"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model to run: the bundled one, else one made here."""
    if list(BUNDLED.glob("*.gguf")):
        return str(BUNDLED)
    from tests.fixtures.tiny_model import build_tiny_model

    folder = tmp_path_factory.mktemp("tiny")
    build_tiny_model(folder)
    return str(folder)


@pytest.fixture
def clients(model: str) -> list[ModelClient]:
    """The clients made by `window`, so that a test can see its process."""
    return []


@pytest.fixture
def window(
    make_window: Make, model: str, clients: list[ModelClient], request: pytest.FixtureRequest
) -> MainWindow:
    """A window on the real engine; answers are cut off early to keep tests short."""
    tokens = getattr(request, "param", 200)

    def make() -> ModelClient:
        client = make_client(model)
        clients.append(client)
        return client

    def make_request(picture: Any, target: str) -> ConvertRequest:
        return ConvertRequest(image=picture.png, target=target, max_tokens=tokens, hints="never")

    return make_window(make, make_request, web=True, target="html")


def load(window: MainWindow, qtbot: Any, picture: Path) -> None:
    window.controller.offer_path(picture)
    qtbot.waitUntil(lambda: window.controller.session.picture is not None)


def wait_end(window: MainWindow, qtbot: Any) -> State:
    session = window.controller.session
    qtbot.waitUntil(lambda: session.state not in BUSY, timeout=120_000)
    return session.state


def assert_ended_well(window: MainWindow, state: State) -> None:
    """A random model may write anything, but it has to come to an end of its own."""
    if (BUNDLED / "viscodex.json").exists():
        assert state in {State.DONE, State.TRUNCATED}
        assert window.code.edit.code.strip()
    elif state is State.FAILED:
        assert window.controller.session.failure is not None
        assert window.controller.session.failure.code == "no_code"


@pytest.mark.slow
def test_conversion_with_a_window_that_stays_quick(
    window: MainWindow, qtbot: Any, sample: Path
) -> None:
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
    assert_ended_well(window, state)
    gaps.sort()
    print(f"\nlongest block {gaps[-1]:.0f} ms, 99 % under {gaps[int(0.99 * len(gaps))]:.0f} ms")
    assert window.status.device.text()
    assert window.controller.session.result.tokens > 0
    # The budget is 50 ms. Two busy cores cannot hold it as an assertion; a window that waits for
    # the engine anywhere would be off by far more than this.
    assert gaps[-1] < 1000


@pytest.mark.slow
@pytest.mark.parametrize("window", [2000], indirect=True)
def test_cancel_is_answered_and_done(window: MainWindow, qtbot: Any, sample: Path) -> None:
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
@pytest.mark.parametrize("window", [2000], indirect=True)
def test_killed_worker_gives_a_banner_and_the_next_conversion_works(
    window: MainWindow, qtbot: Any, sample: Path, clients: list[ModelClient]
) -> None:
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
    window = make_window(partial(make_client, str(bad)), lambda picture, target: None)
    load(window, qtbot, sample)
    window.controller.generate()
    assert wait_end(window, qtbot) is State.FAILED
    assert window.controller.session.failure is not None
    assert window.controller.session.failure.code.startswith("model_")
    assert "model" in window.banner.title.lower()
