"""Looks of charts: colours that the code names, and the skin that only the picture shows."""

from __future__ import annotations

import random
from dataclasses import dataclass

_COLOURS = (
    "#25e #e42 #2a5 #f90 #93c #0aa #c36 #555 #36c #c13 #363 #fc3 #639 #099 #f66 #69c #6b4 #fa4 "
    "#a6d #4cc #e7a #9aa #000 #147 #911 #052 #b60 #417 #066 #804 #234 #9cf #fb9 #9d9 #fe9 #cbf "
    "#9ee #fbd #ccc #00f #f00 #090 #f0f #f60 #0bf #6cf #f57 #5d8 #fb0 #85f #1ba #f4a #a52 #789 "
    "#45b #d64 #7a3 #db2 #56a #b47 #d35 #e91 #3b9 #c7e #7df #fd6"
)
COLOURS = tuple(_COLOURS.split())
"""Three-digit colours. None is of the default cycle: leaving `color` out writes those."""

PALETTES = (
    "#25e #e42 #2a5 #f90 #93c",
    "#147 #fa2 #5d8 #b47 #789",
    "#9cf #fb9 #9d9 #cbf #fe9",
    "#f57 #56a #fb0 #1ba #85f",
    "#234 #e35 #7df #fd6 #99a",
    "#069 #6bd #ace #fa0 #c40",
    "#411 #a32 #e75 #fb8 #fdb",
    "#024 #257 #49b #8ce #cef",
    "#131 #374 #6a7 #adb #def",
    "#00f #f00 #090 #f0f #0bf",
    "#000 #666 #aaa #c13 #ddd",
    "#435 #749 #a7c #dbe #fd6",
)

FAMILIES = (
    ("DejaVu Sans", 6),
    ("Liberation Sans", 3),
    ("Arimo", 1),
    ("Lato", 1),
    ("Open Sans", 1),
    ("Roboto", 1),
    ("Noto Sans", 1),
    ("Inter", 1),
    ("Cantarell", 1),
    ("Carlito", 1),
    ("Quicksand", 0.5),
    ("FreeSans", 0.5),
    ("DejaVu Serif", 1),
    ("Liberation Serif", 1),
    ("Tinos", 0.5),
    ("FreeSerif", 0.5),
    ("STIXGeneral", 0.5),
    ("DejaVu Sans Mono", 0.5),
    ("Liberation Mono", 0.5),
)
"""Font families and how often they are drawn; one that is missing falls back to DejaVu Sans."""

SHEETS = ("ggplot", "seaborn-v0_8", "dark_background", "bmh")
"""Style sheets that a script may use by name; all but the dark one draw a grid of their own."""

WIDTHS = (250, 300, 350, 400, 450, 500, 550, 600, 640)
HEIGHTS = (200, 250, 300, 350, 400, 450, 480)
DOTS_PER_INCH = 100

MARKERS = "os^Dxv"
LINES = ("-", "--", ":", "-.")


@dataclass(frozen=True)
class Size:
    """Size of the picture in pixels."""

    width: int
    height: int


def draw_size(rng: random.Random, level: int, panels: tuple[int, int] = (1, 1)) -> Size:
    """Sizes one can tell apart on a grid of 28 px; (rows, columns) of panels ask for more room."""
    rows, columns = panels
    if panels == (1, 1) and rng.random() < 0.12:
        return Size(640, 480)
    widths = WIDTHS[:6] if level == 0 else WIDTHS
    for _ in range(40):
        size = Size(rng.choice(widths), rng.choice(HEIGHTS))
        ratio = size.width / columns / (size.height / rows)
        if 0.75 <= ratio <= 2.1 and size.width / columns >= 240 and size.height / rows >= 200:
            return size
    return Size(640, 480) if panels != (1, 1) else Size(400, 300)


def draw_colours(rng: random.Random, n: int) -> list[str]:
    """`n` different three-digit colours that go together."""
    if n == 1 or rng.random() < 0.4:
        return rng.sample(COLOURS, n)
    colours = rng.choice(PALETTES).split()
    return colours[:n] if n <= len(colours) else rng.sample(COLOURS, n)


def brightness(colour: str) -> float:
    """Perceived brightness of a three-digit colour, 0 (black) to 1 (white)."""
    red, green, blue = (int(digit, 16) / 15 for digit in colour[1:])
    return 0.3 * red + 0.59 * green + 0.11 * blue


def draw_skin(rng: random.Random, sheet: str | None) -> dict[str, object]:
    """rcParams for the picture alone: what an answer cannot know or need not say."""
    skin: dict[str, object] = {}
    if sheet is None or not sheet.startswith("seaborn"):
        family = rng.choices([f for f, _ in FAMILIES], [w for _, w in FAMILIES])[0]
        if family != "DejaVu Sans":
            skin["font.family"] = family
        if family == "Noto Sans":  # one of its files lacks the minus sign
            skin["axes.unicode_minus"] = False
    if sheet is not None or rng.random() < 0.35:
        return skin
    options: tuple[tuple[float, str, tuple[object, ...]], ...] = (
        (0.3, "font.size", (9, 9.5, 10.5, 11)),
        (0.2, "axes.titleweight", ("bold",)),
        (0.15, "axes.titlesize", ("medium", "x-large")),
        (0.3, "axes.axisbelow", (True,)),
        (0.2, "xtick.direction", ("in",)),
        (0.15, "ytick.direction", ("in",)),
        (0.2, "axes.edgecolor", ("#444444", "#888888", "#cccccc")),
        (0.15, "text.color", ("#222222", "#444444")),
        (0.2, "grid.color", ("#cccccc", "#dddddd", "#aaaaaa")),
        (0.2, "grid.alpha", (0.3, 0.5, 0.7)),
        (0.15, "legend.frameon", (False,)),
        (0.1, "legend.fontsize", ("small",)),
        (0.2, "lines.linewidth", (1.2, 1.8)),
        (0.2, "lines.markersize", (5, 7)),
    )
    for chance, name, values in options:
        if rng.random() < chance:
            skin[name] = rng.choice(values)
    if rng.random() < 0.22:
        skin["axes.spines.top"] = skin["axes.spines.right"] = False
    return skin


def font_scale(skin: dict[str, object]) -> float:
    """How much wider texts may be than those of the default font size."""
    size = skin.get("font.size", 10)
    return (float(size) if isinstance(size, int | float) else 10.0) / 10
