"""Colours, sizes and fonts of one page.

All colours are 3-digit hex: the text hints name colours in the same form, so the model can copy
many of them.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

FONTS: Mapping[str, Sequence[str]] = {
    "sans-serif": (
        "Liberation Sans", "Arimo", "DejaVu Sans", "Roboto", "Open Sans", "Lato", "Carlito",
        "Cantarell", "Quicksand",
        "Inter", "Noto Sans", "FreeSans", "Nimbus Sans", "Roboto Condensed", "Liberation Sans",
        "Roboto",
    ),
    "serif": (
        "Liberation Serif", "Tinos", "DejaVu Serif", "Noto Serif", "FreeSerif", "Nimbus Roman",
        "C059", "P052",
        "URW Bookman", "Noto Serif Display",
    ),
    "monospace": (
        "Liberation Mono", "Cousine", "DejaVu Sans Mono", "Fira Code", "Noto Sans Mono",
        "FreeMono", "Nimbus Mono PS",
        "Noto Mono",
    ),
}  # fmt: skip
"""Installed families that a picture may show where the answer says only the generic family."""

RADII = (0, 4, 8, 12, 16)
"""Corner radii in px; 999 stands for fully round ends."""

ACCENTS = (
    "#25e", "#06c", "#07f", "#36d", "#13a", "#0af", "#088", "#0a8", "#083", "#2a5", "#4a0", "#680",
    "#a60", "#e70",
    "#f60", "#d40", "#e33", "#c02", "#a12", "#d27", "#e1a", "#a2c", "#72d", "#53c", "#639", "#345",
    "#222", "#555",
)  # fmt: skip

# bg, surface, text, muted, line
LIGHT = (
    ("#fff", "#fff", "#222", "#666", "#ddd"), ("#fff", "#eee", "#222", "#666", "#ccc"),
    ("#fff", "#fff", "#111", "#777", "#eee"), ("#fff", "#fff", "#333", "#777", "#ccc"),
    ("#fff", "#eef", "#123", "#567", "#cde"), ("#eee", "#fff", "#222", "#666", "#ddd"),
    ("#eef", "#fff", "#124", "#568", "#ccd"), ("#ffe", "#fff", "#321", "#765", "#ddc"),
    ("#fee", "#fff", "#311", "#755", "#ecc"), ("#efe", "#fff", "#131", "#464", "#cdc"),
    ("#def", "#fff", "#013", "#456", "#bcd"), ("#fff", "#fff", "#444", "#888", "#ddd"),
    ("#fff", "#fff", "#000", "#555", "#bbb"), ("#ddd", "#eee", "#333", "#666", "#bbb"),
)  # fmt: skip
DARK = (
    ("#111", "#222", "#eee", "#aaa", "#444"), ("#222", "#333", "#fff", "#bbb", "#555"),
    ("#000", "#111", "#fff", "#999", "#333"), ("#123", "#234", "#eef", "#9ab", "#456"),
    ("#112", "#223", "#eef", "#99b", "#445"), ("#013", "#124", "#def", "#8ac", "#346"),
    ("#333", "#444", "#eee", "#bbb", "#666"), ("#211", "#322", "#fee", "#b99", "#544"),
    ("#121", "#232", "#efe", "#9b9", "#454"),
)  # fmt: skip

STATES: Mapping[str, tuple[str, str]] = {
    "good": ("#dfd", "#163"), "bad": ("#fdd", "#911"), "warn": ("#fec", "#850"), "info": ("#def",
    "#14a"),
}  # fmt: skip
"""Ground and ink of alerts and badges on light pages; dark pages swap them."""


def channels(colour: str) -> tuple[float, float, float]:
    """Red, green and blue of a 3-digit hex colour, each 0..1."""
    red, green, blue = (int(c, 16) / 15 for c in colour[1:4])
    return red, green, blue


def luminance(colour: str) -> float:
    """Relative luminance by WCAG, 0..1."""
    linear = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels(colour))
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(a: str, b: str) -> float:
    """Contrast ratio by WCAG, 1..21."""
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def mix(a: str, b: str, share: float) -> str:
    """The colour `share` of the way from a to b, rounded to 3 digits."""
    pairs = zip(channels(a), channels(b), strict=True)
    return "#" + "".join(f"{round(15 * (x + (y - x) * share)):x}" for x, y in pairs)


def ink_on(ground: str) -> str:
    """White or near black, whichever reads better on a ground; white where both do."""
    return "#fff" if contrast("#fff", ground) >= 3.5 else "#111"


def random_colour(rng: random.Random, ground: str | None = None, least: float = 1.0) -> str:
    """Any 3-digit colour; with a ground, one of at least that contrast where one is found."""
    for _ in range(40):
        colour = "#" + "".join(rng.choice("0123456789abcdef") for _ in range(3))
        if ground is None or contrast(colour, ground) >= least:
            return colour
    return max("#fff", "#000", key=lambda c: contrast(c, ground or "#fff"))


@dataclass(frozen=True)
class Theme:
    """What all parts of a page share. Sizes in px, colours 3-digit hex."""

    dark: bool
    bg: str
    surface: str
    text: str
    muted: str
    line: str
    accent: str
    on_accent: str
    link: str
    family: str
    heading_family: str
    size: int
    small: int
    h1: int
    h2: int
    h3: int
    line_height: str
    radius: int
    round_ends: bool
    gap: int
    pad: int

    @property
    def bar(self) -> str:
        """Ground of tracks, code and quiet boxes: a step away from the page's ground."""
        return mix(self.bg, self.text, 0.1)


