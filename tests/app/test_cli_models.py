"""`viscodex models` as a process: listing, pulling over a bad line, adding, removing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.download_line import DownloadLine
from app.download_words import size, span, words
from engine.models.progress import Progress, Waiting
from engine.models.store import ModelFiles
from tests.app.command import ROOT, assert_one_line, viscodex
from tests.engine.scripted_model import build, chain
from tests.fixtures.fake_hub import FakeHub, Fault

NAME = "qwen3-vl-2b"
MODEL = "Qwen3VL-2B-Instruct-Q4_K_M.gguf"
MMPROJ = "mmproj-Qwen3VL-2B-Instruct-Q8_0.gguf"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> ModelFiles:
    return build(tmp_path_factory.mktemp("tiny"), chain("<p>", "<|im_end|>"))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "models"
    monkeypatch.setenv("VISCODEX_MODELS", str(folder))
    return folder


@pytest.fixture
def hub(tiny: ModelFiles, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    files = {MODEL: tiny.model.read_bytes(), MMPROJ: tiny.mmproj.read_bytes()}
    with FakeHub(files) as hub:
        hub.repo = "Qwen/Qwen3-VL-2B-Instruct-GGUF"
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        yield hub
    assert hub.trouble == []


def test_pull_use_verify_and_remove(home: Path, hub: FakeHub) -> None:
    hub.faults = [Fault(after=10_000), Fault(status=429, headers={"Retry-After": "0"})]
    ended = viscodex("models", "pull", NAME)
    assert (ended.status, ended.out) == (0, ""), ended
    assert "cut off" in ended.err and "(429)" in ended.err
    assert ended.err.splitlines()[-1] == f"model:   {NAME} in {home / NAME}"
    assert NAME in viscodex("models", "list").out
    assert viscodex("models", "verify", NAME).status == 0
    assert viscodex("models", "remove", NAME).status == 0
    assert NAME not in viscodex("models", "list").out
    assert list(home.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_leaves_a_part_that_goes_on(home: Path, hub: FakeHub) -> None:
    hub.faults = [Fault(), Fault(slow=0.05)]
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "models", "pull", NAME],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    part = home / ".incoming" / NAME / (MODEL + ".part")
    deadline = time.monotonic() + 60
    while not part.exists() or part.stat().st_size < 100_000:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[-1] == "viscodex: cancelled"
    assert "Traceback" not in err
    here = part.stat().st_size
    assert 100_000 <= here < len(hub.files[MODEL])
    assert viscodex("models", "pull", NAME).status == 0
    assert hub.gets[-1].headers["range"] == f"bytes={here}-"


def test_pulls_that_fail_are_one_line(home: Path, hub: FakeHub) -> None:
    assert_one_line(viscodex("models", "pull", "no-such"), 2, "no-such", "qwen3-vl-4b")
    hub.hub_faults = [Fault(status=404)]
    assert_one_line(viscodex("models", "pull", NAME), 1, "404", "models add")
    hub.faults = [Fault(), Fault(content=b"x" * len(hub.files[MODEL]))]
    ended = viscodex("models", "pull", NAME)
    assert ended.status == 1 and "SHA-256" in ended.err.splitlines()[-1]
    assert NAME not in viscodex("models", "list").out


def test_the_licence_that_is_not_free_is_told(home: Path, hub: FakeHub) -> None:
    ended = viscodex("models", "pull", "qwen2.5-vl-3b")
    assert "Qwen Research License" in ended.err


def test_the_catalogue_with_what_fits(home: Path) -> None:
    rows = json.loads(viscodex("models", "list", "--available", "--json").out)
    assert len(rows) == 7
    assert {row["fit"] for row in rows} <= {"graphics", "partly", "processor", "too big"}
    assert not any(row["here"] for row in rows)
    shown = viscodex("models", "list", "--available").out
    assert "qwen3-vl-8b" in shown and "Apache-2.0" in shown
    both = viscodex("models", "list", "--available", "--server", "http://127.0.0.1:1")
    assert_one_line(both, 2, "--available")


def test_files_of_ones_own(home: Path, tiny: ModelFiles) -> None:
    assert viscodex("models", "add", tiny.model, "--name", "mine").status == 0
    assert "mine" in viscodex("models", "list").out
    again = viscodex("models", "add", tiny.model, "--mmproj", tiny.mmproj, "--name", "mine")
    assert again.status == 2 and "already" in again.err
    assert_one_line(viscodex("models", "add", tiny.model, "--name", "a/b"), 2, "a/b")
    assert_one_line(viscodex("models", "add", tiny.model / "no.gguf"), 2, "no.gguf")
    assert_one_line(viscodex("models", "remove", "viscodex-nano"), 2, "viscodex-nano")


class TestLine:
    def test_words(self) -> None:
        report = Progress("m", 5, 10, 500_000_000, 2_000_000_000, 12_340_000.0, 121.5)
        assert words(report) == "m: 25% of 2.0 GB, 12.3 MB/s, 2 min left"
        assert words(Progress("m", 0, 0, 0, 0)) == "m: 100% of 0 B"
        assert [size(n) for n in (999, 1500, 5e12)] == ["999 B", "2 kB", "5000.0 GB"]
        assert [span(n) for n in (3, 89, 90, 7200)] == ["3 s", "89 s", "2 min", "2 h"]

    def test_where_nobody_watches_it_is_seldom_told(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        now = [0.0]
        with DownloadLine(lambda: now[0]) as line:
            for second in range(30):
                now[0] = float(second)
                line.show(Progress("m", second, 30, second, 30))
            line.show(Waiting("m", "It was cut off.", 2.0))
        told = capsys.readouterr().err.splitlines()
        assert len(told) == 4 and told[-1] == "m: It was cut off. Next try in 2 s."
