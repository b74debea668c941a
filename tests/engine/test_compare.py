"""Similarity figures on rendered pages, charts and snips."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from engine.compare import Similarity, difference, similarity, to_lab
from engine.render.html import HtmlRenderer

NAMES = ("login", "pricing", "chart", "trend")


@dataclass(frozen=True)
class Line:
    """Stands for engine.hints.TextLine, of which only these two are read."""

    text: str
    box: tuple[float, float, float, float]


def open_sample(samples: Path, name: str) -> Image.Image:
    return Image.open(samples / f"{name}.png").convert("RGB")


def drawn(renderer: HtmlRenderer, html: str, size: tuple[int, int]) -> Image.Image:
    return Image.open(io.BytesIO(renderer.render(html, *size).png)).convert("RGB")


def shifted(picture: Image.Image, pixels: int) -> Image.Image:
    moved = Image.new("RGB", picture.size, picture.getpixel((0, 0)))
    moved.paste(picture, (pixels, pixels))
    return moved


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_equals_itself(samples: Path, name: str) -> None:
    picture = open_sample(samples, name)
    assert similarity(picture, picture.copy()) == Similarity(1.0, 1.0, 1.0, 1.0, None)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("colour", ["white", "ground", "black"])
def test_a_blank_page_is_far_from_any_page(samples: Path, name: str, colour: str) -> None:
    picture = open_sample(samples, name)
    fill = picture.getpixel((0, 0)) if colour == "ground" else colour
    blank = Image.new("RGB", picture.size, fill)
    result = similarity(picture, blank)
    assert result.total < 0.35
    assert result.layout == 0.0


def test_unrelated_pages_stay_below_near_copies(samples: Path) -> None:
    pictures = [open_sample(samples, name) for name in NAMES]
    unrelated = [similarity(a, b).total for i, a in enumerate(pictures) for b in pictures[i + 1 :]]
    near = [similarity(picture, shifted(picture, 2)).total for picture in pictures]
    assert max(unrelated) < 0.45
    assert min(near) > max(unrelated) + 0.15


def test_the_figures_fall_with_the_damage(samples: Path) -> None:
    picture = open_sample(samples, "login")
    totals = [similarity(picture, shifted(picture, n)).total for n in (0, 1, 3, 6, 12, 24)]
    assert totals == sorted(totals, reverse=True)
    assert totals[0] == 1.0
    assert totals[-1] < 0.5


def test_page_drawn_again_from_its_source_is_equal(samples: Path, renderer: HtmlRenderer) -> None:
    picture = open_sample(samples, "login")
    source = (samples / "sources" / "login.html").read_text(encoding="utf-8")
    again = drawn(renderer, source, picture.size)
    assert similarity(picture, again).total > 0.97


@pytest.mark.parametrize(
    ("old", "new", "lowest", "part"),
    [
        ("#0f766e", "#b91c1c", 0.70, "colour"),  # another button
        ("padding: 28px", "padding: 34px", 0.40, "layout"),  # another box model
        ("<h1>Welcome back</h1>", "<h1>Good morning</h1>", 0.75, "pixels"),  # another title
    ],
)
def test_each_part_sees_its_own_change(
    samples: Path, renderer: HtmlRenderer, old: str, new: str, lowest: float, part: str
) -> None:
    source = (samples / "sources" / "login.html").read_text(encoding="utf-8")
    assert old in source
    size = open_sample(samples, "login").size
    before = drawn(renderer, source, size)
    after = drawn(renderer, source.replace(old, new), size)
    result = similarity(before, after)
    assert lowest < result.total < 0.99
    assert getattr(result, part) < 0.97


def test_a_recoloured_page_keeps_its_layout(samples: Path) -> None:
    picture = open_sample(samples, "pricing")
    red, green, blue = picture.split()
    result = similarity(picture, Image.merge("RGB", (blue, red, green)))
    assert result.layout > 0.95
    assert result.colour < 0.8


def test_different_sizes_are_padded_not_stretched(samples: Path) -> None:
    picture = open_sample(samples, "login")
    ground = picture.getpixel((0, 0))
    longer = Image.new("RGB", (picture.width, picture.height + 150), ground)
    longer.paste(picture, (0, 0))
    stretched = picture.resize(longer.size)
    assert similarity(picture, longer).total > 0.99
    assert similarity(picture, stretched).total < 0.6
    # What the longer page shows there counts.
    longer.paste(picture.crop((0, 60, picture.width, 210)), (0, picture.height))
    assert similarity(picture, longer).total < 0.9


def test_the_difference_is_red_where_it_is_and_nowhere_else() -> None:
    one = Image.new("RGB", (80, 60), "white")
    other = Image.new("RGB", (80, 70), "white")
    other.paste((0, 0, 160), (20, 10, 40, 30))
    seen = np.asarray(difference(one, other).convert("RGB"), int)
    assert seen.shape == (70, 80, 3)
    red = seen[..., 0] - seen[..., 1] > 60
    assert red[10:30, 20:40].all()
    assert red.sum() == 400
    same = np.asarray(difference(other, other), int)
    assert np.ptp(same, axis=2).max() == 0  # grey throughout


def test_transparency_lies_on_white() -> None:
    clear = Image.new("RGBA", (40, 30), (255, 0, 0, 0))
    assert similarity(clear, Image.new("RGB", (40, 30), "white")).total == 1.0


def test_blank_pictures_differ_by_colour_alone() -> None:
    white, black = (Image.new("RGB", (60, 40), name) for name in ("white", "black"))
    assert similarity(white, white).total == 1.0
    assert similarity(white, black).total < 0.1


def test_a_picture_without_pixels_is_refused() -> None:
    with pytest.raises(ValueError, match="without pixels"):
        similarity(Image.new("RGB", (0, 5)), Image.new("RGB", (5, 5)))


def test_lab_of_known_colours() -> None:
    # Published values for the sRGB primaries under D65.
    expected = {
        (255, 255, 255): (100.0, 0.0, 0.0),
        (255, 0, 0): (53.24, 80.09, 67.20),
        (0, 0, 255): (32.30, 79.19, -107.86),
    }
    for colour, lab in expected.items():
        np.testing.assert_allclose(to_lab(np.array(colour)), lab, atol=0.02)


class TestWords:
    PAGE = Image.new("RGB", (400, 300), "white")

    def text(self, a: list[Line], b: list[Line]) -> float | None:
        return similarity(self.PAGE, self.PAGE, a, b).text  # type: ignore[arg-type]

    def test_equal_lines(self) -> None:
        lines = [Line("Sign in", (10, 10, 80, 30)), Line("Email", (10, 50, 60, 65))]
        assert self.text(lines, lines) == 1.0

    def test_case_punctuation_and_line_breaks_do_not_matter(self) -> None:
        whole = [Line("Sign in: now", (0, 0, 120, 20))]
        parts = [Line("sign in", (0, 0, 70, 20)), Line("Now!", (80, 0, 120, 20))]
        result = self.text(whole, parts)
        assert result is not None
        assert result > 0.97

    def test_missing_words_and_wrong_places_cost(self) -> None:
        both = [Line("alpha", (0, 0, 40, 20)), Line("beta", (0, 200, 40, 220))]
        assert self.text(both, both[:1]) == pytest.approx(2 / 3)
        swapped = [Line("beta", (0, 0, 40, 20)), Line("alpha", (0, 200, 40, 220))]
        assert self.text(both, swapped) == pytest.approx(0.5)
        assert self.text(both, []) == 0.0

    def test_repeated_words_are_counted_once_each(self) -> None:
        two = [Line("go go", (0, 0, 50, 20))]
        one = [Line("go", (0, 0, 20, 20))]
        result = self.text(two, one)
        assert result == pytest.approx(2 / 3, abs=0.03)

    def test_no_words_at_all_say_nothing(self) -> None:
        result = similarity(self.PAGE, self.PAGE, [], [])
        assert result.text is None
        assert result.total == 1.0

    def test_text_moves_the_total(self) -> None:
        lines = [Line("alpha", (0, 0, 40, 20))]
        other = [Line("gamma", (0, 0, 40, 20))]
        result = similarity(self.PAGE, self.PAGE, lines, other)  # type: ignore[arg-type]
        assert result.total == pytest.approx(0.7)


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.tuples(*[st.integers(1, 70)] * 4),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_two_pictures_give_symmetric_figures_in_range(
    sizes: tuple[int, int, int, int], seed: int
) -> None:
    random = np.random.default_rng(seed)
    a, b = (
        Image.fromarray(random.integers(0, 256, (h, w, 3), dtype=np.uint8))
        for h, w in (sizes[:2], sizes[2:])
    )
    there, back = similarity(a, b), similarity(b, a)
    for name in ("total", "layout", "colour", "pixels"):
        value = getattr(there, name)
        assert 0.0 <= value <= 1.0
        assert value == pytest.approx(getattr(back, name), abs=1e-6)
    assert similarity(a, a).total == 1.0


@pytest.mark.data
@pytest.mark.parametrize("kind", ["pages", "charts"])
def test_real_snips(data_folder: Path, kind: str) -> None:
    files = sorted((data_folder / "snips" / kind).glob("*.png"))
    pictures = [Image.open(path).convert("RGB") for path in files]
    neighbours = list(zip(pictures, pictures[1:] + pictures[:1], strict=True))
    unrelated = np.array([similarity(a, b).total for a, b in neighbours])
    near = np.array([similarity(a, shifted(a, 2)).total for a in pictures])
    assert np.quantile(unrelated, 0.9) < 0.42
    assert np.quantile(near, 0.1) > 0.52
    assert (near > unrelated).mean() > 0.97
