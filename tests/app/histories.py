"""What tests of the history share: pictures, entries, and whether a folder is whole."""

from __future__ import annotations

import hashlib
import io
import sqlite3
from pathlib import Path

from PIL import Image, ImageDraw

from app.store.history import History, NewConversion, NewVersion, Query


def png(text: str = "", size: tuple[int, int] = (400, 300)) -> bytes:
    """A picture that differs with its text."""
    picture = Image.new("RGB", size, "white")
    ImageDraw.Draw(picture).text((10, 10), text, fill="black", font_size=24)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def conversion(title: str, kind: str = "html", words: str = "", picture: str = "") -> NewConversion:
    return NewConversion(png(picture or title), kind, title, "nano", words, {"seconds": 1.5})


def add(
    history: History, title: str, code: str = "<p>x</p>", kind: str = "html", words: str = "",
    picture: str = "",
) -> int:  # fmt: skip
    kept = history.add(conversion(title, kind, words, picture), [NewVersion(code)]).result()
    assert kept is not None
    return kept.id


def titles(history: History, **query: object) -> list[str]:
    return [entry.title for entry in history.page(Query(**query)).entries]  # type: ignore[arg-type]


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file under a folder with its content."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def assert_whole(folder: Path) -> list[int]:
    """Every row complete, each picture there and as its name says, nothing else; the ids."""
    history = History.open(folder)
    assert history.notice == ""
    page = history.page(Query(limit=1_000_000))
    names = set()
    for entry in page.entries:
        picture = history.picture(entry.picture)
        assert hashlib.sha256(picture.read_bytes()).hexdigest() == entry.picture
        with Image.open(history.thumbnail(entry.picture)) as small:
            small.load()
            assert max(small.size) <= 256
        found = history.versions(entry.id)
        assert len(found) == entry.versions > 0
        assert entry.head in {version.id for version in found}
        for version in found:
            assert version.code.endswith("<!-- end -->")
        names.add(entry.picture)
    history.close()
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {path.stem for path in files if path.parent.parent.name == "pictures"} == names
    assert {path.stem for path in files if path.parent.parent.name == "thumbnails"} == names
    assert not [path for path in files if path.suffix == ".part"]
    db = sqlite3.connect(folder / "history.sqlite3")
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    for index in ("conversion_text", "version_text"):
        db.execute(f"INSERT INTO {index} ({index}) VALUES ('integrity-check')")
    db.close()
    return [entry.id for entry in page.entries]
