"""One enum of error codes and one exception, used by the command line and the app alike."""

from __future__ import annotations

from enum import Enum


class ErrorCode(str, Enum):
    """What went wrong, as told in `error` events and by exit statuses."""

    bad_input = "bad_input"
    unsupported_image = "unsupported_image"
    image_too_large = "image_too_large"
    image_too_small = "image_too_small"
    image_too_narrow = "image_too_narrow"
    model_missing = "model_missing"
    model_broken = "model_broken"
    model_unsupported = "model_unsupported"
    model_mismatch = "model_mismatch"
    context_full = "context_full"
    worker_died = "worker_died"
    out_of_memory = "out_of_memory"
    no_code = "no_code"
    render_failed = "render_failed"
    no_sandbox = "no_sandbox"
    timeout = "timeout"
    server_address = "server_address"
    server_unreachable = "server_unreachable"
    server_untrusted = "server_untrusted"
    server_denied = "server_denied"
    server_busy = "server_busy"
    server_failed = "server_failed"
    server_garbled = "server_garbled"
    server_blind = "server_blind"
    disk_full = "disk_full"
    download_failed = "download_failed"
    download_stalled = "download_stalled"
    checksum_mismatch = "checksum_mismatch"
    history_broken = "history_broken"
    history_unwritable = "history_unwritable"
    cancelled = "cancelled"
    internal = "internal"


_INPUT_CODES = frozenset(
    {
        ErrorCode.bad_input,
        ErrorCode.unsupported_image,
        ErrorCode.image_too_large,
        ErrorCode.image_too_small,
        ErrorCode.image_too_narrow,
        ErrorCode.model_missing,
        ErrorCode.model_broken,
        ErrorCode.model_unsupported,
        ErrorCode.model_mismatch,
        ErrorCode.server_address,
        ErrorCode.server_blind,
    }
)


# How libraries and the system put it, in small letters.
_NO_MEMORY = (
    "failed to allocate",
    "unable to allocate",
    "cannot allocate",
    "out of memory",
    "insufficient memory",
    "bad_alloc",
    "bad allocation",
    "can't start new thread",
)


def tells_of_memory(text: str) -> bool:
    """Whether a message of foreign code says that memory ran out."""
    return any(sign in text.lower() for sign in _NO_MEMORY)


class VisCodexError(Exception):
    """An error told to the user in one line: what is wrong, and what to do."""

    def __init__(self, code: ErrorCode, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.advice = advice

    def __reduce__(self) -> tuple[type[VisCodexError], tuple[ErrorCode, str, str]]:
        """As a whole from one process to another: Exception's own way would lose the code."""
        return type(self), (self.code, self.message, self.advice)

    @property
    def exit_code(self) -> int:
        """2 where the input is at fault, 1 otherwise."""
        return 2 if self.code in _INPUT_CODES else 1
