"""Generated pages: equal seeds, equal pages; one way to write each; lengths, words, colours."""

from __future__ import annotations

import html
import random
import re
from collections import Counter, defaultdict
from html.parser import HTMLParser

import pytest

from training.nano.pages import KINDS, Page, answer_tokens, make_page
from training.nano.pages.kit import Kit
from training.nano.pages.make import BUDGETS, WIDTHS
from training.nano.pages.measure import matches, settle
from training.nano.pages.node import PROPERTY_ORDER, RESET, VOID_TAGS, Sheet, box, leaf
from training.nano.pages.palette import FONTS, contrast, draw_theme, ink_on, mix
from training.nano.words import LABELS, Split, WordSource, held_out_words, lexicon

PER_LEVEL = 250


def page(seed: int, level: int, split: Split = "train") -> Page:
    rng = random.Random(f"{seed}/{level}")
    return make_page(rng, level, WordSource(rng, split))


@pytest.fixture(scope="module")
def pages() -> dict[int, list[Page]]:
    return {level: [page(seed, level) for seed in range(PER_LEVEL)] for level in range(4)}


@pytest.fixture(scope="module")
def everything(pages: dict[int, list[Page]]) -> list[Page]:
    return [p for level in pages.values() for p in level]


def rules(code: str) -> dict[str, str]:
    style = code.split("<style>\n")[1].split("\n</style>")[0].split("\n")
    assert style[0] == RESET
    pairs = [line.split(" { ", 1) for line in style[1:]]
    assert len({selector for selector, _ in pairs}) == len(pairs)
    return {selector: body.removesuffix(" }") for selector, body in pairs}


