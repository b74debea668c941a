"""Components that lead elsewhere: bars, menus, tabs, trails, footers, buttons."""

from __future__ import annotations

from training.nano.pages.kit import Kit
from training.nano.pages.node import Node, box, leaf

HREF = 'href="#"'


def nav(kit: Kit) -> list[Node]:
    """A navigation bar: brand and links."""
    theme = kit.theme
    ground = kit.once(
        "nav ground", lambda: kit.rng.choice((theme.accent, theme.surface, theme.bar, "#222"))
    )
    ink = {theme.accent: theme.on_accent, "#222": "#fff"}.get(ground, theme.text)
    framed = ground in (theme.surface, theme.bg)
    kit.use(
        "nav",
        display="flex",
        align_items="center",
        gap=f"{kit.once('nav gap', lambda: kit.rng.choice((12, 16, 20)))}px",
        padding=kit.once("nav padding", lambda: kit.rng.choice(("8px 16px", "12px 16px", "16px"))),
        border_bottom=kit.border() if framed else None,
        background=ground if ground != theme.bg else None,
        color=ink if ink != theme.text else None,
    )
    kit.use("nav a", color=ink, text_decoration="none")
    parts: list[Node] = []
    if kit.coin(0.8):
        kit.use(
            "nav b",
            flex="1" if kit.flag("nav right", 0.6) else None,
            font_size=f"{theme.h3}px" if theme.h3 != theme.size else None,
        )
        parts.append(leaf("b", kit.words.brand()))
    parts += [leaf("a", text, attrs=HREF) for text in kit.words.labels("nav", kit.count(2, 5))]
    if not kit.small and ground != theme.accent and kit.coin(0.3):
        parts.append(kit.button())
    return [box("nav", *parts)]


def tabs(kit: Kit) -> list[Node]:
    """A row of tabs, the active one underlined or filled."""
    theme = kit.theme
    kit.use(
        ".tabs",
        display="flex",
        gap=kit.once("tab gap", lambda: kit.rng.choice(("4px", "8px"))),
        border_bottom=kit.border(),
    )
    kit.use(".tabs a", padding="8px 12px", color=theme.muted, text_decoration="none")
    names = kit.words.labels("menu", kit.count(2, 4))
    active = kit.rng.randrange(len(names))
    filled = kit.flag("filled tabs", 0.3)
    kit.use(
        ".tabs .active",
        border_bottom=None if filled else f"2px solid {theme.accent}",
        background=theme.accent if filled else None,
        color=theme.on_accent if filled else theme.link,
    )
    return [box("div", *(_item(name, i == active) for i, name in enumerate(names)), cls="tabs")]


def menu(kit: Kit) -> list[Node]:
    """A side menu: links one under the other, one of them active."""
    theme = kit.theme
    kit.use(
        ".menu",
        display="grid",
        gap="4px",
        padding="8px",
        background=theme.bar if kit.flag("menu box", 0.5) else None,
    )
    kit.use(
        ".menu a",
        padding="8px 12px",
        border_radius=kit.radius(),
        color=theme.text,
        text_decoration="none",
    )
    names = kit.words.labels("menu", kit.count(3, 7))
    active = kit.rng.randrange(len(names))
    kit.use(".menu .active", background=theme.accent, color=theme.on_accent)
    return [box("div", *(_item(name, i == active) for i, name in enumerate(names)), cls="menu")]


def _item(name: str, active: bool) -> Node:
    return leaf("a", name, cls="active" if active else "", attrs=HREF)


def breadcrumb(kit: Kit) -> list[Node]:
    """The trail to the page, slashes between."""
    mark = kit.once("trail mark", lambda: kit.rng.choice(("/", "›", "»", ">")))
    kit.use(
        ".trail",
        display="flex",
        gap="8px",
        color=kit.theme.muted,
        font_size=f"{kit.theme.small}px" if kit.theme.small != kit.theme.size else None,
    )
    parts: list[Node] = []
    for _ in range(kit.count(1, 3)):
        parts += [
            kit.link(kit.words.label("nav") if kit.coin(0.6) else kit.words.title(1)),
            leaf("span", mark),
        ]
    return [box("div", *parts, leaf("span", kit.words.title(kit.rng.randint(1, 2))), cls="trail")]


def pagination(kit: Kit) -> list[Node]:
    """Page numbers in small boxes, one of them filled."""
    theme = kit.theme
    kit.use(".pages", display="flex", gap="4px")
    kit.use(
        ".pages a",
        padding="4px 12px",
        border=kit.border(),
        border_radius=kit.radius(),
        color=theme.text,
        text_decoration="none",
    )
    kit.use(".pages .active", background=theme.accent, color=theme.on_accent)
    first = kit.rng.choice((1, 1, 1, kit.rng.randint(2, 40)))
    n = kit.count(3, 5)
    active = kit.rng.randrange(n)
    ends = kit.rng.choice((("", ""), ("", "Next"), ("Previous", "Next"), ("«", "»"), ("‹", "›")))
    names = [ends[0], *(str(first + i) for i in range(n)), ends[1]]
    return [
        box(
            "div",
            *(_item(name, i == active + 1) for i, name in enumerate(names) if name),
            cls="pages",
        )
    ]


def steps(kit: Kit) -> list[Node]:
    """Numbered circles with names."""
    theme = kit.theme
    kit.use(".step", display="flex", align_items="center", gap="8px")
    kit.use(
        ".step b",
        width="28px",
        border_radius="999px",
        background=theme.accent,
        color=theme.on_accent,
        line_height="28px",
        text_align="center",
    )
    texts = [kit.words.title() for _ in range(kit.count(2, 4))]
    return [
        box("div", leaf("b", str(i)), leaf("span", text), cls="step")
        for i, text in enumerate(texts, start=1)
    ]


def buttons(kit: Kit) -> list[Node]:
    """One to three buttons in a row."""
    n = kit.rng.choice((1, 1, 2) if kit.small else (1, 2, 2, 3))
    if n == 1:
        return [kit.button()]
    names = kit.words.labels("action", n)
    return [kit.row(kit.button(names[0]), *(kit.outline(name) for name in names[1:]))]


def footer(kit: Kit) -> list[Node]:
    """A footer: a notice, perhaps links."""
    theme = kit.theme
    ground = kit.once("footer ground", lambda: kit.rng.choice((theme.bar, "#222", theme.bg)))
    ink = "#ccc" if ground == "#222" else theme.muted
    kit.use(
        "footer",
        display="grid",
        gap="8px",
        padding="16px",
        border_top=kit.border() if ground == theme.bg else None,
        background=ground if ground != theme.bg else None,
        color=ink,
        font_size=f"{theme.small}px" if theme.small != theme.size else None,
        text_align="center" if kit.flag("centred footer", 0.5) else None,
    )
    year, brand = kit.rng.randint(2001, 2029), kit.words.brand()
    notice = kit.rng.choice(
        (
            f"© {year} {brand}",
            f"© {year} {brand}. All rights reserved.",
            f"{brand}, {kit.words.place()}",
        )
    )
    parts = [leaf("p", notice)]
    if kit.coin(0.5):
        kit.use("footer a", color=ink)
        links = " ".join(
            f"<a {HREF}>{text}</a>" for text in kit.words.labels("nav", kit.count(2, 4))
        )
        parts.insert(0, Node("p", text=links))
    return [box("footer", *parts)]
