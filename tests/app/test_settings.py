"""Settings on disk: what comes back, what is refused, what older and newer files become."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest

from app.store import settings as store
from app.store.settings_upgrades import UPGRADES
from engine.errors import VisCodexError

ROOT = Path(__file__).resolve().parents[2]
# A file as version 1 wrote it.
VERSION_1 = {
    "schema_version": 1,
    "theme": "dark",
    "target": "html",
    "auto_start": False,
    "scripts": False,
    "unwalled": True,
    "preview_width": "phone",
    "model": "mine",
}
SERVER = store.RemoteServer("office", "https://models.example.org/v1", "big-7b")
EVERYTHING = store.Settings(
    theme="dark",
    language="zh_CN",
    target="html",
    auto_start=False,
    best_of=4,
    hints="never",
    repair=False,
    correct=False,
    split=False,
    model="mine",
    server="office",
    servers=(SERVER, store.RemoteServer("here", "http://127.0.0.1:8080")),
    hotkey="",
    capture_delay=5,
    scripts=False,
    unwalled=True,
    preview_width="phone",
    history=False,
    history_days=30,
    history_count=0,
    private=True,
    notifications=False,
    tray=False,
    first_run_done=True,
    window={"main/geometry": "AAECAw=="},
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "settings.json"


def read(path: Path) -> store.Settings:
    loaded = store.load(path)
    assert loaded.notice == ""
    return loaded.settings


def test_everything_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "settings.json"
    assert read(path) == store.Settings()
    default = store.Settings()
    same = [
        f.name for f in fields(default) if getattr(EVERYTHING, f.name) == getattr(default, f.name)
    ]
    assert same == ["version", "unknown"], "each setting is tried with another value"
    store.save(EVERYTHING, path)
    assert read(path) == EVERYTHING
    assert json.loads(path.read_text())["schema_version"] == store.SCHEMA_VERSION
    assert [p.name for p in path.parent.iterdir()] == ["settings.json"]


@pytest.mark.parametrize("text", ["", "[1]", "{", "\udcff", "[" * 100_000, "null"])
def test_garbage_is_moved_aside_and_told(path: Path, text: str) -> None:
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    before = path.read_bytes()
    loaded = store.load(path)
    assert loaded.settings == store.Settings()
    assert store.BROKEN_NAME in loaded.notice and "\n" not in loaded.notice
    assert not path.exists()
    assert path.with_name(store.BROKEN_NAME).read_bytes() == before
    store.save(loaded.settings, path)
    assert read(path) == store.Settings()


def test_a_value_of_the_wrong_kind_costs_only_itself(path: Path) -> None:
    wrong = {
        "theme": "purple",
        "auto_start": "yes",
        "best_of": 99,
        "capture_delay": True,
        "language": "../../etc",
        "model": "x" * 5000,
        "servers": [
            3,
            {"name": "a", "url": "ftp://a.example"},
            {"name": "b", "url": "https://user:pass@b.example"},
            {"name": "", "url": "https://c.example"},
            {"name": "good", "url": "https://d.example"},
            {"name": "good", "url": "https://twice.example"},
        ],
        "window": {"a": 1, "b": "BB=="},
        "hints": "never",
    }
    path.write_text(json.dumps({"schema_version": 2, **wrong}))
    assert read(path) == store.Settings(
        servers=(store.RemoteServer("good", "https://d.example"),),
        window={"b": "BB=="},
        hints="never",
    )


def test_version_1_is_upgraded(path: Path) -> None:
    path.write_text(json.dumps(VERSION_1))
    expected = {k: v for k, v in VERSION_1.items() if k != "schema_version"}
    assert read(path) == store.Settings(**expected, first_run_done=True)
    assert store.Settings().first_run_done is False


def test_the_steps_leave_out_no_version() -> None:
    assert sorted(UPGRADES) == list(range(2, store.SCHEMA_VERSION + 1))


def test_keys_of_a_newer_version_survive(path: Path) -> None:
    newer = {"schema_version": 99, "theme": "dark", "voice": {"speed": [1, 2]}, "glow": True}
    path.write_text(json.dumps(newer))
    settings = read(path)
    assert settings.theme == "dark"
    store.save(replace(settings, theme="light"), path)
    written = json.loads(path.read_text())
    assert written["schema_version"] == 99
    assert (written["voice"], written["glow"]) == ({"speed": [1, 2]}, True)
    assert written["theme"] == "light"


def test_no_key_gets_into_the_file(path: Path) -> None:
    with pytest.raises(VisCodexError):
        store.RemoteServer("x", "https://name:secret@a.example")
    entry = {"name": "x", "url": "https://a.example", "key": "sk-planted"}
    path.write_text(json.dumps({"schema_version": 2, "servers": [entry]}))
    store.save(read(path), path)
    assert "planted" not in path.read_text()
    assert read(path).servers[0].name == "x"


def test_an_unreadable_file_stays_where_it_is(path: Path) -> None:
    path.mkdir()  # reading it fails for root as well
    loaded = store.load(path)
    assert loaded.settings == store.Settings()
    assert "defaults" in loaded.notice
    assert path.is_dir()


def test_a_failed_write_leaves_the_old_file(path: Path) -> None:
    """The process may not write more than 100 bytes into a file, as on a full disk."""
    store.save(EVERYTHING, path)
    script = (
        "import resource, sys; from pathlib import Path; from app.store import settings as s\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "s.save(s.Settings(), Path(sys.argv[1]))"
    )
    if os.name != "posix":
        pytest.skip("no such limit here")
    ended = subprocess.run(
        [sys.executable, "-c", script, str(path)], cwd=ROOT, capture_output=True, text=True
    )
    assert "OSError" in ended.stderr
    assert read(path) == EVERYTHING
    assert [p.name for p in path.parent.iterdir()] == ["settings.json"]