class Balance(HTMLParser):
    """Checks that every element is closed in turn and gathers texts, classes and tags."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.classes: set[str] = set()
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name == "class":
                self.classes.update((value or "").split())
            if name == "placeholder":
                self.texts.append(value or "")
        if tag not in VOID_TAGS | {"meta"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> without a start"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip() and self.open[-1] != "style":
            self.texts.append(data.strip())


def parsed(code: str) -> Balance:
    balance = Balance()
    balance.feed(code)
    balance.close()
    assert balance.open == []
    return balance


@pytest.mark.parametrize("level", range(4))
def test_the_same_seed_gives_the_same_page(level: int) -> None:
    assert [page(s, level) for s in range(8)] == [page(s, level) for s in range(8)]
    assert len({page(s, level).html for s in range(30)}) == 30


def test_the_global_generator_plays_no_part() -> None:
    first = page(3, 2)
    random.seed(99)
    state = random.getstate()
    assert page(3, 2) == first
    assert random.getstate() == state


@pytest.mark.parametrize("level", range(4))
def test_budget_and_size(pages: dict[int, list[Page]], level: int) -> None:
    lengths = [answer_tokens(p.html) for p in pages[level]]
    assert max(lengths) <= BUDGETS[level]
    assert min(lengths) >= 12
    assert sum(lengths) / len(lengths) > 0.4 * BUDGETS[level]
    low, high = WIDTHS[level]
    assert all(low <= p.width <= high for p in pages[level])
    assert all(p.height is None or p.height <= 640 for p in pages[level])


def test_pages_are_balanced_html_in_the_one_form(everything: list[Page]) -> None:
    start = '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<style>\n'
    for each in everything:
        code = each.html
        assert code.startswith(start)
        assert code.endswith("\n</body>\n</html>")
        assert parsed(code).texts or 'class="image"' in code or 'class="track"' in code
        for line in code.split("<body>\n")[1].split("\n</body>")[0].split("\n"):
            indent = len(line) - len(line.lstrip(" "))
            assert indent % 2 == 0
            assert line.lstrip(" ").startswith("<")
            assert line.endswith(">")


def test_rules_are_in_order_and_used(everything: list[Page]) -> None:
    for each in everything:
        body = parsed(each.html)
        for selector, props in rules(each.html).items():
            names = [part.split(":")[0] for part in props.rstrip(";").split("; ")]
            assert names == sorted(names, key=PROPERTY_ORDER.index)
            for part in selector.split():
                tag, *classes = part.split(".")
                assert not tag or tag in body.tags
                assert set(classes) <= body.classes


def test_every_class_has_a_rule(everything: list[Page]) -> None:
    for each in everything:
        named = set(re.findall(r"\.([a-z]+)", " ".join(rules(each.html))))
        assert parsed(each.html).classes <= named


def test_colours_have_three_digits_and_numbers_are_plain(everything: list[Page]) -> None:
    for each in everything:
        for props in rules(each.html).values():
            assert re.fullmatch(r"[^#]*(#[0-9a-f]{3}\b[^#]*)*", props), props
            assert not re.search(r"rgb|hsl|url|calc|rem|vh|vw|!important", props)
            for radius in re.findall(r"border-radius: (\d+)px", props):
                assert int(radius) in {4, 8, 12, 16, 999}
            for size in re.findall(r"font(?:-size)?: (\d+)px", props):
                assert 11 <= int(size) <= 36
            for value in re.findall(r"(?:padding|gap): ([^;]+);", props):
                assert all(int(n) % 4 == 0 for n in re.findall(r"\d+", value)), value


def test_fonts_are_generic_in_the_answer_and_real_in_the_picture(everything: list[Page]) -> None:
    shown: Counter[str] = Counter()
    for each in everything:
        style = "".join(rules(each.html).values())
        assert not any(family in style for group in FONTS.values() for family in group)
        family = re.findall(
            r'font-family: "([^"]+)", (sans-serif|serif|monospace) !important', each.skin_css
        )
        assert family
        assert all(real in FONTS[generic] for real, generic in family)
        shown.update(real for real, _ in family)
        for selector in re.findall(r"(?m)^(.+) \{", each.skin_css):
            assert selector in rules(each.html)
    assert len(shown) >= 20


def test_a_class_means_the_same_in_every_kind() -> None:
    """A class may differ in its values from page to page, but not in what it is for."""
    makers: dict[str, set[str]] = defaultdict(set)
    displays: dict[str, set[str]] = defaultdict(set)
    for name, kind in KINDS.items():
        for seed in range(12):
            rng = random.Random(f"{name}{seed}")
            kit = Kit(rng, WordSource(rng), draw_theme(rng), small=seed % 2 == 0)
            kit.use("body", font="16px/1.4 sans-serif")
            body = box("body", *kind.make(kit))
            for selector, props in settle(kit.sheet, body).rules.items():
                if "." in selector:
                    makers[selector].add(kind.make.__module__ + "." + name)
                    displays[selector].add(props.get("display", ""))
    assert all(len(found - {""}) <= 1 for found in displays.values())
    own = {selector for selector in makers if selector not in SHARED}
    several = {s: makers[s] for s in own if len(makers[s]) > 1}
    assert not several


SHARED = {
    ".card", ".grid", ".row", ".spread", ".muted", ".avatar", ".image", ".outline", ".check",
    ".links",
}  # fmt: skip
"""Classes of `Kit` and of families of kinds: one meaning, used by several."""


def test_all_kinds_come_up(everything: list[Page]) -> None:
    seen = {kind for each in everything for kind in each.kind.split("+")}
    assert seen == set(KINDS)


def test_light_and_dark_pages_with_readable_text() -> None:
    dark = 0
    for seed in range(400):
        theme = draw_theme(random.Random(seed))
        dark += theme.dark
        assert contrast(theme.text, theme.bg) >= 4.0
        assert contrast(theme.text, theme.surface) >= 4.0
        assert contrast(theme.on_accent, theme.accent) >= 3.0
        assert contrast(theme.muted, theme.surface) >= 2.5
    assert 60 < dark < 240


def words_of(code: str) -> set[str]:
    found = " ".join(parsed(code).texts)
    return set(re.findall(r"[a-z]+", html.unescape(found).lower()))


def test_held_out_words_are_never_trained_on(everything: list[Page]) -> None:
    closed = held_out_words()
    for each in everything:
        assert not words_of(each.html) & closed


def test_the_held_out_split_has_new_words() -> None:
    closed = held_out_words()
    met = [len(words_of(page(s, 2, "held_out").html) & closed) for s in range(60)]
    assert sum(n > 0 for n in met) >= 20


def test_a_tenth_of_the_words_is_held_out() -> None:
    share = len(held_out_words() & set(lexicon())) / len(lexicon())
    assert 0.08 < share < 0.13
    labels = {
        w
        for group in LABELS.values()
        for label in group
        for w in re.findall("[a-z]+", label.lower())
    }
    assert not labels & held_out_words()


def test_texts_are_escaped() -> None:
    assert list(leaf("p", "a < b & c > d").lines()) == ["<p>a &lt; b &amp; c &gt; d</p>"]


def test_selectors_and_settled_rules() -> None:
    inner = leaf("a", "x", cls="active")
    outer = box("div", inner, cls="tabs wide")
    assert matches(".tabs .active", (outer, inner))
    assert matches("div.wide a", (outer, inner))
    assert not matches("nav a", (outer, inner))
    sheet = Sheet()
    sheet.use("body", {"color": "#222", "font": "14px/1.4 sans-serif"})
    sheet.use(".unused", {"color": "#fff"})
    sheet.use(".active", {"color": "#f00", "font-size": "12px"})
    sheet.use(".tabs", {"display": "grid", "gap": "8px"})
    settled = settle(sheet, box("body", outer)).rules
    assert settled == {
        "body": {"font": "16px/1.4 sans-serif"},  # no text has the body's colour or size
        ".active": {"color": "#f00", "font-size": "12px"},
    }


def test_a_selector_cannot_mean_two_things() -> None:
    sheet = Sheet()
    sheet.use(".card", {"padding": "8px"})
    with pytest.raises(ValueError, match="two things"):
        sheet.use(".card", {"padding": "12px"})


def test_colour_arithmetic() -> None:
    assert contrast("#000", "#fff") == pytest.approx(21)
    assert mix("#000", "#fff", 0.2) == "#333"
    assert ink_on("#fff") == "#111"
    assert ink_on("#25e") == "#fff"
