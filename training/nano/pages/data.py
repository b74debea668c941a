"""Tables and other rows of data."""

from __future__ import annotations

from collections.abc import Callable

from training.nano.pages.kit import Kit
from training.nano.pages.node import Node, box, leaf

NUMERIC = frozenset({"Amount", "Price", "Quantity", "Total", "Score", "Rank", "Points", "Rate"})


def _values(kit: Kit, column: str) -> Callable[[], str]:
    w, rng = kit.words, kit.rng
    known: dict[str, Callable[[], str]] = {
        "Name": w.name,
        "Owner": w.first_name,
        "Date": w.date,
        "Amount": w.price,
        "Price": w.price,
        "Total": w.price,
        "Status": lambda: w.label("status"),
        "Quantity": lambda: str(rng.randint(1, 99)),
        "City": w.place,
        "Email": w.email,
        "Product": w.brand,
        "Score": w.number,
        "ID": w.random_string,
        "Code": w.random_string,
        "Rank": lambda: str(rng.randint(1, 20)),
        "Item": w.word,
        "Points": w.number,
        "Time": w.time,
        "Rate": w.percent,
        "Plan": lambda: w.label("plan"),
        "Year": lambda: str(rng.randint(1950, 2029)),
        "Age": lambda: str(rng.randint(1, 99)),
        "Weight": lambda: f"{rng.randint(1, 99)} kg",
        "Size": lambda: f"{rng.randint(1, 999)} {rng.choice(('KB', 'MB', 'cm'))}",
    }
    return known.get(column, lambda: w.title(1))


def table(kit: Kit) -> list[Node]:
    """A table with a head row; numbers at the right where all columns but the first are numbers."""
    theme = kit.theme
    names = kit.words.labels("column", kit.rng.randint(2, 3 if kit.small else 4))
    head = kit.once("head ground", lambda: kit.rng.choice((None, None, theme.bar, theme.accent)))
    grid_lines = kit.flag("grid lines", 0.3)
    pad = kit.once("cell padding", lambda: kit.rng.choice(("4px 8px", "8px", "8px 12px", "12px")))
    edge = kit.border()
    kit.use("table", width="100%", border_collapse="collapse")
    kit.use(
        "th",
        padding=pad,
        border=edge if grid_lines else None,
        border_bottom=None if grid_lines else edge,
        background=head,
        color=theme.on_accent if head == theme.accent else None,
        text_align="left",
    )
    kit.use(
        "td",
        padding=pad,
        border=edge if grid_lines else None,
        border_bottom=None if grid_lines else edge,
    )
    rows = [box("tr", *(leaf("th", name) for name in names))]
    makers = [_values(kit, name) for name in names]
    for _ in range(kit.count(2, 5)):
        rows.append(box("tr", *(leaf("td", make()) for make in makers)))
    body = box("table", *rows)
    return [kit.heading(kit.rng.choice((2, 3))), body] if kit.coin(0.3) else [body]


def line_items(kit: Kit) -> list[Node]:
    """Names and amounts at both ends of lines, with a sum."""
    w = kit.words
    out = [
        kit.spread(leaf("span", w.title()), leaf("span", w.price())) for _ in range(kit.count(2, 4))
    ]
    if kit.coin(0.6):
        out.append(kit.spread(leaf("b", "Total"), leaf("b", w.price())))
    return [kit.card(*out)] if kit.coin(0.5) else out


def feed(kit: Kit) -> list[Node]:
    """Entries divided by thin lines: a title, and a date or a figure under or beside it."""
    kit.use(
        ".entry",
        padding=kit.once("entry padding", lambda: kit.rng.choice(("8px 0", "12px 0"))),
        border_bottom=kit.border(),
    )
    w = kit.words
    beside = kit.flag("note beside", 0.3)
    out = []
    for _ in range(kit.count(2, 5)):
        note = kit.rng.choice((w.date, w.time, w.percent, w.name))()
        title = kit.link(w.title()) if kit.flag("linked entries", 0.3) else leaf("p", w.title())
        parts = [title, kit.muted(note)]
        out.append(
            box("div", kit.spread(*parts), cls="entry")
            if beside
            else box("div", *parts, cls="entry")
        )
    return [box("section", *out)]


def calendar(kit: Kit) -> list[Node]:
    """A week or more of days in seven columns, one of them marked."""
    theme = kit.theme
    kit.use(
        ".days",
        display="grid",
        grid_template_columns=" ".join(["1fr"] * 7),
        gap="4px",
        text_align="center",
    )
    kit.use(".day", border_radius=kit.radius(), background=theme.accent, color=theme.on_accent)
    names = ["M", "T", "W", "T", "F", "S", "S"]
    first = kit.rng.randint(1, 14)
    weeks = 1 if kit.small else kit.rng.randint(1, 2)
    marked = first + kit.rng.randrange(7 * weeks)
    kit.use(".days p", padding="4px")
    days = [
        leaf("p", str(n), cls="day" if n == marked else "") for n in range(first, first + 7 * weeks)
    ]
    grid = box("div", *(leaf("b", name) for name in names), *days, cls="days")
    return (
        [kit.heading(3, f"{kit.words.label('month')} {kit.rng.randint(1990, 2029)}"), grid]
        if kit.coin(0.5)
        else [grid]
    )
