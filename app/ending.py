"""The end of the application's process, past PySide's clean-up.

At the exit of Python, PySide visits all that is left of Qt without Python's lock. That ended one of
some twenty exits on a loaded machine in a segmentation fault (PySide 6.12), after all was done.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import sys


class Ending:
    """Ends the process with `status` once Python has waited for its threads.

    Python runs what is registered for its exit from the latest to the first: temporary folders and
    child processes are let go before, PySide's own would come after. So make one after Qt was
    imported and before the parts of the application.
    """

    def __init__(self) -> None:
        self.status = 1  # until the application has ended well
        atexit.register(self._end)

    def _end(self) -> None:
        logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:  # a program without a console has none
                with contextlib.suppress(OSError, ValueError):
                    stream.flush()
        os._exit(self.status)
