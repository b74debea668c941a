"""`viscodex match`: code corrected by a picture, as a person runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.app.command import assert_one_line, viscodex

RIGHT, WRONG = "#0f766e", "#760f6e"  # the button's ground


@pytest.fixture
def changed(samples: Path, tmp_path: Path) -> Path:
    """The sample's code with a wrong colour and a wrong word."""
    code = (samples / "sources" / "login.html").read_text()
    assert RIGHT in code and "Welcome back" in code
    path = tmp_path / "page.html"
    path.write_text(code.replace(RIGHT, WRONG).replace("Welcome back", "Welcame bock"))
    return path


def test_words_and_colours_come_from_the_picture(samples: Path, changed: Path) -> None:
    ended = viscodex("match", samples / "login.png", changed)
    assert ended.status == 0, ended.err
    assert ended.out == (samples / "sources" / "login.html").read_text()
    before, after = (float(word) for word in ended.err.split() if word[0] in "01" and "." in word)
    assert before < after


@pytest.mark.parametrize(("only", "stays"), [("text", WRONG), ("colours", "Welcame bock")])
def test_one_of_them_alone(samples: Path, changed: Path, only: str, stays: str) -> None:
    ended = viscodex("match", samples / "login.png", changed, "--only", only, "--out", changed)
    assert (ended.status, ended.out) == (0, ""), ended.err
    code = changed.read_text()
    assert stays in code and ("Welcome back" in code) == (only == "text")


def test_bad_input(samples: Path, tmp_path: Path, changed: Path) -> None:
    picture, out = samples / "login.png", tmp_path / "out.html"
    (tmp_path / "notes.txt").write_text("hi")
    (tmp_path / "chart.py").write_text("import matplotlib.pyplot as plt\nplt.plot([1, 2], [3])\n")
    for status, file, word in (
        (2, "no.html", "no.html"),
        (2, "notes.txt", "notes.txt"),
        (1, "chart.py", "line 2"),
    ):
        assert_one_line(viscodex("match", picture, tmp_path / file, "--out", out), status, word)
    assert_one_line(viscodex("match", "no.png", changed, "--out", out), 2, "no.png")
    assert_one_line(viscodex("match", picture, changed, "--out", tmp_path / "no" / "x"), 2, "no")
    assert not out.exists()
