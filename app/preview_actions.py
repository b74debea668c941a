"""The actions of the preview, as `app.actions` has those of the window.

Those marked `local` answer to their keys only while the focus is in the preview.
"""

from __future__ import annotations

from app.actions import ActionSpec
from app.i18n import N_

WIDTHS: tuple[tuple[str, str, str, str], ...] = (
    ("source", N_("Width of the picture"), N_("Lay it out as wide as the picture"), "picture"),
    ("390", N_("Phone, 390 pixels"), N_("Lay it out as on a phone, 390 pixels wide"), "phone"),
    ("768", N_("Tablet, 768 pixels"), N_("Lay it out as on a tablet, 768 pixels wide"), "tablet"),
    (
        "1280",
        N_("Desktop, 1280 pixels"),
        N_("Lay it out as on a desktop, 1280 pixels wide"),
        "desktop",
    ),
    ("fit", N_("Width of the pane"), N_("Lay it out as wide as the pane"), "fit_width"),
)
"""Key of a width, what people read, explanation, icon; Alt and the digits are their shortcuts."""

MODES: tuple[tuple[str, str, str, str], ...] = (
    (
        "slider",
        N_("Slider"),
        N_("The snip to the left of the line, the code's picture to the right"),
        "slider",
    ),
    (
        "beside",
        N_("Side by side"),
        N_("The snip and the code's picture beside each other"),
        "beside",
    ),
    ("onion", N_("Onion skin"), N_("The code's picture over the snip, see-through"), "onion"),
    ("heat", N_("Difference"), N_("The redder, the farther apart"), "heat"),
)
"""Key of a way to compare, name, explanation, icon; the digits are their shortcuts."""

COMPARE_ACTIONS: tuple[ActionSpec, ...] = tuple(
    ActionSpec(f"compare_{key}", name, tip, icon, (str(number),), True, "compare")
    for number, (key, name, tip, icon) in enumerate(MODES, 1)
)

PREVIEW_ACTIONS: tuple[ActionSpec, ...] = (
    *(
        ActionSpec(f"width_{key}", text, tip, icon, (f"Alt+{number}",), True, "preview")
        for number, (key, text, tip, icon) in enumerate(WIDTHS, 1)
    ),
    ActionSpec(
        "zoom_in",
        N_("Larger"),
        N_("Show it larger (or Ctrl and the wheel)"),
        "zoom_in",
        ("Ctrl++", "Ctrl+="),
        scope="preview",
    ),
    ActionSpec(
        "zoom_out",
        N_("Smaller"),
        N_("Show it smaller (or Ctrl and the wheel)"),
        "zoom_out",
        ("Ctrl+-",),
        scope="preview",
    ),
    ActionSpec(
        "zoom_fit", N_("Fit"), N_("As large as fits the pane"), "", ("Ctrl+0",), scope="preview"
    ),
    ActionSpec(
        "page_dark",
        N_("Dark page"),
        N_("Show the page as to somebody who prefers dark colours"),
        "dark",
        ("Alt+D",),
        True,
        "preview",
    ),
    ActionSpec(
        "compare",
        N_("Compare with the picture"),
        N_("Lay what the code draws over the picture"),
        "compare",
        ("Ctrl+4",),
        True,
    ),
    ActionSpec(
        "console",
        N_("Console of the page"),
        N_("Messages of the page"),
        "console",
        ("Alt+C",),
        True,
        "preview",
    ),
    ActionSpec(
        "copy_drawn", N_("Copy as a picture"), N_("Copy what the code draws as a picture"), "copy"
    ),
    ActionSpec(
        "save_drawn", N_("Save as a picture…"), N_("Save what the code draws as a picture"), "save"
    ),
    ActionSpec(
        "open_browser",
        N_("Open in the browser"),
        N_("Open the page in your browser, shut in as here"),
        "browser",
    ),
)
