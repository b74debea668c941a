"""The history when things go wrong: killed writers, full disks, damaged and newer files."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.archive import About, Archive
from app.session import Picture
from app.store.history import History, NewVersion
from app.store.history.migrations import MIGRATIONS, SCHEMA_VERSION
from app.versions import AGAIN, CONVERSION, VersionTree
from engine.errors import ErrorCode, VisCodexError
from tests.app.histories import add, assert_whole, conversion, snapshot, titles

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 25


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "history"


def start_writer(folder: Path, seed: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.app.drive_history", str(folder), str(seed)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_a_killed_writer_leaves_every_row_whole(folder: Path) -> None:
    chance = random.Random(1)
    for seed in range(ROUNDS):
        writer = start_writer(folder, seed)
        assert writer.stdout is not None
        assert writer.stdout.readline(), "it has begun to write"
        time.sleep(chance.random() * 0.3)
        writer.kill()
        writer.wait()
        assert_whole(folder)


def test_what_was_said_to_be_kept_is_kept(folder: Path) -> None:
    writer = start_writer(folder, 3)
    assert writer.stdout is not None
    last = [int(writer.stdout.readline()) for _ in range(5)][-1]
    writer.kill()
    writer.wait()
    # Some were deleted again by the writer itself, the newest of all was not.
    assert max(assert_whole(folder)) >= last


@pytest.mark.parametrize("damage", ["garbage", "middle", "cut", "empty pages"])
def test_a_broken_file_is_moved_aside_and_nothing_else_is_lost(folder: Path, damage: str) -> None:
    history = History.open(folder)
    for index in range(30):
        add(history, f"t{index}", "x" * 3000 + "<!-- end -->")
    history.close()
    path = folder / "history.sqlite3"
    data = bytearray(path.read_bytes())
    if damage == "garbage":
        data[:100] = b"this is no database " * 5
    elif damage == "middle":
        data[8192 : len(data) // 2] = os.urandom(len(data) // 2 - 8192)
    elif damage == "cut":
        del data[len(data) // 2 :]
    else:
        data[4096 : 4096 * 6] = bytes(4096 * 5)
    path.write_bytes(data)
    pictures = snapshot(folder / "pictures")
    history = History.open(folder)
    (aside,) = folder.glob("history.broken-*.sqlite3")
    assert aside.name in history.notice and "\n" not in history.notice
    assert aside.read_bytes() == data
    assert titles(history) == []
    number = add(history, "new")
    history.delete([number]).result()
    history.close()
    history = History.open(folder)  # not told again, and the pictures of the old file still there
    assert history.notice == ""
    assert snapshot(folder / "pictures") == pictures
    history.close()
    aside.unlink()
    History.open(folder).close()
    assert snapshot(folder / "pictures") == {}


def test_a_broken_file_is_not_shown_in_private_mode(folder: Path) -> None:
    folder.mkdir()
    (folder / "history.sqlite3").write_bytes(b"garbage" * 1000)
    before = snapshot(folder)
    history = History.open(folder, private=True)
    assert "damaged" in history.notice and history.page().total == 0
    history.close()
    assert snapshot(folder) == before


def test_a_newer_file_is_left_alone(folder: Path) -> None:
    History.open(folder).close()
    db = sqlite3.connect(folder / "history.sqlite3")
    db.execute("PRAGMA user_version = 99")
    db.close()
    before = snapshot(folder)
    with pytest.raises(VisCodexError, match="newer VisCodex") as caught:
        History.open(folder)
    assert caught.value.code is ErrorCode.history_broken
    assert snapshot(folder) == before


def test_migrations_are_numbered_without_gaps_and_whole(folder: Path) -> None:
    assert sorted(MIGRATIONS) == list(range(1, SCHEMA_VERSION + 1))
    History.open(folder).close()
    db = sqlite3.connect(folder / "history.sqlite3")
    assert db.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    db.close()


def test_a_step_that_fails_changes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    history = History.open(folder)
    add(history, "old")
    history.close()

    def step(db: sqlite3.Connection) -> None:
        db.execute("ALTER TABLE conversions ADD COLUMN mood TEXT")
        raise sqlite3.OperationalError("no such mood")

    from app.store.history import migrations

    monkeypatch.setitem(migrations.MIGRATIONS, SCHEMA_VERSION + 1, step)
    monkeypatch.setattr(migrations, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
    with pytest.raises(VisCodexError, match="no such mood"):
        History.open(folder)
    monkeypatch.undo()
    history = History.open(folder)
    assert titles(history) == ["old"]
    history.close()
    db = sqlite3.connect(folder / "history.sqlite3")
    assert "mood" not in [row[1] for row in db.execute("PRAGMA table_info (conversions)")]
    db.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("no small disk can be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_one_error_and_later_writes_work(small_disk: Path) -> None:
    folder = small_disk / "history"
    history = History.open(folder)
    kept = [add(history, "first", "<!-- end -->")]
    (small_disk / "filler").write_bytes(bytes(180_000))
    for index in range(200):
        code = os.urandom(8000).hex() + "<!-- end -->"
        result = history.add(conversion(f"t{index}"), [NewVersion(code)])
        error = result.exception()
        if error is not None:
            break
        kept.append(result.result().id)  # type: ignore[union-attr]
    assert isinstance(error, VisCodexError) and error.code is ErrorCode.disk_full, error
    assert "full" in error.message and "\n" not in error.message
    assert titles(history)[-1] == "first", "reading still works"
    (small_disk / "filler").unlink()
    kept.append(add(history, "after", "<!-- end -->"))
    history.close()
    assert assert_whole(folder)[0] == kept[-1]


LIMITED = """
import resource, sys
from pathlib import Path
from typing import Any
from app.archive import About, Archive
from app.session import Picture
from app.store.history import History, NewVersion
from engine.errors import VisCodexError
from tests.app.histories import add, conversion, titles

