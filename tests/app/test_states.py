"""The states and errors of the design, each reached in the window, with its text and ways on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QPushButton

from app import messages
from app.intake import Offer
from app.log import start_log, stop_log
from app.session import EngineState, State
from app.views.main_window import MainWindow
from engine import protocol
from engine.errors import ErrorCode, VisCodexError
from tests.app.scripted import DIED, WAIT, ScriptedClient, answer, compared, together
from tests.app.windows import Make, convert, load, request, state, trigger, wait_done

# As the design names them -> as they are named here.
CODES: Mapping[str, tuple[str, ...]] = {
    "no_model": ("model_missing",),
    "model_corrupt": ("model_broken",),
    "model_unsupported": ("model_unsupported", "model_mismatch"),
    "oom_gpu": ("graphics_memory",),
    "oom_ram": ("out_of_memory",),
    "engine_crash": ("worker_died", "graphics_crashed"),
    "image_unreadable": ("unsupported_image",),
    "image_too_small": ("image_too_small", "image_too_narrow"),
    "context_full": ("context_full",),
    "no_code_in_answer": ("no_code",),
    "render_failed": ("render_failed",),
    "capture_denied": ("capture_denied",),
    "capture_unavailable": ("capture_unavailable",),
    "capture_timeout": ("capture_timeout",),
    "disk_full": ("disk_full",),
    "download_stalled": ("download_stalled",),
    "checksum_mismatch": ("checksum_mismatch",),
}


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_a_title_advice_and_actions_that_are_there(
    code: str, make_window: Make
) -> None:
    actions = make_window(ScriptedClient, request).actions_by_name
    for name in CODES[code]:
        entry = messages.ERRORS[name]
        assert entry.title and entry.advice
        assert not entry.title.endswith(".") or ". " in entry.title
        assert set(entry.actions) <= set(actions)


OOM = protocol.Error(ErrorCode.out_of_memory, "There is not enough memory.", "Close programs.")
CUT: list[Any] = answer("<p>one</p>\n<p>tw")
CUT[-1] = protocol.Done("length", {**CUT[-1].stats, "limit": 4096, "room": 16000})


class Slow(ScriptedClient):
    """Loads up to 45 % and waits there."""

    def warm_up(self) -> Iterator[Any]:
        self.cancelled.clear()
        yield protocol.Loading(0.45)
        while not self.go.wait(0.01):
            if self.cancelled.is_set():
                yield protocol.Cancelled()
                return
        yield protocol.Ready("scripted", "Vulkan0", 4096, graphics=True)


def buttons(window: MainWindow) -> list[str]:
    return [one.text() for one in window.banner.findChildren(QPushButton) if one.isVisible()]


def press(window: MainWindow, text: str) -> None:
    next(one for one in window.banner.findChildren(QPushButton) if one.text() == text).click()


def told(window: MainWindow) -> str:
    return window.status.state.text()


@pytest.fixture
def begin(make_window: Make, qtbot: Any, sample: Path) -> Callable[..., MainWindow]:
    """A window with a picture whose conversion has begun; `graphics` says a card is in use."""

    def make(client: ScriptedClient, graphics: bool = False) -> MainWindow:
        client.graphics = graphics
        window = make_window(lambda: client, request)
        load(window, qtbot, sample)
        window.controller.load()
        session = window.controller.session
        qtbot.waitUntil(lambda: session.engine is EngineState.READY)
        window.controller.generate()
        return window

    return make


# One test for each row of the table ---------------------------------------------------------------


def test_loading_tells_how_far_and_can_be_cancelled(make_window: Make, qtbot: Any) -> None:
    client = Slow()
    window = make_window(lambda: client, request)
    window.controller.load()
    qtbot.waitUntil(lambda: told(window) == "Loading the model · 45 %")
    assert window.status.progress.isVisible()
    assert window.status.progress.value() == 450
    assert window.status.stop.isVisible()
    qtbot.keyClick(window, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: window.controller.session.engine is EngineState.IDLE)
    assert not window.status.progress.isVisible()
    assert not window.status.stop.isVisible()
    assert not window.actions_by_name["cancel"].isEnabled()
    assert window.banner.isHidden()  # who cancels needs no telling
    window.controller.load()  # it can be begun again
    client.go.set()
    qtbot.waitUntil(lambda: told(window) == "Ready · GPU")
    assert window.status.device.text() == "Vulkan0"


def test_pictures_are_taken_while_the_model_is_loaded(
    make_window: Make, qtbot: Any, sample: Path
) -> None:
    client = Slow(answer())
    window = make_window(lambda: client, request)
    window.controller.load()
    qtbot.waitUntil(lambda: "45 %" in told(window))
    load(window, qtbot, sample)
    window.controller.generate()
    assert state(window) is State.LOADING
    client.go.set()
    wait_done(window, qtbot)


def test_ready_names_the_device(make_window: Make, qtbot: Any, sample: Path) -> None:
    client = ScriptedClient()
    window = make_window(lambda: client, request)
    assert told(window) == "No picture yet"
    window.controller.load()
    qtbot.waitUntil(lambda: told(window) == "Ready · CPU")
    load(window, qtbot, sample)
    assert told(window) == "Ready · CPU"


def test_a_load_that_fails_is_told_and_can_be_tried_again(make_window: Make, qtbot: Any) -> None:
    broken = threading.Event()
    broken.set()

    def client() -> Any:
        if broken.is_set():
            raise VisCodexError(ErrorCode.model_broken, "'x.gguf' is cut off.", "Get it again.")
        return ScriptedClient()

    window = make_window(client, request)
    window.controller.load()
    qtbot.waitUntil(window.banner.isVisible)
    assert told(window) == "The model could not be loaded"
    assert buttons(window) == ["Choose a model…", "Try again", "Details"]
    assert window.banner.detail == "'x.gguf' is cut off."
    broken.clear()
    press(window, "Try again")
    qtbot.waitUntil(lambda: told(window) == "Ready · CPU")


def test_without_a_model_pictures_wait_for_one(
    make_window: Make, qtbot: Any, sample: Path, samples: Path
) -> None:
    missing = threading.Event()
    missing.set()

    def client() -> Any:
        if missing.is_set():
            raise VisCodexError(ErrorCode.model_missing, "There is no model.", "Choose one.")
        return ScriptedClient(answer(), answer())

    window = make_window(client, request, auto_start=True)
    window.controller.load()
    qtbot.waitUntil(window.banner.isVisible)
    assert (window.banner.title, told(window)) == ("No model yet", "No model yet")
    assert window.banner.property("tone") == "warn"
    assert buttons(window) == ["Get a model…", "Try again", "Learn more"]
    assert window.actions_by_name["snip"].isEnabled()
    window.controller.offer_all([Offer(sample, "a"), Offer(samples / "chart.png", "b")])
    qtbot.waitUntil(lambda: state(window) is State.READY)
    qtbot.waitUntil(window.banner.isVisible)
    assert told(window) == "No model yet"
    assert [one.name for one in window.controller.queue.waiting] == ["b"]
    missing.clear()
    window.controller.load()
    qtbot.waitUntil(lambda: state(window) is State.DONE and window.controller.session.run == 2)
    assert window.controller.session.picture is not None
    assert window.controller.session.picture.name == "b"


def test_encoding_generating_comparing_done(begin: Callable[..., MainWindow], qtbot: Any) -> None:
    two = ("<p>one</p>", "<p>two</p>")
    written, drawn = together(*two), compared((two[0], 0.5), (two[1], 0.4))
    client = ScriptedClient(
        [written[0], WAIT, *written[1:], WAIT, drawn[0], WAIT, *drawn[1:], answer()[-1]]
    )
    window = begin(client)
    seen = []
    for words in ("Reading the picture", "Writing code", "Comparing 1 of 2"):
        qtbot.waitUntil(lambda words=words: told(window).startswith(words))
        seen.append(state(window))
        assert window.actions_by_name["cancel"].isEnabled()
        client.go.set()
    assert seen == [State.ENCODING, State.GENERATING, State.COMPARING]
    wait_done(window, qtbot)
    assert told(window).startswith("Done")


def test_cancelled_while_comparing(begin: Callable[..., MainWindow], qtbot: Any) -> None:
    two = ("<p>one</p>", "<p>two</p>")
    drawn = compared((two[0], 0.5), (two[1], 0.4))
    window = begin(ScriptedClient([*together(*two), *drawn[:2], WAIT]))
    qtbot.waitUntil(lambda: state(window) is State.COMPARING)
    qtbot.waitUntil(lambda: len(window.controller._drawn) == 1)
    trigger(window, "cancel")
    qtbot.waitUntil(lambda: state(window) is State.CANCELLED)
    assert told(window) == "Cancelled"
    assert len(window.features.refining.strip.cards) == 2
    assert window.actions_by_name["generate"].isEnabled()


def test_the_length_limit_is_named_and_can_be_raised(
    begin: Callable[..., MainWindow], qtbot: Any
) -> None:
    client = ScriptedClient(CUT, answer())
    window = begin(client)
    qtbot.waitUntil(lambda: state(window) is State.TRUNCATED)
    assert window.banner.title == "Stopped at the length limit (4,096 tokens)"
    assert buttons(window) == ["Write on", "Raise the limit"]
    press(window, "Raise the limit")
    wait_done(window, qtbot)
    wishes = client.requests[1][2]
    assert wishes == {"begun": "<p>one</p>\n", "max_tokens": 8192}


def test_a_limit_that_the_model_itself_has_cannot_be_raised(
    begin: Callable[..., MainWindow], qtbot: Any
) -> None:
    script = [*CUT[:-1], protocol.Done("length", {**CUT[-1].stats, "room": 5000})]
    window = begin(ScriptedClient(script))
    qtbot.waitUntil(lambda: state(window) is State.TRUNCATED)
    assert buttons(window) == ["Write on"]
    assert not window.actions_by_name["raise_limit"].isEnabled()


def test_an_engine_that_died_of_the_card_starts_anew_on_the_processor(
    begin: Callable[..., MainWindow], qtbot: Any
) -> None:
    client = ScriptedClient([*answer()[:5], DIED], answer())
    window = begin(client, graphics=True)
    seen: list[EngineState] = []
    session = window.controller.session
    window.controller.changed.connect(lambda: seen.append(session.engine))
    qtbot.waitUntil(lambda: state(window) is State.FAILED)
    assert window.banner.title == "The model process stopped. Restarted on the processor."
    assert window.banner.detail == DIED.message
    assert buttons(window) == ["Try again", "Details"]
    qtbot.waitUntil(lambda: session.engine is EngineState.READY)
    order = list(dict.fromkeys(seen))
    assert order == [
        EngineState.READY, EngineState.CRASHED, EngineState.LOADING,
    ]  # fmt: skip
    assert not session.graphics
    assert window.status.device.text() == "CPU, 2 threads"
    press(window, "Try again")
    wait_done(window, qtbot)


def test_an_engine_that_died_on_the_processor_starts_anew(
    begin: Callable[..., MainWindow], qtbot: Any
) -> None:
    client = ScriptedClient([*answer()[:5], DIED])
    window = begin(client)
    qtbot.waitUntil(lambda: state(window) is State.FAILED)
    assert window.banner.title == "The model process stopped"
    qtbot.waitUntil(lambda: client.loads == 2)
    qtbot.waitUntil(lambda: window.controller.session.engine is EngineState.READY)


def test_a_card_without_room_can_be_left_for_the_processor(
    begin: Callable[..., MainWindow], qtbot: Any
) -> None:
    client = ScriptedClient(answer(), [*answer()[:5], OOM], answer("<p>bluer</p>"))
    window = begin(client, graphics=True)
    wait_done(window, qtbot)
    window.features.refining.bar.wanted.emit("Bluer")
    qtbot.waitUntil(lambda: state(window) is State.FAILED)
    assert window.banner.title == "The graphics card ran out of memory"
    assert buttons(window) == [
        "Try again", "Try again on the processor", "Choose a model…", "Details",
    ]  # fmt: skip
    press(window, "Try again on the processor")
    wait_done(window, qtbot)
    assert not client.graphics
    assert not window.controller.session.graphics
    # What was asked for is asked for again, not just any conversion.
    assert client.requests[2] == client.requests[1]
    assert window.code.edit.code == "<p>bluer</p>"


def test_memory_that_is_short_on_the_processor_offers_no_processor(
    begin: Callable[..., MainWindow], qtbot: Any
) -> None:
    window = begin(ScriptedClient([OOM]))
    qtbot.waitUntil(lambda: state(window) is State.FAILED)
    assert window.banner.title == "There was not enough memory"
    assert buttons(window) == ["Try again", "Choose a model…", "Details"]


def test_details_tell_code_message_and_log_and_nothing_private(
    begin: Callable[..., MainWindow], qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.log.log_folder", lambda: tmp_path / "log")
    home = str(Path.home() / "secret" / "face.png")
    said = protocol.Error(ErrorCode.internal, f"It broke over {home} of me@example.org.", "")
    handler = start_log(tmp_path / "log")
    assert handler is not None
    try:
        window = begin(ScriptedClient([said]))
        import logging

        logging.getLogger("app.test").warning("something happened before")
        qtbot.waitUntil(lambda: state(window) is State.FAILED)
    finally:
        stop_log(handler)
    unfolded = window.banner.details
    assert unfolded.isHidden()
    press(window, "Details")
    assert unfolded.isVisible()
    unfolded.copy.click()
    text = QGuiApplication.clipboard().text()
    assert text == unfolded.text.toPlainText()
    assert text.startswith("internal: It broke over ")
    assert "something happened before" in text
    assert "secret" not in text and "example.org" not in text
    press(window, "Details")
    assert unfolded.isHidden()


def test_every_state_is_reached_and_every_engine_state_has_a_row() -> None:
    """The tests above, by the names of the design; capture and downloads have tests of their own
    (test_snip_x11, test_permission, test_models_window, test_first_run)."""
    rows = {State.LOADING, State.ENCODING, State.GENERATING, State.COMPARING, State.CANCELLED,
            State.TRUNCATED, State.DONE, State.FAILED, State.READY}  # fmt: skip
    assert rows | {State.EMPTY, State.CANCELLING} == set(State)
    assert set(messages.ENGINES) | {EngineState.IDLE, EngineState.READY} == set(EngineState)


def test_retry_does_the_same_as_before(begin: Callable[..., MainWindow], qtbot: Any) -> None:
    client = ScriptedClient(answer(), [*answer()[:5], DIED], answer("<p>bluer</p>"))
    window = begin(client)
    wait_done(window, qtbot)
    window.features.refining.bar.wanted.emit("Bluer")
    qtbot.waitUntil(lambda: state(window) is State.FAILED)
    press(window, "Try again")
    wait_done(window, qtbot)
    assert client.requests[2] == client.requests[1]


def test_large_pictures_are_made_smaller_and_that_is_told(
    make_window: Make, qtbot: Any, tmp_path: Path
) -> None:
    from PIL import Image

    path = tmp_path / "wall.jpg"
    Image.linear_gradient("L").resize((8000, 6000)).save(path)
    window = make_window(lambda: ScriptedClient(answer()), request)
    window.controller.offer_path(path)
    qtbot.waitUntil(lambda: window.controller.session.picture is not None, timeout=60_000)
    picture = window.controller.session.picture
    assert picture is not None and picture.full == (8000, 6000)
    assert picture.width * picture.height <= 40_000_000
    assert window.source.size_chip.text().startswith("8000 × 6000 → ")
    assert "Made smaller: it had 8000 × 6000 pixels." in window.source.size_chip.toolTip()
    convert(window, qtbot)
