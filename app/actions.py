"""Every action and shortcut of the main window, in one table, and the QActions made from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction, QKeySequence


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
    ActionSpec("snip", "Snip the screen", "Drag a rectangle on the screen", "snip", ("Ctrl+N",)),
    ActionSpec(
        "snip_later",
        "Snip after a delay",
        "Time to open a menu first: a countdown, then snip",
        "",
        ("Ctrl+Shift+N",),
    ),
    ActionSpec("open", "Open a picture…", "Open a picture file", "open", ("Ctrl+O",)),
    ActionSpec(
        "paste",
        "Paste a picture",
        "Take the picture on the clipboard",
        "paste",
        ("Ctrl+V", "Shift+Ins"),
    ),
    ActionSpec("sample", "Try the sample", "Load a sample picture", "sample"),
    ActionSpec(
        "generate",
        "Generate code",
        "Turn the picture into code",
        "generate",
        ("Ctrl+Return", "Ctrl+Enter"),
    ),
    ActionSpec("cancel", "Cancel", "Stop the conversion", "cancel", ("Esc",)),
    ActionSpec("copy", "Copy code", "Copy the whole code", "copy", ("Ctrl+Shift+C",)),
    ActionSpec("save", "Save…", "Save the code, or the drawn picture", "save", ("Ctrl+S",)),
    ActionSpec("copy_selection", "Copy the selection", "Copy what is selected in the code"),
    ActionSpec(
        "open_editor",
        "Open in an editor",
        "Open the code in another editor; what is saved there comes back",
        "editor",
        ("Ctrl+Shift+E",),
    ),
    ActionSpec(
        "export_folder",
        "Export as a project folder…",
        "A folder with page, style and script, or with the chart and what it needs",
        "folder",
        ("Ctrl+Shift+S",),
    ),
    ActionSpec("export_page", "Export as a single page…", "One HTML file with its style inside"),
    ActionSpec("find", "Find in the code", "Find in the code", "find", ("Ctrl+F",), scope="code"),
    ActionSpec("replace", "Find and replace", "Replace in the code", "", ("Ctrl+H",), scope="code"),
    ActionSpec("find_next", "Next match", "Go to the next match", "next", ("F3",), scope="code"),
    ActionSpec(
        "find_previous",
        "Previous match",
        "Go to the match before",
        "previous",
        ("Shift+F3",),
        scope="code",
    ),
    ActionSpec(
        "match_case",
        "Match case",
        "Tell capital and small letters apart",
        "match_case",
        ("Alt+C",),
        checkable=True,
        scope="code",
    ),
    ActionSpec(
        "changes",
        "Show the changes",
        "What differs from the version before",
        "changes",
        ("Ctrl+D",),
        checkable=True,
    ),
    ActionSpec(
        "wrap",
        "Wrap long lines",
        "Go on in the next row where a line is too long",
        "",
        ("Alt+Z",),
        checkable=True,
        scope="code",
    ),
    ActionSpec("zoom_in", "Larger text", "Larger code", "", ("Ctrl++", "Ctrl+="), scope="code"),
    ActionSpec("zoom_out", "Smaller text", "Smaller code", "", ("Ctrl+-",), scope="code"),
    ActionSpec("zoom_reset", "Usual size of text", "Usual size", "", ("Ctrl+0",), scope="code"),
    ActionSpec("refresh", "Draw the preview again", "Draw the preview again", "refresh", ("F5",)),
    ActionSpec(
        "scripts",
        "Run scripts in the preview",
        "Let the previewed page run its scripts, shut in",
        checkable=True,
    ),
    ActionSpec(
        "unwalled",
        "Run charts unprotected",
        "Run a chart's code even where this system cannot shut it in: it can then do all you can",
        checkable=True,
    ),
    ActionSpec(
        "auto_start",
        "Start right away",
        "Begin the conversion as soon as a picture arrives",
        checkable=True,
    ),
    ActionSpec("hotkey", "Hotkey…", "The key that starts a snip from anywhere"),
    ActionSpec(
        "tray", "Stay in the tray", "Closing the window leaves VisCodex in the tray", checkable=True
    ),
    ActionSpec(
        "autostart", "Start with the system", "Wait in the tray from the login on", checkable=True
    ),
    ActionSpec(
        "notifications",
        "Tell when code is ready",
        "A notice when a conversion ends while the window is away",
        checkable=True,
    ),
    ActionSpec(
        "models",
        "Models…",
        "Models on this machine, to download, and on servers",
        "model",
        ("Ctrl+Shift+M",),
    ),
    ActionSpec("settings", "Settings…", "Everything that can be chosen", "settings", ("Ctrl+,",)),
    ActionSpec("diagnostics", "Diagnostics…", "Check every part, and make a report", "info"),
    ActionSpec(
        "theme_system", "Like the system", "Light or dark as the system has it", checkable=True
    ),
    ActionSpec("theme_light", "Light", "Light colours", checkable=True),
    ActionSpec("theme_dark", "Dark", "Dark colours", checkable=True),
    ActionSpec(
        "theme_toggle",
        "Switch light and dark",
        "Switch between light and dark",
        "theme",
        ("Ctrl+Shift+L",),
    ),
    ActionSpec("pane_source", "Go to the picture", "Focus the picture", keys=("Ctrl+1",)),
    ActionSpec("pane_code", "Go to the code", "Focus the code", keys=("Ctrl+2",)),
    ActionSpec("pane_preview", "Go to the preview", "Focus the preview", keys=("Ctrl+3",)),
    ActionSpec("pane_next", "Next pane", "Focus the next pane", keys=("F6",)),
    ActionSpec("pane_previous", "Previous pane", "Focus the previous pane", keys=("Shift+F6",)),
    ActionSpec(
        "mark_part",
        "Mark a part of the picture",
        "Drag a rectangle on the picture; M marks by keyboard",
        "mark",
        ("Ctrl+M",),
    ),
    ActionSpec("crop", "Crop", "Convert the marked part as a picture of its own", "crop"),
    ActionSpec(
        "convert_part", "Only this part", "Convert the marked part; the picture stays", "generate"
    ),
    ActionSpec("undo_crop", "Undo the crop", "Go back to the whole picture", "undo"),
    ActionSpec(
        "text_boxes",
        "Show the text read",
        "Frame the lines of text; a click copies one",
        "text",
        checkable=True,
    ),
    ActionSpec(
        "copy_text",
        "Copy all text",
        "Copy the text read from the picture",
        "copy_text",
        ("Ctrl+Shift+T",),
    ),
    ActionSpec("refine_box", "Go to the instruction", "Say what to change", keys=("Ctrl+L",)),
    ActionSpec("refine", "Refine", "Change the code as the instruction says", "refine"),
    ActionSpec("go_on", "Write on", "Go on where the code was cut off"),
    ActionSpec("again", "Another try", "Convert again by chance", "again", ("Ctrl+Shift+R",)),
    ActionSpec(
        "version_back", "Version before", "Go back to the version before", "back", ("Alt+Left",)
    ),
    ActionSpec(
        "version_forward", "Version after", "Go on to the version after", "forward", ("Alt+Right",)
    ),
    ActionSpec("candidate_before", "Candidate before", "A likelier answer", keys=("Alt+Up",)),
    ActionSpec("candidate_after", "Candidate after", "A less likely answer", keys=("Alt+Down",)),
    ActionSpec(
        "versions",
        "Versions",
        "All versions of this code as a tree",
        "versions",
        ("Ctrl+Shift+H",),
        checkable=True,
    ),
    ActionSpec(
        "history",
        "History",
        "What was converted before",
        "history",
        ("Ctrl+H",),
        checkable=True,
    ),
    ActionSpec(
        "private",
        "Private mode",
        "While it is on, nothing is written to the history",
        "private",
        ("Ctrl+Shift+P",),
        checkable=True,
    ),
    ActionSpec("next_picture", "Next picture", "Stop this one and go on to the next", "next_one"),
    ActionSpec("shortcuts", "Keyboard shortcuts", "List all shortcuts", "keyboard", ("F1",)),
    ActionSpec(
        "capture_settings", "Open the system's settings", "Where the screen may be recorded"
    ),
    ActionSpec("reopen", "Quit and reopen", "A new permission counts from the next start"),
    ActionSpec("quit", "Quit", "Close VisCodex", "", ("Ctrl+Q",)),
)

OVERLAY_KEYS: tuple[tuple[str, str], ...] = (
    ("Drag", "Select"),
    ("Click", "Take the window under the pointer"),
    ("Enter", "Take the selection"),
    ("Esc", "Leave"),
    ("Arrows", "Move the selection by 1 px (Ctrl: 10 px)"),
    ("Shift+Arrows", "Resize the selection by 1 px (Ctrl: 10 px)"),
    ("Space", "Hold while dragging to move the selection"),
    ("A", "Select this whole screen"),
    ("L", "Select the region of the last snip"),
    ("W", "Select the next window (Shift: the one before)"),
    ("Tab", "Go to the next screen (Shift: the one before)"),
)
"""Keys inside the overlay; handled there, listed here for the help page."""


PICTURE_KEYS: tuple[tuple[str, str], ...] = (
    ("+ / -", "Zoom in and out (or Ctrl and the wheel)"),
    ("0 / 1", "Fit the pane / 100 %"),
    ("Arrows", "Move the picture, or the marked part (Ctrl: by 10 px, Shift: resize)"),
    ("M", "Mark the middle of the picture"),
    ("Page up / down", "Go through the lines of text"),
    ("Enter", "Copy the line of text"),
)
"""Keys inside the source picture; handled there, listed here for the help page."""


def make_actions(parent: QObject, table: tuple[ActionSpec, ...] = ACTIONS) -> Mapping[str, QAction]:
    """One QAction for each row of the table, with shortcuts and tool tips set."""
    made: dict[str, QAction] = {}
    for spec in table:
        action = QAction(spec.text, parent)
        action.setObjectName(spec.name)
        action.setCheckable(spec.checkable)
        sequences = [QKeySequence(keys) for keys in spec.keys]
        action.setShortcuts(sequences)
        if spec.scope != "window":
            action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        hint = ""
        if sequences:
            hint = f" ({sequences[0].toString(QKeySequence.SequenceFormat.NativeText)})"
        action.setToolTip(spec.tip + hint)
        action.setStatusTip("")
        made[spec.name] = action
    return made
