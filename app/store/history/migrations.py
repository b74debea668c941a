"""The tables of the history, as steps between values of `PRAGMA user_version`.

Each step is a function registered with the version it leads to; it runs inside the transaction
that also writes the new number. The index for searching is no step but made by `ensure_index`: it
depends on how this Python's SQLite was compiled.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator

from app.i18n import _
from app.messages import WindowError
from engine.errors import ErrorCode

Step = Callable[[sqlite3.Connection], None]
MIGRATIONS: dict[int, Step] = {}

# What is searched: index -> (table, columns).
INDEXED = {
    "conversion_text": ("conversions", ("title", "words")),
    "version_text": ("versions", ("code",)),
}


def migration(version: int) -> Callable[[Step], Step]:
    """Register the step from `version - 1` to `version`."""

    def register(step: Step) -> Step:
        MIGRATIONS[version] = step
        return step

    return register


@migration(1)
def _first_tables(db: sqlite3.Connection) -> None:
    db.execute(
        """CREATE TABLE conversions (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            time REAL NOT NULL,
            kind TEXT NOT NULL,
            title TEXT NOT NULL,
            picture TEXT NOT NULL CHECK (length(picture) = 64),
            model TEXT NOT NULL,
            pinned INTEGER NOT NULL DEFAULT 0 CHECK (pinned IN (0, 1)),
            head INTEGER REFERENCES versions (id) ON DELETE SET NULL,
            figures TEXT NOT NULL DEFAULT '{}',
            words TEXT NOT NULL DEFAULT '',
            deleted REAL
        )"""
    )
    db.execute(
        # The pair as a foreign key: a parent is always of the same conversion.
        """CREATE TABLE versions (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            conversion INTEGER NOT NULL REFERENCES conversions (id) ON DELETE CASCADE,
            parent INTEGER,
            code TEXT NOT NULL,
            instruction TEXT NOT NULL DEFAULT '',
            time REAL NOT NULL,
            similarity REAL,
            candidate INTEGER NOT NULL DEFAULT 0,
            UNIQUE (conversion, id),
            FOREIGN KEY (conversion, parent) REFERENCES versions (conversion, id)
        )"""
    )
    db.execute("CREATE INDEX by_time ON conversions (time DESC, id DESC) WHERE deleted IS NULL")
    for column in ("kind", "pinned"):
        db.execute(
            f"CREATE INDEX by_{column} ON conversions ({column}, time DESC, id DESC) "
            "WHERE deleted IS NULL"
        )
    db.execute("CREATE INDEX by_picture ON conversions (picture)")
    db.execute("CREATE INDEX by_head ON conversions (head)")
    db.execute("CREATE INDEX by_parent ON versions (conversion, parent)")


SCHEMA_VERSION = max(MIGRATIONS)


def migrate(db: sqlite3.Connection) -> None:
    """Bring the tables to the present version, each step whole or not at all.

    Raises VisCodexError(history_broken) for a file of a newer version, which is left alone.
    """
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA_VERSION:
        raise WindowError(
            ErrorCode.history_broken,
            _(
                "The history was written by a newer VisCodex (version {version} of its tables)."
            ).format(version=version),
            _("Update VisCodex; until then nothing is kept."),
        )
    for number in range(version + 1, SCHEMA_VERSION + 1):
        with transaction(db):
            if db.execute("PRAGMA user_version").fetchone()[0] < number:  # not done beside us
                MIGRATIONS[number](db)
                db.execute(f"PRAGMA user_version = {number}")


@contextlib.contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All of it or nothing, and the error that was the reason."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # a full disk has ended it already
            db.execute("ROLLBACK")
        raise


def has_full_text(db: sqlite3.Connection) -> bool:
    """Whether this SQLite has FTS5 with trigrams, by trying it."""
    try:
        db.execute("CREATE VIRTUAL TABLE temp.fts_trial USING fts5 (a, tokenize = 'trigram')")
        db.execute("DROP TABLE temp.fts_trial")
    except sqlite3.OperationalError:
        return False
    return True


def ensure_index(db: sqlite3.Connection, wanted: bool) -> None:
    """Make the search index and the triggers that keep it, or drop the triggers where the index
    cannot be kept. Trigrams find parts of words, in any script, as LIKE does."""
    with transaction(db):
        for index, (table, columns) in INDEXED.items():
            triggers = {f"{index}_{event}" for event in ("insert", "delete", "update")}
            marks = ", ".join("?" * len(triggers))
            rows = db.execute(
                f"SELECT name FROM sqlite_master WHERE name IN ({marks})", [*triggers]
            )
            present = {name for (name,) in rows}
            if wanted and present != triggers:
                _make_index(db, index, table, columns)
            elif not wanted:
                for name in present:
                    db.execute(f"DROP TRIGGER {name}")


def _make_index(db: sqlite3.Connection, index: str, table: str, columns: tuple[str, ...]) -> None:
    names = ", ".join(columns)
    new = ", ".join(f"new.{name}" for name in columns)
    old = ", ".join(f"old.{name}" for name in columns)
    add = f"INSERT INTO {index} (rowid, {names}) VALUES (new.id, {new});"
    remove = f"INSERT INTO {index} ({index}, rowid, {names}) VALUES ('delete', old.id, {old});"
    for event in ("insert", "delete", "update"):
        db.execute(f"DROP TRIGGER IF EXISTS {index}_{event}")
    db.execute(f"DROP TABLE IF EXISTS {index}")
    db.execute(
        f"CREATE VIRTUAL TABLE {index} USING fts5 "
        f"({names}, content = '{table}', content_rowid = 'id', tokenize = 'trigram')"
    )
    db.execute(f"CREATE TRIGGER {index}_insert AFTER INSERT ON {table} BEGIN {add} END")
    db.execute(f"CREATE TRIGGER {index}_delete AFTER DELETE ON {table} BEGIN {remove} END")
    db.execute(
        f"CREATE TRIGGER {index}_update AFTER UPDATE OF {names} ON {table} BEGIN {remove} {add} END"
    )
    db.execute(f"INSERT INTO {index} ({index}) VALUES ('rebuild')")
