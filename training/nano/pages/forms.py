"""Forms and controls."""

from __future__ import annotations

from training.nano.pages.kit import Kit
from training.nano.pages.node import Node, box, leaf

INPUT_TYPES = {"Email": "email", "Password": "password", "Date": ""}
"""Input types by label; all other fields are plain text fields."""


def _form(kit: Kit, *children: Node) -> Node:
    """A form, framed as a card on most pages."""
    theme = kit.theme
    framed = kit.flag("framed form", 0.5)
    boxed = framed or theme.surface != theme.bg
    kit.use(
        "form",
        display="grid",
        gap=f"{theme.gap}px",
        padding=f"{theme.pad}px" if boxed else None,
        border=kit.border() if framed else None,
        border_radius=kit.radius() if boxed else None,
        background=theme.surface if theme.surface != theme.bg else None,
    )
    return box("form", *children)


def _field(kit: Kit, name: str) -> Node:
    """A label over its text field, or only the field with the name inside."""
    kind = INPUT_TYPES.get(name, "")
    if kit.flag("placeholders only", 0.3):
        return kit.plain_input(kind, name)
    kit.use("label", display="grid", gap="4px")
    hints = {
        "Email": kit.words.email,
        "Name": kit.words.name,
        "Phone": kit.words.phone,
        "City": kit.words.place,
        "Website": kit.words.url,
        "Date": kit.words.date,
        "Budget": kit.words.price,
    }
    shown = hints.get(name, lambda: kit.words.title())() if kit.flag("hints in fields", 0.6) else ""
    kit.input_rule("input")
    field = (
        kit.plain_input(kind, shown)
        if shown
        else Node("input", attrs=f'type="{kind}"' if kind else "", natural=180)
    )
    return box("label", leaf("span", name), field)


def login(kit: Kit) -> list[Node]:
    """A sign-in form."""
    names = [kit.rng.choice(("Email", "Username")), "Password"]
    parts: list[Node] = (
        [kit.heading(2, kit.rng.choice(("Sign in", "Log in", "Welcome back", "Login")))]
        if kit.coin(0.8)
        else []
    )
    parts += [_field(kit, name) for name in names]
    if kit.coin(0.3):
        parts.append(_check(kit, kit.rng.choice(("Remember me", "Keep me signed in"))))
    parts.append(kit.button(kit.rng.choice(("Sign in", "Log in", "Login", "Continue"))))
    if kit.coin(0.35):
        parts.append(kit.link(kit.rng.choice(("Forgot password?", "Create an account"))))
    return [_form(kit, *parts)]


def signup(kit: Kit) -> list[Node]:
    """A form of several fields and a button."""
    names = kit.words.labels("field", kit.count(1, 4))
    parts: list[Node] = [kit.heading(2)] if kit.coin(0.6) else []
    parts += [
        _textarea(kit, n) if n in ("Message", "Comment", "Notes") else _field(kit, n) for n in names
    ]
    if kit.coin(0.25):
        parts.append(_select(kit))
    if kit.coin(0.25):
        parts.append(_check(kit, kit.words.label("option")))
    parts.append(kit.button())
    return [_form(kit, *parts)]


def _textarea(kit: Kit, name: str) -> Node:
    kit.input_rule("textarea")
    if kit.flag("placeholders only", 0.3):
        return Node("textarea", attrs=f'rows="3" placeholder="{name}"', natural=180)
    kit.use("label", display="grid", gap="4px")
    return box("label", leaf("span", name), Node("textarea", attrs='rows="3"', natural=180))


def _select(kit: Kit) -> Node:
    kit.input_rule("select")
    return box("select", leaf("option", kit.words.title(kit.rng.randint(1, 2))))


def _check(kit: Kit, text: str, kind: str = "checkbox") -> Node:
    """A checkbox or radio button before its text."""
    kit.use(
        ".check", display="flex", align_items="center", gap="8px", accent_color=kit.theme.accent
    )
    state = " checked" if kit.coin(0.5) else ""
    return box(
        "label",
        Node("input", attrs=f'type="{kind}"{state}', natural=13),
        leaf("span", text),
        cls="check",
    )


def search(kit: Kit) -> list[Node]:
    """A search or newsletter line: field and button."""
    news = kit.coin(0.35)
    kit.use(".search", display="flex", gap="8px")
    kit.input_rule("input")
    kit.use(".search input", flex="1", width="0")
    field = kit.plain_input(
        "email" if news else "",
        kit.words.email()
        if news
        else f"{kit.rng.choice(('Search', 'Search', 'Find'))} {kit.words.word()}",
    )
    line = box(
        "div",
        field,
        kit.button("Subscribe" if news else kit.rng.choice(("Search", "Go", "Find"))),
        cls="search",
    )
    return [kit.heading(3), line] if news else [line]


def options(kit: Kit) -> list[Node]:
    """A list of checkboxes or radio buttons."""
    kind = kit.rng.choice(("checkbox", "checkbox", "radio"))
    own = kit.coin(0.6)
    texts = (
        [kit.words.title() for _ in range(kit.count(2, 4))]
        if own
        else kit.words.labels("option", kit.count(2, 4))
    )
    checked = kit.rng.randrange(len(texts)) if kind == "radio" else -1
    items = [_check(kit, text, kind) for text in texts]
    if kind == "radio":
        for i, item in enumerate(items):
            item.children[0].attrs = 'type="radio"' + (" checked" if i == checked else "")
    return [kit.heading(3), *items] if kit.coin(0.5) else items


def toggles(kit: Kit) -> list[Node]:
    """Settings with switches."""
    theme = kit.theme
    kit.use(".switch", width="40px", padding="4px", border_radius="999px", background=theme.bar)
    kit.use(
        ".switch b",
        display="block",
        width="16px",
        height="16px",
        border_radius="999px",
        background="#fff",
    )
    out: list[Node] = []
    for name in kit.words.labels("option", kit.count(1, 4)):
        on = kit.coin(0.5)
        if on:
            kit.use(".on", background=theme.accent, justify_content="end", display="flex")
        knob = box("div", Node("b"), cls="switch on" if on else "switch")
        out.append(kit.spread(leaf("span", name), knob))
    return out


def progress(kit: Kit) -> list[Node]:
    """Bars that are filled to a tenth, a quarter... of their width."""
    theme = kit.theme
    high = kit.once("bar height", lambda: kit.rng.choice((8, 12, 16)))
    kit.use(".track", border_radius="999px", background=theme.bar)
    kit.use(".fill", height=f"{high}px", border_radius="999px", background=theme.accent)
    out: list[Node] = []
    for _ in range(kit.count(1, 3)):
        share = 5 * kit.rng.randint(1, 19)
        bar = box("div", Node("div", cls="fill", attrs=f'style="width: {share}%"'), cls="track")
        if kit.coin(0.7):
            shown = f"{share}%" if kit.flag("share shown", 0.6) else None
            name = kit.words.title()
            out.append(
                kit.spread(leaf("span", name), leaf("b", shown)) if shown else leaf("p", name)
            )
        out.append(bar)
    return out
