"""The history in use: what is kept, found, walked back, deleted, brought back and exported."""

from __future__ import annotations

import json
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from app.store.history import History, NewConversion, NewVersion, Query, Retention, database
from engine.errors import ErrorCode, VisCodexError
from tests.app.histories import add, conversion, png, snapshot, titles


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "history"


@pytest.fixture
def history(folder: Path) -> Iterator[History]:
    history = History.open(folder)
    yield history
    history.close()


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_an_entry_comes_back_after_a_restart(folder: Path) -> None:
    history = History.open(folder, clock=Clock())
    kept = history.add(
        conversion("Login", words="Sign in\nGrüße"),
        [
            NewVersion("<p>a</p>", similarity=0.4),
            NewVersion("<p>b</p>", similarity=0.8, candidate=1),
        ],
        head=1,
    ).result()
    assert kept is not None
    history.close()
    history = History.open(folder)
    (entry,) = history.page().entries
    assert (entry.id, entry.time, entry.kind, entry.title) == (
        kept.id,
        1_000_000.0,
        "html",
        "Login",
    )
    assert (entry.model, entry.pinned, entry.versions) == ("nano", False, 2)
    assert (entry.head, entry.similarity) == (kept.versions[1], 0.8)
    assert entry.figures == {"seconds": 1.5}
    assert history.words(entry.id) == "Sign in\nGrüße"
    assert history.entry(entry.id) == entry and history.entry(99) is None
    assert history.picture(entry.picture).read_bytes() == png("Login")
    with Image.open(history.thumbnail(entry.picture)) as small:
        assert small.size == (256, 192)
    first, second = history.versions(entry.id)
    assert (first.code, first.candidate, second.code, second.candidate) == (
        "<p>a</p>",
        0,
        "<p>b</p>",
        1,
    )
    history.close()


def test_versions_are_a_tree_that_can_be_walked_back(history: History) -> None:
    kept = history.add(
        conversion("x"), [NewVersion("1"), NewVersion("other", candidate=1)]
    ).result()
    assert kept is not None
    last = kept.versions[0]
    for step in "234":
        last = history.add_version(kept.id, NewVersion(step, f"make it {step}", last)).result() or 0
    assert [version.code for version in history.way_back(last)] == ["4", "3", "2", "1"]
    assert [version.code for version in history.way_back(kept.versions[1])] == ["other"]
    assert history.page().entries[0].head == last
    side = history.add_version(kept.id, NewVersion("5", parent=last), on_top=False).result()
    assert history.page().entries[0].head == last
    history.choose(kept.id, side or 0).result()
    assert history.page().entries[0].head == side


def test_what_does_not_belong_together_is_refused_whole(history: History) -> None:
    one, other = add(history, "one"), add(history, "other")
    (foreign,) = history.versions(other)
    for attempt in (
        lambda: history.add_version(one, NewVersion("x", parent=foreign.id)),
        lambda: history.add_version(77, NewVersion("x")),
        lambda: history.choose(one, foreign.id),
    ):
        with pytest.raises(VisCodexError) as caught:
            attempt().result()
        assert caught.value.code is ErrorCode.history_unwritable
    assert [len(history.versions(number)) for number in (one, other)] == [1, 1]
    bad = NewConversion(b"no picture", "html", "bad")
    with pytest.raises(VisCodexError) as caught:
        history.add(bad, [NewVersion("x")]).result()
    assert caught.value.code is ErrorCode.unsupported_image
    assert titles(history) == ["other", "one"]


