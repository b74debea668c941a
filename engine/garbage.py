"""Python's garbage collection kept in one thread of a process with Qt.

The collector runs in whatever thread happens to make an object, and may there destroy objects of
Qt. Their destructor waits for Python's lock while it holds one of Qt's; the thread of Qt holds
Python's and waits for Qt's: both stand still for ever. So it is switched off, and Qt's thread calls
`collect_due` now and then.
"""

from __future__ import annotations

import gc
from typing import Any

EVERY_MS = 300


def collect_by(timer: Any) -> None:
    """Leave it to a QTimer from now on, in the thread of the timer. (No Qt is imported here.)"""
    gc.disable()
    timer.timeout.connect(collect_due)
    timer.start(EVERY_MS)


def collect_due() -> None:
    """Collect the oldest generation whose turn it is, as Python itself would."""
    counts = zip(gc.get_count(), gc.get_threshold(), strict=True)
    due = [number for number, (count, most) in enumerate(counts) if most and count > most]
    if due:
        gc.collect(due[-1])
