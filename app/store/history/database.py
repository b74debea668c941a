"""Opening the history's database: checked, migrated, or moved aside where it is broken."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app.i18n import N_, _
from app.messages import WindowError
from app.store.history.migrations import ensure_index, has_full_text, migrate
from engine.errors import ErrorCode, VisCodexError

FILE_NAME = "history.sqlite3"
BROKEN_PREFIX = "history.broken-"
BUSY_MS = 5000
BROKEN_WORDS = ("malformed", "not a database", "corrupt")
NOT_OPENED = N_("The history could not be opened: {reason}.")
NOT_READ = N_("The history could not be read: {reason}.")
NOT_WRITTEN = N_("The history could not be written: {reason}.")
FULL = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})


@dataclass
class Database:
    """One connection that writes and one that reads; `notice` as History tells it."""

    writer: sqlite3.Connection | None
    reader: sqlite3.Connection
    full_text: bool
    notice: str = ""

    def close(self) -> None:
        """Close both; the last one to leave folds the log into the file."""
        self.reader.close()
        if self.writer is not None:
            self.writer.close()


def open_database(folder: Path) -> Database:
    """Open for writing. A broken file is renamed to history.broken-TIME.sqlite3 and a new one
    begun. Raises VisCodexError: history_broken (a newer version), disk_full, history_unwritable."""
    path = folder / FILE_NAME
    with told(NOT_OPENED):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            return _open(path)
        except sqlite3.DatabaseError as error:
            if not is_broken(error):
                raise
        aside = move_aside(path)
        opened = _open(path)
    opened.notice = _("The history was damaged: it is now {name}, and a new one is begun.").format(
        name=aside.name
    )
    return opened


def open_to_read(folder: Path) -> Database:
    """Open without writing a byte into the folder; an empty history where there is none.

    Without a log beside it the file is complete and can be read as it stands; with one, SQLite
    needs its own index of the log.
    """
    path = folder / FILE_NAME
    if not path.is_file():
        db = _connect(":memory:")
        migrate(db)
        return Database(None, db, False)
    log = path.with_name(path.name + "-wal")
    mode = "mode=ro" if log.exists() and log.stat().st_size else "mode=ro&immutable=1"
    with told(NOT_OPENED):
        db = _connect(f"{path.absolute().as_uri()}?{mode}")
        try:
            db.execute("SELECT 1 FROM conversions LIMIT 1").fetchall()
            full_text = has_full_text(db)
        except sqlite3.DatabaseError as error:
            db.close()
            if not is_broken(error):
                raise
            empty = _connect(":memory:")
            migrate(empty)
            return Database(None, empty, False, _("The history is damaged and is not shown."))
    return Database(None, db, full_text and _indexed(db))


def _indexed(db: sqlite3.Connection) -> bool:
    row = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'version_text_insert'").fetchone()
    return row is not None


def _connect(target: str | Path) -> sqlite3.Connection:
    # Both connections are used by one thread at a time: the writer's own, or whoever holds a lock.
    return sqlite3.connect(
        target,
        timeout=BUSY_MS / 1000,
        isolation_level=None,
        check_same_thread=False,
        uri=isinstance(target, str),
    )


def _open(path: Path) -> Database:
    writer = _connect(path)
    try:
        for pragma in (
            f"busy_timeout = {BUSY_MS}",
            "journal_mode = WAL",
            # Pictures are removed after the rows that name them: no commit may be lost to a power
            # cut after that.
            "synchronous = FULL",
            "foreign_keys = ON",
            "secure_delete = ON",
        ):
            writer.execute(f"PRAGMA {pragma}")
        (verdict,) = writer.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(f"malformed: {verdict}")
        migrate(writer)
        full_text = has_full_text(writer)
        ensure_index(writer, full_text)
        reader = _connect(path)
        reader.execute("PRAGMA query_only = ON")
        return Database(writer, reader, full_text)
    except BaseException:
        writer.close()
        raise


def move_aside(path: Path) -> Path:
    """Rename the database and its log, so that they can be looked at; the new name."""
    aside = path.with_name(f"{BROKEN_PREFIX}{time.strftime('%Y%m%d-%H%M%S')}.sqlite3")
    number = 1
    while aside.exists():
        aside = aside.with_name(f"{aside.stem.split('_')[0]}_{number}.sqlite3")
        number += 1
    for suffix in ("-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.replace(path.with_name(path.name + suffix), aside.with_name(aside.name + suffix))
    os.replace(path, aside)
    return aside


def is_broken(error: sqlite3.DatabaseError) -> bool:
    """Whether the file itself is damaged, rather than the disk full or another process busy."""
    return any(word in str(error) for word in BROKEN_WORDS)


@contextlib.contextmanager
def told(what: str) -> Iterator[None]:
    """Turn errors of disk and database into VisCodexError, in one line; `what` is one of those
    above."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise _disk_full() from error
        reason = error.strerror or type(error).__name__
        raise _unwritable(what, reason) from error
    except sqlite3.DatabaseError as error:
        if "full" in str(error):
            raise _disk_full() from error
        if is_broken(error):
            raise WindowError(
                ErrorCode.history_broken,
                _("The history's file is damaged."),
                _("Start VisCodex again: the file is then moved aside and a new one begun."),
            ) from error
        raise _unwritable(what, str(error)) from error


def _disk_full() -> VisCodexError:
    return WindowError(
        ErrorCode.disk_full,
        _("The disk is full: this was not written into the history."),
        _("Make room, or delete old entries."),
    )


def _unwritable(what: str, reason: str) -> VisCodexError:
    return WindowError(
        ErrorCode.history_unwritable,
        _(what).format(reason=reason),
        _("Check the folder of the history and its disk."),
    )
