"""Downloads over a server with faults: what is resumed, what is refused, what is left behind."""

from __future__ import annotations

import hashlib
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from pathlib import Path

import pytest

from engine.errors import ErrorCode, VisCodexError
from engine.models.control import Control
from engine.models.download import download
from engine.models.progress import (
    Checking,
    Finished,
    Meter,
    Paused,
    Progress,
    Report,
    Restarted,
    Waiting,
)
from engine.models.transfer import Patience, Source, wait_asked
from tests.fixtures.fake_hub import FakeHub, Fault

ROOT = Path(__file__).resolve().parents[2]
CONTENT = random.Random(0).randbytes(600_000)
OTHER = random.Random(1).randbytes(600_000)
QUICK = Patience(connect=5.0, silence=0.4, first_wait=0.01, tries=3)


@dataclass
class Attempt:
    """One download and what it told."""

    source: Source
    target: Path
    control: Control = field(default_factory=Control)
    reports: list[Report] = field(default_factory=list)

    def run(self) -> None:
        download(
            self.source, self.target, control=self.control, report=self.reports.append,
            patience=QUICK,
        )  # fmt: skip

    def refused(self) -> VisCodexError:
        with pytest.raises(VisCodexError) as caught:
            self.run()
        assert "\n" not in caught.value.message + caught.value.advice
        assert caught.value.message and caught.value.advice
        assert not self.target.exists()
        return caught.value

    def told(self, kind: type) -> list:
        return [report for report in self.reports if isinstance(report, kind)]

    @property
    def part(self) -> Path:
        return self.target.with_name(self.target.name + ".part")

    def again(self) -> Attempt:
        return Attempt(self.source, self.target)

    def check(self) -> None:
        """The whole file and nothing beside it."""
        assert self.target.read_bytes() == CONTENT
        assert [path.name for path in self.target.parent.iterdir()] == [self.target.name]
        assert self.reports[-1] == Finished("m.gguf")


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., tuple[Attempt, FakeHub]]]:
    hubs: list[FakeHub] = []

    def start(*faults: Fault, **changed: object) -> tuple[Attempt, FakeHub]:
        hub = FakeHub({"m.gguf": CONTENT}, list(faults))
        hub.__enter__()
        hubs.append(hub)
        source = Source(
            f"{hub.endpoint}/acme/tiny/resolve/main/m.gguf",
            "m.gguf",
            len(CONTENT),
            hashlib.sha256(CONTENT).hexdigest(),
            {"Authorization": "Bearer hf_planted"},
        )
        folder = tmp_path / "models"
        folder.mkdir()
        return Attempt(replace(source, **changed), folder / "m.gguf"), hub  # type: ignore[arg-type]

    yield start
    for hub in hubs:
        assert hub.trouble == []
        hub.__exit__()


def test_a_whole_file(make: Callable) -> None:
    attempt, hub = make()
    attempt.run()
    attempt.check()
    progress = attempt.told(Progress)
    assert (progress[0].done, progress[-1].done, progress[-1].total) == (0, 600_000, 600_000)
    assert len(hub.gets) == 1


def test_the_token_stays_with_the_hub(make: Callable) -> None:
    attempt, hub = make(Fault(after=1000))
    attempt.run()
    for asked in hub.asked:
        assert (asked.headers.get("authorization") is None) == asked.path.startswith("/bytes/")
    assert "planted" not in repr(attempt.source)


@pytest.mark.parametrize("drops", [[1], [100_000], [0, 65_536, 1], [200_000, 200_000, 199_999]])
def test_dropped_connections_go_on_where_they_were(make: Callable, drops: list[int]) -> None:
    attempt, hub = make(*[Fault(after=count) for count in drops])
    attempt.run()
    attempt.check()
    here = 0
    for count, asked in zip([*drops, 0], hub.gets, strict=True):
        assert asked.headers.get("range") == (f"bytes={here}-" if here else None)
        assert ("if-range" in asked.headers) == bool(here)
        here += count
    assert len(attempt.told(Waiting)) == len(drops)


def test_a_stall_is_noticed_and_mended(make: Callable) -> None:
    free = threading.Event()
    attempt, hub = make(Fault(after=300_000, stall=free))
    attempt.run()
    free.set()
    attempt.check()
    assert "stopped sending" in attempt.told(Waiting)[0].reason
    assert hub.gets[1].headers["range"] == "bytes=300000-"


def test_stalls_without_end_are_given_up_and_kept(make: Callable) -> None:
    free = threading.Event()
    attempt, hub = make(*[Fault(after=n, stall=free) for n in (1000, 0, 0, 0)])
    error = attempt.refused()
    free.set()
    assert error.code is ErrorCode.download_stalled
    assert len(hub.gets) == 4, "one that brought something, then three that did not"
    assert attempt.part.read_bytes() == CONTENT[:1000]
    again = attempt.again()
    again.run()
    again.check()
    assert again.told(Checking)[-1].done == 1000
    assert hub.gets[-1].headers["range"] == "bytes=1000-"


