"""The path over a graphics device, for real: Vulkan, be it the software device of Mesa.

Runs where VISCODEX_VULKAN_SITE names a folder with a llama-cpp-python built for Vulkan; how to
make one stands in packaging/bench/vulkan.sh.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.client import EngineClient
from engine.devices import list_devices
from engine.models.store import find_model
from engine.protocol import Cancelled, ConvertRequest, Done, Encoding, Event, Ready, Token

SITE = os.environ.get("VISCODEX_VULKAN_SITE", "")
SAMPLE = Path(__file__).resolve().parents[2] / "assets" / "samples" / "login.png"
REQUEST = ConvertRequest(SAMPLE, target="html", hints="never", temperature=0.0, max_tokens=60)

pytestmark = pytest.mark.skipif(
    not (Path(SITE) / "llama_cpp").is_dir() or not SITE,
    reason="VISCODEX_VULKAN_SITE names no folder with a llama-cpp-python for Vulkan",
)


@pytest.fixture(scope="module", autouse=True)
def vulkan() -> Iterator[None]:
    """Child processes find the build for Vulkan first, and take a device that is a processor."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", SITE, prepend=os.pathsep)
        patch.setenv("GGML_VK_VISIBLE_DEVICES", "0")
        yield


def text_of(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Token))


def test_the_device_is_listed() -> None:
    kinds = {device.kind for device in list_devices()}
    assert kinds & {"gpu", "igpu"}


def test_it_computes_what_the_processor_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    with EngineClient(find_model()) as client:
        (ready,) = (event for event in client.start() if isinstance(event, Ready))
        assert ready.device.startswith("Vulkan")
        assert "the whole model" in ready.note
        events = list(client.convert(REQUEST))
        several = list(client.convert(ConvertRequest(SAMPLE, hints="never", candidates=3)))
    assert isinstance(events[-1], Done)
    assert isinstance(several[-1], Done)
    monkeypatch.delenv("PYTHONPATH")
    with EngineClient(find_model()) as client:
        plain = list(client.convert(REQUEST))
        (ready,) = (event for event in client.start() if isinstance(event, Ready))
    assert ready.device.startswith("CPU")
    # The devices round differently: answers may part where two tokens are as likely.
    assert text_of(events)[:80] == text_of(plain)[:80]


def test_it_can_be_cancelled_and_goes_on() -> None:
    with EngineClient(find_model()) as client:
        list(client.start())
        events: list[Event] = []
        for event in client.convert(REQUEST):
            events.append(event)
            if isinstance(event, Encoding):
                client.cancel()
        assert isinstance(events[-1], Cancelled)
        assert isinstance(list(client.convert(REQUEST))[-1], Done)
