"""The history as the application holds it: one thread writes, any thread reads."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import platformdirs

from app.i18n import _
from app.messages import WindowError
from app.store.history import reading, writing
from app.store.history.database import (
    BROKEN_PREFIX,
    FILE_NAME,
    NOT_READ,
    NOT_WRITTEN,
    Database,
    open_database,
    open_to_read,
    told,
)
from app.store.history.entries import (
    Entry,
    NewConversion,
    NewVersion,
    Page,
    Query,
    Retention,
    Size,
    Version,
)
from app.store.history.export import pack
from app.store.history.migrations import transaction
from app.store.history.pictures import Pictures
from engine.errors import ErrorCode, VisCodexError

T = TypeVar("T")


def default_folder() -> Path:
    """Where the history of this user is kept."""
    return platformdirs.user_data_path("VisCodex", appauthor=False) / "history"


@dataclass(frozen=True)
class Kept:
    """The id of a conversion that was added, and of its versions in the order given."""

    id: int
    versions: tuple[int, ...]


class History:
    """Made by `open`, ended by `close`. `notice` is "" or what the user should be told, once."""

    def __init__(
        self, folder: Path, database: Database, retention: Retention, clock: Callable[[], float]
    ) -> None:
        self.folder = folder
        self.notice = database.notice
        self.private = database.writer is None
        self.retention = retention
        self._pictures = Pictures(folder)
        self._database = database
        self._clock = clock
        self._reading = threading.Lock()
        self._thread = ThreadPoolExecutor(1, "history")
        self._deleted: list[list[int]] = []

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        private: bool = False,
        retention: Retention = Retention(),  # noqa: B008 - frozen
        clock: Callable[[], float] = time.time,
    ) -> History:
        """Open and check the history; takes up to a second for a large one.

        In private mode what is there can be read and nothing is written, not even a folder.
        Raises VisCodexError: history_broken for one of a newer version, disk_full,
        history_unwritable.
        """
        database = open_to_read(folder) if private else open_database(folder)
        history = cls(folder, database, retention, clock)
        if not private:
            try:
                history._tidy()
            except BaseException:
                database.close()
                raise
        return history

    def close(self) -> None:
        """Write what waits, remove for good what was deleted, and close."""
        self._thread.submit(self._tidy_quietly)
        self._thread.shutdown(wait=True)
        with self._reading:
            self._database.close()

    def set_private(self, private: bool) -> Future[None]:
        """Begin or end private mode; what was given to `add` before is still written."""
        self.private = private
        return self._thread.submit(self._switch, private)

    # Reading --------------------------------------------------------------------------------------

    def page(self, query: Query = Query()) -> Page:  # noqa: B008 - frozen
        """Entries newest first, some at a time."""
        with self._read() as db:
            return reading.page(db, query, self._database.full_text)

    def entry(self, number: int) -> Entry | None:
        """One entry, None where it is gone."""
        with self._read() as db:
            return reading.entry(db, number)

    def words(self, number: int) -> str:
        """The text that was read from the picture of an entry."""
        with self._read() as db:
            return reading.words(db, number)

    def versions(self, number: int) -> list[Version]:
        """All versions of an entry, oldest first; `parent` makes them a tree."""
        with self._read() as db:
            return reading.versions(db, number)

    def way_back(self, version: int) -> list[Version]:
        """A version, its parent, and so on to a first one."""
        with self._read() as db:
            return reading.way_back(db, version)

    def picture(self, name: str) -> Path:
        """The PNG of an entry's picture; missing only where somebody removed it."""
        return self._pictures.path(name)

    def thumbnail(self, name: str) -> Path:
        """A small picture of at most 256 pixels a side (WebP or PNG)."""
        return self._pictures.thumbnail(name)

    def size(self) -> Size:
        """How much there is. Walks the folders: off the GUI thread."""
        with self._read() as db:
            seek = "SELECT count(*) FROM conversions WHERE deleted IS NULL"
            (count,) = db.execute(seek).fetchone()
        files = [self.folder / (FILE_NAME + suffix) for suffix in ("", "-wal", "-shm")]
        database = sum(path.stat().st_size for path in files if path.exists())
        return Size(count, database, *self._pictures.bytes())

    def export(self, number: int, out: Path) -> None:
        """Write an entry as a zip: picture, code, all versions, entry.json.

        Raises WindowError(bad_input) where it is gone, OSError where `out` cannot be written.
        """
        entry = self.entry(number)
        if entry is None:
            raise WindowError(
                ErrorCode.bad_input, _("This entry is gone."), _("Choose another one of the list.")
            )
        versions, words = self.versions(number), self.words(number)
        pack(out, entry, versions, words, self.picture(entry.picture))

    # Writing --------------------------------------------------------------------------------------

    def add(
        self, conversion: NewConversion, versions: Sequence[NewVersion], head: int = 0
    ) -> Future[Kept | None]:
        """Keep a conversion with its first versions; `head` is the number of the one on top.

        None in private mode. The future's errors: as `open`, and those of `load_picture`.
        """
        if self.private:
            return _nothing()
        now = self._clock()

        def job(db: sqlite3.Connection, undo: list[Callable[[], None]]) -> Kept:
            name, new = self._pictures.put(conversion.picture)
            if new:
                undo.append(lambda: self._pictures.remove(name))
            return Kept(*writing.add(db, conversion, name, versions, head, now))

        def work() -> Kept:
            kept = self._write(job)
            self._retain(now)
            return kept

        return self._thread.submit(work)

    def add_version(
        self, conversion: int, version: NewVersion, *, on_top: bool = True
    ) -> Future[int | None]:
        """Keep one more version of an entry; its id, or None in private mode."""
        if self.private:
            return _nothing()
        now = self._clock()

        def job(db: sqlite3.Connection, undo: object) -> int:
            number = writing.add_version(db, conversion, version, now)
            if on_top:
                writing.choose(db, conversion, number)
            return number

        return self._thread.submit(self._write, job)

    def choose(self, conversion: int, version: int) -> Future[None]:
        """Put a version on top."""
        return self._change(lambda db: writing.choose(db, conversion, version))

    def pin(self, number: int, pinned: bool = True) -> Future[list[int]]:
        """Keep an entry from ever being retired, or no longer."""
        return self._change(lambda db: writing.set_values(db, [number], pinned=int(pinned)))

    def rename(self, number: int, title: str) -> Future[list[int]]:
        """Give an entry another title."""
        title = title[: writing.LONGEST_TITLE]
        return self._change(lambda db: writing.set_values(db, [number], title=title))

    def delete(self, numbers: Iterable[int]) -> Future[list[int]]:
        """Take entries out; until the end of this process `undo_delete` brings them back."""
        chosen, now = list(numbers), self._clock()

        def job(db: sqlite3.Connection) -> list[int]:
            gone = writing.set_values(db, chosen, deleted=now)
            self._deleted.append(gone)
            return gone

        return self._change(job)

    def undo_delete(self) -> Future[list[int]]:
        """Bring back what the last `delete` took out; the ids, none where there is nothing."""

        def job(db: sqlite3.Connection) -> list[int]:
            last = self._deleted.pop() if self._deleted else []
            return writing.set_values(db, last, deleted=None)

        return self._change(job)

    def erase_deleted(self) -> Future[None]:
        """Remove for good what was deleted, pictures too; after that there is no undo."""
        self._refuse_if_private()
        return self._thread.submit(self._tidy)

    def set_retention(self, retention: Retention) -> Future[int]:
        """Keep entries as long as this says from now on; how many went at once."""
        self._refuse_if_private()
        self.retention = retention
        return self._thread.submit(self._retain, self._clock())

    # On the thread that writes --------------------------------------------------------------------

    def _change(self, job: Callable[[sqlite3.Connection], T]) -> Future[T]:
        self._refuse_if_private()
        return self._thread.submit(self._write, lambda db, undo: job(db))

    def _refuse_if_private(self) -> None:
        if self.private:
            raise WindowError(
                ErrorCode.bad_input,
                _("In private mode the history is not changed."),
                _("Leave private mode first."),
            )

    def _write(self, job: Callable[[sqlite3.Connection, list[Callable[[], None]]], T]) -> T:
        """Do a job in a transaction; where it fails, `undo` takes its files back."""
        undo: list[Callable[[], None]] = []
        db = self._database.writer
        if db is None:
            raise WindowError(ErrorCode.cancelled, _("Private mode began before this was written."))
        with told(NOT_WRITTEN):
            try:
                with transaction(db):
                    result = job(db, undo)
            except BaseException:
                for step in undo:
                    step()
                raise
        return result

    def _erase(self, find: Callable[[sqlite3.Connection], list[int]]) -> int:
        """Remove rows, then the pictures that no row names any more: never the other way round."""
        numbers: list[int] = []

        def rows(db: sqlite3.Connection, undo: object) -> set[str]:
            numbers.extend(find(db))
            return writing.erase(db, numbers)

        def files(db: sqlite3.Connection, undo: object) -> None:
            for name in writing.unused(db, pictures):
                self._pictures.remove(name)

        pictures = self._write(rows)
        if pictures:
            self._write(files)
        return len(numbers)

    def _retain(self, now: float) -> int:
        if self.retention == Retention():
            return 0
        return self._erase(lambda db: writing.outdated(db, self.retention, now))

    def _tidy(self) -> None:
        """Remove for good what was deleted, and files that no row names."""
        seek = "SELECT id FROM conversions WHERE deleted IS NOT NULL"
        self._erase(lambda db: [number for (number,) in db.execute(seek)])
        self._deleted.clear()
        if any(self.folder.glob(f"{BROKEN_PREFIX}*")):
            return  # a database that was moved aside may name them

        def sweep(db: sqlite3.Connection, undo: object) -> None:
            rows = db.execute("SELECT DISTINCT picture FROM conversions")
            self._pictures.collect(name for (name,) in rows)

        self._write(sweep)

    def _tidy_quietly(self) -> None:
        if self._database.writer is not None:
            with contextlib.suppress(VisCodexError):  # the next start does it
                self._tidy()

    def _switch(self, private: bool) -> None:
        if private == (self._database.writer is None):
            return
        with self._reading:
            self._database.close()
            self._database = open_to_read(self.folder) if private else open_database(self.folder)

    @contextlib.contextmanager
    def _read(self) -> Iterator[sqlite3.Connection]:
        with self._reading, told(NOT_READ):
            yield self._database.reader


def _nothing() -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(None)
    return future
