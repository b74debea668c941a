"""What stands behind an error, for whoever wants to know or to ask for help: nothing private."""

from __future__ import annotations

from pathlib import Path

from app.log import last_lines
from app.redact import Redactor
from app.session import Failure

LINES = 12  # of the log


def details(failure: Failure, log_folder: Path | None = None) -> str:
    """Code, message and the newest lines of the log; reads the disk. In English, as the log is."""
    lines = [f"{failure.code}: {failure.message}" if failure.message else failure.code]
    logged = last_lines(LINES, log_folder)
    if logged:
        lines += ["", *logged]
    return Redactor.of_this_machine().clean("\n".join(lines))
