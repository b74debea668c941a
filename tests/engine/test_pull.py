"""From the catalogue to a model that loads: choosing files, moving in, adding, removing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from engine.devices import Device
from engine.errors import ErrorCode, VisCodexError
from engine.fit import GIB
from engine.models.catalogue import CatalogueEntry, find_entry, fit_of, load_catalogue
from engine.models.check import FAMILIES
from engine.models.control import Control
from engine.models.hub import Hub, Listed, choose
from engine.models.install import add_local, remove
from engine.models.progress import Checking, Progress, Report
from engine.models.pull import pull
from engine.models.store import FOLDER_VARIABLE, ModelFiles, find_model, list_models, verify
from engine.models.transfer import Patience
from tests.engine.scripted_model import build, chain
from tests.fixtures.fake_hub import COMMIT, FakeHub, Fault

QUICK = Patience(connect=5.0, silence=2.0, first_wait=0.01, tries=3)
MODEL, MMPROJ = "Tiny-Q4_K_M.gguf", "mmproj-Tiny-Q8_0.gguf"
GPU = Device("CUDA0", "Card", "gpu", 24 * GIB, 23 * GIB)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> ModelFiles:
    """A real pair of files."""
    return build(tmp_path_factory.mktemp("tiny"), chain("<p>", "<|im_end|>"))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "models"
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    return folder


@pytest.fixture
def hub(tiny: ModelFiles) -> Iterator[FakeHub]:
    files = {
        MODEL: tiny.model.read_bytes(),
        "Tiny-Q8_0.gguf": b"other",
        "Tiny-F16-00001-of-00002.gguf": b"part",
        MMPROJ: tiny.mmproj.read_bytes(),
        "mmproj-Tiny-F16.gguf": b"other",
        "README.md": b"# Tiny",
    }
    with FakeHub(files) as hub:
        yield hub
    assert hub.trouble == []


ENTRY = replace(find_entry("qwen3-vl-4b"), name="tiny", repo="acme/tiny")


def get(
    hub: FakeHub,
    entry: CatalogueEntry = ENTRY,
    reports: list[Report] | None = None,
    token: str = "",
) -> ModelFiles:
    told = [] if reports is None else reports
    return pull(
        entry, control=Control(), report=told.append, hub=Hub(hub.endpoint, token), patience=QUICK
    )


def refused(hub: FakeHub, entry: CatalogueEntry = ENTRY) -> VisCodexError:
    with pytest.raises(VisCodexError) as caught:
        get(hub, entry)
    assert "\n" not in caught.value.message + caught.value.advice
    assert list_names() == ["viscodex-nano"], "never half a model"
    return caught.value


def list_names() -> list[str]:
    return [files.name for files in list_models()]


def test_a_model_is_downloaded_and_can_be_used(home: Path, hub: FakeHub, tiny: ModelFiles) -> None:
    reports: list[Report] = []
    files = get(hub, reports=reports)
    assert files.model == home / "tiny" / MODEL
    assert files.mmproj == home / "tiny" / MMPROJ
    assert files.model.read_bytes() == tiny.model.read_bytes()
    assert sorted(path.name for path in home.iterdir()) == ["tiny"]
    card = json.loads((home / "tiny" / "viscodex.json").read_text())
    assert card["name"] == "tiny" and card["licence"] == "Apache-2.0"
    assert card["sha256"] == {name: hub.sum_of(name) for name in (MMPROJ, MODEL)}
    assert card["training"] == {"source": {"repo": "acme/tiny", "revision": COMMIT}}
    assert [problem for _, problem in verify(find_model("tiny"))] == [None, None]
    assert "tiny" in list_names()
    last = [report for report in reports if isinstance(report, Progress)][-1]
    whole = tiny.model.stat().st_size + tiny.mmproj.stat().st_size
    assert (last.file, last.all_done, last.all_total) == (MODEL, whole, whole)
    # Bytes are asked for at the one commit that was told, not at whatever "main" is by then.
    assert all(
        f"/resolve/{COMMIT}/" in a.path
        for a in hub.asked
        if a.method == "GET" and "resolve" in a.path
    )
    before = len(hub.asked)
    assert get(hub) == files
    assert len(hub.asked) == before, "nothing is asked for what is here"


def test_half_a_model_is_never_seen_and_goes_on(home: Path, hub: FakeHub) -> None:
    hub.faults = [Fault(), Fault(after=100_000), *[Fault(status=500)] * 3]
    error = refused(hub)
    assert error.code is ErrorCode.download_failed
    arrived = home / ".incoming" / "tiny"
    assert sorted(path.name for path in arrived.iterdir()) == [
        MODEL + ".part", MODEL + ".part.json", MMPROJ
    ]  # fmt: skip
    with pytest.raises(VisCodexError):
        find_model("tiny")
    before, reports = len(hub.gets), list[Report]()
    get(hub, reports=reports)
    (asked,) = hub.gets[before:]
    assert asked.headers["range"] == "bytes=100000-", "the vision file is not asked for again"
    assert {r.file for r in reports if isinstance(r, Checking)} == {MODEL, MMPROJ}
    assert not (home / ".incoming").exists()


def test_what_was_published_anew_meanwhile_replaces_what_arrived(home: Path, hub: FakeHub) -> None:
    hub.faults = [Fault(), Fault(after=100_000), *[Fault(status=500)] * 3]
    refused(hub)
    (home / ".incoming" / "tiny" / "mmproj-Old-Q8_0.gguf").write_bytes(b"of another name")
    arrived = home / ".incoming" / "tiny" / MMPROJ
    arrived.write_bytes(arrived.read_bytes()[:-1] + b"x")
    get(hub)
    assert [problem for _, problem in verify(find_model("tiny"))] == [None, None]


def test_a_wrong_sum_leaves_no_model(home: Path, hub: FakeHub) -> None:
    hub.told_sums[MODEL] = "0" * 64
    assert refused(hub).code is ErrorCode.checksum_mismatch
    assert [path.name for path in (home / ".incoming" / "tiny").iterdir()] == [MMPROJ]


def test_a_pair_that_does_not_load_is_refused_and_removed(home: Path, hub: FakeHub) -> None:
    hub.files[MODEL] = b"GGUF but not really" * 100
    assert refused(hub).code is ErrorCode.model_broken
    assert not (home / ".incoming" / "tiny").exists()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(status=401), "who asks"),
        (Fault(status=404), "no such file"),
        (Fault(content=b"<html>sign in</html>", content_type="text/html"), "something else"),
        (Fault(content=b'{"error": 1}'), "something else"),
    ],
)
def test_a_hub_that_does_not_list(home: Path, hub: FakeHub, fault: Fault, words: str) -> None:
    hub.hub_faults = [fault]
    assert words in refused(hub).message
    assert hub.gets == []


def test_a_busy_hub_is_waited_for(home: Path, hub: FakeHub) -> None:
    hub.hub_faults = [Fault(status=429, headers={"Retry-After": "0"}), Fault(status=502)]
    get(hub)


def test_without_a_sum_nothing_is_downloaded(home: Path, hub: FakeHub) -> None:
    hub.told_sums[MMPROJ] = "none"
    assert "no SHA-256" in refused(hub).message
    assert hub.gets == []


def test_a_long_list_comes_in_pages(home: Path, hub: FakeHub) -> None:
    hub.per_page = 2
    get(hub)
    assert sum("cursor=" in asked.path for asked in hub.asked) == 2


def test_no_room_is_told_before_the_first_byte(home: Path, hub: FakeHub) -> None:
    hub.hub_faults = []
    entry = replace(ENTRY, model=("huge.gguf",))
    rows = [
        {"type": "file", "path": name, "size": 1 << 60, "lfs": {"oid": "1" * 64}}
        for name in ("huge.gguf", MMPROJ)
    ]
    hub.hub_faults = [Fault(content=json.dumps(rows).encode()), *[
        Fault(status=302, headers={"X-Linked-Size": str(1 << 60), "X-Linked-Etag": "1" * 64})
    ] * 2]  # fmt: skip
    assert refused(hub, entry).code is ErrorCode.disk_full
    assert hub.gets == []


class TestChoosing:
    FILES = tuple(
        Listed(name, 1, "")
        for name in (
            "Qwen3VL-4B-Instruct-F16.gguf",
            "Qwen3VL-4B-Instruct-Q4_K_M.gguf",
            "Qwen3VL-4B-Instruct-Q8_0.gguf",
            "big-Q4_K_M-00001-of-00003.gguf",
            "mmproj-Qwen3VL-4B-Instruct-F16.gguf",
            "mmproj-Qwen3VL-4B-Instruct-Q8_0.gguf",
        )
    )

    def test_the_first_pattern_wins(self) -> None:
        entry = find_entry("qwen3-vl-4b")
        model = choose(self.FILES, entry.model, "model", "r")
        vision = choose(self.FILES, entry.mmproj, "mmproj", "r")
        assert model.path == "Qwen3VL-4B-Instruct-Q4_K_M.gguf"
        assert vision.path == "mmproj-Qwen3VL-4B-Instruct-Q8_0.gguf"
        left = [file for file in self.FILES if "Q8_0" not in file.path]
        assert choose(left, entry.mmproj, "mmproj", "r").path.endswith("F16.gguf")

    def test_nothing_that_fits(self) -> None:
        with pytest.raises(VisCodexError, match="no model file"):
            choose(self.FILES[3:], ("*-Q4_K_M*.gguf",), "model", "r")


class TestCatalogue:
    def test_all_that_was_promised_is_in_it(self) -> None:
        entries = load_catalogue()
        names = {entry.name for entry in entries}
        assert names == {f"qwen2.5-vl-{n}b" for n in (3, 7, 32)} | {
            f"qwen3-vl-{n}b" for n in (2, 4, 8, 32)
        }
        for entry in entries:
            assert entry.family in FAMILIES
            assert re.fullmatch(r"(Qwen|ggml-org)/Qwen[\w.-]+-Instruct-GGUF", entry.repo)
            assert entry.quality and entry.licence_url.startswith("https://")
            assert (entry.licence == "Apache-2.0") == (entry.name != "qwen2.5-vl-3b")
            assert entry.bytes < entry.memory < 1.6 * entry.bytes + 2 * GIB
            assert all(layer > 0 for layer in entry.sizes.layers)
            assert entry.sizes.text == entry.model_bytes
        assert [e.bytes for e in entries] == sorted(e.bytes for e in entries)

    def test_what_fits_where(self) -> None:
        small, large = find_entry("qwen3-vl-4b"), find_entry("QWEN3-VL-32B")
        small_card = replace(GPU, memory_free=6 * GIB, memory_total=8 * GIB)
        cases = [
            (small, [GPU], 16, "graphics"),
            (small, [], 16, "processor"),
            (small, [], 3, "too big"),
            (large, [GPU], 64, "graphics"),
            (large, [replace(GPU, memory_free=14 * GIB)], 64, "partly"),
            (large, [small_card], 16, "too big"),
            (large, [], 64, "processor"),
            (large, [], 16, "too big"),
        ]
        for entry, devices, memory, verdict in cases:
            fit = fit_of(entry, devices, memory * GIB)
            assert fit.verdict == verdict, (entry.name, devices, memory, fit)
            assert fit.words and fit.runs == (verdict != "too big")
        assert fit_of(small, []).plan.free > 0

    def test_an_unknown_name(self) -> None:
        with pytest.raises(VisCodexError, match="no model 'gpt'") as caught:
            find_entry("gpt")
        assert "qwen3-vl-4b" in caught.value.advice

    def test_a_damaged_catalogue(self, tmp_path: Path) -> None:
        (tmp_path / "models.json").write_text('{"models": [{"name": 1}]}')
        with pytest.raises(VisCodexError, match="catalogue"):
            load_catalogue(tmp_path / "models.json")


class TestHub:
    def test_of_the_environment(self) -> None:
        assert Hub.of_environment({}).endpoint == "https://huggingface.co"
        hub = Hub.of_environment(
            {"HF_ENDPOINT": "https://mirror.example/", "HF_TOKEN": "hf_secret"}
        )
        assert (hub.endpoint, hub.host) == ("https://mirror.example", "mirror.example")
        assert "secret" not in repr(hub)
        for bad in ("ftp://a.example", "mirror", "https://a:b@c.example"):
            with pytest.raises(VisCodexError, match="HF_ENDPOINT"):
                Hub.of_environment({"HF_ENDPOINT": bad})

    def test_the_token_is_shown_to_the_hub_alone(self, home: Path, hub: FakeHub) -> None:
        get(hub, token="hf_secret")
        for asked in hub.asked:
            shown = asked.headers.get("authorization")
            assert shown == (None if asked.path.startswith("/bytes/") else "Bearer hf_secret")

    def test_secure_clients_are_made(self) -> None:
        from engine.models.transfer import open_client

        assert isinstance(open_client(QUICK, secure=True), httpx.AsyncClient)


class TestAdd:
    def test_two_files_are_taken_over(self, home: Path, tiny: ModelFiles) -> None:
        told: list[tuple[str, int, int]] = []
        files = add_local(tiny.model, tiny.mmproj, "mine", lambda *row: told.append(row))
        assert files.name == "mine" and files.model.parent == home / "mine"
        assert [problem for _, problem in verify(find_model("mine"))] == [None, None]
        assert tiny.model.is_file(), "the originals stay"
        assert told[-1] == (tiny.mmproj.name, *[tiny.mmproj.stat().st_size] * 2)
        assert [path.name for path in home.iterdir()] == ["mine"]
        remove("mine")
        assert tiny.model.stat().st_size > 0 and list(home.iterdir()) == []

    def test_the_vision_file_beside_it_is_found(self, home: Path, tiny: ModelFiles) -> None:
        assert add_local(tiny.model, None, "mine").mmproj.name == tiny.mmproj.name

    def test_odd_names_are_made_plain(self, home: Path, tiny: ModelFiles, tmp_path: Path) -> None:
        text, vision = tmp_path / "mmproj-not.gguf", tmp_path / "eyes.gguf"
        text.write_bytes(tiny.model.read_bytes())
        vision.write_bytes(tiny.mmproj.read_bytes())
        files = add_local(text, vision, "odd")
        assert [files.model.name, files.mmproj.name] == ["model-file-not.gguf", "mmproj-eyes.gguf"]
        assert find_model("odd").model == files.model

    @pytest.mark.parametrize(
        ("name", "code"),
        [("../up", "bad_input"), ("viscodex-nano", "bad_input"), ("", "bad_input")],
    )
    def test_names_that_cannot_be(self, home: Path, tiny: ModelFiles, name: str, code: str) -> None:
        with pytest.raises(VisCodexError) as caught:
            add_local(tiny.model, tiny.mmproj, name)
        assert caught.value.code == code
        assert not home.exists()

    def test_what_is_no_pair_or_taken(self, home: Path, tiny: ModelFiles) -> None:
        for model, vision in ((tiny.mmproj, tiny.model), (tiny.model, tiny.model)):
            with pytest.raises(VisCodexError):
                add_local(model, vision, "mine")
        with pytest.raises(VisCodexError, match="no file"):
            add_local(home / "none.gguf", None, "mine")
        assert not home.exists()
        add_local(tiny.model, None, "mine")
        with pytest.raises(VisCodexError, match="already"):
            add_local(tiny.model, None, "mine")


class TestRemove:
    def test_what_is_not_here_or_not_theirs(self, home: Path) -> None:
        for name in ("none", "viscodex-nano", "..", "a/b"):
            with pytest.raises(VisCodexError) as caught:
                remove(name)
            assert caught.value.exit_code == 2
        assert "viscodex-nano" in list_names()

    def test_what_has_arrived_of_a_model(self, home: Path, hub: FakeHub) -> None:
        hub.faults = [Fault(status=404)]
        refused(hub)
        assert (home / ".incoming" / "tiny").is_dir()
        remove("tiny")
        assert list(home.iterdir()) == []