def draw_theme(rng: random.Random) -> Theme:
    """Draws the theme of one page; a fifth of all pages have colours from the whole cube."""
    dark = rng.random() < 0.3
    bg, surface, text, muted, line = rng.choice(DARK if dark else LIGHT)
    accent = rng.choice(ACCENTS)
    if rng.random() < 0.2:
        bg = random_colour(rng)
        dark = luminance(bg) < 0.2
        text = random_colour(rng, bg, 6.0)
        surface = mix(
            bg,
            "#fff",
            rng.choice((0.0, 0.15, 0.4, 0.8)) if not dark else rng.choice((0.0, 0.1, 0.2)),
        )
        surface = surface if contrast(text, surface) >= 4.5 else bg
        muted = mix(text, surface, 0.25)
        line = mix(surface, text, 0.25)
        accent = random_colour(rng, surface, 2.0)
    elif contrast(accent, surface) < 2.0:
        accent = mix(accent, "#fff", 0.5)
    link = accent if min(contrast(accent, surface), contrast(accent, bg)) >= 3.0 else text
    family = rng.choices(("sans-serif", "serif", "monospace"), (15, 4, 1))[0]
    size = rng.choices((12, 13, 14, 15, 16, 18, 20), (1, 2, 5, 3, 6, 2, 1))[0]
    h3 = min(size + rng.choice((0, 2, 2, 4)), 20)
    h2 = min(h3 + rng.choice((2, 4, 6)), 28)
    h1 = min(h2 + rng.choice((2, 4, 8, 12)), 36)
    return Theme(
        dark=dark, bg=bg, surface=surface, text=text, muted=muted, line=line, accent=accent,
        on_accent=ink_on(accent), link=link, family=family,
        heading_family="serif" if family == "sans-serif" and rng.random() < 0.08 else family,
        size=size, small=max(size - rng.choice((0, 1, 2, 2, 3)), 11),
        h1=nearest(h1), h2=nearest(h2), h3=nearest(h3),
        line_height=rng.choices(("1.4", "1.2", "1.6"), (6, 2, 2))[0],
        radius=rng.choices(RADII, (3, 4, 5, 3, 1))[0], round_ends=rng.random() < 0.2,
        gap=rng.choice((8, 12, 16)), pad=rng.choice((8, 12, 16, 20)),
    )  # fmt: skip


HEADING_SIZES = (14, 16, 18, 20, 22, 24, 28, 32, 36)


def nearest(size: int) -> int:
    """The heading size of the list nearest to `size`."""
    return min(HEADING_SIZES, key=lambda s: abs(s - size))
