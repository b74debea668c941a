"""The parts that components share: headings, paragraphs, links, buttons, cards, rows.

A `Kit` belongs to one page. Everything with a fixed meaning for the whole page (tag rules,
`.card`, `.row`, `.muted`) is defined here and nowhere else.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from html import escape
from typing import TypeVar

from training.nano.pages.node import Node, Sheet, box, leaf
from training.nano.pages.palette import STATES, Theme
from training.nano.words import WordSource

T = TypeVar("T")


class Kit:
    """Random choices, words, theme and style sheet of one page."""

    def __init__(self, rng: random.Random, words: WordSource, theme: Theme, small: bool) -> None:
        self.rng = rng
        self.words = words
        self.theme = theme
        self.small = small
        self.sheet = Sheet()
        self._memo: dict[str, object] = {}

    def once(self, key: str, draw: Callable[[], T]) -> T:
        """A choice that is made once a page."""
        if key not in self._memo:
            self._memo[key] = draw()
        return self._memo[key]  # type: ignore[return-value]

    def coin(self, share: float) -> bool:
        """True in that share of the draws."""
        return self.rng.random() < share

    def flag(self, key: str, share: float) -> bool:
        """True in that share of the pages."""
        return self.once(key, lambda: self.coin(share))

    def count(self, low: int, high: int) -> int:
        """How many of something: low..high, at most low + 2 in a small component."""
        return self.rng.randint(low, min(high, low + 2) if self.small else high)

    def use(self, selector: str, **props: str | None) -> None:
        """Adds a rule; `border_radius="8px"` stands for border-radius."""
        self.sheet.use(selector, {name.replace("_", "-"): value for name, value in props.items()})

    def radius(self) -> str | None:
        """The page's corner radius as a value, None for square corners."""
        return f"{self.theme.radius}px" if self.theme.radius else None

    def pill(self) -> str | None:
        """Corner radius of buttons and inputs: the page's own, or round ends."""
        return "999px" if self.theme.round_ends else self.radius()

    def border(self) -> str:
        """The page's thin border."""
        return f"1px solid {self.theme.line}"

    # --- texts ---
    def heading(self, level: int, text: str | None = None) -> Node:
        """An h1, h2 or h3 in the page's sizes."""
        theme, tag = self.theme, f"h{level}"
        size = (theme.h1, theme.h2, theme.h3)[level - 1]
        serif = theme.heading_family if level < 3 and theme.heading_family != theme.family else None
        color = (
            theme.link
            if theme.link != theme.text and level < 3 and self.flag("tinted headings", 0.12)
            else None
        )
        weight = "400" if self.flag(f"light {tag}", 0.12) else None
        ruled = level < 3 and self.flag("ruled headings", 0.1)
        self.use(
            tag,
            padding="0 0 8px 0" if ruled else None,
            border_bottom=self.border() if ruled else None,
            color=color,
            font_family=serif,
            font_size=f"{size}px",
            font_weight=weight,
        )
        return leaf(tag, text or self.words.title())

    def para(self, n_words: int) -> Node:
        """A paragraph of about that many words."""
        return leaf("p", self.words.paragraph(n_words))

    def muted(self, text: str, tag: str = "p") -> Node:
        """A quiet small text."""
        theme = self.theme
        size = f"{theme.small}px" if theme.small != theme.size else None
        self.use(".muted", color=theme.muted, font_size=size)
        return leaf(tag, text, cls="muted")

    def link_rule(self) -> None:
        """The rule of plain links."""
        plain = None if self.flag("underlined links", 0.3) else "none"
        self.use("a", color=self.theme.link, text_decoration=plain)

    def link(self, text: str | None = None) -> Node:
        """A plain link."""
        self.link_rule()
        return leaf("a", text or self.words.label("link"), attrs='href="#"')

    def linked_text(self, n_words: int) -> Node:
        """A paragraph that ends in a link."""
        self.link_rule()
        link = escape(self.words.label("link"), quote=False)
        return Node(
            "p", text=f'{escape(self.words.paragraph(n_words), quote=False)} <a href="#">{link}</a>'
        )

    # --- controls ---
    def button(self, text: str | None = None) -> Node:
        """The page's filled button."""
        theme = self.theme
        pad = self.once(
            "button padding",
            lambda: self.rng.choice(("8px 16px", "8px 12px", "12px 20px", "4px 12px")),
        )
        weight = "bold" if self.flag("bold buttons", 0.25) else None
        start = None if self.flag("wide buttons", 0.35) else "start"
        self.use(
            "button",
            justify_self=start,
            padding=pad,
            border="0",
            border_radius=self.pill(),
            background=theme.accent,
            color=theme.on_accent,
            font="inherit",
            font_weight=weight,
        )
        return leaf("button", self.caption(text))

    def caption(self, text: str | None) -> str:
        """The text of a button; capital letters on some pages."""
        text = text or self.words.label("action")
        return text.upper() if self.flag("capital buttons", 0.12) else text

    def outline(self, text: str | None = None) -> Node:
        """A button with a border instead of a ground."""
        theme = self.theme
        self.button("x")
        edge = theme.link if self.flag("tinted outline", 0.5) else theme.line
        ink = theme.link if self.flag("tinted outline", 0.5) else theme.text
        self.use(".outline", border=f"1px solid {edge}", background=theme.surface, color=ink)
        return leaf("button", self.caption(text), cls="outline")

    def plain_input(self, kind: str, placeholder: str) -> Node:
        """A text field; `kind` is "" or an input type."""
        self.input_rule("input")
        attrs = f'type="{kind}" ' if kind else ""
        return Node("input", attrs=f'{attrs}placeholder="{escape(placeholder)}"', natural=180)

    def input_rule(self, selector: str) -> None:
        """The look that text fields, selects and text areas share."""
        theme = self.theme
        pad = self.once("input padding", lambda: self.rng.choice(("8px", "8px 12px", "12px")))
        ground = self.once(
            "input ground", lambda: self.rng.choice((theme.surface, theme.surface, theme.bg))
        )
        ink = theme.text if theme.dark or selector == "select" else None
        self.use(
            selector,
            padding=pad,
            border=self.border(),
            border_radius=self.pill() if selector != "textarea" else self.radius(),
            background=ground,
            color=ink,
            font="inherit",
        )

    # --- boxes ---
    def card(self, *children: Node, tag: str = "div") -> Node:
        """The page's card around some elements."""
        theme = self.theme
        framed = theme.surface == theme.bg or self.flag("framed cards", 0.4)
        self.use(
            ".card",
            display="grid",
            align_content="start",
            gap=f"{self.once('card gap', lambda: self.rng.choice((4, 8, 12)))}px",
            padding=f"{theme.pad}px",
            border=self.border() if framed else None,
            border_radius=self.radius(),
            background=theme.surface if theme.surface != theme.bg else None,
        )
        return box(tag, *children, cls="card")

    def row(self, *children: Node) -> Node:
        """Elements side by side."""
        self.use(".row", display="flex", align_items="center", gap=f"{self.theme.gap}px")
        return box("div", *children, cls="row")

    def spread(self, *children: Node) -> Node:
        """Elements at both ends of a line."""
        self.use(".spread", display="flex", justify_content="space-between", align_items="center")
        return box("div", *children, cls="spread")

    def columns(self) -> int:
        """Columns of the page's `.grid`."""
        return self.once("columns", lambda: self.rng.choice((2, 2, 3)))

    def grid(self, *children: Node) -> Node:
        """Equal columns."""
        tracks = " ".join(["1fr"] * self.columns())
        self.use(".grid", display="grid", grid_template_columns=tracks, gap=f"{self.theme.gap}px")
        return box("div", *children, cls="grid")

    def avatar(self, name: str | None = None) -> Node:
        """A coloured circle with initials."""
        size = self.once("avatar size", lambda: self.rng.choice((32, 40, 48, 56)))
        ground = self.theme.accent
        self.use(
            ".avatar",
            width=f"{size}px",
            border_radius="999px",
            background=ground,
            color=self.theme.on_accent,
            line_height=f"{size}px",
            text_align="center",
        )
        initials = "".join(part[0] for part in (name or self.words.name()).split())
        return leaf("div", initials[0] + initials[-1], cls="avatar")

    def grounds(self) -> tuple[str, ...]:
        """Colours that stand for pictures; pure blue is what benchmark pages put in their place."""
        return (self.theme.accent, self.theme.bar, "#ccc", "#00f")

    def image(self) -> Node:
        """A coloured box in the place of a picture."""
        height = self.once("image height", lambda: self.rng.choice((48, 64, 80, 96, 120)))
        ground = self.once("image ground", lambda: self.rng.choice(self.grounds()))
        self.use(".image", height=f"{height}px", border_radius=self.radius(), background=ground)
        return Node("div", cls="image")

    def state(self, name: str) -> tuple[str, str]:
        """Ground and ink of a state (good, bad, warn, info)."""
        ground, ink = STATES[name]
        return (ink, ground) if self.theme.dark else (ground, ink)
