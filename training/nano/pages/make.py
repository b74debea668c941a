"""Composes one page of components: `make_page`."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import regex

from training.nano.pages import cards, data, forms, navigation, text
from training.nano.pages.kit import Kit
from training.nano.pages.measure import Estimate, settle
from training.nano.pages.node import Node, Sheet, box, document
from training.nano.pages.palette import FONTS, draw_theme
from training.nano.words import WordSource

Maker = Callable[[Kit], list[Node]]


Parts = tuple[list[str], list[Node]]
"""Names of the kinds and the elements made for them."""


@dataclass(frozen=True)
class Page:
    """A generated page: `html` is the answer a model must write.

    `width` and `height` are the viewport in CSS px (height None: as high as the content; a number
    is more than the content needs). `skin_css` belongs only into the picture: it replaces the
    generic font families by real ones, which the answer need not know. `kind` names the components.
    """

    html: str
    width: int
    height: int | None
    skin_css: str
    kind: str


@dataclass(frozen=True)
class Kind:
    """A component: its maker, how often it is drawn, whether it spans the page edge to edge."""

    make: Maker
    weight: int = 2
    full: bool = False


KINDS: Mapping[str, Kind] = {
    "heading": Kind(text.heading, 4),
    "paragraph": Kind(text.paragraph, 4),
    "linked": Kind(text.linked, 2),
    "article": Kind(text.article, 3),
    "columns": Kind(text.columns, 2),
    "bullets": Kind(text.bullets, 3),
    "link_list": Kind(text.link_list, 4),
    "quote": Kind(text.quote, 1),
    "code": Kind(text.code, 1),
    "definitions": Kind(text.definitions, 2),
    "banner": Kind(text.banner, 2),
    "link_columns": Kind(text.link_columns, 2),
    "plain_lines": Kind(text.plain_lines, 2),
    "hero": Kind(text.hero, 3, full=True),
    "nav": Kind(navigation.nav, 4, full=True),
    "tabs": Kind(navigation.tabs, 2),
    "menu": Kind(navigation.menu, 2),
    "breadcrumb": Kind(navigation.breadcrumb, 1),
    "pagination": Kind(navigation.pagination, 2),
    "steps": Kind(navigation.steps, 1),
    "buttons": Kind(navigation.buttons, 3),
    "footer": Kind(navigation.footer, 2, full=True),
    "login": Kind(forms.login, 3),
    "signup": Kind(forms.signup, 3),
    "search": Kind(forms.search, 2),
    "options": Kind(forms.options, 2),
    "toggles": Kind(forms.toggles, 1),
    "progress": Kind(forms.progress, 1),
    "card": Kind(cards.card, 4),
    "card_grid": Kind(cards.card_grid, 3),
    "pricing": Kind(cards.pricing, 2),
    "stats": Kind(cards.stats, 3),
    "profile": Kind(cards.profile, 2),
    "people": Kind(cards.people, 2),
    "chat": Kind(cards.chat, 2),
    "alert": Kind(cards.alert, 2),
    "badges": Kind(cards.badges, 2),
    "rating": Kind(cards.rating, 1),
    "shortcuts": Kind(cards.shortcuts, 1),
    "media": Kind(cards.media, 2),
    "picture": Kind(cards.picture, 1),
    "table": Kind(data.table, 4),
    "line_items": Kind(data.line_items, 2),
    "feed": Kind(data.feed, 2),
    "calendar": Kind(data.calendar, 1),
}

BOXABLE = frozenset(
    {
        "heading", "paragraph", "linked", "article", "bullets", "link_list", "login", "search",
        "options", "toggles", "progress", "profile", "alert", "badges", "buttons", "definitions",
        "line_items", "media", "picture", "quote", "steps", "plain_lines", "rating",
    }
)  # fmt: skip
"""Kinds that fit into a card beside others."""

CENTRABLE = frozenset(
    {"heading", "paragraph", "linked", "article", "picture", "plain_lines", "card", "link_list"}
)
"""Kinds that a page may show with centred texts."""

BLANK_BELOW = 0.12
"""Share of the pictures that are higher than what is in them, as snips often are."""

BUDGETS = (120, 250, 450, 800)
"""Most pre-tokens of an answer at each level, without the fixed frame of every page."""

WIDTHS = ((200, 420), (220, 520), (280, 640), (360, 640))
"""Narrowest and widest picture at each level, px."""

MAX_HEIGHT = 620
"""Estimated height that a page may have, px: pictures are cut at 640."""

_TOKEN = regex.compile(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def count_tokens(code: str) -> int:
    """Pre-tokens of a text by the Qwen2 rule: about its length in tokens of our vocabulary."""
    return len(_TOKEN.findall(code))


FRAME_TOKENS = count_tokens(document(Sheet(), ()))
"""Pre-tokens of the frame that all pages share."""


def answer_tokens(code: str) -> int:
    """Pre-tokens of an answer without the frame of every page."""
    return count_tokens(code) - FRAME_TOKENS


def make_page(rng: random.Random, level: int, words: WordSource) -> Page:
    """One page of a level: 0 one small component, 1 a few, 2 a section, 3 a small whole page.

    Equal states of `rng` give equal pages (`words` should draw from the same generator). Pages that
    are too long, too high or too narrow for their content are drawn again.
    """
    for _ in range(40):
        plan = rng.getrandbits(32)
        for _ in range(6):
            page = _attempt(rng, level, words, random.Random(plan))
            if page is not None:
                return page
    raise RuntimeError("no page fits its budget")  # pragma: no cover - 200 vain draws do not happen


def _attempt(rng: random.Random, level: int, words: WordSource, plan: random.Random) -> Page | None:
    """One draw. `plan` decides about layout and kinds alone: a failed draw is repeated with it."""
    kit = Kit(rng, words, draw_theme(rng), small=level == 0 or (level == 1 and plan.random() < 0.5))
    target = plan.uniform(0.45 if level < 3 else 0.6, 1.0) * BUDGETS[level]
    kinds, children = _LAYOUTS[level](kit, plan, target)
    page = _finish(kit, kinds, children, *WIDTHS[level])
    return page if page is not None and answer_tokens(page.html) <= BUDGETS[level] else None


def _finish(
    kit: Kit, kinds: Sequence[str], children: Sequence[Node], low: int, high: int
) -> Page | None:
    """Adds the body rule, sorts the rules and chooses a width; None when no width fits."""
    theme, rng = kit.theme, kit.rng
    full = any(KINDS[k].full for k in kinds)
    stacked = len(children) > 1 and not full
    pad = (
        None
        if full
        else rng.choice((None, "4px", "8px", "8px", "12px", "16px", "16px", "20px", "24px"))
    )
    centred = rng.random() < 0.15 and CENTRABLE.issuperset(kinds)
    kit.use(
        "body",
        display="grid" if stacked else None,
        gap=f"{theme.gap}px" if stacked else None,
        padding=pad,
        background=theme.bg,
        color=theme.text,
        font=f"{theme.size}px/{theme.line_height} {theme.family}",
        text_align="center" if centred else None,
    )
    body = box("body", *children)
    sheet = settle(kit.sheet, body)
    for _ in range(4):
        estimate = Estimate(sheet)
        natural = estimate.natural((body,), {})
        fitting = min(max(low, round(natural) + rng.choice((4, 8, 16, 40))), high)
        width = fitting if rng.random() < 0.5 else rng.randint(low, high)
        height = estimate.height((body,), {}, width)
        if not estimate.overflow and height <= MAX_HEIGHT and height <= 2.2 * width:
            below = math.ceil(height) + rng.randint(40, 160) if rng.random() < BLANK_BELOW else 0
            return Page(
                html=document(sheet, children),
                width=width,
                height=below if 0 < below <= 640 else None,
                skin_css=_skin(sheet, rng),
                kind="+".join(kinds),
            )
    return None


def _skin(sheet: Sheet, rng: random.Random) -> str:
    """CSS that shows a real family wherever the sheet names a generic one."""
    chosen = {generic: rng.choice(families) for generic, families in FONTS.items()}
    lines = []
    for selector, props in sheet.rules.items():
        generic = props.get("font-family") or props.get("font", "").split(" ")[-1]
        if generic in chosen:
            lines.append(
                f'{selector} {{ font-family: "{chosen[generic]}", {generic} !important; }}'
            )
    return "\n".join(lines)


def _draw_kind(
    plan: random.Random, allowed: Callable[[str, Kind], bool] = lambda name, kind: True
) -> str:
    names = [name for name, kind in KINDS.items() if allowed(name, kind)]
    return plan.choices(names, [KINDS[name].weight for name in names])[0]


def _cost(kit: Kit, children: Sequence[Node]) -> int:
    return answer_tokens(document(kit.sheet, children)) + 35


def _one(kit: Kit, plan: random.Random, target: float) -> Parts:
    """One component alone."""
    kind = _draw_kind(plan)
    return [kind], KINDS[kind].make(kit)


def _stack(kit: Kit, plan: random.Random, target: float) -> Parts:
    """Components one under the other, until the target is near."""
    kinds: list[str] = []
    children: list[Node] = []
    while not children or (_cost(kit, children) < 0.75 * target and len(kinds) < 8):
        kind = _draw_kind(plan, lambda name, each: not each.full and name not in kinds)
        kinds.append(kind)
        children += KINDS[kind].make(kit)
    return kinds, children


def _boxed(kit: Kit, plan: random.Random, target: float) -> Parts:
    """Components in cards side by side, or one stack in a single card."""
    if plan.random() < 0.5:
        kinds, children = _stack(kit, plan, target - 40)
        return kinds, [kit.card(*children)]
    names = [_draw_kind(plan, lambda name, each: name in BOXABLE) for _ in range(kit.columns())]
    cells = [kit.card(*KINDS[name].make(kit)) for name in names]
    return names, [kit.grid(*cells)]


def _page(kit: Kit, plan: random.Random, target: float) -> Parts:
    """Bar or hero, main part and perhaps a footer, from edge to edge."""
    theme = kit.theme
    head = plan.choices((["nav"], ["nav", "hero"], ["hero"], []), (5, 3, 2, 1))[0]
    foot = ["footer"] if plan.random() < 0.4 or not head else []
    side = ["menu"] if plan.random() < 0.2 else []
    top, aside, bottom = (
        [node for kind in part for node in KINDS[kind].make(kit)] for part in (head, side, foot)
    )
    left = max(target - _cost(kit, [*top, *aside, *bottom]), 60) + 35
    kinds, middle = (_boxed if plan.random() < 0.25 else _stack)(kit, plan, left)
    pad = kit.rng.choice((12, 16, 16, 20, 24))
    if side and "menu" not in kinds:
        width = kit.rng.choice((120, 140, 160))
        kit.use(
            ".layout",
            display="grid",
            grid_template_columns=f"{width}px 1fr",
            align_items="start",
            gap=f"{theme.gap}px",
            padding=f"{pad}px",
        )
        kit.use("main", display="grid", gap=f"{theme.gap}px")
        main = box("div", *aside, box("main", *middle), cls="layout")
        kinds = ["menu", *kinds]
    else:
        kit.use("main", display="grid", gap=f"{theme.gap}px", padding=f"{pad}px")
        main = box("main", *middle)
    return [*head, *kinds, *foot], [*top, main, *bottom]


def _few(kit: Kit, plan: random.Random, target: float) -> Parts:
    """Level 1: a larger component or a small stack, now and then in a card."""
    return plan.choices((_one, _stack, _boxed), (5, 6, 1))[0](kit, plan, target)


def _section(kit: Kit, plan: random.Random, target: float) -> Parts:
    """Level 2: a stack, boxes, or a bar with a main part."""
    return plan.choices((_stack, _boxed, _page), (5, 2, 5))[0](kit, plan, target)


_LAYOUTS = (_one, _few, _section, _page)
