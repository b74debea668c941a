"""Where llama.cpp computes in a process that computes with torch as well.

Matrix units (AMX) have to be configured in every thread that uses them. ggml does so once a
thread and takes for granted that it stays; oneDNN, which torch's bfloat16 products run on,
configures and releases them around each of its own. Where both meet in one thread, ggml's next
product is an illegal instruction, and the process dies. The threads that help a thread (OpenMP's)
belong to it, so one apart has helpers apart.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

from engine.devices import has_matrix_units


class Apart:
    """Calls what computes: as it is, or, beside torch on a processor with matrix units, in a
    thread of its own, which costs some hundredths of a millisecond. Not for several threads at
    once."""

    def __init__(self) -> None:
        self._thread: ThreadPoolExecutor | None = None

    def __call__(self, function: Callable[..., int], *arguments: Any) -> int:
        """What the call returns; it has ended even where waiting for it is interrupted."""
        if "torch" not in sys.modules or not has_matrix_units():
            return function(*arguments)
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "llama.cpp")
        called = self._thread.submit(function, *arguments)
        try:
            return called.result()
        finally:
            wait([called])

    def close(self) -> None:
        """End the thread, where there is one."""
        if self._thread is not None:
            self._thread.shutdown()
