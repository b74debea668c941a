"""The actions of the preview, as `app.actions` has those of the window.

Those marked `local` answer to their keys only while the focus is in the preview.
"""

from __future__ import annotations

from app.actions import ActionSpec

WIDTHS: tuple[tuple[str, str, str, str], ...] = (
    ("source", "Width of the picture", "picture", "Alt+1"),
    ("390", "Phone, 390 pixels", "phone", "Alt+2"),
    ("768", "Tablet, 768 pixels", "tablet", "Alt+3"),
    ("1280", "Desktop, 1280 pixels", "desktop", "Alt+4"),
    ("fit", "Width of the pane", "fit_width", "Alt+5"),
)
"""Key of a width, what people read, icon, shortcut."""

MODES: tuple[tuple[str, str, str, str], ...] = (
    ("slider", "Slider", "The snip to the left of the line, the code's picture to the right",
     "slider"),
    ("beside", "Side by side", "The snip and the code's picture beside each other", "beside"),
    ("onion", "Onion skin", "The code's picture over the snip, see-through", "onion"),
    ("heat", "Difference", "The redder, the farther apart", "heat"),
)  # fmt: skip
"""Key of a way to compare, name, explanation, icon; the digits are their shortcuts."""

COMPARE_ACTIONS: tuple[ActionSpec, ...] = tuple(
    ActionSpec(f"compare_{key}", name, tip, icon, (str(number),), True, "compare")
    for number, (key, name, tip, icon) in enumerate(MODES, 1)
)

PREVIEW_ACTIONS: tuple[ActionSpec, ...] = (
    *(
        ActionSpec(f"width_{key}", text, f"Lay the page out: {text}", icon, (keys,), True, "preview")
        for key, text, icon, keys in WIDTHS
    ),
    ActionSpec(
        "zoom_in", "Larger", "Show it larger (or Ctrl and the wheel)", "zoom_in",
        ("Ctrl++", "Ctrl+="), scope="preview",
    ),
    ActionSpec(
        "zoom_out", "Smaller", "Show it smaller (or Ctrl and the wheel)", "zoom_out",
        ("Ctrl+-",), scope="preview",
    ),
    ActionSpec("zoom_fit", "Fit", "As large as fits the pane", "", ("Ctrl+0",), scope="preview"),
    ActionSpec(
        "page_dark", "Dark page", "Show the page as to somebody who prefers dark colours", "dark",
        ("Alt+D",), True, "preview",
    ),
    ActionSpec(
        "compare", "Compare with the picture", "Lay what the code draws over the picture",
        "compare", ("Ctrl+4",), True,
    ),
    ActionSpec(
        "console", "Console of the page", "Messages of the page", "console", ("Alt+C",), True,
        "preview",
    ),
    ActionSpec("copy_drawn", "Copy as a picture", "Copy what the code draws as a picture", "copy"),
    ActionSpec(
        "save_drawn", "Save as a picture…", "Save what the code draws as a picture", "save"
    ),
    ActionSpec(
        "open_browser", "Open in the browser", "Open the page in your browser, shut in as here",
        "browser",
    ),
)  # fmt: skip
