"""Changes to the history, each a function of a connection inside a transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence

from app.store.history.entries import NewConversion, NewVersion, Retention

DAY = 86_400.0  # seconds
LONGEST_TITLE = 200  # characters


def add(
    db: sqlite3.Connection, new: NewConversion, picture: str, versions: Sequence[NewVersion],
    head: int, now: float,
) -> tuple[int, tuple[int, ...]]:  # fmt: skip
    """Add a conversion with first versions; its id and theirs."""
    conversion = db.execute(
        "INSERT INTO conversions (time, kind, title, picture, model, figures, words) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            now, new.kind, new.title[:LONGEST_TITLE], picture, new.model,
            json.dumps(dict(new.figures), ensure_ascii=False), new.words,
        ],
    ).lastrowid  # fmt: skip
    assert conversion is not None
    numbers = tuple(add_version(db, conversion, version, now) for version in versions)
    if numbers:
        choose(db, conversion, numbers[head])
    return conversion, numbers


def add_version(db: sqlite3.Connection, conversion: int, new: NewVersion, now: float) -> int:
    """Add a version; its id. A parent of another conversion is an IntegrityError."""
    number = db.execute(
        "INSERT INTO versions (conversion, parent, code, instruction, time, similarity, candidate) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            conversion, new.parent, new.code, new.instruction, now, new.similarity, new.candidate,
        ],
    ).lastrowid  # fmt: skip
    assert number is not None
    return number


def choose(db: sqlite3.Connection, conversion: int, version: int) -> None:
    """Put a version of the conversion on top."""
    changed = db.execute(
        "UPDATE conversions SET head = ? WHERE id = ? "
        "AND EXISTS (SELECT 1 FROM versions WHERE id = ? AND conversion = conversions.id)",
        [version, conversion, version],
    )
    if not changed.rowcount:
        raise sqlite3.IntegrityError(f"version {version} is none of conversion {conversion}")


def set_values(db: sqlite3.Connection, numbers: Iterable[int], **values: object) -> list[int]:
    """Set columns of some conversions; the ids of those that are there."""
    columns = ", ".join(f"{name} = ?" for name in values)
    return [
        number
        for number in numbers
        if db.execute(
            f"UPDATE conversions SET {columns} WHERE id = ?", [*values.values(), number]
        ).rowcount
    ]


def outdated(db: sqlite3.Connection, retention: Retention, now: float) -> list[int]:
    """The ids that are to go: not pinned, and too old or too many."""
    found: set[int] = set()
    rest = "FROM conversions WHERE pinned = 0 AND deleted IS NULL"
    if retention.days:
        oldest = now - retention.days * DAY
        found.update(n for (n,) in db.execute(f"SELECT id {rest} AND time < ?", [oldest]))
    if retention.count:
        order = "ORDER BY time DESC, id DESC LIMIT -1 OFFSET ?"
        found.update(n for (n,) in db.execute(f"SELECT id {rest} {order}", [retention.count]))
    return sorted(found)


def erase(db: sqlite3.Connection, numbers: Iterable[int]) -> set[str]:
    """Remove conversions with their versions; the hashes of their pictures."""
    pictures: set[str] = set()
    for number in numbers:
        row = db.execute("SELECT picture FROM conversions WHERE id = ?", [number]).fetchone()
        if row is not None:
            pictures.add(row[0])
            db.execute("DELETE FROM conversions WHERE id = ?", [number])
    return pictures


def unused(db: sqlite3.Connection, pictures: Iterable[str]) -> set[str]:
    """Those of some hashes that no row names any more."""
    seek = "SELECT 1 FROM conversions WHERE picture = ? LIMIT 1"
    return {name for name in pictures if db.execute(seek, [name]).fetchone() is None}
