"""Cards and what is in them: offers, figures, people, messages, notices."""

from __future__ import annotations

from training.nano.pages.kit import Kit
from training.nano.pages.node import Node, box, leaf


def card(kit: Kit) -> list[Node]:
    """A card: title, text, perhaps a picture and a button or a link."""
    return [
        _one_card(
            kit, kit.rng.randint(3, 14), kit.coin(0.25), kit.rng.choice(("", "", "button", "link"))
        )
    ]


def _one_card(kit: Kit, n_words: int, image: bool, end: str) -> Node:
    parts = [kit.image()] if image else []
    parts.append(kit.heading(3))
    parts.append(
        kit.muted(kit.words.paragraph(n_words))
        if kit.flag("muted cards", 0.4)
        else kit.para(n_words)
    )
    if end:
        parts.append(kit.button() if end == "button" else kit.link())
    return kit.card(*parts)


def card_grid(kit: Kit) -> list[Node]:
    """Two to six cards of the same make in columns."""
    image, end = kit.coin(0.3), kit.rng.choice(("", "", "button", "link", "price"))
    n = kit.columns() * kit.rng.choice((1, 1, 2))
    cards = []
    for _ in range(n):
        if end == "price":
            kit.use(".price", color=kit.theme.link, font_weight="bold")
            parts = [kit.image()] if image else []
            cards.append(
                kit.card(*parts, kit.heading(3), leaf("p", kit.words.price(), cls="price"))
            )
        else:
            cards.append(_one_card(kit, kit.rng.randint(3, 8), image, end))
    grid = kit.grid(*cards)
    return [kit.heading(2), grid] if kit.coin(0.4) else [grid]


def pricing(kit: Kit) -> list[Node]:
    """Plans with price, points and a button."""
    n = 1 if kit.small else kit.columns()
    features = kit.rng.randint(1, 3)
    plans = []
    for name in kit.words.labels("plan", n):
        kit.use(".amount", color=kit.theme.link, font_size=f"{kit.theme.h1}px", font_weight="bold")
        points = [
            leaf(
                "p",
                kit.rng.choice(
                    (kit.words.title(2), f"{kit.rng.randint(1, 500)} {kit.words.word()}")
                ),
            )
            for _ in range(features)
        ]
        plans.append(
            kit.card(
                kit.heading(3, name),
                leaf("p", kit.words.price(), cls="amount"),
                *points,
                kit.button(),
            )
        )
    return plans if n == 1 else [kit.grid(*plans)]


def stats(kit: Kit) -> list[Node]:
    """Tiles with a name and a large figure."""
    tinted = kit.flag("tinted figures", 0.5)
    kit.use(
        ".figure",
        color=kit.theme.link if tinted else None,
        font_size=f"{kit.theme.h2}px",
        font_weight="bold",
    )
    n = (
        kit.rng.choice((1, kit.columns()))
        if kit.small
        else kit.columns() * kit.rng.choice((1, 1, 2))
    )
    w = kit.words
    below = kit.flag("name below", 0.5)
    tiles = []
    for name in w.labels("stat", n):
        parts = [
            kit.muted(name),
            leaf("p", kit.rng.choice((w.number, w.price, w.percent))(), cls="figure"),
        ]
        tiles.append(kit.card(*(parts[::-1] if below else parts)))
    return tiles if n == 1 else [kit.grid(*tiles)]


def profile(kit: Kit) -> list[Node]:
    """Initials in a circle beside name and role; perhaps a button."""
    name = kit.words.name()
    role = kit.rng.choice(
        (kit.words.handle, kit.words.email, lambda: kit.words.title(2), kit.words.place)
    )()
    row = kit.row(kit.avatar(name), box("div", kit.heading(3, name), kit.muted(role)))
    extra = [kit.para(kit.rng.randint(4, 12))] if kit.coin(0.3) else []
    if kit.coin(0.3):
        extra.append(kit.button(kit.rng.choice(("Follow", "Message", "Edit", "Contact"))))
    return [kit.card(row, *extra)] if kit.coin(0.6) else [row, *extra]


def people(kit: Kit) -> list[Node]:
    """A list of people with circles."""
    out = []
    for _ in range(kit.count(2, 4)):
        name = kit.words.name()
        out.append(
            kit.row(
                kit.avatar(name),
                box(
                    "div",
                    leaf("p", name),
                    kit.muted(
                        kit.words.handle() if kit.flag("handles", 0.5) else kit.words.title(2)
                    ),
                ),
            )
        )
    return [kit.card(*out)] if kit.coin(0.4) else out


