"""What the settings window offers: pages of rows, each a field of the settings or an action."""

from __future__ import annotations

from dataclasses import dataclass

from app.messages import TARGET_NAMES
from app.store.settings import RANGES

SWITCH, CHOICE, NUMBER, ACTION_SWITCH, BUTTON = "switch", "choice", "number", "action", "button"


@dataclass(frozen=True)
class Row:
    """One control.

    `field` is a field of `Settings`; for ACTION_SWITCH and BUTTON `action` names an action of the
    main window instead, and a BUTTON shows the text of `field` beside itself where it has one.
    `choices` are pairs of value and text. `zero` is what a number of 0 means, `unit` follows it.
    """

    label: str
    kind: str
    field: str = ""
    note: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    zero: str = ""
    unit: str = ""
    action: str = ""

    @property
    def range(self) -> tuple[int, int]:
        """The least and the largest number."""
        return RANGES[self.field]


@dataclass(frozen=True)
class PageSpec:
    """A page of the window; `box` names a part that is more than rows."""

    name: str
    icon: str
    rows: tuple[Row, ...]
    box: str = ""


THEMES = (("system", "Like the system"), ("light", "Light"), ("dark", "Dark"))
# With a translation comes its line here; the row is left out as long as there is one language.
LANGUAGES = (("", "Like the system"), ("en", "English"))
HINTS = (
    ("auto", "As the model likes it"),
    ("always", "Always"),
    ("never", "Never"),
)

PAGES: tuple[PageSpec, ...] = (
    PageSpec(
        "General",
        "settings",
        (
            Row("Colours", CHOICE, "theme", choices=THEMES),
            Row("Language", CHOICE, "language", "From the next start on.", choices=LANGUAGES),
            Row(
                "Start with the system",
                ACTION_SWITCH,
                action="autostart",
                note="Wait in the tray from the login on.",
            ),
            Row(
                "Stay in the tray",
                SWITCH,
                "tray",
                "Closing the window leaves VisCodex in the tray, if there is one.",
            ),
            Row(
                "Tell when code is ready",
                SWITCH,
                "notifications",
                "A notice when a conversion ends while the window is away.",
            ),
        ),
    ),
    PageSpec(
        "Capture",
        "snip",
        (
            Row(
                "Hotkey",
                BUTTON,
                "hotkey",
                "Starts a snip from anywhere.",
                action="hotkey",
            ),
            Row(
                "Delay",
                NUMBER,
                "capture_delay",
                "Of “Snip after a delay”: time to open a menu first.",
                zero="None",
                unit="s",
            ),
            Row(
                "Start right away",
                SWITCH,
                "auto_start",
                "Begin the conversion as soon as a picture arrives.",
            ),
        ),
    ),
    PageSpec(
        "Conversion",
        "generate",
        (
            Row("Output", CHOICE, "target", choices=tuple(TARGET_NAMES.items())),
            Row(
                "Text from the picture",
                CHOICE,
                "hints",
                "Words that are read on this computer and given to the model.",
                choices=HINTS,
            ),
            Row(
                "Answers to choose from",
                NUMBER,
                "best_of",
                "The one whose picture is most like yours is kept. More take longer.",
                zero="As the model has it",
            ),
            Row(
                "Repair",
                SWITCH,
                "repair",
                "A chart script that fails is written again with its error.",
            ),
            Row(
                "Large pictures in parts",
                SWITCH,
                "split",
                "Pages too large for the model are converted in parts as well.",
            ),
            Row(
                "Run scripts in the preview",
                SWITCH,
                "scripts",
                "The previewed page may run its scripts, shut in.",
            ),
            Row(
                "Run charts unprotected",
                SWITCH,
                "unwalled",
                "Run a chart's code even where this system cannot shut it in: it can then do "
                "all you can.",
            ),
        ),
    ),
    PageSpec(
        "History",
        "history",
        (
            Row("Keep a history", SWITCH, "history", "Conversions with their pictures and code."),
            Row(
                "Private mode",
                SWITCH,
                "private",
                "Nothing at all is written. What is there can still be read.",
            ),
            Row("Keep for", NUMBER, "history_days", zero="Without limit", unit="days"),
            Row(
                "Keep at most",
                NUMBER,
                "history_count",
                "Pinned entries always stay.",
                zero="Without limit",
                unit="entries",
            ),
        ),
        "history",
    ),
    PageSpec(
        "Models",
        "model",
        (
            Row(
                "Models and servers",
                BUTTON,
                note="What converts, what can be downloaded, and servers of your own.",
                action="models",
            ),
        ),
        "models",
    ),
    PageSpec(
        "About",
        "info",
        (
            Row(
                "Diagnostics",
                BUTTON,
                note="Checks of every part, and a report without anything private.",
                action="diagnostics",
            ),
        ),
        "about",
    ),
)


def offered(row: Row) -> bool:
    """Whether there is anything to choose; English alone is no choice of languages."""
    return row.field != "language" or len(row.choices) > 2
