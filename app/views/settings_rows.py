"""What the settings window offers: pages of rows, each a field of the settings or an action."""

from __future__ import annotations

from dataclasses import dataclass

from app import language
from app.i18n import N_
from app.messages import TARGET_NAMES
from app.store.settings import RANGES

SWITCH, CHOICE, NUMBER, ACTION_SWITCH, BUTTON = "switch", "choice", "number", "action", "button"


@dataclass(frozen=True)
class Row:
    """One control.

    `field` is a field of `Settings`; for ACTION_SWITCH and BUTTON `action` names an action of the
    main window instead, and a BUTTON shows the text of `field` beside itself where it has one.
    `choices` are pairs of value and text. `zero` is what a number of 0 means, `unit` is how others
    are shown. All texts are still to be translated.
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


THEMES = (("system", N_("Like the system")), ("light", N_("Light")), ("dark", N_("Dark")))
LANGUAGES = (("", N_("Like the system")), *language.LANGUAGES.items())
"""Each by its own name, so that everybody finds theirs."""
HINTS = (
    ("auto", N_("As the model likes it")),
    ("always", N_("Always")),
    ("never", N_("Never")),
)

PAGES: tuple[PageSpec, ...] = (
    PageSpec(
        N_("General"),
        "settings",
        (
            Row(N_("Colours"), CHOICE, "theme", choices=THEMES),
            Row(
                N_("Language"), CHOICE, "language", N_("From the next start on."), choices=LANGUAGES
            ),
            Row(
                N_("Start with the system"),
                ACTION_SWITCH,
                action="autostart",
                note=N_("Wait in the tray from the login on."),
            ),
            Row(
                N_("Stay in the tray"),
                SWITCH,
                "tray",
                N_("Closing the window leaves VisCodex in the tray, if there is one."),
            ),
            Row(
                N_("Tell when code is ready"),
                SWITCH,
                "notifications",
                N_("A notice when a conversion ends while the window is away."),
            ),
        ),
    ),
    PageSpec(
        N_("Capture"),
        "snip",
        (
            Row(
                N_("Hotkey"),
                BUTTON,
                "hotkey",
                N_("Starts a snip from anywhere."),
                action="hotkey",
            ),
            Row(
                N_("Delay"),
                NUMBER,
                "capture_delay",
                N_("Of “Snip after a delay”: time to open a menu first."),
                zero=N_("None"),
                unit=N_("{number} s"),
            ),
            Row(
                N_("Start right away"),
                SWITCH,
                "auto_start",
                N_("Begin the conversion as soon as a picture arrives."),
            ),
        ),
    ),
    PageSpec(
        N_("Conversion"),
        "generate",
        (
            Row(N_("Output"), CHOICE, "target", choices=tuple(TARGET_NAMES.items())),
            Row(
                N_("Text from the picture"),
                CHOICE,
                "hints",
                N_("Words that are read on this computer and given to the model."),
                choices=HINTS,
            ),
            Row(
                N_("Answers to choose from"),
                NUMBER,
                "best_of",
                N_("The one whose picture is most like yours is kept. More take longer."),
                zero=N_("As the model has it"),
            ),
            Row(
                N_("Repair"),
                SWITCH,
                "repair",
                N_("A chart script that fails is written again with its error."),
            ),
            Row(
                N_("Correct by the picture"),
                SWITCH,
                "correct",
                N_("Words and colours of the bundled model's answers are measured and corrected."),
            ),
            Row(
                N_("Large pictures in parts"),
                SWITCH,
                "split",
                N_("Pages too large for the model are converted in parts as well."),
            ),
            Row(
                N_("Run scripts in the preview"),
                SWITCH,
                "scripts",
                N_("The previewed page may run its scripts, shut in."),
            ),
            Row(
                N_("Run charts unprotected"),
                SWITCH,
                "unwalled",
                N_(
                    "Run a chart's code even where this system cannot shut it in: it can then do "
                    "all you can."
                ),
            ),
        ),
    ),
    PageSpec(
        N_("History"),
        "history",
        (
            Row(
                N_("Keep a history"),
                SWITCH,
                "history",
                N_("Conversions with their pictures and code."),
            ),
            Row(
                N_("Private mode"),
                SWITCH,
                "private",
                N_("Nothing at all is written. What is there can still be read."),
            ),
            Row(
                N_("Keep for"),
                NUMBER,
                "history_days",
                zero=N_("Without limit"),
                unit=N_("{number} days"),
            ),
            Row(
                N_("Keep at most"),
                NUMBER,
                "history_count",
                N_("Pinned entries always stay."),
                zero=N_("Without limit"),
                unit=N_("{number} entries"),
            ),
        ),
        "history",
    ),
    PageSpec(
        N_("Models"),
        "model",
        (
            Row(
                N_("Models and servers"),
                BUTTON,
                note=N_("What converts, what can be downloaded, and servers of your own."),
                action="models",
            ),
        ),
        "models",
    ),
    PageSpec(
        N_("About"),
        "info",
        (
            Row(
                N_("Diagnostics"),
                BUTTON,
                note=N_("Checks of every part, and a report without anything private."),
                action="diagnostics",
            ),
        ),
        "about",
    ),
)
