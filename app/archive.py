"""The history as the window uses it: opened, written and searched off the GUI thread."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

from app.incoming import failure_of
from app.session import Failure, Picture
from app.tasks import TaskRunner
from app.versions import (
    AGAIN,
    AGAIN_WORDS,
    CONTINUED_WORDS,
    CONVERSION,
    EDIT,
    PART,
    PART_WORDS,
    REFINE,
    REPEAT_WORDS,
    VersionTree,
)
from app.versions import Version as InTree
from engine.errors import ErrorCode, VisCodexError

if TYPE_CHECKING:
    from app.store.history import Entry, History, Page, Query, Version

_LOG = logging.getLogger(__name__)
OF_THE_DISK = frozenset({ErrorCode.disk_full, ErrorCode.history_unwritable})
RECENT = 8
"""Entries kept at hand for the start page and the tray."""


@dataclass(frozen=True)
class About:
    """What is kept of a conversion beside its code."""

    picture: Picture
    words: str
    model: str
    seconds: float
    tokens: int


@dataclass(frozen=True)
class Reopened:
    """An entry as it comes back: picture, tree of versions, the text read from it."""

    picture: Picture
    tree: VersionTree
    words: str


class Archive(QObject):
    """`ready()` once it is open, `altered()` when entries came, went or changed, `failed(failure)`.

    One thread writes, in the order of the calls; another one reads, so that nobody who searches
    waits for a disk that writes. Results come back on the GUI thread.
    """

    ready = Signal()
    altered = Signal()
    failed = Signal(object)
    recent_changed = Signal()
    _arrived = Signal(object, object)

    def __init__(
        self,
        folder: Path | None = None,
        *,
        private: bool = False,
        days: int = 0,
        count: int = 0,
        parent: QObject | None = None,
    ) -> None:
        """`folder` is that of this user by default; `days` and `count` say how long entries are
        kept, 0 is without limit."""
        super().__init__(parent)
        self.private = private
        self._folder = folder
        self._limits = (days, count)
        self._history: History | None = None
        self._writer = ThreadPoolExecutor(1, "archive")
        self._reader = TaskRunner(self)
        self._recent: list[Entry] = []
        self._begun = False
        self._closed = False
        self._arrived.connect(lambda done, result: done(result))
        self.altered.connect(self._look_again)
        self.ready.connect(self._look_again)

    @property
    def open_(self) -> bool:
        """Whether the history is there to be read."""
        return self._history is not None

    @property
    def history(self) -> History | None:
        """The history itself, once it is open; for reading and for windows of its own."""
        return self._history

    def open(self) -> None:
        """Open the history in the background and let go what is too old; once.

        Where the disk was to blame the next call tries again.
        """
        if self._begun:
            return
        self._begun = True

        def work() -> str:
            from app.store.history import History, Retention, default_folder

            retention = Retention(*self._limits)
            folder = self._folder or default_folder()
            try:
                history = History.open(folder, private=self.private, retention=retention)
            except VisCodexError as error:
                self._begun = error.code not in OF_THE_DISK
                raise
            self._history = history
            self._retain(history)
            return history.notice

        def opened(notice: str) -> None:
            if notice:
                self.failed.emit(Failure("history_broken", notice, ""))
            self.ready.emit()

        self._write(work, opened)

    def close(self) -> None:
        """Write what waits, then close."""
        if self._closed:
            return
        self._closed = True
        self._reader.close()
        self._writer.shutdown(wait=True)
        if self._history is not None:
            self._history.close()

    def set_private(self, private: bool) -> None:
        """In private mode nothing is written; what was there can be looked at."""
        if private == self.private:
            return
        self.private = private

        def work() -> None:
            if self._history is not None:
                self._history.set_private(private).result()
                self._retain(self._history)

        self._write(work, lambda _: self.altered.emit())

    def set_limits(self, days: int, count: int) -> None:
        """How long entries are kept from now on; 0 is without limit."""
        if (days, count) == self._limits:
            return
        self._limits = (days, count)

        def work() -> None:
            if self._history is not None:
                self._retain(self._history)

        self._write(work, lambda _: self.altered.emit())

    def _retain(self, history: History) -> None:
        """Let go what is too old; in private mode that waits until it ends."""
        from app.store.history import Retention

        if not history.private:
            history.set_retention(Retention(*self._limits)).result()

    # Writing ------------------------------------------------------------------------------------

    def keep(self, tree: VersionTree, versions: Sequence[InTree], about: About) -> None:
        """Keep versions that are complete; the first of a picture make its entry.

        What was made in private mode is never written, nor what is made from it later.
        """
        if self.private:
            tree.private = True
        if tree.private:
            return
        self.open()  # a hidden start has not done it yet
        snapshot = [(one.id, one.parent, one.kind, one.code, one.instruction, one.similarity,
                     one.candidate) for one in versions]  # fmt: skip
        target = versions[0].target
        self._write(partial(self._keep, tree, snapshot, target, about), self._kept)

    def _keep(
        self, tree: VersionTree, snapshot: list[tuple[Any, ...]], target: str, about: About
    ) -> bool:
        from app.store.history import NewConversion, NewVersion

        history, kept = self._history, tree.kept
        if history is None:
            return False
        new = [
            NewVersion(code, instruction, kept.ids.get(parent), similarity, candidate)
            for _, parent, _, code, instruction, similarity, candidate in snapshot
        ]
        numbers = [row[0] for row in snapshot]
        if kept.entry is None:
            figures = {"seconds": round(about.seconds, 2), "tokens": about.tokens}
            conversion = NewConversion(
                about.picture.png, target, about.picture.name, about.model, about.words, figures
            )
            made = history.add(conversion, new).result()
            if made is None:
                return False
            kept.entry = made.id
            kept.ids.update(zip(numbers, made.versions, strict=True))
            return True
        for position, (number, version) in enumerate(zip(numbers, new, strict=True)):
            found = history.add_version(kept.entry, version, on_top=position == 0).result()
            if found is not None:
                kept.ids[number] = found
        return True

    def choose(self, tree: VersionTree, version: InTree) -> None:
        """The user put a version on top."""
        if self.private or tree.private:
            return

        def work() -> bool:
            entry, number = tree.kept.entry, tree.kept.ids.get(version.id)
            if self._history is None or entry is None or number is None:
                return False
            self._history.choose(entry, number).result()
            return True

        self._write(work, self._kept)

    def pin(self, number: int, pinned: bool) -> None:
        """Keep an entry from being retired, or no longer."""
        self._change(lambda history: history.pin(number, pinned).result())

    def delete(self, numbers: Sequence[int]) -> None:
        """Take entries out; `undo_delete` brings the last ones back."""
        self._change(lambda history: history.delete(numbers).result())

    def undo_delete(self) -> None:
        self._change(lambda history: history.undo_delete().result())

    def _change(self, work: Callable[[History], object]) -> None:
        def job() -> None:
            if self._history is not None:
                work(self._history)

        self._write(job, lambda _: self.altered.emit())

    def _kept(self, written: bool) -> None:
        if written:
            self.altered.emit()

    def _write(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        if self._closed:
            return

        def job() -> None:
            try:
                result = work()
            except Exception as error:  # a full disk must not end the thread
                _LOG.debug("history", exc_info=True)
                self._tell(self.failed.emit, failure_of(error))
                return
            self._tell(done, result)

        self._writer.submit(job)

    def _tell(self, done: Callable[[Any], None], result: Any) -> None:
        if not self._closed:
            self._arrived.emit(done, result)

    # Reading --------------------------------------------------------------------------------------

    def page(self, query: Query, done: Callable[[Page], None]) -> None:
        """Look for entries."""
        self._read(lambda history: history.page(query), done)

    def thumbnail(self, picture: str, done: Callable[[QImage], None]) -> None:
        """The small picture of an entry; a null image where it is missing."""
        self._read(lambda history: QImage(str(history.thumbnail(picture))), done)

    def reopen(self, number: int, done: Callable[[Reopened | None], None]) -> None:
        """An entry with all it holds; None where it or its picture is gone."""

        def work() -> Reopened | None:
            return None if self._history is None else _reopen(self._history, number)

        self._write(work, done)  # behind what is still to be written of it

    def recent(self, n: int = RECENT) -> list[Entry]:
        """The newest entries, at hand without waiting; at most RECENT."""
        return self._recent[:n]

    def _read(self, work: Callable[[History], Any], done: Callable[[Any], None]) -> None:
        history = self._history
        if history is None or self._closed:
            return

        def failed(error: Exception) -> None:
            self.failed.emit(failure_of(error))

        self._reader.run(lambda: work(history), done, failed)

    def _look_again(self) -> None:
        from app.store.history import Query

        def arrived(page: Page) -> None:
            self._recent = list(page.entries)
            self.recent_changed.emit()

        self.page(Query(limit=RECENT), arrived)


def _reopen(history: History, number: int) -> Reopened | None:
    entry = history.entry(number)
    if entry is None:
        return None
    try:
        png = history.picture(entry.picture).read_bytes()
    except OSError:
        return None
    width, height = _size(png)
    tree = tree_of(history.versions(number), entry.head, entry.kind)
    tree.kept.entry = number
    picture = Picture(png, width, height, entry.title)
    return Reopened(picture, tree, history.words(number))


def tree_of(versions: Sequence[Version], head: int | None, target: str) -> VersionTree:
    """The tree of versions that were kept.

    Candidates of one answer stand beside each other there: same parent, same instruction, different
    numbers. Those that were never on top are told by having neither children nor the head.
    """
    tree = VersionTree()
    parents = {version.parent for version in versions}
    made: list[InTree] = []
    run, seen = -1, set[int]()
    before: Version | None = None
    for version in versions:
        together = (
            before is not None
            and (version.parent, version.instruction) == (before.parent, before.instruction)
            and _kind(version) != EDIT
            and version.candidate not in seen
            and abs(version.time - before.time) < 1.0
        )
        if not together:
            run, seen = run + 1, set()
        seen.add(version.candidate)
        one = InTree(
            version.id, version.parent, _kind(version), version.code, target,
            version.instruction, version.time, version.similarity, run=run,
            candidate=version.candidate,
        )  # fmt: skip
        # The first of a run was its best, on top when it was kept.
        one.picked = not together or version.id in parents or version.id == head
        made.append(one)
        before = version
    tree.restore(made, head)
    tree.kept.ids = {one.id: one.id for one in made}
    return tree


def _kind(version: Version) -> str:
    if version.parent is None and not version.instruction:
        return CONVERSION
    if version.instruction.startswith(PART_WORDS):
        return PART
    if version.instruction in (AGAIN_WORDS, CONTINUED_WORDS, REPEAT_WORDS):
        return AGAIN
    return REFINE if version.instruction else EDIT


def _size(png: bytes) -> tuple[int, int]:
    image = QImage.fromData(png)
    return image.width(), image.height()
