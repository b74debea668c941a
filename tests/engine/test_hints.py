"""Hints: how text is written down, ordered, coloured, and read for real."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from engine.hints import (
    SMALL_PRINT,
    TextLine,
    format_hints,
    measure_colours,
    read,
    reading_order,
    worth_giving,
)


def line(text: str, box: tuple[float, float, float, float] = (0, 0, 9, 9)) -> TextLine:
    return TextLine(text, box, 0.9, (34, 34, 34), (255, 255, 255))


def test_the_form_of_a_hint() -> None:
    given_line = TextLine("Sign in", (24, 60, 384, 104), 0.9, (36, 32, 30), (250, 255, 252))
    assert format_hints([given_line], (0.5, 0.5)) == "12,30,192,52#222#fff>Sign in</\n"
    assert format_hints([], (1.0, 1.0)) == ""


def test_scale_is_across_and_down() -> None:
    text = format_hints([line("a", (10, 10, 20, 20))], (2.0, 0.5))
    assert text.startswith("20,5,40,10#")


def test_text_is_escaped_as_in_html_but_not_its_quotes() -> None:
    text = format_hints([line("a < b & \"c\" > 'd'")], (1.0, 1.0))
    assert text.endswith(">a &lt; b &amp; \"c\" &gt; 'd'</\n")


def test_empty_texts_and_control_characters() -> None:
    lines = [line(" \n\t"), line("a\nb\x00c\u2028d"), line("")]
    assert re.findall(">(.*)</", format_hints(lines, (1.0, 1.0))) == ["a b c d"]


def test_the_limit_counts_lines_that_are_written() -> None:
    lines = [line(""), line("a"), line("b"), line("c")]
    assert format_hints(lines, (1.0, 1.0), 2).count("\n") == 2
    assert format_hints(lines, (1.0, 1.0), 0) == ""


@given(st.lists(st.text(max_size=30), max_size=5))
def test_a_hint_is_always_one_line_and_can_be_taken_apart(texts: list[str]) -> None:
    written = format_hints([line(text) for text in texts], (1.0, 1.0))
    rows = written.split("\n")
    assert rows.pop() == ""
    for row in rows:
        match = re.fullmatch(r"\d+,\d+,\d+,\d+#[0-9a-f]{3}#[0-9a-f]{3}>([^<>]+)</", row)
        assert match
        assert html.unescape(match[1]).strip()


def test_reading_order_is_by_rows() -> None:
    lines = [
        line("right", (100, 12, 150, 30)),
        line("below", (0, 60, 50, 80)),
        line("left", (0, 10, 50, 28)),
        line("middle", (52, 8, 90, 26)),
    ]
    assert [item.text for item in reading_order(lines)] == ["left", "middle", "right", "below"]


def test_colours_of_ink_and_ground() -> None:
    picture = Image.new("RGB", (200, 60), (20, 40, 80))
    ImageDraw.Draw(picture).text((10, 10), "Hello", fill=(250, 240, 90), font_size=30)
    ink, ground = measure_colours(picture, (5, 5, 110, 50))
    assert ground == (20, 40, 80)
    assert max(abs(a - b) for a, b in zip(ink, (250, 240, 90), strict=True)) < 30


def test_colours_where_there_is_no_ink() -> None:
    picture = Image.new("RGB", (50, 50), (7, 8, 9))
    assert measure_colours(picture, (0, 0, 50, 50)) == ((7, 8, 9), (7, 8, 9))
    assert measure_colours(picture, (70, 70, 90, 90))  # outside: some colours, no error


def test_reads_a_page() -> None:
    picture = Image.new("RGB", (420, 140), "white")
    draw = ImageDraw.Draw(picture)
    draw.text((20, 20), "Monthly report", fill="black", font_size=28)
    draw.text((20, 80), "Total: 1,284 items", fill=(180, 0, 0), font_size=20)
    lines = read(picture)
    assert [item.text for item in lines] == ["Monthly report", "Total: 1,284 items"]
    x0, y0, x1, y1 = lines[0].box
    assert 10 < x0 < 30
    assert 10 < y0 < 35
    assert 180 < x1 < 280
    assert 38 < y1 < 65
    assert lines[1].ink[0] > 120 > lines[1].ink[1]


def test_a_picture_without_text_gives_nothing() -> None:
    assert read(Image.new("RGB", (120, 90), (90, 160, 200))) == []


@pytest.mark.parametrize("turn", [Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270])
def test_text_that_runs_upwards_or_downwards_is_read(turn: Image.Transpose) -> None:
    flat = Image.new("RGB", (240, 60), "white")
    ImageDraw.Draw(flat).text((20, 12), "Temperature", fill="black", font_size=28)
    texts = " ".join(item.text for item in read(flat.transpose(turn)))
    assert "Temperature" in texts


@pytest.mark.parametrize(
    ("height", "scale", "given_away"),
    [
        (SMALL_PRINT - 0.1, 1.0, True),
        (SMALL_PRINT, 1.0, False),
        (2 * SMALL_PRINT - 0.1, 0.5, True),  # large here, but the model sees it half as large
        (2 * SMALL_PRINT, 0.5, False),
        (SMALL_PRINT - 0.1, 1.1, False),
    ],
)
def test_auto_gives_hints_for_print_that_is_small_to_the_model(
    height: float, scale: float, given_away: bool
) -> None:
    lines = [line("word", (0, 10, 50, 10 + height))]
    assert worth_giving(lines, ("auto", "auto"), scale) is given_away
    assert worth_giving(lines, ("auto", "always"), scale)
    assert worth_giving(lines, ("always", "auto"), scale)
    assert not worth_giving([], ("always",), scale)


def test_auto_goes_by_the_middle_line() -> None:
    small, large = line("a", (0, 0, 9, SMALL_PRINT - 1)), line("b", (0, 0, 9, SMALL_PRINT + 9))
    assert worth_giving([large, small, small], ("auto",), 1.0)
    assert not worth_giving([small, large, large], ("auto",), 1.0)
