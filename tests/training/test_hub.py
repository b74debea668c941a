"""Models by their name on the Hub: a real client, against a server that speaks the Hub's words."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.fake_hub import FakeHub, Fault
from tests.fixtures.tiny_family import Family, build_family

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Family:
    return build_family(tmp_path_factory.mktemp("family"))


@pytest.fixture
def hub(family: Family) -> Iterator[FakeHub]:
    files = {path.name: path.read_bytes() for path in family.vlm.iterdir() if path.is_file()}
    with FakeHub({**files, "training.pt": b"not asked for"}) as hub:
        yield hub
    assert hub.trouble == []


class Merging:
    """`viscodex-train merge` of a model on the Hub with one in a folder."""

    def __init__(self, hub: FakeHub, family: Family, folder: Path) -> None:
        self._family, self._folder = family, folder
        self.environment = {
            **os.environ,
            "HF_ENDPOINT": hub.endpoint,
            "HF_HOME": str(folder / "hub"),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
        }

    def run(self, vlm: str, out: str = "out") -> subprocess.CompletedProcess[str]:
        command = ["merge", "--vlm", vlm, "--coder", self._family.coder]
        return subprocess.run(
            [sys.executable, "-m", "training.cli", *command, "--out", self._folder / out],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def weights(self, out: str) -> dict[str, bytes]:
        """The weights of a result by name of the file."""
        return {path.name: path.read_bytes() for path in (self._folder / out).glob("*.safetensors")}

    def refused(self, vlm: str, status: int) -> str:
        """The one line of an error."""
        done = self.run(vlm)
        assert done.returncode == status, done.stderr
        assert "Traceback" not in done.stderr
        assert not list((self._folder).glob("out/*.safetensors"))
        return done.stderr.strip().splitlines()[-1]


@pytest.fixture
def merging(hub: FakeHub, family: Family, tmp_path: Path) -> Merging:
    return Merging(hub, family, tmp_path)


def test_a_name_gives_what_the_folder_gives(hub: FakeHub, family: Family, merging: Merging) -> None:
    for vlm, out in (("acme/tiny", "named"), (str(family.vlm), "local")):
        done = merging.run(vlm, out)
        assert done.returncode == 0, done.stderr
    assert merging.weights("named") == merging.weights("local") != {}
    assert not any("training.pt" in asked.path for asked in hub.asked)


def test_what_was_fetched_serves_without_a_network(hub: FakeHub, merging: Merging) -> None:
    assert merging.run("acme/tiny", "first").returncode == 0
    asked = len(hub.asked)
    merging.environment["HF_HUB_OFFLINE"] = "1"
    done = merging.run("acme/tiny", "second")
    assert done.returncode == 0, done.stderr
    assert len(hub.asked) == asked
    assert merging.weights("first") == merging.weights("second")


@pytest.mark.parametrize(
    ("name", "status", "said"),
    [
        ("acme/other", 2, "no model on the Hub called 'acme/other'"),
        ("acme/tiny@v9", 2, "'acme/tiny' has no revision 'v9'"),
        ("acme/tiny/more", 2, "There is no folder 'acme/tiny/more'"),
    ],
)
def test_a_wrong_name_is_told(merging: Merging, name: str, status: int, said: str) -> None:
    assert said in merging.refused(name, status)


def test_a_hub_that_fails_is_told(hub: FakeHub, merging: Merging) -> None:
    hub.hub_faults = [Fault(status=500, content=b"sorry") for _ in range(20)]
    assert "The Hub did not give 'acme/tiny'" in merging.refused("acme/tiny", 1)


def test_a_hub_out_of_reach_is_told(hub: FakeHub, merging: Merging) -> None:
    merging.environment["HF_ENDPOINT"] = "http://127.0.0.1:9"
    assert "the Hub cannot be reached" in merging.refused("acme/tiny", 1)


def test_weights_cut_off_are_told_and_fetched_again(hub: FakeHub, merging: Merging) -> None:
    hub.faults = [Fault(after=100, told=10_000_000) for _ in range(200)]
    said = merging.refused("acme/tiny", 1)
    assert "'acme/tiny'" in said
    hub.faults.clear()
    done = merging.run("acme/tiny")
    assert done.returncode == 0, done.stderr
