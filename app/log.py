"""The log file: a few lines on what happened, never what it happened to.

`start_log()` adds it to Python's logging. Whatever a message is filled in with is looked at first:
long or many-lined texts, bytes and unknown objects become a word on their kind and size, exceptions
their type and place. So no picture, prompt or code gets in, whoever logs it.
"""

from __future__ import annotations

import logging
import re
import time
from logging.handlers import RotatingFileHandler
from pathlib import Path

import platformdirs

from app.redact import Redactor
from engine.errors import VisCodexError

FILE_NAME = "viscodex.log"
LARGEST = 500_000  # bytes of one file
OLDER = 2  # files that are kept beside it
LONGEST_VALUE = 80  # characters of a text that is filled in
LONGEST_LINE = 300
OURS = ("app", "engine")
_PATH = re.compile(r"[/~\\]|[A-Za-z]:[\\/]")


def log_folder() -> Path:
    """Where the log of this user is kept."""
    return platformdirs.user_log_path("VisCodex", appauthor=False)


def start_log(folder: Path | None = None) -> logging.Handler | None:
    """Begin to log into `folder`; None where it cannot be written, which is no reason to stop."""
    place = folder or log_folder()
    try:
        place.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(
            place / FILE_NAME, maxBytes=LARGEST, backupCount=OLDER, encoding="utf-8"
        )
    except OSError as error:
        logging.getLogger(__name__).warning("no log file: %s", error)
        return None
    handler.setFormatter(SafeFormatter(Redactor.of_this_machine()))
    handler.addFilter(_wanted)
    root = logging.getLogger()
    for other in root.handlers:
        if other.level == logging.NOTSET:
            other.setLevel(logging.WARNING)  # the terminal stays as quiet as it was
    root.addHandler(handler)
    for name in OURS:
        logging.getLogger(name).setLevel(logging.INFO)
    return handler


def stop_log(handler: logging.Handler) -> None:
    """End what `start_log` began."""
    logging.getLogger().removeHandler(handler)
    handler.close()


def last_lines(count: int, folder: Path | None = None) -> list[str]:
    """The newest lines of the log, oldest first; none where there is no log."""
    try:
        text = ((folder or log_folder()) / FILE_NAME).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text.splitlines()[-count:]


class SafeFormatter(logging.Formatter):
    """One line a record, without content and without names."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
        text = self._redactor.clean(_message(record) + _place(record))
        return f"{moment} {record.levelname} {record.name}: {text}"


def _wanted(record: logging.LogRecord) -> bool:
    ours = record.name.split(".")[0] in OURS
    return record.levelno >= (logging.INFO if ours else logging.WARNING)


def _message(record: logging.LogRecord) -> str:
    """The message with its values made harmless."""
    pattern = record.msg
    if not isinstance(pattern, str) or len(pattern) > LONGEST_LINE or "\n" in pattern:
        return str(harmless(pattern))
    given = record.args
    if not given:
        return pattern
    try:
        if isinstance(given, dict):
            return pattern % {key: harmless(value) for key, value in given.items()}
        return pattern % tuple(harmless(value) for value in given)
    except (TypeError, ValueError, KeyError):  # "%d" and the like want what a text cannot be
        return pattern


def harmless(value: object) -> object:
    """A number, a short text, or a word on what it is."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str) and _PATH.match(value):
        return "[path]"
    if isinstance(value, str):
        short = len(value) <= LONGEST_VALUE and "\n" not in value and "<" not in value
        return value if short else f"[text of {len(value)} characters]"
    if isinstance(value, bytes | bytearray | memoryview):
        return f"[{len(value)} bytes]"
    if isinstance(value, VisCodexError):
        return f"{value.code.value}"
    if isinstance(value, OSError) and value.strerror:
        return f"{type(value).__name__}: {value.strerror}"
    return type(value).__name__


def _place(record: logging.LogRecord) -> str:
    """Type of the exception and the lines that led there, without a word of theirs."""
    if not record.exc_info or record.exc_info[1] is None:
        return ""
    error, trace = record.exc_info[1], record.exc_info[2]
    steps = []
    while trace is not None:
        code = trace.tb_frame.f_code
        steps.append(f"{Path(code.co_filename).name}:{trace.tb_lineno}")
        trace = trace.tb_next
    return f" [{harmless(error)} at {' > '.join(steps[-6:])}]"
