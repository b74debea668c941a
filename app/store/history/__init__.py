"""The history: conversions in SQLite, their pictures as files named by their hash.

    history = History.open(default_folder())             # off the GUI thread: it checks the file
    history.add(NewConversion(...), [NewVersion(...)])   # a Future; one thread writes
    page = history.page(Query(text="login", kind="html"))  # quick, from any thread
    history.delete([3]); history.undo_delete()
    history.close()

Writes return `concurrent.futures.Future`; their errors are VisCodexError (disk_full,
history_unwritable), whole in one line. Reads raise VisCodexError(history_broken).
"""

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
from app.store.history.history import History, Kept, default_folder

__all__ = [
    "Entry",
    "History",
    "Kept",
    "NewConversion",
    "NewVersion",
    "Page",
    "Query",
    "Retention",
    "Size",
    "Version",
    "default_folder",
]
