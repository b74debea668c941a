"""What people read about states and errors, in one table each; translated where it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.i18n import N_, _
from app.session import EngineState, Failure, Session, State
from engine.errors import VisCodexError

if TYPE_CHECKING:
    from PySide6.QtGui import QAction


@dataclass(frozen=True)
class StateText:
    """Short text for the status bar, icon name and tone ("neutral", "busy", "good", ...)."""

    text: str
    icon: str
    tone: str


STATES: Mapping[State, StateText] = {
    State.EMPTY: StateText(N_("No picture yet"), "ready", "neutral"),
    State.READY: StateText(N_("Ready"), "ready", "neutral"),
    State.LOADING: StateText(N_("Loading the model"), "busy", "busy"),
    State.ENCODING: StateText(N_("Reading the picture"), "busy", "busy"),
    State.GENERATING: StateText(N_("Writing code"), "busy", "busy"),
    State.COMPARING: StateText(N_("Comparing"), "busy", "busy"),
    State.CANCELLING: StateText(N_("Stopping"), "busy", "busy"),
    State.DONE: StateText(N_("Done"), "done", "good"),
    State.TRUNCATED: StateText(N_("Stopped early"), "warning", "warn"),
    State.CANCELLED: StateText(N_("Cancelled"), "stopped", "neutral"),
    State.FAILED: StateText(N_("Failed"), "error", "bad"),
}


ENGINES: Mapping[EngineState, StateText] = {
    EngineState.LOADING: StateText(N_("Loading the model"), "busy", "busy"),
    EngineState.FAILED: StateText(N_("The model could not be loaded"), "error", "bad"),
    EngineState.MISSING: StateText(N_("No model yet"), "warning", "warn"),
    EngineState.CRASHED: StateText(N_("The model process stopped"), "error", "bad"),
}
"""What is told of the model while no conversion runs."""

COMPUTES = N_("Ready · {device}")


def state_text(session: Session) -> StateText:
    """What is to be told just now: of the conversion, or of the model where none runs."""
    told = ENGINES.get(session.engine)
    if told is None or session.busy:
        return STATES[session.state]
    if session.engine in {EngineState.LOADING, EngineState.CRASHED}:
        return told
    return told if session.state in {State.EMPTY, State.READY} else STATES[session.state]


@dataclass(frozen=True)
class ErrorText:
    """Title of an error, what to do in the window, and the actions offered beside it (names of the
    action table).

    `explained` errors offer what stands behind them: code, message and the end of the log.
    """

    title: str
    advice: str
    actions: tuple[str, ...] = ()
    explained: bool = False
    tone: str = "bad"


ERRORS: Mapping[str, ErrorText] = {
    "bad_input": ErrorText(
        N_("This picture cannot be used"),
        N_("Check what was given, or choose something else."),
        ("open",),
    ),
    "unsupported_image": ErrorText(
        N_("This kind of file cannot be read"),
        N_("Open a PNG, JPEG, WebP, BMP or GIF."),
        ("open",),
    ),
    "image_too_large": ErrorText(
        N_("The picture is too large"),
        N_("Snip a smaller part, or mark a part of this one."),
        ("open",),
    ),
    "image_too_small": ErrorText(
        N_("The picture is too small"),
        N_("Snip a larger part, not less wide or high than a line of text."),
        ("snip", "open"),
    ),
    "image_too_narrow": ErrorText(
        N_("The picture is too narrow to read"),
        N_("Snip a piece of it that is less long for its width."),
        ("snip", "open"),
    ),
    "model_missing": ErrorText(
        N_("No model yet"),
        N_("Snips and pictures wait for one. Download a model, or choose one that is here."),
        ("models", "retry"),
        tone="warn",
    ),
    "model_broken": ErrorText(
        N_("The model file cannot be used"),
        N_("Remove the model and get it again, or choose another one."),
        ("models", "retry"),
        explained=True,
    ),
    "model_unsupported": ErrorText(
        N_("This version cannot run the model"),
        N_("Choose another model, or a newer version of VisCodex."),
        ("models",),
        explained=True,
    ),
    "model_mismatch": ErrorText(
        N_("The two model files do not belong together"),
        N_("Give the vision file (mmproj) that was made with this model."),
        ("models",),
    ),
    "graphics_memory": ErrorText(
        N_("The graphics card ran out of memory"),
        N_("Try again on the processor: it is slower, but has more. Or choose a smaller model."),
        ("retry", "retry_cpu", "models"),
        explained=True,
    ),
    "graphics_crashed": ErrorText(
        N_("The model process stopped. Restarted on the processor."),
        N_("The graphics card is left alone for now. Try again."),
        ("retry",),
        explained=True,
    ),
    "context_full": ErrorText(
        N_("The picture and its code do not fit the model's memory"),
        N_("Snip a smaller part, shorten the instruction, or refine shorter code."),
    ),
    "worker_died": ErrorText(
        N_("The model process stopped"),
        N_("Try again: it starts anew by itself. If this repeats, memory may be short."),
        ("retry",),
        explained=True,
    ),
    "out_of_memory": ErrorText(
        N_("There was not enough memory"),
        N_("Close other programs, snip a smaller part, or choose a smaller model."),
        ("retry", "models"),
        explained=True,
    ),
    "no_code": ErrorText(
        N_("The model gave no code"),
        N_("Try again, or choose yourself what should come out."),
        ("retry",),
    ),
    "render_failed": ErrorText(
        N_("The code could not be drawn"),
        N_("Mend the code at the line that is marked, or have it changed by an instruction."),
        ("refresh",),
    ),
    "no_sandbox": ErrorText(
        N_("The code was not run: it could not be shut in here"),
        N_("Read the code. If you trust it, allow “Run charts unprotected” in the menu."),
    ),
    "timeout": ErrorText(
        N_("It took too long"),
        N_("Try again. If this repeats, close other programs or restart the computer."),
        ("retry",),
        explained=True,
    ),
    "server_address": ErrorText(
        N_("The server has no such address or model"),
        N_("Check its address, as in https://models.example.org, and its model."),
        ("models",),
    ),
    "server_unreachable": ErrorText(
        N_("The server cannot be reached"),
        N_("Check the address, the network, and whether the server runs."),
        ("retry", "models"),
    ),
    "server_untrusted": ErrorText(
        N_("The server cannot prove who it is"),
        N_(
            "A proxy may stand between. If it is your company's, let "
            "this system trust its certificate."
        ),
        ("models",),
    ),
    "server_denied": ErrorText(
        N_("The server does not let you in"),
        N_("Give it a key that the server accepts."),
        ("models",),
    ),
    "server_busy": ErrorText(
        N_("The server is busy"),
        N_("It may be loading its model. Try again in a moment."),
        ("retry",),
    ),
    "server_failed": ErrorText(
        N_("The server failed"),
        N_("Try again. If this repeats, the log of the server says why."),
        ("retry",),
        explained=True,
    ),
    "server_garbled": ErrorText(
        N_("The server's answer cannot be read"),
        N_("Try again. If this repeats, check that the address is that of a model server."),
        ("retry",),
        explained=True,
    ),
    "server_blind": ErrorText(
        N_("The server's model cannot see pictures"),
        N_("Choose a model of it that can, or start the server with its vision file."),
        ("models",),
    ),
    "disk_full": ErrorText(
        N_("The disk is full"),
        N_("Make room, then try again. What is here of a download is kept."),
    ),
    "download_failed": ErrorText(
        N_("The model could not be downloaded"),
        N_("Check the network, then try again. What is here is kept."),
        ("models",),
    ),
    "download_stalled": ErrorText(
        N_("The download stopped"),
        N_("Try again later: it goes on from where it stopped."),
        ("models",),
    ),
    "checksum_mismatch": ErrorText(
        N_("The downloaded file is not the one that was published"),
        N_(
            "It was removed. Download it again; if this repeats, "
            "something in the network changes it."
        ),
        ("models",),
    ),
    "cancelled": ErrorText(
        N_("Cancelled"),
        N_("Start again when you like."),
        ("retry",),
    ),
    "internal": ErrorText(
        N_("Something went wrong in VisCodex"),
        N_("Try again. If this repeats, Diagnostics makes a report of it."),
        ("retry", "diagnostics"),
        explained=True,
    ),
    "history_broken": ErrorText(
        N_("The history could not be opened"),
        N_("Start VisCodex again: a damaged file is then moved aside and a new one begun."),
    ),
    "history_unwritable": ErrorText(
        N_("The history could not be written"),
        N_("Check the folder of the history and its disk."),
    ),
    # Of the application itself:
    "capture_unavailable": ErrorText(
        N_("The screen cannot be snipped here"),
        N_("Open or paste a picture instead."),
        ("open", "paste"),
    ),
    "capture_denied": ErrorText(
        N_("VisCodex may not see the screen"),
        N_("Allow it in the system's settings, or open or paste a picture."),
        ("capture_settings", "reopen", "snip", "open"),
    ),
    "capture_timeout": ErrorText(
        N_("The desktop gave no picture"),
        N_("Try again, or open or paste a picture instead."),
        ("snip", "open", "paste"),
    ),
    "clipboard_empty": ErrorText(
        N_("There is no picture on the clipboard"),
        N_("Copy a picture, a picture file or a data URL and try again."),
        ("open",),
    ),
    "remote_picture": ErrorText(
        N_("Pictures are not fetched from the network"),
        N_("Save the picture first, then open the file."),
        ("open",),
    ),
    "settings_broken": ErrorText(
        N_("The settings could not be read"),
        N_("Set again what you had changed."),
    ),
    "save_failed": ErrorText(
        N_("The file could not be saved"),
        N_("Choose another name or folder."),
        ("save",),
    ),
    "no_editor": ErrorText(
        N_("No editor could be started"),
        N_("Save the code and open the file yourself."),
        ("save",),
    ),
    "preview_unavailable": ErrorText(
        N_("The live preview is off"),
        N_("Run VisCodex as a normal user."),
    ),
}
"""Error code -> what is shown. Codes of the engine first, then those of the application. The advice
is for people in the window: that of the engine is for whoever types commands."""


class WindowError(VisCodexError):
    """An error of the application itself, whose message and advice are made for the window."""


ACTION_LABELS: Mapping[str, str] = {
    "open": N_("Open another picture…"),
    "snip": N_("Try again"),
    "refresh": N_("Draw again"),
    "models": N_("Choose a model…"),
}
"""Texts of actions where they answer an error; the others keep their own."""

LABELS_FOR: Mapping[tuple[str, str], str] = {
    ("image_too_small", "snip"): N_("Snip again"),
    ("image_too_narrow", "snip"): N_("Snip again"),
    ("model_missing", "models"): N_("Get a model…"),
}
"""Such of one error alone."""


def advice(failure: Failure) -> str:
    """What to do about a failure."""
    return failure.advice or _(error_text(failure.code).advice)


def told(failure: Failure) -> str:
    """What happened and what to do, in one line."""
    return " ".join(part for part in (failure.message, advice(failure)) if part)


def error_text(code: str) -> ErrorText:
    """The entry of `code`, or that of an internal error for a code unknown here."""
    return ERRORS.get(code, ERRORS["internal"])


def label(action: QAction, code: str = "") -> str:
    """What an action is called where it answers an error."""
    name = action.objectName()
    words = LABELS_FOR.get((code, name)) or ACTION_LABELS.get(name)
    return _(words) if words else action.text()


def sentence(reason: str) -> str:
    """A reason that was given in small letters without a full stop."""
    plain = reason.rstrip(".")
    # L10N: makes a sentence of a reason that is given without its full stop.
    return _("{reason}.").format(reason=f"{plain[:1].upper()}{plain[1:]}")


CUT_OFF: Mapping[str, tuple[str, str]] = {
    "length": (
        N_("The code was cut off at the length limit"),
        N_(
            "What there is can be copied and saved. A smaller part of the screen gives shorter "
            "code."
        ),
    ),
    "loop": (
        N_("The model repeated itself and was stopped"),
        N_("What there is can be copied and saved. Try a smaller part of the screen."),
    ),
}
"""Why an answer is not complete: title and advice."""

TARGET_NAMES: Mapping[str, str] = {"auto": N_("Auto"), "html": "HTML", "matplotlib": N_("Chart")}