folder = Path(sys.argv[1])
history = History.open(folder)
add(history, "first", "<!-- end -->")
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), hard))
error = history.add(conversion("too big"), [NewVersion("x" * 500_000 + "<!-- end -->")]).exception()
assert isinstance(error, VisCodexError), error
print(error.code.value, error.message)
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
add(history, "after", "<!-- end -->")
assert titles(history) == ["after", "first"]
history.close()
"""


@pytest.mark.skipif(os.name != "posix", reason="limits of a process")
@pytest.mark.parametrize(("limit", "code"), [(300, "disk_full"), (200_000, "history_unwritable")])
def test_files_that_may_not_grow(folder: Path, limit: int, code: str) -> None:
    """At 300 bytes the picture fails, at 200,000 the log of the database."""
    ended = subprocess.run(
        [sys.executable, "-c", LIMITED, str(folder), str(limit)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith(code)
    assert len(assert_whole(folder)) == 2


def test_a_history_that_found_no_room_is_opened_when_there_is(small_disk: Path, qtbot: Any) -> None:
    folder, filler = small_disk / "history", small_disk / "filler"
    filler.write_bytes(bytes(1_000_000))
    archive = Archive(folder)
    told: list[Any] = []
    archive.failed.connect(told.append)
    archive.open()
    qtbot.waitUntil(lambda: len(told) == 1)
    assert told[0].code == "disk_full" and "full" in told[0].message
    tree = VersionTree()
    picture = Picture((ROOT / "assets" / "samples" / "login.png").read_bytes(), 480, 386, "login")
    about = About(picture, "", "", 1.0, 1)
    archive.keep(tree, tree.add_run(CONVERSION, "", "html", "<!-- end -->"), about)
    qtbot.waitUntil(lambda: len(told) == 2)  # nobody believes that it is kept
    assert told[1].code == "disk_full"
    filler.unlink()
    archive.keep(tree, tree.add_run(AGAIN, "", "html", "<p><!-- end -->"), about)
    qtbot.waitUntil(lambda: len(archive.recent()) == 1)
    archive.close()
    assert len(told) == 2
    assert assert_whole(folder)
