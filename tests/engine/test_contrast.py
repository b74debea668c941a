"""Faint print is made strong, and read; what is strong already stays as it is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from engine.contrast import ENOUGH, MOST, NOISE, strengthen
from engine.hints import read


def page(ink: str, ground: str, size: int = 14) -> Image.Image:
    picture = Image.new("RGB", (360, 120), ground)
    draw = ImageDraw.Draw(picture)
    draw.text((20, 20), "Monthly report", fill=ink, font_size=size)
    draw.text((20, 70), "Orders pending", fill=ink, font_size=size)
    return picture


@pytest.mark.parametrize(
    ("ink", "ground"),
    [
        ("#e8e8e8", "#ffffff"),
        ("#262626", "#111111"),
        ("#5a9be0", "#3b82f6"),  # lighter in red, darker in blue: no channel tells it all
        ("#8a8a8a", "#7b7b7b"),
    ],
)
def test_faint_print_is_read(ink: str, ground: str) -> None:
    picture = page(ink, ground, 11)
    lines = read(picture)
    letters = [line.text.replace(" ", "") for line in lines]  # at 11 px spaces get lost
    assert letters == ["Monthlyreport", "Orderspending"]
    for line in lines:  # colours and boxes are those of the picture as it was
        x0, y0, x1, y1 = line.box
        assert 15 < x0 < 25
        assert 60 < x1 - x0 < 110
        assert 5 < y1 - y0 < 16
        apart = np.abs(np.subtract(line.ground, Image.new("RGB", (1, 1), ground).getpixel((0, 0))))
        assert apart.max() <= 2
    assert strengthen(picture) is not picture


def test_faint_print_beside_strong_print() -> None:
    picture = page("#111111", "#ffffff")
    draw = ImageDraw.Draw(picture)
    draw.text((220, 20), "Optional", fill="#ebebeb", font_size=12)
    draw.rectangle((200, 60, 359, 119), fill="#101418")
    draw.text((220, 80), "Cancelled", fill="#24282c", font_size=12)
    texts = {line.text for line in read(picture)}
    assert texts == {"Monthly report", "Orders pending", "Optional", "Cancelled"}
    before, after = np.asarray(picture), np.asarray(strengthen(picture))
    np.testing.assert_array_equal(before[:50, 20:130], after[:50, 20:130])


@pytest.mark.parametrize("size", [(1, 1), (7, 9), (8, 8), (200, 3), (64, 40)])
def test_plain_and_strong_pictures_are_left_alone(size: tuple[int, int]) -> None:
    for plain in ("white", "black", "#336699"):
        picture = Image.new("RGB", size, plain)
        assert strengthen(picture) is picture
    chance = np.random.default_rng(1)
    noise = Image.fromarray(chance.integers(100, 100 + int(NOISE), (40, 50, 3), dtype=np.uint8))
    assert strengthen(noise) is noise
    strong = Image.fromarray(chance.choice(np.array([20, 20 + int(ENOUGH)], np.uint8), (40, 50, 3)))
    assert strengthen(strong) is strong


@settings(max_examples=60, deadline=None)
@given(
    size=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    base=st.integers(0, 255),
    step=st.integers(-255, 255),
    seed=st.integers(0, 1000),
)
def test_two_levels_keep_their_order_and_gain_at_most_so_much(
    size: tuple[int, int], base: int, step: int, seed: int
) -> None:
    other = min(255, max(0, base + step))
    drawn = np.random.default_rng(seed).random((size[1], size[0])) < 0.5
    pixels = np.where(drawn[..., None], np.uint8(base), np.uint8(other)).repeat(3, axis=2)
    after = np.asarray(strengthen(Image.fromarray(pixels)), int)
    assert after.shape == pixels.shape
    if drawn.any() and not drawn.all() and min(size) >= 40:
        gap = after[drawn].mean() - after[~drawn].mean()
        assert gap * (base - other) >= 0
        assert abs(base - other) - 1 <= abs(gap) <= MOST * abs(base - other) + 1
        if abs(base - other) > NOISE:
            assert abs(gap) > min(ENOUGH, MOST * abs(base - other)) - 2