def test_going_on_in_another_process_after_a_kill(make: Callable) -> None:
    """kill -9 in the middle, several times; each next process goes on with the same part."""
    attempt, hub = make(*[Fault(slow=0.03) for _ in range(3)])
    script = (
        "import sys; from pathlib import Path\n"
        "from engine.models.control import Control; from engine.models.download import download\n"
        "from engine.models.transfer import Source\n"
        "source = Source(sys.argv[1], 'm.gguf', int(sys.argv[2]), sys.argv[3])\n"
        "download(source, Path(sys.argv[4]), control=Control(), report=lambda report: None)"
    )
    facts = attempt.source.url, str(attempt.source.size), attempt.source.sha256
    sizes = [0]
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", script, *facts, str(attempt.target)], cwd=ROOT
        )
        deadline = time.monotonic() + 30
        while not attempt.part.exists() or attempt.part.stat().st_size <= sizes[-1]:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.005)
        process.kill()
        process.wait()
        sizes.append(attempt.part.stat().st_size)
    attempt.run()
    attempt.check()
    begun = [asked.headers.get("range", "bytes=0-") for asked in hub.gets]
    assert begun == [f"bytes={size}-" for size in sizes]


def test_a_server_without_ranges(make: Callable) -> None:
    attempt, _ = make(Fault(after=300_000), Fault(whole=True))
    attempt.run()
    attempt.check()
    assert "whole files only" in attempt.told(Restarted)[0].reason


def test_a_file_that_changed_meanwhile(make: Callable) -> None:
    """The same length, another content for the first half: the ETag tells, all is asked anew."""
    attempt, _ = make(Fault(after=300_000, content=OTHER))
    attempt.run()
    attempt.check()
    assert "changed" in attempt.told(Restarted)[0].reason


def test_a_server_that_says_another_etag_to_a_range(make: Callable) -> None:
    attempt, hub = make(Fault(after=300_000, etag='"one"'))
    hub.faults.append(Fault(etag='"one"', after=0))
    attempt.run()
    attempt.check()
    for first, second in (('W/"one"', 'W/"two"'),):
        attempt.target.unlink()
        again = attempt.again()
        hub.faults += [Fault(after=300_000, etag=first), Fault(etag=second)]
        again.run()
        again.check()
        assert "another one now" in again.told(Restarted)[0].reason
        assert "if-range" not in hub.gets[-2].headers, "weak tags cannot ask for ranges"


def test_a_part_of_another_file_is_not_used(make: Callable) -> None:
    attempt, _ = make(Fault(status=404))
    attempt.part.write_bytes(OTHER[:1000])
    attempt.refused()
    assert len(attempt.told(Restarted)) == 1
    again = attempt.again()
    again.run()
    again.check()
    assert again.told(Restarted) == []


def test_a_part_that_was_altered_is_found_out(make: Callable) -> None:
    attempt, _ = make(Fault(after=1000), *[Fault(status=503)] * 3)
    attempt.refused()
    attempt.part.write_bytes(b"x" + CONTENT[1:1000])
    error = attempt.again().refused()
    assert error.code is ErrorCode.checksum_mismatch
    assert list(attempt.target.parent.iterdir()) == []


def test_a_wrong_hash_removes_the_file(make: Callable) -> None:
    attempt, _ = make(Fault(content=OTHER))
    assert attempt.refused().code is ErrorCode.checksum_mismatch
    assert list(attempt.target.parent.iterdir()) == []
    again = attempt.again()
    again.run()
    again.check()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(status=401), "who asks (401)"),
        (Fault(status=403), "does not allow"),
        (Fault(status=404), "no such file"),
        (Fault(status=410), "refuses the download (410)"),
        (Fault(content_type="text/html; charset=utf-8", content=b"<html>"), "web page"),
        (Fault(content=CONTENT + b"x"), "has more of"),
        (Fault(content=CONTENT[:-1]), "has less of"),
        (Fault(content=CONTENT + b"x" * 100_000, told=-1), "has more of"),
    ],
)
def test_refusals_are_told_at_once(make: Callable, fault: Fault, words: str) -> None:
    attempt, hub = make(fault)
    error = attempt.refused()
    assert error.code is ErrorCode.download_failed
    assert words in error.message
    assert len(hub.gets) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_passing_troubles_are_waited_out(make: Callable, status: int) -> None:
    attempt, hub = make(Fault(status=status, headers={"Retry-After": "0"}), Fault(status=status))
    attempt.run()
    attempt.check()
    assert [report.seconds for report in attempt.told(Waiting)] == [0.0, 0.02]
    assert len(hub.gets) == 3


def test_troubles_that_stay_are_given_up(make: Callable) -> None:
    attempt, hub = make(*[Fault(status=500)] * 9)
    assert "(500)" in attempt.refused().message
    assert len(hub.gets) == QUICK.tries


def test_how_long_a_server_asks_to_wait() -> None:
    assert wait_asked("7") == 7.0
    assert wait_asked(" 99999 ") == 300.0
    assert wait_asked(formatdate(1000.0 + 20, usegmt=True), now=1000.0) == 20.0
    assert wait_asked(formatdate(1000.0, usegmt=True), now=2000.0) == 0.0
    assert wait_asked("") is None and wait_asked("soon") is None


