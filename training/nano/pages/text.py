"""Components that are mostly text."""

from __future__ import annotations

from training.nano.pages.kit import Kit
from training.nano.pages.node import Node, box, leaf


def heading(kit: Kit) -> list[Node]:
    """A heading, often with a line under it."""
    level = kit.rng.choice((1, 1, 2, 2, 3))
    out = [kit.heading(level)]
    if kit.coin(0.6):
        text = kit.words.sentence(kit.count(3, 9))
        out.append(kit.muted(text) if kit.coin(0.5) else leaf("p", text))
    return out


def paragraph(kit: Kit) -> list[Node]:
    """One or two paragraphs of plain text."""
    out = [kit.para(kit.rng.randint(6, 24 if kit.small else 40))]
    if not kit.small and kit.coin(0.3):
        out.append(kit.para(kit.rng.randint(6, 24)))
    return out


def linked(kit: Kit) -> list[Node]:
    """A paragraph that ends in a link."""
    return [kit.linked_text(kit.rng.randint(5, 20))]


def article(kit: Kit) -> list[Node]:
    """Title, date line, text and a link."""
    out = [kit.heading(kit.rng.choice((1, 2, 2)))]
    if kit.coin(0.6):
        out.append(
            kit.muted(kit.rng.choice((kit.words.date(), f"{kit.words.name()}, {kit.words.date()}")))
        )
    out.append(kit.para(kit.rng.randint(6, 14 if kit.small else 36)))
    if kit.coin(0.4):
        out.append(kit.link())
    return out


def columns(kit: Kit) -> list[Node]:
    """Two or three columns of heading and text."""
    n = kit.columns()
    cells = [box("div", kit.heading(3), kit.para(kit.rng.randint(4, 12))) for _ in range(n)]
    return [kit.grid(*cells)]


def bullets(kit: Kit) -> list[Node]:
    """A bulleted or numbered list."""
    tag = kit.rng.choice(("ul", "ul", "ol"))
    kit.use(tag, padding="0 0 0 20px")
    long = kit.coin(0.3)
    texts = [
        kit.words.sentence(kit.rng.randint(5, 9)) if long else kit.words.title()
        for _ in range(kit.count(2, 6))
    ]
    items = box(tag, *(leaf("li", text) for text in texts))
    return [kit.heading(kit.rng.choice((2, 3))), items] if kit.coin(0.4) else [items]


def _links_rule(kit: Kit) -> None:
    gap = kit.once("link gap", lambda: kit.rng.choice((None, "4px", "8px")))
    kit.use(".links", display="grid", gap=gap)


def link_list(kit: Kit) -> list[Node]:
    """A heading over a column of links."""
    _links_rule(kit)
    items = box("div", *(kit.link(kit.words.title()) for _ in range(kit.count(2, 6))), cls="links")
    return [kit.heading(kit.rng.choice((2, 3, 3))), items] if kit.coin(0.5) else [items]


def quote(kit: Kit) -> list[Node]:
    """A quotation with a bar at its left."""
    kit.use(
        "blockquote",
        padding="4px 16px",
        border_left=f"4px solid {kit.theme.accent}",
        color=kit.theme.muted,
        font_style="italic" if kit.flag("italic quote", 0.4) else None,
    )
    out = [leaf("blockquote", kit.words.paragraph(kit.rng.randint(6, 18)))]
    return [*out, leaf("p", kit.words.name())] if kit.coin(0.4) else out


def code(kit: Kit) -> list[Node]:
    """A command or two in a monospace box."""
    theme = kit.theme
    dark = kit.flag("dark code", 0.4) and not theme.dark
    kit.use(
        "code",
        padding="8px 12px",
        border_radius=kit.radius(),
        background="#222" if dark else theme.bar,
        color="#eee" if dark else None,
        font_family="monospace",
        font_size=f"{theme.small}px",
    )
    w = kit.words
    forms = (
        lambda: f"{w.word()} {w.word()} --{w.word()} {w.rng.randint(1, 99)}",
        lambda: f"{w.word()} = {w.word()}({w.rng.randint(1, 99)})",
        lambda: f"$ {w.word()} install {w.nonsense()}",
        lambda: f"{w.word()}.{w.word()}({w.word()}, {w.word()})",
        lambda: f"import {w.word()}",
        lambda: f"{w.random_string()}",
    )
    out = [leaf("code", kit.rng.choice(forms)())]
    return [kit.para(kit.rng.randint(4, 10)), *out] if kit.coin(0.4) else out


