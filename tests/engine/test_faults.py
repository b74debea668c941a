"""What befalls a worker in each phase: one clear error, and the next request works as before."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from engine.client import EngineClient
from engine.errors import ErrorCode
from engine.images import MAX_FILE_BYTES
from engine.protocol import ConvertRequest, Done, Error, ReadTextRequest
from tests.engine.bench import PHASES, REQUEST, Bench, final, png
from tests.engine.scripted_model import build, chain

pytestmark = pytest.mark.skipif(os.name != "posix", reason="faults are signals")

DIED, MEMORY = ErrorCode.worker_died, ErrorCode.out_of_memory
# Fault -> what the client tells: code and a sign in the message.
TOLD = {
    "killed": (DIED, "SIGKILL"),
    "segfault": (DIED, "SIGSEGV"),
    "aborted": (DIED, "SIGABRT"),
    "left": (DIED, "exit status 3"),
    "no memory": (MEMORY, "memory"),
    "no memory in native code": (MEMORY, "memory"),
    "garbage": (DIED, "unreadable"),
    "endless line": (DIED, "unreadable"),
    "half a frame": (DIED, "SIGKILL"),
    "wrong list": (DIED, "unreadable"),
    "wrong field": (DIED, "unreadable"),
    "unknown event": (DIED, "unreadable"),
}
# The text reader takes a second to load, so only one fault is shown there.
CASES = [
    *((phase, fault) for phase in PHASES if phase != "read" for fault in ("killed", "no memory")),
    *((phase, "garbage") for phase in PHASES if phase != "decode several"),
    *((phase, "segfault") for phase in ("load", "encode")),
    *((phase, "half a frame") for phase in ("load", "decode")),
    ("load", "left"),
    ("load", "wrong field"),
    ("encode", "no memory in native code"),
    ("encode", "endless line"),
    ("prefill", "wrong list"),
    ("decode", "wrong field"),
    ("decode", "unknown event"),
    ("decode", "aborted"),
]


@pytest.mark.parametrize(("phase", "fault"), CASES)
def test_a_fault_is_one_error_and_the_next_request_works(
    bench: Bench, phase: str, fault: str
) -> None:
    pid = bench.client.pid
    error = final(list(bench.meet(phase, fault)))
    assert bench.orders.carried_out
    assert isinstance(error, Error)
    code, sign = TOLD[fault]
    assert error.code is code
    assert sign in error.message and error.advice
    bench.check()
    assert bench.client.pid != pid


# Where memory ends -> the request that meets it, and bytes that are left to the worker.
WIDE = replace(REQUEST, image=png((1792, 1792), colour="red"), refine=None)
SHORT: Mapping[str, tuple[ConvertRequest | None, int]] = {
    "decoding the picture": (replace(WIDE, image=png((8000, 8000), colour="red")), 100_000_000),
    "preparing the picture": (WIDE, 60_000_000),
    "encoding": (WIDE, 160_000_000),
    "the context": (None, 100_000_000),
    "the text reader": (ConvertRequest(png((1500, 1500)), target="text"), 20_000_000),
}


@pytest.mark.skipif(sys.platform != "linux", reason="prlimit")
@pytest.mark.parametrize("place", SHORT)
def test_short_memory_is_told_and_given_back(bench: Bench, tmp_path: Path, place: str) -> None:
    request, left = SHORT[place]
    bench.check()
    worker = psutil.Process(bench.client.pid)
    limit = worker.memory_info().vms + left
    worker.rlimit(psutil.RLIMIT_AS, (limit, psutil.RLIM_INFINITY))
    if request is None:
        large = build(tmp_path, chain("<p>", "<|im_end|>"), context=1 << 20)
        error = final(list(bench.client.start(large)))
        assert not isinstance(error, Done)
        list(bench.client.start(bench.models[0]))
    else:
        error = final(list(bench.client.convert(request)))
    assert isinstance(error, Error)
    assert error.code is MEMORY
    assert error.advice
    bench.check()
    assert bench.client.pid != worker.pid


@pytest.mark.parametrize(
    ("size", "code"),
    [(MAX_FILE_BYTES + 1, ErrorCode.image_too_large), (100_000_000, ErrorCode.bad_input)],
)
def test_a_picture_file_that_is_too_large_is_refused(
    bench: Bench, size: int, code: ErrorCode
) -> None:
    pid = bench.client.pid
    error = final(list(bench.client.convert(ConvertRequest(bytes(size), target="html"))))
    assert isinstance(error, Error)
    assert error.code is code
    bench.check()
    assert bench.client.pid == pid


class Unheard(ReadTextRequest):
    """What an application of another version might ask."""

    request = "dance"


def test_a_request_the_worker_cannot_read_is_an_error(bench: Bench) -> None:
    client = bench.client
    with client._busy:
        error = final(list(client._guarded(Unheard(b""))))
    assert isinstance(error, Error)
    assert error.code is ErrorCode.bad_input
    bench.check()


def test_a_worker_that_cannot_start_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for program in (str(tmp_path / "none"), "/bin/false"):
        monkeypatch.setattr("sys.executable", program)
        with EngineClient() as client:
            error = final(list(client.convert(REQUEST)))
        assert isinstance(error, Error)
        assert error.code is DIED
        assert error.advice
        assert list(tmp_path.iterdir()) == []
