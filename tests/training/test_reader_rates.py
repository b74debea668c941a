"""Counting the reader's errors."""

from __future__ import annotations

import pytest

from engine.hints import Box, TextLine
from training.nano.reader_rates import errors, overlap


def _line(text: str, box: Box, ink: tuple[int, int, int] = (0, 0, 0)) -> TextLine:
    return TextLine(text, box, 1.0, ink, (255, 255, 255))


def test_overlap_of_boxes():
    assert overlap((0, 0, 10, 10), (0, 0, 10, 10)) == 1.0
    assert overlap((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert overlap((0, 0, 10, 10), (20, 0, 30, 10)) == 0.0


def test_each_error_is_counted_under_its_name():
    true = [
        _line("Sign in", (0, 0, 50, 10)),
        _line("Home", (0, 20, 30, 30)),
        _line("About", (50, 20, 80, 30)),
        _line("Apples", (0, 40, 50, 50)),
        _line("Gone", (0, 60, 40, 70)),
        _line("two words", (0, 80, 80, 90)),
    ]
    seen = [
        _line("Sign ln", (0, 0, 50, 10)),  # confused
        _line("Home About", (0, 20, 80, 30)),  # merged: one of the two is lost in it
        _line("• Apples", (0, 40, 51, 50), ink=(40, 0, 0)),  # bullet, jitter, colour
        _line("twowords", (0, 80, 80, 90)),
        _line("noise", (0, 100, 40, 110)),
    ]
    found = errors(true, seen)
    assert found["confuse"] == 1
    assert found["merge"] == 2
    assert found["bullet"] == found["colour"] == found["sides"] == 1
    assert found["drop"] == 1
    assert found["lose_space"] == 1
    assert found["lines"] == 6