def test_no_network(make: Callable) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/m.gguf"
        attempt, _ = make(url=url)
        error = attempt.refused()
    assert error.code is ErrorCode.download_failed and "cannot be reached" in error.message


def test_a_proxy_of_the_environment_is_used(
    make: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt, hub = make(url="http://models.invalid/acme/tiny/resolve/main/m.gguf")
    monkeypatch.setenv("HTTP_PROXY", hub.endpoint)
    monkeypatch.setenv("http_proxy", hub.endpoint)
    attempt.refused()  # the hub is no proxy, but it was asked as one
    assert hub.asked[0].path.startswith("http://models.invalid/")


class TestControl:
    def wait_for(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.005)

    def test_cancel_while_nothing_comes(self, make: Callable) -> None:
        free, reached = threading.Event(), threading.Event()
        attempt, _ = make(Fault(after=50_000, stall=free, then=reached.set))
        caught: list[VisCodexError] = []
        thread = threading.Thread(target=lambda: caught.append(attempt.refused()))
        thread.start()
        reached.wait(20)
        self.wait_for(lambda: attempt.part.stat().st_size == 50_000)
        attempt.control.cancel()
        thread.join(20)
        free.set()
        assert caught[0].code is ErrorCode.cancelled
        again = attempt.again()
        again.run()
        again.check()

    def test_cancel_during_a_long_wait(self, make: Callable) -> None:
        attempt, _ = make(Fault(status=429, headers={"Retry-After": "300"}))
        thread = threading.Thread(target=attempt.refused)
        thread.start()
        self.wait_for(lambda: bool(attempt.told(Waiting)))
        assert attempt.told(Waiting)[0].seconds == 300
        attempt.control.cancel()
        thread.join(20)
        assert not thread.is_alive()

    def test_pause_and_go_on(self, make: Callable) -> None:
        attempt, hub = make(Fault(slow=0.02))
        thread = threading.Thread(target=attempt.run)
        thread.start()
        self.wait_for(lambda: attempt.part.exists() and attempt.part.stat().st_size > 100_000)
        attempt.control.pause()
        self.wait_for(lambda: bool(attempt.told(Paused)))
        size = attempt.part.stat().st_size
        time.sleep(0.2)
        assert attempt.part.stat().st_size == size < 600_000
        attempt.control.resume()
        thread.join(20)
        attempt.check()
        assert hub.gets[1].headers["range"] == f"bytes={size}-"

    def test_cancel_while_paused(self, make: Callable) -> None:
        attempt, hub = make()
        attempt.control.pause()
        thread = threading.Thread(target=attempt.refused)
        thread.start()
        self.wait_for(lambda: bool(attempt.told(Paused)))
        attempt.control.cancel()
        thread.join(20)
        assert not thread.is_alive() and hub.gets == []

    def test_two_at_once_are_refused(self, make: Callable) -> None:
        free, reached = threading.Event(), threading.Event()
        attempt, _ = make(Fault(after=50_000, stall=free, then=reached.set))
        thread = threading.Thread(target=attempt.refused)
        thread.start()
        reached.wait(20)
        assert "being downloaded already" in attempt.again().refused().message
        attempt.control.cancel()
        thread.join(20)
        free.set()


def test_the_rate_is_that_of_the_last_seconds() -> None:
    told: list[Progress] = []
    now = [0.0]
    meter = Meter(told.append, "f", 1000, 500, 2000, lambda: now[0])  # type: ignore[arg-type]
    for second, done in ((0, 0), (1, 100), (2, 200), (20, 300), (21, 500)):
        now[0] = float(second)
        meter.at(done)
    assert (told[0].rate, told[0].remaining) == (None, None)
    assert (told[2].rate, told[2].remaining) == (100.0, 13.0)
    assert told[2].all_done == 700 and told[2].all_total == 2000
    assert told[4].rate == 200.0
    now[0] += 0.01
    meter.at(501)
    assert len(told) == 5, "not told more often than ten times a second"


def test_a_disk_that_is_full_before(make: Callable) -> None:
    attempt, hub = make(size=1 << 60)
    error = attempt.refused()
    assert error.code is ErrorCode.disk_full and "GB are free" in error.message
    assert hub.gets == []


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process")
def test_a_disk_that_becomes_full(make: Callable) -> None:
    attempt, _ = make()
    script = (
        "import resource, sys; from pathlib import Path\n"
        "from engine.models.control import Control; from engine.models.download import download\n"
        "from engine.models.transfer import Source; from engine.errors import VisCodexError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        "source = Source(sys.argv[1], 'm.gguf', int(sys.argv[2]), sys.argv[3])\n"
        "try: download(source, Path(sys.argv[4]), control=Control(), report=lambda report: None)\n"
        "except VisCodexError as error: print(error.code.value, error.message)"
    )
    facts = attempt.source.url, str(attempt.source.size), attempt.source.sha256
    ended = subprocess.run(
        [sys.executable, "-c", script, *facts, str(attempt.target)],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ended.stdout.startswith("disk_full The disk is full"), ended
    assert attempt.part.stat().st_size == 200_000
    attempt.run()  # there is room again
    attempt.check()
