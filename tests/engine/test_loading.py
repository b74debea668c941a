"""Loading by plan in the real worker; a graphics device is played by what a bad driver does."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from engine.client import EngineClient
from engine.models.store import ModelFiles
from engine.protocol import ConvertRequest, Done, Event, Loading, Ready
from engine.remembered import FOLDER_VARIABLE, Memory
from tests.engine.scripted_model import build, chain

# Runs in the worker before anything else. There is no graphics card here: one is listed, and to
# use it does what `{reaction}` says.
DRIVER = """
import os
import engine.loading
from engine.devices import Device
from engine.errors import ErrorCode, VisCodexError

real = engine.loading.VisionSession

def session(model, mmproj, options, flag, progress):
    if options.gpu_layers or options.vision_on_gpu:
        progress(0.5)
        {reaction}
    return real(model, mmproj, options, flag, progress)

engine.loading._graphics = lambda: [Device("GPU0", "A card", "gpu", 1 << 40, 1 << 40)]
engine.loading.VisionSession = session
"""
ABORTS = "os.abort()"
REFUSES = 'raise VisCodexError(ErrorCode.out_of_memory, "No room on the card.")'


def request() -> ConvertRequest:
    out = io.BytesIO()
    Image.new("RGB", (112, 84), "white").save(out, "PNG")
    return ConvertRequest(out.getvalue(), target="html", hints="never")


@pytest.fixture
def files(tmp_path: Path) -> ModelFiles:
    return build(tmp_path / "model", chain("<p>", "<|im_end|>"))


@pytest.fixture
def client(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    files: ModelFiles,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[EngineClient]:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "cache"))
    folder = tmp_path / "driver"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(DRIVER.format(reaction=request.param))
    monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{Path(__file__).parents[2]}")
    with EngineClient(files) as made:
        yield made


def never_falls(events: list[Event]) -> bool:
    fractions = [event.fraction for event in events if isinstance(event, Loading)]
    return fractions == sorted(fractions) and fractions[-1] > 0.9


def note(events: list[Event]) -> str:
    (ready,) = (event for event in events if isinstance(event, Ready))
    return ready.note


@pytest.mark.parametrize("client", [ABORTS], indirect=True)
def test_a_driver_that_ends_the_process_is_left_alone(client: EngineClient) -> None:
    events = list(client.convert(request()))
    assert isinstance(events[-1], Done)
    assert sum(event.final for event in events) == 2  # ready and done, no error
    assert "GPU0" in {event.device for event in events if isinstance(event, Loading)}
    assert "without graphics" in note(events)
    assert never_falls(events)
    # Nor does the next process try it again.
    assert client.pid is not None
    os.kill(client.pid, signal.SIGKILL)
    events = list(client.convert(request()))
    if not isinstance(events[-1], Done):  # the death may be noticed by this request
        events = list(client.convert(request()))
    assert isinstance(events[-1], Done)
    assert {event.device for event in events if isinstance(event, Loading)} == {""}


@pytest.mark.parametrize("client", [REFUSES], indirect=True)
def test_a_device_that_fails_is_followed_by_the_processor(client: EngineClient) -> None:
    events = list(client.convert(request()))
    assert isinstance(events[-1], Done)
    assert "A card: the whole model, but that failed" in note(events)
    assert never_falls(events)
    assert "processor" in note(events)
    (ready,) = (event for event in events if isinstance(event, Ready))
    assert ready.device.startswith("CPU")


@pytest.mark.parametrize("client", [ABORTS], indirect=True)
def test_the_next_start_does_not_end_by_the_same_driver(
    client: EngineClient, files: ModelFiles
) -> None:
    assert isinstance(list(client.start())[-1], Ready)
    with EngineClient(files) as later:
        events = list(later.start())
        assert {event.device for event in events if isinstance(event, Loading)} == {""}
        assert "remembered: GPU0 ended the engine" in note(events)
        assert "--forget" in note(events)
    assert Memory().forget() == 1
    with EngineClient(files) as fresh:
        events = list(fresh.start())
        assert "GPU0" in {event.device for event in events if isinstance(event, Loading)}


@pytest.mark.parametrize("client", [REFUSES], indirect=True)
def test_what_was_refused_is_not_tried_at_the_next_start(
    client: EngineClient, files: ModelFiles
) -> None:
    assert "GPU0" in {event.device for event in client.start() if isinstance(event, Loading)}
    with EngineClient(files) as later:
        events = list(later.start())
        assert {event.device for event in events if isinstance(event, Loading)} == {""}
        assert note(events).startswith("remembered: ")
    # Another file is another matter.
    os.utime(files.mmproj, ns=(1, 1))
    with EngineClient(files) as changed:
        devices = {event.device for event in changed.start() if isinstance(event, Loading)}
        assert "GPU0" in devices


@pytest.mark.parametrize("client", ["pass"], indirect=True)
def test_a_card_that_is_left_is_not_used_again(client: EngineClient) -> None:
    (ready,) = (event for event in client.start() if isinstance(event, Ready))
    assert ready.graphics and ready.device == "GPU0"
    client.leave_graphics()
    (ready,) = (event for event in client.start() if isinstance(event, Ready))
    assert not ready.graphics and ready.device.startswith("CPU")
    assert "without graphics devices" in ready.note
    assert isinstance(list(client.convert(request()))[-1], Done)
    client.leave_graphics()  # again: the model that is loaded stays
    assert [type(event) for event in client.start()] == [Ready]


@pytest.mark.parametrize("client", ["pass"], indirect=True)
def test_what_works_is_tried_again(client: EngineClient, files: ModelFiles) -> None:
    def rows(events: list[Event]) -> tuple[str, list[str]]:
        (ready,) = (event for event in events if isinstance(event, Ready))
        return ready.device, [event.device for event in events if isinstance(event, Loading)]

    first = rows(list(client.start()))
    assert first[0] == "GPU0"
    (record,) = Memory().records()
    assert record.worked.startswith("GPU0/whole/") and not record.trying and not record.failed
    with EngineClient(files) as later:
        assert rows(list(later.start()))[0] == "GPU0"


def test_without_a_card_nothing_is_tried(files: ModelFiles) -> None:
    with EngineClient(files) as client:
        events = list(client.convert(request()))
    assert note(events) == "processor; prompts are ChatML: the file has no chat template"