@pytest.mark.parametrize("indexed", [True, False])
class TestSearch:
    @pytest.fixture
    def history(
        self, folder: Path, indexed: bool, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[History]:
        if not indexed:  # as where SQLite was compiled without it
            monkeypatch.setattr(database, "has_full_text", lambda db: False)
        history = History.open(folder)
        add(history, "Login", "<form class='sign-in'>50% off</form>", words="E-Mail Passwort")
        add(
            history,
            "Umsatz 2024",
            "plt.bar([1], [2])  # snake_case",
            "matplotlib",
            "Umsätze 销售额",
        )
        kept = add(history, "Card", "<div>old</div>")
        history.add_version(kept, NewVersion("<div>new Login</div>")).result()
        yield history
        history.close()

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("", ["Card", "Umsatz 2024", "Login"]),
            ("login", ["Card", "Login"]),
            ("SIGN-IN", ["Login"]),
            ("gn-i", ["Login"]),
            ("login passwort", ["Login"]),
            ('"class=\'sign"', ["Login"]),
            ("old", ["Card"]),
            ("销售", ["Umsatz 2024"]),
            ("销售额", ["Umsatz 2024"]),
            ("50%", ["Login"]),
            ("5%o", []),
            ("e_c", ["Umsatz 2024"]),
            ("e_x", []),
            ('"', ["Login"]),
            ("NEAR(a b) OR *", []),
            ("title:login", []),
        ],
    )
    def test_text(self, history: History, text: str, found: list[str]) -> None:
        if text == '"':
            add(history, "Quote", 'a "quoted" word')
            found = ["Quote"]
        assert titles(history, text=text) == found

    def test_it_follows_changes(self, history: History) -> None:
        number = history.page(Query(text="passwort")).entries[0].id
        history.rename(number, "Anmeldung").result()
        assert titles(history, text="anmeldung") == ["Anmeldung"]
        history.delete([number]).result()
        assert titles(history, text="passwort") == []
        history.erase_deleted().result()
        assert titles(history, text="sign-in") == []
        assert history.undo_delete().result() == []


