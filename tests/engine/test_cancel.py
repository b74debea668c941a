"""A stop in every phase, of a worker that obeys and of one that does not."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import psutil
import pytest

from engine.client import EngineClient
from engine.protocol import (
    Done,
    Encoding,
    Error,
    Event,
    Loading,
    Prefilling,
    Token,
)
from tests.engine.bench import (
    GRACE,
    REQUEST,
    Bench,
    cancelled_when,
    eventually,
    final,
    is_cancelled,
)

posix = pytest.mark.skipif(os.name != "posix", reason="signals")
# Phase -> the event at which the caller cancels: there is always more of the phase to come.
# `loading 0` comes before a new process has its libraries, `prefilling` after one of 12 batches.
STOPS: dict[str, Callable[[Event], bool]] = {
    "load": lambda event: isinstance(event, Loading),
    "encode": lambda event: isinstance(event, Encoding),
    "read": lambda event: isinstance(event, Encoding) and event.fraction == 1.0,
    "prefill": lambda event: isinstance(event, Prefilling),
    "decode": lambda event: isinstance(event, Token) and "w" in event.text,
    "decode several": lambda event: isinstance(event, Token) and event.candidate == 2,
}


@pytest.fixture
def patient(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """With time to obey on a busy machine, too."""
    monkeypatch.setattr(bench.client, "_cancel_grace", 30.0)
    bench.check()
    return bench


@pytest.mark.parametrize("phase", STOPS)
def test_a_worker_obeys_in_every_phase(patient: Bench, phase: str) -> None:
    bench = patient
    if phase == "load":
        psutil.Process(bench.client.pid).kill()
        assert eventually(lambda: bench.client.pid is None)
    pid, events, asked = None, list[Event](), threading.Event()
    with cancelled_when(bench.client, asked.is_set):
        for event in bench.serve(phase):
            pid = pid or bench.client.pid
            events.append(event)
            if STOPS[phase](event):
                asked.set()
    assert is_cancelled(events)
    assert STOPS[phase](events[-2]) or phase.startswith("decode")  # it did not get any further
    assert bench.client.pid == pid
    bench.check()
    assert bench.client.pid == pid


@posix
@pytest.mark.parametrize(
    ("phase", "fault"),
    [
        *((phase, "stopped") for phase in STOPS if phase != "read"),
        ("encode", "deaf"),  # which here holds up native code
        ("decode", "deaf"),
    ],
)
def test_a_worker_that_does_not_obey_is_killed(bench: Bench, phase: str, fault: str) -> None:
    bench.check()
    pid, meeting = bench.client.pid, bench.meet(phase, fault)
    with cancelled_when(bench.client, lambda: bench.orders.carried_out):
        events = list(meeting)
    assert is_cancelled(events)
    assert bench.client.pid is None
    bench.check()
    assert bench.client.pid != pid


@pytest.mark.parametrize("phase", ["load", "encode", "prefill", "decode several"])
def test_a_caller_that_stops_listening(patient: Bench, phase: str) -> None:
    bench = patient
    pid = bench.client.pid
    with closing(bench.serve(phase)) as events:
        for event in events:
            if STOPS[phase](event):
                break
    assert bench.client.pid == pid
    bench.check()


@posix
def test_a_caller_that_stops_listening_to_a_worker_that_hangs(bench: Bench) -> None:
    bench.check()
    with closing(bench.meet("decode", "stopped")) as events:
        for event in events:
            if isinstance(event, Token):
                break
        assert eventually(lambda: bench.orders.carried_out)
    assert bench.client.pid is None
    bench.check()


def test_a_caller_that_is_slow_to_listen_costs_no_worker(bench: Bench) -> None:
    bench.check()
    pid, events, asked = bench.client.pid, list[Event](), False
    for event in bench.serve("decode"):
        events.append(event)
        if STOPS["decode"](event) and not asked:
            asked = True
            bench.client.cancel()
            time.sleep(2 * GRACE)
    assert is_cancelled(events)
    assert bench.client.pid == pid
    bench.check()


@posix
@pytest.mark.parametrize("close", [False, True], ids=["cancel", "close"])
def test_a_worker_that_hangs_before_it_speaks(bench: Bench, close: bool) -> None:
    bench.orders.give("hello", 1, "stopped")
    with EngineClient(bench.models[0], cancel_grace=GRACE) as client:
        stop = client.close if close else client.cancel
        with cancelled_when(client, lambda: bench.orders.carried_out, stop):
            events = list(client.convert(REQUEST))
        assert is_cancelled(events)
        again = final(list(client.convert(REQUEST)))
        assert isinstance(again, Error if close else Done)
    bench.check()


@posix
@pytest.mark.parametrize("close", [False, True], ids=["cancel", "close"])
def test_a_worker_that_does_not_read_a_long_request(bench: Bench, close: bool) -> None:
    """The picture is longer than a pipe takes: the client waits while it writes."""
    with EngineClient(bench.models[0], cancel_grace=GRACE) as client:
        list(client.start())
        assert client.pid
        os.kill(client.pid, signal.SIGSTOP)
        stop = client.close if close else client.cancel
        writing = threading.Event()
        timer = threading.Timer(0.3, writing.set)
        timer.start()
        with cancelled_when(client, writing.is_set, stop):
            events = list(client.convert(replace(REQUEST, image=bytes(3_000_000))))
        assert is_cancelled(events)
    bench.check()


def test_closed_while_the_process_is_being_made(bench: Bench) -> None:
    for delay in (0.0, 0.002, 0.01, 0.1):
        client = EngineClient(bench.models[0])
        threading.Timer(delay, client.close).start()
        assert not isinstance(final(list(client.convert(REQUEST))), Done)
    bench.check()
