"""A client whose worker meets faults, and a check that nothing is left of them."""

from __future__ import annotations

import io
import itertools
import os
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import psutil
import pytest
from PIL import Image, ImageDraw

from engine.client import EngineClient
from engine.images import ImageLimits
from engine.models.store import ModelFiles
from engine.protocol import Cancelled, ConvertRequest, Done, Event, Ready, Token
from tests.engine.scripted_model import Script, build
from tests.fixtures.faulty_worker import Orders, install

GRACE = 0.5  # seconds the worker has to obey


def png(size: tuple[int, int] = (168, 112), text: str = "", colour: str = "white") -> bytes:
    """A picture file with as many lines of the text as have room."""
    image = Image.new("RGB", size, colour)
    for y in range(10, size[1] - 40 if text else 0, 60):
        ImageDraw.Draw(image).text((10, y), text, fill="black", font_size=28)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


# Every phase but the text reader's in one request.
REQUEST = ConvertRequest(
    png(text="Hello"),
    target="html",
    hints="never",
    max_tokens=12,
    refine=("go", "<p>line</p>\n" * 60),
)


class Phase(NamedTuple):
    """The event that is about to be written, the how manieth, and what makes the phase long."""

    event: str
    nth: int
    size: tuple[int, int] = (168, 112)
    options: Mapping[str, Any] = MappingProxyType({})


PHASES = {
    "load": Phase("loading", 2),
    "encode": Phase("encoding", 2, (840, 840)),
    "read": Phase("text_read", 1, (560, 560), {"hints": "always"}),
    "prefill": Phase("prefilling", 1, options={"refine": ("go", "<p>line</p>\n" * 500)}),
    "decode": Phase("token", 5),
    "decode several": Phase("token", 9, options={"candidates": 3}),
}


def answer(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Token))


def final(events: list[Event]) -> Event:
    """The one event that ends a request, which comes last."""
    finals = [event for event in events if event.final and not isinstance(event, Ready)]
    assert finals == events[-1:]
    return finals[0]


def eventually(holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + 10
    while not holds() and time.monotonic() < end:
        time.sleep(0.02)
    return holds()


@contextmanager
def cancelled_when(
    client: EngineClient, holds: Callable[[], bool], stop: Callable[[], None] | None = None
) -> Iterator[None]:
    """Cancels from another thread once `holds()`, or calls `stop`.

    A cancel must return at once, and the request that is served meanwhile end soon.
    """
    times: list[float] = []

    seen: list[bool] = []

    def work() -> None:
        seen.append(eventually(holds))
        times.append(time.monotonic())
        (stop or client.cancel)()
        times.append(time.monotonic())

    thread = threading.Thread(target=work)
    thread.start()
    yield
    ended = time.monotonic()
    thread.join()
    assert seen == [True]
    asked, returned = times
    assert returned - asked < (1.0 if stop != client.close else 8.0)
    assert ended - asked < GRACE + 8.0  # the budget is 2 s on a quiet machine


@dataclass
class Bench:
    """A client whose workers take orders, and what it was like before anything went wrong."""

    client: EngineClient
    models: list[ModelFiles]  # the first one is loaded
    orders: Orders
    flags: Path
    others: set[int]  # processes that are not of this bench
    answer: str = ""
    descriptors: int = 0
    threads: int = 0
    pictures: Iterator[int] = field(default_factory=itertools.count)

    def request(self, phase: str) -> ConvertRequest:
        """One that reaches the phase and writes on, with a picture never seen before."""
        image = png(PHASES[phase].size, f"Number {next(self.pictures)} of these lines")
        endless = replace(REQUEST, image=image, temperature=1.0, max_tokens=None)
        return replace(endless, **PHASES[phase].options)

    def meet(self, phase: str, fault: str) -> Generator[Event, None, None]:
        """A request that will meet a fault in a phase; the order is given at once."""
        self.orders.give(PHASES[phase].event, PHASES[phase].nth, fault)
        return self.serve(phase)

    def serve(self, phase: str) -> Generator[Event, None, None]:
        """A request that reaches a phase; a load loads the other of two models."""
        if phase != "load":
            yield from self.client.convert(self.request(phase))
            return
        self.models.reverse()
        yield from self.client.start(self.models[0])

    def check(self) -> None:
        """The client works as before, and nothing is left of what happened."""
        events = list(self.client.convert(REQUEST))
        assert isinstance(final(events), Done), events[-1]
        assert answer(events) == self.answer
        assert eventually(lambda: threading.active_count() <= self.threads)
        assert children() - self.others == {self.client.pid}
        if os.name == "posix":
            # Fewer, where garbage of earlier tests has gone in the meantime.
            assert psutil.Process().num_fds() <= self.descriptors
        assert list(self.flags.iterdir()) == []


@contextmanager
def opened(folder: Path) -> Iterator[Bench]:
    """A bench in an empty folder."""
    words = [f"w{index} " for index in range(40)]
    follows = {
        word: {words[(i * 7 + k) % 40]: 1.0 for k in range(9)} for i, word in enumerate(words)
    }
    # What is said hangs on all that lies in the cache: a cell too many would change it.
    endless = Script(words, {"\n": {"w0 ": 5.0}, **follows}, mixing=0.08)
    limits = ImageLimits(min_tokens=4, max_tokens=4096)
    models = [build(folder / name, endless, context=8192, image=limits) for name in "ab"]
    flags = folder / "flags"
    flags.mkdir()
    others = children()  # renderers that other tests share
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(flags))
        orders = install(folder / "hook", patch)
        with EngineClient(models[0], cancel_grace=GRACE) as client:
            bench = Bench(client, models, orders, flags, others)
            events = list(client.convert(REQUEST))
            assert isinstance(final(events), Done), events[-1]
            bench.answer = answer(events)
            assert len(bench.answer) > 20
            changed = replace(REQUEST, image=png(text="Other", colour="teal"))
            assert answer(list(client.convert(changed))) != bench.answer
            bench.threads = threading.active_count()
            if os.name == "posix":
                bench.descriptors = psutil.Process().num_fds()
            yield bench
        assert children() <= others


def children() -> set[int]:
    """The processes this one has started and not yet waited for."""
    return {child.pid for child in psutil.Process().children()}


def is_cancelled(events: list[Event]) -> bool:
    return isinstance(final(events), Cancelled)
