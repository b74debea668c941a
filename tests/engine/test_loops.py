"""Answers that repeat themselves are noticed, answers that only look alike are not."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.loops import LoopGuard, TextLoopGuard


def test_the_loop_guard_lets_tables_pass() -> None:
    def loops(tokens: list[int]) -> bool:
        guard = LoopGuard()
        return max(list(map(guard.repeats, tokens)))

    assert not loops([1, 2, 3] * 30)  # thirty equal cells
    assert loops([1, 2, 3] * 60)
    assert loops([7] * 200)
    assert not loops(list(range(200)) * 4)
    assert loops(list(range(200)) * 6)
    assert not loops([index * index % 97 + index // 97 for index in range(3000)])


def loop_at(text: str, step: int = 7) -> int | None:
    """How many characters had come, `step` at a time, when the guard spoke up; None if never."""
    guard = TextLoopGuard()
    for end in range(step, len(text) + step, step):
        if guard.repeats(text[end - step : end]):
            return end
    return None


START = '```html\n<!DOCTYPE html>\n<html><head><title>Orders</title></head>\n<body class="a">\n'


@pytest.mark.parametrize(
    "unit",
    [
        "la ",
        "a",
        "=",
        "\n",
        "0, ",
        "<div>",
        "<li>Home</li>\n",
        '    <div class="card"><h2>Plan</h2><p>From 9 € a month</p></div>\n',
        "".join(f"<tr><td>{n}</td><td>{n * n}</td></tr>\n" for n in range(12)),
    ],
)
@pytest.mark.parametrize("step", [1, 3, 40])
def test_text_in_a_loop(unit: str, step: int) -> None:
    found = loop_at(START + unit * (6000 // len(unit)), step)
    assert found is not None
    assert found < len(START) + 24 * 128 + 6 * len(unit)


def rows(write: str) -> str:
    chance = random.Random(3)
    return "".join(
        write.format(n=n, a=chance.randint(0, 999), b=chance.choice("abcdefgh"), c=chance.random())
        for n in range(100)
    )


@pytest.mark.parametrize(
    "text",
    [
        rows("<tr><td>{n}</td><td>{a}</td><td>open</td></tr>\n"),
        rows("<tr>\n  <td>Order {n}</td>\n  <td></td>\n  <td></td>\n</tr>\n"),
        rows('<li class="item"><a href="#">Page {n}</a></li>\n'),
        rows('<circle cx="{a}" cy="{n}" r="3" fill="#2a7"/>\n'),
        "values = [" + rows("{a}, ") + "]\n",
        "values = [" + rows("{c:.4f}, ") + "]\n",
        "<p>" + "-" * 1000 + "</p>\n",  # a rule, as some draw it
        "<tr>" + "<td></td>" * 20 + "</tr>\n",
        "x = [" + "0, " * 40 + "]\n",
        "if x:\n" + "    y = 1\n" * 20,
    ],
)
@pytest.mark.parametrize("step", [1, 40])
def test_tables_and_data_pass(text: str, step: int) -> None:
    assert loop_at(START + text, step) is None


@settings(deadline=None)
@given(st.text("ab1_ \n<>=-", max_size=400), st.lists(st.integers(1, 50), min_size=1, max_size=40))
def test_where_text_is_cut_makes_no_difference(text: str, cuts: list[int]) -> None:
    text = text[:40] * 30 + text
    whole, cut = TextLoopGuard(), TextLoopGuard()
    place, found = 0, False
    for length in cuts * (1 + len(text)):
        if place >= len(text) or found:
            break
        found = cut.repeats(text[place : place + length])
        place += length
    assert found == whole.repeats(text)
