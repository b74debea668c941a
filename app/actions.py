"""Every action and shortcut of the main window, in one table, and the QActions made from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction, QKeySequence

from app.i18n import N_, _


@dataclass(frozen=True)
class ActionSpec:
    """One action: its name in code, what people read, its keys and its icon.

    `scope` says where its keys hold: "window", or a pane, whose keys come before the window's.
    """

    name: str
    text: str
    tip: str
    icon: str = ""
    keys: tuple[str, ...] = ()
    checkable: bool = False
    scope: str = "window"


ACTIONS: tuple[ActionSpec, ...] = (
    ActionSpec(
        "snip", N_("Snip the screen"), N_("Drag a rectangle on the screen"), "snip", ("Ctrl+N",)
    ),
    ActionSpec(
        "snip_later",
        N_("Snip after a delay"),
        N_("Time to open a menu first: a countdown, then snip"),
        "",
        ("Ctrl+Shift+N",),
    ),
    ActionSpec("open", N_("Open a picture…"), N_("Open a picture file"), "open", ("Ctrl+O",)),
    ActionSpec(
        "paste",
        N_("Paste a picture"),
        N_("Take the picture on the clipboard"),
        "paste",
        ("Ctrl+V", "Shift+Ins"),
    ),
    ActionSpec("sample", N_("Try the sample"), N_("Load a sample picture"), "sample"),
    ActionSpec(
        "generate",
        N_("Generate code"),
        N_("Turn the picture into code"),
        "generate",
        ("Ctrl+Return", "Ctrl+Enter"),
    ),
    ActionSpec("cancel", N_("Cancel"), N_("Stop the conversion"), "cancel", ("Esc",)),
    ActionSpec("copy", N_("Copy code"), N_("Copy the whole code"), "copy", ("Ctrl+Shift+C",)),
    ActionSpec("save", N_("Save…"), N_("Save the code, or the drawn picture"), "save", ("Ctrl+S",)),
    ActionSpec("copy_selection", N_("Copy the selection"), N_("Copy what is selected in the code")),
    ActionSpec(
        "open_editor",
        N_("Open in an editor"),
        N_("Open the code in another editor; what is saved there comes back"),
        "editor",
        ("Ctrl+Shift+E",),
    ),
    ActionSpec(
        "export_folder",
        N_("Export as a project folder…"),
        N_("A folder with page, style and script, or with the chart and what it needs"),
        "folder",
        ("Ctrl+Shift+S",),
    ),
    ActionSpec(
        "export_page", N_("Export as a single page…"), N_("One HTML file with its style inside")
    ),
    ActionSpec(
        "find", N_("Find in the code"), N_("Find in the code"), "find", ("Ctrl+F",), scope="code"
    ),
    ActionSpec(
        "replace", N_("Find and replace"), N_("Replace in the code"), "", ("Ctrl+H",), scope="code"
    ),
    ActionSpec(
        "find_next", N_("Next match"), N_("Go to the next match"), "next", ("F3",), scope="code"
    ),
    ActionSpec(
        "find_previous",
        N_("Previous match"),
        N_("Go to the match before"),
        "previous",
        ("Shift+F3",),
        scope="code",
    ),
    ActionSpec(
        "match_case",
        N_("Match case"),
        N_("Tell capital and small letters apart"),
        "match_case",
        ("Alt+C",),
        checkable=True,
        scope="code",
    ),
    ActionSpec(
        "changes",
        N_("Show the changes"),
        N_("What differs from the version before"),
        "changes",
        ("Ctrl+D",),
        checkable=True,
    ),
    ActionSpec(
        "wrap",
        N_("Wrap long lines"),
        N_("Go on in the next row where a line is too long"),
        "",
        ("Alt+Z",),
        checkable=True,
        scope="code",
    ),
    ActionSpec(
        "zoom_in", N_("Larger text"), N_("Larger code"), "", ("Ctrl++", "Ctrl+="), scope="code"
    ),
    ActionSpec("zoom_out", N_("Smaller text"), N_("Smaller code"), "", ("Ctrl+-",), scope="code"),
    ActionSpec(
        "zoom_reset", N_("Usual size of text"), N_("Usual size"), "", ("Ctrl+0",), scope="code"
    ),
    ActionSpec(
        "refresh", N_("Draw the preview again"), N_("Draw the preview again"), "refresh", ("F5",)
    ),
    ActionSpec(
        "scripts",
        N_("Run scripts in the preview"),
        N_("Let the previewed page run its scripts, shut in"),
        checkable=True,
    ),
    ActionSpec(
        "unwalled",
        N_("Run charts unprotected"),
        N_(
            "Run a chart's code even where this system cannot shut it in: it can then do all "
            "you can"
        ),
        checkable=True,
    ),
    ActionSpec(
        "auto_start",
        N_("Start right away"),
        N_("Begin the conversion as soon as a picture arrives"),
        checkable=True,
    ),
    ActionSpec("hotkey", N_("Hotkey…"), N_("The key that starts a snip from anywhere")),
    ActionSpec(
        "tray",
        N_("Stay in the tray"),
        N_("Closing the window leaves VisCodex in the tray"),
        checkable=True,
    ),
    ActionSpec(
        "autostart",
        N_("Start with the system"),
        N_("Wait in the tray from the login on"),
        checkable=True,
    ),
    ActionSpec(
        "notifications",
        N_("Tell when code is ready"),
        N_("A notice when a conversion ends while the window is away"),
        checkable=True,
    ),
    ActionSpec(
        "models",
        N_("Models…"),
        N_("Models on this machine, to download, and on servers"),
        "model",
        ("Ctrl+Shift+M",),
    ),
    ActionSpec(
        "settings", N_("Settings…"), N_("Everything that can be chosen"), "settings", ("Ctrl+,",)
    ),
    ActionSpec(
        "diagnostics", N_("Diagnostics…"), N_("Check every part, and make a report"), "info"
    ),
    ActionSpec(
        "theme_system",
        N_("Like the system"),
        N_("Light or dark as the system has it"),
        checkable=True,
    ),
    ActionSpec("theme_light", N_("Light"), N_("Light colours"), checkable=True),
    ActionSpec("theme_dark", N_("Dark"), N_("Dark colours"), checkable=True),
    ActionSpec(
        "theme_toggle",
        N_("Switch light and dark"),
        N_("Switch between light and dark"),
        "theme",
        ("Ctrl+Shift+L",),
    ),
    ActionSpec("pane_source", N_("Go to the picture"), N_("Focus the picture"), keys=("Ctrl+1",)),
    ActionSpec("pane_code", N_("Go to the code"), N_("Focus the code"), keys=("Ctrl+2",)),
    ActionSpec("pane_preview", N_("Go to the preview"), N_("Focus the preview"), keys=("Ctrl+3",)),
    ActionSpec("pane_next", N_("Next pane"), N_("Focus the next pane"), keys=("F6",)),
    ActionSpec(
        "pane_previous", N_("Previous pane"), N_("Focus the previous pane"), keys=("Shift+F6",)
    ),
    ActionSpec(
        "mark_part",
        N_("Mark a part of the picture"),
        N_("Drag a rectangle on the picture; M marks by keyboard"),
        "mark",
        ("Ctrl+M",),
    ),
    ActionSpec("crop", N_("Crop"), N_("Convert the marked part as a picture of its own"), "crop"),
    ActionSpec(
        "convert_part",
        N_("Only this part"),
        N_("Convert the marked part; the picture stays"),
        "generate",
    ),
    ActionSpec("undo_crop", N_("Undo the crop"), N_("Go back to the whole picture"), "undo"),
    ActionSpec(
        "text_boxes",
        N_("Show the text read"),
        N_("Frame the lines of text; a click copies one"),
        "text",
        checkable=True,
    ),
    ActionSpec(
        "copy_text",
        N_("Copy all text"),
        N_("Copy the text read from the picture"),
        "copy_text",
        ("Ctrl+Shift+T",),
    ),
    ActionSpec(
        "refine_box", N_("Go to the instruction"), N_("Say what to change"), keys=("Ctrl+L",)
    ),
    ActionSpec("refine", N_("Refine"), N_("Change the code as the instruction says"), "refine"),
    ActionSpec("retry", N_("Try again"), N_("Do once more what has just failed")),
    ActionSpec(
        "retry_cpu",
        N_("Try again on the processor"),
        N_("The same without the graphics card"),
    ),
    ActionSpec("raise_limit", N_("Raise the limit"), N_("Write on, up to twice as much as before")),
    ActionSpec("go_on", N_("Write on"), N_("Go on where the code was cut off")),
    ActionSpec(
        "again", N_("Another try"), N_("Convert again by chance"), "again", ("Ctrl+Shift+R",)
    ),
    ActionSpec(
        "version_back",
        N_("Version before"),
        N_("Go back to the version before"),
        "back",
        ("Alt+Left",),
    ),
    ActionSpec(
        "version_forward",
        N_("Version after"),
        N_("Go on to the version after"),
        "forward",
        ("Alt+Right",),
    ),
    ActionSpec(
        "candidate_before", N_("Candidate before"), N_("A likelier answer"), keys=("Alt+Up",)
    ),
    ActionSpec(
        "candidate_after", N_("Candidate after"), N_("A less likely answer"), keys=("Alt+Down",)
    ),
    ActionSpec(
        "versions",
        N_("Versions"),
        N_("All versions of this code as a tree"),
        "versions",
        ("Ctrl+Shift+H",),
        checkable=True,
    ),
    ActionSpec(
        "history",
        N_("History"),
        N_("What was converted before"),
        "history",
        ("Ctrl+H",),
        checkable=True,
    ),
    ActionSpec(
        "private",
        N_("Private mode"),
        N_("While it is on, nothing is written to the history"),
        "private",
        ("Ctrl+Shift+P",),
        checkable=True,
    ),
    ActionSpec(
        "next_picture", N_("Next picture"), N_("Stop this one and go on to the next"), "next_one"
    ),
    ActionSpec(
        "shortcuts", N_("Keyboard shortcuts"), N_("List all shortcuts"), "keyboard", ("F1",)
    ),
    ActionSpec(
        "capture_settings", N_("Open the system's settings"), N_("Where the screen may be recorded")
    ),
    ActionSpec("reopen", N_("Quit and reopen"), N_("A new permission counts from the next start")),
    ActionSpec("quit", N_("Quit"), N_("Close VisCodex"), "", ("Ctrl+Q",)),
)

OVERLAY_KEYS: tuple[tuple[str, str], ...] = (
    (N_("Drag"), N_("Select")),
    (N_("Click"), N_("Take the window under the pointer")),
    (N_("Enter"), N_("Take the selection")),
    (N_("Esc"), N_("Leave")),
    (N_("Arrows"), N_("Move the selection by 1 px (Ctrl: 10 px)")),
    (N_("Shift+Arrows"), N_("Resize the selection by 1 px (Ctrl: 10 px)")),
    (N_("Space"), N_("Hold while dragging to move the selection")),
    ("A", N_("Select this whole screen")),
    ("L", N_("Select the region of the last snip")),
    ("W", N_("Select the next window (Shift: the one before)")),
    (N_("Tab"), N_("Go to the next screen (Shift: the one before)")),
)
"""Keys inside the overlay; handled there, listed here for the help page."""


PICTURE_KEYS: tuple[tuple[str, str], ...] = (
    ("+ / -", N_("Zoom in and out (or Ctrl and the wheel)")),
    ("0 / 1", N_("Fit the pane / 100 %")),
    (N_("Arrows"), N_("Move the picture, or the marked part (Ctrl: by 10 px, Shift: resize)")),
    ("M", N_("Mark the middle of the picture")),
    (N_("Page up / down"), N_("Go through the lines of text")),
    (N_("Enter"), N_("Copy the line of text")),
)
"""Keys inside the source picture; handled there, listed here for the help page."""


def make_actions(parent: QObject, table: tuple[ActionSpec, ...] = ACTIONS) -> Mapping[str, QAction]:
    """One QAction for each row of the table, with shortcuts and tool tips set."""
    made: dict[str, QAction] = {}
    for spec in table:
        action = QAction(_(spec.text), parent)
        action.setObjectName(spec.name)
        action.setCheckable(spec.checkable)
        sequences = [QKeySequence(keys) for keys in spec.keys]
        action.setShortcuts(sequences)
        if spec.scope != "window":
            action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        hint = ""
        if sequences:
            hint = f" ({sequences[0].toString(QKeySequence.SequenceFormat.NativeText)})"
        action.setToolTip(_(spec.tip) + hint)
        action.setStatusTip("")
        made[spec.name] = action
    return made
