"""The likeness of pages falls with what is wrong in them: generated pages, really drawn."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from engine.compare import Reference, Similarity, similarity
from engine.render.drawing import Drawer, Drawing

SIZE = (480, 360)
WORDS = ("account", "billing", "report", "search", "support", "orders", "team", "profile")
OTHER = ("kettle", "violet", "hammer", "window", "garden", "lemon", "cotton", "pepper")
COLOURS = ("#1d4ed8", "#b91c1c", "#15803d", "#7c3aed", "#f59e0b", "#0f172a")
SLACK = 0.004  # two edits that hide each other's traces


@dataclass(frozen=True)
class Block:
    words: tuple[str, ...]
    colour: str
    height: int

    def html(self) -> str:
        inner = "".join(f"<p>{word}</p>" for word in self.words)
        return f'<div style="background: {self.colour}; min-height: {self.height}px">{inner}</div>'


@dataclass(frozen=True)
class Page:
    """Cards in two columns that keep their places when one of them is gone."""

    blocks: tuple[Block | None, ...]
    shift: int = 0

    def html(self) -> str:
        cells = "".join(f"<td>{block.html() if block else ''}</td>" for block in self.blocks[:2])
        rows = f"<tr>{cells}</tr>"
        cells = "".join(f"<td>{block.html() if block else ''}</td>" for block in self.blocks[2:])
        rows += f"<tr>{cells}</tr>"
        return (
            "<!DOCTYPE html><html><head><style>body { margin: 0; background: #fff; }"
            "td { width: 200px; height: 150px; vertical-align: top; padding: 6px; }"
            "table { position: absolute; table-layout: fixed; width: 430px; }"
            "p { margin: 4px 8px; color: #fff; font: 15px sans-serif; }</style></head><body>"
            f'<table style="left: {self.shift}px; top: {self.shift}px">{rows}</table></body></html>'
        )


blocks = st.builds(
    Block,
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(tuple),
    st.sampled_from(COLOURS),
    st.integers(40, 130),
)
pages = st.builds(Page, st.lists(blocks, min_size=4, max_size=4).map(tuple))
drawn_cases = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def drawer() -> Iterator[Drawer]:
    with Drawer() as shared:
        yield shared


def falling(drawer: Drawer, page: Page, edited: list[Page]) -> list[Similarity]:
    """The likeness of each edit to the page, checked to fall from one to the next."""

    def draw(one: Page) -> tuple[Drawing, Image.Image]:
        drawing = drawer.draw(one.html(), "html", SIZE)
        return drawing, Image.open(io.BytesIO(drawing.png))

    drawing, picture = draw(page)
    reference = Reference(picture, drawing.texts)
    same = reference.compare(picture, drawing.texts)
    assert same == Similarity(1.0, 1.0, 1.0, 1.0, 1.0)
    found = [same]
    for one in edited:
        other, seen = draw(one)
        result = reference.compare(seen, other.texts)
        assert result == similarity(picture, seen, drawing.texts, other.texts)
        for value in (result.total, result.layout, result.colour, result.pixels, result.text):
            assert value is not None and 0.0 <= value <= 1.0
        assert result.total < found[-1].total + SLACK
        assert result.total < 1.0
        found.append(result)
    assert found[-1].total < found[1].total
    return found[1:]


@drawn_cases
@given(page=pages)
def test_with_the_shift(drawer: Drawer, page: Page) -> None:
    falling(drawer, page, [replace(page, shift=pixels) for pixels in (1, 3, 8, 20)])


@drawn_cases
@given(page=pages)
def test_with_each_block_that_is_missing(drawer: Drawer, page: Page) -> None:
    edited = [Page((None,) * count + page.blocks[count:]) for count in (1, 2, 3, 4)]
    found = falling(drawer, page, edited)
    assert [one.text for one in found] == sorted((one.text for one in found), reverse=True)
    assert found[-1].layout == found[-1].text == 0.0


@drawn_cases
@given(page=pages)
def test_with_each_block_of_another_colour(drawer: Drawer, page: Page) -> None:
    recoloured = [
        replace(block, colour=COLOURS[(COLOURS.index(block.colour) + 3) % len(COLOURS)])
        for block in page.blocks
        if block is not None
    ]
    edited = [Page((*recoloured[:n], *page.blocks[n:])) for n in (1, 2, 3, 4)]
    for one in falling(drawer, page, edited):
        assert one.colour < 1.0
        assert one.text == 1.0


@drawn_cases
@given(page=pages)
def test_with_each_text_that_is_another(drawer: Drawer, page: Page) -> None:
    changed = [
        replace(block, words=tuple(OTHER[WORDS.index(word)] for word in block.words))
        for block in page.blocks
        if block is not None
    ]
    edited = [Page((*changed[:n], *page.blocks[n:])) for n in (1, 2, 3, 4)]
    found = falling(drawer, page, edited)
    assert [one.text for one in found] == sorted((one.text for one in found), reverse=True)
    assert found[-1].text == 0.0
    assert found[-1].total <= 0.7
