"""Work off the GUI thread, and the way of its result back."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal

_LOG = logging.getLogger(__name__)


class TaskRunner(QObject):
    """Runs callables on a small pool; results are delivered on the thread of this object."""

    _finished = Signal(object, object, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="task")
        self._closed = False
        self._finished.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def run(
        self,
        work: Callable[[], Any],
        success: Callable[[Any], None],
        failure: Callable[[Exception], None],
    ) -> None:
        """Run `work` in the background, then one of the two others on the GUI thread."""

        def done(future: Future[Any]) -> None:
            if not self._closed:
                self._finished.emit(future, success, failure)

        self._pool.submit(work).add_done_callback(done)

    def close(self) -> None:
        """Take no more work and deliver nothing more."""
        self._closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _deliver(
        self,
        future: Future[Any],
        success: Callable[[Any], None],
        failure: Callable[[Exception], None],
    ) -> None:
        if self._closed or future.cancelled():
            return
        error = future.exception()
        if error is None:
            success(future.result())
        elif isinstance(error, Exception):
            failure(error)
        else:
            raise error