def test_an_index_is_made_for_a_file_from_elsewhere(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written where SQLite has no index, then searched and changed where it has one, and back."""
    for round_number, indexed in enumerate((False, True, False, True)):
        with monkeypatch.context() as patch:
            if not indexed:
                patch.setattr(database, "has_full_text", lambda db: False)
            history = History.open(folder)
            add(history, f"title{round_number}", "needle")
            assert len(titles(history, text="needle")) == round_number + 1
            history.close()


def test_kinds_pins_and_pages(history: History) -> None:
    numbers = [add(history, f"t{i}", kind=("html", "matplotlib")[i % 2]) for i in range(7)]
    history.pin(numbers[2]).result()
    assert titles(history, kind="matplotlib") == ["t5", "t3", "t1"]
    assert titles(history, pinned=True) == ["t2"]
    assert titles(history, pinned=False, kind="html") == ["t6", "t4", "t0"]
    page = history.page(Query(limit=3, offset=3))
    assert ([entry.title for entry in page.entries], page.total) == (["t3", "t2", "t1"], 7)
    history.pin(numbers[2], False).result()
    assert titles(history, pinned=True) == []


def test_same_pictures_are_kept_once_and_go_with_the_last(history: History, folder: Path) -> None:
    one, two = add(history, "one", picture="same"), add(history, "two", picture="same")
    path = history.picture(history.page().entries[0].picture)
    assert len(list((folder / "pictures").rglob("*.png"))) == 1
    history.delete([one]).result()
    history.erase_deleted().result()
    assert path.exists() and titles(history) == ["two"]
    history.delete([two]).result()
    assert path.exists(), "it could still be brought back"
    history.erase_deleted().result()
    assert not path.exists()
    assert not [
        path for path in folder.rglob("*") if path.is_file() and "history." not in path.name
    ]


def test_deleting_can_be_undone_until_the_end(folder: Path) -> None:
    history = History.open(folder)
    numbers = [add(history, name) for name in "abcd"]
    assert history.delete(numbers[:2]).result() == numbers[:2]
    assert history.delete([numbers[3], 99]).result() == [numbers[3]]
    assert titles(history) == ["c"]
    assert history.undo_delete().result() == [numbers[3]]
    assert history.undo_delete().result() == numbers[:2]
    assert history.undo_delete().result() == []
    assert titles(history) == ["d", "c", "b", "a"]
    history.delete([numbers[0]]).result()
    history.close()
    assert b"<p>x</p>" in (folder / "history.sqlite3").read_bytes()
    history = History.open(folder)
    assert history.undo_delete().result() == []
    assert titles(history) == ["d", "c", "b"]
    history.close()


def test_deleted_code_is_not_left_in_the_file(folder: Path) -> None:
    history = History.open(folder)
    number = add(history, "x", "planted-secret-code")
    history.delete([number]).result()
    history.close()
    for path in folder.rglob("*"):
        assert not path.is_file() or b"planted-secret" not in path.read_bytes()


def test_retention_by_age_and_count_spares_pins(folder: Path) -> None:
    clock = Clock()
    history = History.open(folder, clock=clock, retention=Retention(count=3))
    numbers = []
    for index in range(5):
        numbers.append(add(history, f"t{index}"))
        if index == 0:
            history.pin(numbers[0]).result()
        clock.now += 86_400
    assert titles(history) == ["t4", "t3", "t2", "t0"]
    assert len(list((folder / "pictures").rglob("*.png"))) == 4
    clock.now += 86_400 * 0.5
    assert history.set_retention(Retention(days=2)).result() == 2
    assert titles(history) == ["t4", "t0"]
    assert history.set_retention(Retention()).result() == 0
    history.close()


class TestPrivate:
    def test_nothing_is_written_not_even_a_folder(self, folder: Path) -> None:
        history = History.open(folder, private=True)
        assert history.add(conversion("x"), [NewVersion("y")]).result() is None
        assert history.add_version(1, NewVersion("y")).result() is None
        assert history.page().total == 0
        for change in (lambda: history.pin(1), lambda: history.delete([1])):
            with pytest.raises(VisCodexError, match="private mode"):
                change()
        assert history.size().total == 0
        history.close()
        assert not folder.exists() and list(folder.parent.parent.iterdir()) == []

    def test_old_entries_are_shown_and_stay_as_they_are(self, folder: Path) -> None:
        history = History.open(folder)
        add(history, "before", "code")
        history.close()
        before = snapshot(folder)
        history = History.open(folder, private=True)
        history.add(conversion("x"), [NewVersion("y")]).result()
        assert titles(history, text="code") == ["before"]
        assert snapshot(folder) == before
        history.close()
        assert snapshot(folder) == before

    def test_it_can_begin_and_end(self, history: History, folder: Path) -> None:
        add(history, "before")
        history.set_private(True).result()
        before = snapshot(folder)
        assert history.add(conversion("during"), [NewVersion("y")]).result() is None
        assert titles(history) == ["before"]
        assert snapshot(folder) == before
        history.set_private(False).result()
        add(history, "after")
        assert titles(history) == ["after", "before"]


def test_the_size_is_told(history: History, folder: Path) -> None:
    add(history, "a")
    size = history.size()
    assert size.entries == 1 and size.pictures == len(png("a"))
    on_disk = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert size.total == on_disk > size.pictures + size.thumbnails > size.pictures


def test_one_entry_is_exported(history: History, tmp_path: Path) -> None:
    number = add(history, "Login", "<p>one</p>", words="Sign in")
    history.add_version(number, NewVersion("<p>two</p>", "bigger", similarity=0.5)).result()
    out = tmp_path / "entry.zip"
    history.export(number, out)
    with zipfile.ZipFile(out) as archive:
        assert archive.testzip() is None
        assert archive.read("code.html") == b"<p>two</p>"
        assert archive.read("picture.png") == png("Login")
        assert archive.read("words.txt") == b"Sign in"
        facts = json.loads(archive.read("entry.json"))
        codes = {archive.read(f"versions/{version['id']}.html") for version in facts["versions"]}
    assert codes == {b"<p>one</p>", b"<p>two</p>"}
    assert (facts["title"], facts["versions"][1]["instruction"]) == ("Login", "bigger")
    with pytest.raises(VisCodexError, match="gone"):
        history.export(99, tmp_path / "none.zip")
    assert not (tmp_path / "none.zip").exists()


def test_reading_and_writing_from_many_threads(history: History) -> None:
    trouble: list[BaseException] = []

    def work(name: str) -> None:
        try:
            for index in range(5):
                add(history, f"{name}{index}")
                history.page(Query(text=name))
        except BaseException as error:
            trouble.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in ("red", "green", "blue")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert trouble == []
    assert history.page().total == 15
