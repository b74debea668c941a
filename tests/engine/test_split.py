"""Cutting along blank bands and putting pages together again: real pictures, real rendering."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from engine.compare import similarity
from engine.images import ImageLimits
from engine.render.drawing import Drawer
from engine.split import Part, assemble, parts, within_reach

LIMITS = ImageLimits(min_tokens=16, max_tokens=256)  # 448 x 448 pixels


@pytest.fixture(scope="module")
def drawer() -> Iterator[Drawer]:
    with Drawer() as shared:
        yield shared


def page(title: str, colour: str, body: str = "background: #fff") -> str:
    return f"""<!DOCTYPE html>
<html><head><style>
* {{ box-sizing: border-box; margin: 0; }}
body {{ display: grid; gap: 8px; padding: 16px; {body}; font: 16px/1.4 sans-serif; }}
h2 {{ font-size: 20px; color: {colour}; }}
.box {{ height: 60px; background: {colour}; }}
</style></head>
<body><h2>{title}</h2><div class="box"></div><p>Some words about {title.lower()}.</p></body></html>
"""


def drawn(drawer: Drawer, code: str, size: tuple[int, int]) -> Image.Image:
    return Image.open(io.BytesIO(drawer.draw(code, "html", size).png)).convert("RGB")


def test_a_picture_within_reach_is_left_whole(samples) -> None:
    picture = Image.open(samples / "login.png").convert("RGB")
    limits = ImageLimits(min_tokens=16, max_tokens=576)
    assert within_reach(picture.size, limits)
    assert parts(picture, limits) == [Part(0, 0, *picture.size)]


def test_cut_where_the_air_is() -> None:
    picture = Image.new("RGB", (600, 900), "white")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((20, 20, 580, 280), fill="navy")
    draw.rectangle((20, 330, 280, 620), fill="teal")
    draw.rectangle((320, 330, 580, 620), fill="olive")
    draw.rectangle((20, 680, 580, 880), fill="maroon")
    found = parts(picture, LIMITS)
    assert len(found) >= 3
    colours = [set(map(tuple, np.asarray(picture.crop(p)).reshape(-1, 3))) for p in found]
    filled = [colour - {(255, 255, 255)} for colour in colours]
    for name in ("navy", "maroon"):  # no block is cut through
        rgb = Image.new("RGB", (1, 1), name).getpixel((0, 0))
        assert sum(rgb in colour for colour in filled) == 1


def test_what_has_no_air_stays_whole() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (900, 900, 3), np.uint8)
    assert parts(Image.fromarray(noise), LIMITS) == [Part(0, 0, 900, 900)]
    blank = Image.new("RGB", (900, 900), "white")
    assert parts(blank, LIMITS) == [Part(0, 0, 900, 900)]


@settings(max_examples=40, deadline=None)
@given(
    st.integers(100, 1200),
    st.integers(100, 1200),
    st.lists(st.tuples(*[st.floats(0, 1)] * 4), max_size=8),
)
def test_parts_cover_the_picture_and_do_not_overlap(
    width: int, height: int, boxes: list[tuple[float, float, float, float]]
) -> None:
    picture = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(picture)
    for a, b, c, d in boxes:
        x0, x1 = sorted((int(a * width), int(b * width)))
        y0, y1 = sorted((int(c * height), int(d * height)))
        draw.rectangle((x0, y0, x1, y1), fill=(int(a * 200), int(b * 200), int(c * 200)))
    covered = np.zeros((height, width), int)
    for part in parts(picture, LIMITS):
        covered[part.y0 : part.y1, part.x0 : part.x1] += 1
        assert min(part.size) >= 8
    assert (covered == 1).all()


def test_pages_put_together_look_like_themselves(drawer: Drawer) -> None:
    """Rules of one part (same selectors, body included) do not reach the other."""
    first, second = page("North", "#36c"), page("South", "#c33", "background: #ffd")
    size = (300, 170)
    whole = Image.new("RGB", (300, 340), "white")
    whole.paste(drawn(drawer, first, size), (0, 0))
    whole.paste(drawn(drawer, second, size), (0, 170))
    places = (Part(0, 0, 300, 170), Part(0, 170, 300, 340))
    code = assemble(list(zip(places, (first, second), strict=True)), whole.size, "#fff")
    again = drawn(drawer, code, whole.size)
    assert similarity(whole, again).total > 0.99
    assert similarity(whole, drawn(drawer, first, whole.size)).total < 0.8


def test_a_part_without_a_body_or_style(drawer: Drawer) -> None:
    code = assemble([(Part(0, 0, 200, 60), "<p>bare words</p>\n")], (200, 60), "#fff")
    assert "<p>bare words</p>" in code
    assert len(drawn(drawer, code, (200, 60)).getcolors(1 << 16) or ()) > 2