def definitions(kit: Kit) -> list[Node]:
    """Terms and values in two columns."""
    kit.use("dl", display="grid", grid_template_columns="auto 1fr", gap="4px 16px")
    ink = kit.theme.muted if kit.flag("muted terms", 0.5) else None
    kit.use("dt", color=ink, font_weight=None if ink else "bold")
    w = kit.words
    values = (w.number, w.date, w.name, w.price, w.random_string, w.place, w.word, w.percent)
    rows: list[Node] = []
    for name in kit.words.labels("column", kit.count(2, 6)):
        rows += [leaf("dt", name), leaf("dd", kit.rng.choice(values)())]
    return [box("dl", *rows)]


def hero(kit: Kit) -> list[Node]:
    """A large heading, a line of text and one or two buttons on a coloured or plain ground."""
    theme = kit.theme
    filled = kit.flag("filled hero", 0.4)
    kit.use(
        "header",
        display="grid",
        gap="12px",
        padding=kit.once("hero padding", lambda: kit.rng.choice(("24px", "32px"))),
        background=theme.bar if filled else None,
        text_align="center" if kit.flag("centred hero", 0.5) else None,
    )
    centred = kit.flag("centred hero", 0.5)
    out = [kit.heading(1), kit.para(kit.rng.randint(4, 12))]
    if kit.coin(0.8):
        buttons = [kit.button()] + ([kit.outline()] if kit.coin(0.35) and not kit.small else [])
        kit.use(
            ".actions", display="flex", justify_content="center" if centred else None, gap="8px"
        )
        out.append(box("div", *buttons, cls="actions"))
    return [box("header", *out)]


def banner(kit: Kit) -> list[Node]:
    """A line or two of text on a coloured ground, often bold and centred."""
    theme = kit.theme
    ground = kit.once(
        "banner ground", lambda: kit.rng.choice((theme.accent, theme.accent, theme.bar))
    )
    kit.use(
        ".banner",
        padding=kit.once("banner padding", lambda: kit.rng.choice(("8px", "12px", "16px", "24px"))),
        border_radius=kit.radius() if kit.flag("round banner", 0.5) else None,
        background=ground,
        color=theme.on_accent if ground == theme.accent else None,
        font_weight="bold" if kit.flag("bold banner", 0.5) else None,
        font_style="italic" if kit.flag("italic banner", 0.15) else None,
        text_align="center" if kit.flag("centred banner", 0.6) else None,
    )
    text = kit.words.sentence(kit.rng.randint(3, 12))
    return [leaf("p", text.upper() if kit.coin(0.2) else text, cls="banner")]


def link_columns(kit: Kit) -> list[Node]:
    """Columns of links under small headings."""
    _links_rule(kit)
    n = kit.rng.randint(2, 4)
    cells = []
    for _ in range(kit.columns()):
        links = (kit.link(kit.words.title(kit.rng.randint(1, 2))) for _ in range(n))
        cells.append(box("div", kit.heading(3, kit.words.title(1)), *links, cls="links"))
    return [kit.grid(*cells)]


def plain_lines(kit: Kit) -> list[Node]:
    """Short lines of text one under the other, such as an address."""
    w = kit.words
    makers = (w.name, w.phone, w.email, w.place, w.url, w.date, w.title, lambda: w.sentence(4))
    lines = [leaf("p", kit.rng.choice(makers)()) for _ in range(kit.count(2, 5))]
    return [box("div", *lines)] if not kit.coin(0.4) else [kit.heading(3), box("div", *lines)]
