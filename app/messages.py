"""What people read about states and errors, in one table each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.session import State


@dataclass(frozen=True)
class StateText:
    """Short text for the status bar, icon name and tone ("neutral", "busy", "good", ...)."""

    text: str
    icon: str
    tone: str


STATES: Mapping[State, StateText] = {
    State.EMPTY: StateText("No picture yet", "ready", "neutral"),
    State.READY: StateText("Ready", "ready", "neutral"),
    State.LOADING: StateText("Loading the model", "busy", "busy"),
    State.ENCODING: StateText("Reading the picture", "busy", "busy"),
    State.GENERATING: StateText("Writing code", "busy", "busy"),
    State.CANCELLING: StateText("Stopping", "busy", "busy"),
    State.DONE: StateText("Done", "done", "good"),
    State.TRUNCATED: StateText("Stopped early", "warning", "warn"),
    State.CANCELLED: StateText("Cancelled", "stopped", "neutral"),
    State.FAILED: StateText("Failed", "error", "bad"),
}


@dataclass(frozen=True)
class ErrorText:
    """Title of an error and the actions offered beside it (names of the action table)."""

    title: str
    actions: tuple[str, ...] = ()


ERRORS: Mapping[str, ErrorText] = {
    "bad_input": ErrorText("This picture cannot be used", ("open",)),
    "unsupported_image": ErrorText("This kind of file cannot be read", ("open",)),
    "image_too_large": ErrorText("The picture is too large", ("open",)),
    "model_missing": ErrorText("There is no model yet", ("models",)),
    "model_broken": ErrorText("The model file cannot be used", ("models",)),
    "model_mismatch": ErrorText("The two model files do not belong together", ("models",)),
    "context_full": ErrorText("The picture and its code do not fit the model's memory", ()),
    "worker_died": ErrorText("The model process stopped", ("generate",)),
    "out_of_memory": ErrorText("There was not enough memory", ("generate",)),
    "no_code": ErrorText("The model gave no code", ("generate",)),
    "render_failed": ErrorText("The code could not be drawn", ("refresh",)),
    "no_sandbox": ErrorText("The code was not run: it could not be shut in here", ()),
    "timeout": ErrorText("It took too long", ("generate",)),
    "server_address": ErrorText("The server has no such address or model", ("models",)),
    "server_unreachable": ErrorText("The server cannot be reached", ("generate", "models")),
    "server_untrusted": ErrorText("The server cannot prove who it is", ("models",)),
    "server_denied": ErrorText("The server does not let you in", ("models",)),
    "server_busy": ErrorText("The server is busy", ("generate",)),
    "server_failed": ErrorText("The server failed", ("generate",)),
    "server_garbled": ErrorText("The server's answer cannot be read", ("generate",)),
    "server_blind": ErrorText("The server's model cannot see pictures", ("models",)),
    "disk_full": ErrorText("The disk is full", ()),
    "download_failed": ErrorText("The model could not be downloaded", ("models",)),
    "download_stalled": ErrorText("The download stopped", ("models",)),
    "checksum_mismatch": ErrorText(
        "The downloaded file is not the one that was published", ("models",)
    ),
    "cancelled": ErrorText("Cancelled", ("generate",)),
    "internal": ErrorText("Something went wrong in VisCodex", ("generate",)),
    # Of the application itself:
    "capture_unavailable": ErrorText("The screen cannot be snipped here", ("open", "paste")),
    "capture_denied": ErrorText(
        "VisCodex may not see the screen",
        ("capture_settings", "reopen", "snip", "open"),
    ),
    "capture_timeout": ErrorText("The desktop gave no picture", ("snip", "open", "paste")),
    "clipboard_empty": ErrorText("There is no picture on the clipboard", ("open",)),
    "remote_picture": ErrorText("Pictures are not fetched from the network", ("open",)),
    "settings_broken": ErrorText("The settings could not be read", ()),
    "history_broken": ErrorText("The history could not be opened", ()),
    "history_unwritable": ErrorText("The history could not be written", ()),
    "save_failed": ErrorText("The file could not be saved", ("save",)),
    "no_editor": ErrorText("No editor could be started", ("save",)),
    "preview_unavailable": ErrorText("The live preview is off", ()),
}
"""Error code -> what is shown. Codes of the engine first, then those of the application."""


ACTION_LABELS: Mapping[str, str] = {
    "generate": "Try again",
    "open": "Open another picture…",
    "snip": "Try again",
    "refresh": "Draw again",
    "models": "Choose a model…",
}
"""Texts of actions where they answer an error; the others keep their own."""


def error_text(code: str) -> ErrorText:
    """The entry of `code`, or that of an internal error for a code unknown here."""
    return ERRORS.get(code, ERRORS["internal"])


CUT_OFF: Mapping[str, tuple[str, str]] = {
    "length": (
        "The code was cut off at the length limit",
        "What there is can be copied and saved. A smaller part of the screen gives shorter code.",
    ),
    "loop": (
        "The model repeated itself and was stopped",
        "What there is can be copied and saved. Try a smaller part of the screen.",
    ),
}
"""Why an answer is not complete: title and advice."""

TARGET_NAMES: Mapping[str, str] = {"auto": "Auto", "html": "HTML", "matplotlib": "Chart"}