def chat(kit: Kit) -> list[Node]:
    """Messages to and fro in bubbles."""
    theme = kit.theme
    pad = "8px 12px"
    out = []
    for i in range(kit.count(2, 5)):
        mine = bool(i % 2) ^ kit.coin(0.15)
        text = (
            kit.words.sentence(kit.rng.randint(2, 9))
            if kit.coin(0.85)
            else kit.words.label("greeting")
        )
        if mine:
            kit.use(
                ".mine",
                justify_self="end",
                padding=pad,
                border_radius=kit.radius(),
                background=theme.accent,
                color=theme.on_accent,
            )
        else:
            kit.use(
                ".theirs",
                justify_self="start",
                padding=pad,
                border_radius=kit.radius(),
                background=theme.bar,
            )
        out.append(leaf("p", text, cls="mine" if mine else "theirs"))
    kit.use(".chat", display="grid", gap="8px")
    return [box("div", *out, cls="chat")]


def alert(kit: Kit) -> list[Node]:
    """One or two notices in the colours of their state."""
    barred = kit.flag("barred alerts", 0.35)
    out = []
    for state in kit.rng.sample(("good", "bad", "warn", "info"), kit.rng.choice((1, 1, 2))):
        ground, ink = kit.state(state)
        kit.use(
            f".{state}",
            padding="12px 16px",
            border_left=f"4px solid {ink}" if barred else None,
            border_radius=kit.radius(),
            background=ground,
            color=ink,
        )
        text = kit.words.sentence(kit.rng.randint(3, 9))
        if kit.coin(0.4):
            out.append(box("div", leaf("b", kit.words.label("alert")), leaf("p", text), cls=state))
        else:
            out.append(leaf("div", text, cls=state))
    return out


def badges(kit: Kit) -> list[Node]:
    """Small labels with round ends in a row."""
    theme = kit.theme
    states = kit.flag("state badges", 0.4)
    kit.use(
        ".badge",
        padding="4px 12px",
        border_radius="999px" if kit.flag("round badges", 0.7) else kit.radius(),
        background=theme.bar if states else theme.accent,
        color=None if states else theme.on_accent,
        font_size=f"{theme.small}px" if theme.small != theme.size else None,
    )
    out = []
    for name in kit.words.labels("status", kit.count(1, 4)):
        out.append(leaf("span", kit.words.title(1) if kit.coin(0.4) else name, cls="badge"))
    return [kit.row(*out)]


def media(kit: Kit) -> list[Node]:
    """A picture box beside a title and a text."""
    ground = kit.once("image ground", lambda: kit.rng.choice(kit.grounds()))
    size = kit.once("thumb size", lambda: kit.rng.choice((48, 64, 80, 96)))
    kit.use(
        ".media",
        display="grid",
        grid_template_columns=f"{size}px 1fr",
        align_items="center" if kit.flag("media middle", 0.5) else "start",
        gap="12px",
    )
    kit.use(".thumb", height=f"{size}px", border_radius=kit.radius(), background=ground)
    out = []
    for _ in range(kit.count(1, 3)):
        note = kit.rng.choice(
            (kit.words.price, kit.words.date, lambda: kit.words.sentence(kit.rng.randint(3, 7)))
        )()
        out.append(
            box(
                "div",
                Node("div", cls="thumb"),
                box("div", kit.heading(3), kit.muted(note)),
                cls="media",
            )
        )
    return out


def picture(kit: Kit) -> list[Node]:
    """A picture box with a caption."""
    out = [kit.image()]
    return [*out, kit.muted(kit.words.sentence(kit.rng.randint(2, 7)))] if kit.coin(0.7) else out


def rating(kit: Kit) -> list[Node]:
    """A figure in a filled box beside two lines of text."""
    theme, rng = kit.theme, kit.rng
    kit.use(
        ".score",
        padding="8px",
        border_radius=kit.radius(),
        background=theme.accent,
        color=theme.on_accent,
    )
    out = []
    for _ in range(kit.count(1, 2)):
        figure = rng.choice((f"{rng.randint(0, 9)}.{rng.randint(0, 9)}", str(rng.randint(1, 99))))
        texts = box("div", kit.heading(3), kit.muted(kit.words.sentence(rng.randint(2, 5))))
        out.append(kit.row(leaf("b", figure, cls="score"), texts))
    return out


def shortcuts(kit: Kit) -> list[Node]:
    """Small coloured squares, each with a link beside it, in columns or below each other."""
    size = kit.once("icon size", lambda: kit.rng.choice((16, 24, 32, 40)))
    ground = kit.once("image ground", lambda: kit.rng.choice(kit.grounds()))
    kit.use(
        ".icon",
        width=f"{size}px",
        height=f"{size}px",
        border_radius=kit.radius(),
        background=ground,
    )
    names = kit.words.labels("nav", kit.columns() * kit.rng.choice((1, 2)))
    items = [kit.row(Node("div", cls="icon"), kit.link(name)) for name in names]
    return [kit.grid(*items)] if kit.flag("shortcut columns", 0.6) else items
