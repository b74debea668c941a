"""Where colours stand in code, and how others are written there."""

from __future__ import annotations

import pytest

from engine.matching.colour.chart_spots import chart_spots
from engine.matching.colour.page_spots import page_spots
from engine.matching.colour.spot import Spot, written

PAGE = """<!DOCTYPE html>
<html><head><title>red</title><style>
:root { --brand: #0A7; --gap: 4px; } /* color: #111 */
#abc { color: Teal; background: url(red.png) rgb(1, 2, 3); }
a:hover{border:1px solid #ABCDEF;box-shadow:0 1px #222}
.g { background: linear-gradient(#333, rgb(4, 5, 6)); content: "color: #444;"; }
.t { color: rgba(7, 8, 9, .5); background: #12345678; outline-color: hsl(0, 100%, 50%) }
@media (max-width: 9px) { p { color: var(--brand, #555); fill: #666666 } }
</style><script>var s = "<p style='color: #777'>";</script></head>
<body bgcolor=#888 class="red"><!-- <p style="color: #999"> -->
<p style="color: navy; margin: 0">colour: red, #bbb; color: blue</p>
<svg><rect fill='#ccc' stroke="none" id="#ddd"/></svg></body></html>
"""
CHART = """import matplotlib.pyplot as plt
é = "ü"; palette = ["red", '#aabbcc', f"#{1}11"]
plt.rcParams["axes.facecolor"] = "0.5"
fig, ax = plt.subplots(facecolor="w")
ax.plot([1], [2], "r--", color='C1', label="red", mfc="tab:blue")  # color="#111"
ax.set_title("#abc" "def", color=("k"))
ax.set_facecolor("#FFF")
for x, c in zip("rg", ("#123456", "green")):
    ax.bar(x, 1, fc=c, ec=(0, 0, 1), hatch="x", color="#12345678")
"""


def spelled(code: str, spots: list[Spot]) -> list[str]:
    return [code[spot.start : spot.end] for spot in spots]


def test_the_colours_of_a_page() -> None:
    spots = page_spots(PAGE)
    assert spelled(PAGE, spots) == [
        "#0A7", "Teal", "rgb(1, 2, 3)", "#ABCDEF", "hsl(0, 100%, 50%)", "#666666", "#888", "navy",
        "#ccc",
    ]  # fmt: skip
    assert [spot.kind for spot in spots] == [
        "any", "text", "area", "line", "line", "any", "area", "text", "any",
    ]  # fmt: skip
    assert [spot.colour for spot in spots[:5]] == [
        (0, 170, 119), (0, 128, 128), (1, 2, 3), (171, 205, 239), (255, 0, 0),
    ]  # fmt: skip


def test_the_colours_of_a_chart() -> None:
    spots = chart_spots(CHART)
    assert spelled(CHART, spots) == [
        "red", "#aabbcc", "0.5", "w", "C1", "tab:blue", "k", "#FFF", "#123456",
    ]  # fmt: skip
    grounds = [CHART[spot.start : spot.end] for spot in spots if spot.kind == "area"]
    assert grounds == ["0.5", "w", "#FFF"]
    assert [spot.colour for spot in spots[2:6]] == [
        (128, 128, 128), (255, 255, 255), (255, 127, 14), (31, 119, 180),
    ]  # fmt: skip


@pytest.mark.parametrize("code", ["plt.plot(color='red'", "x = '\0'", "(" * 9999, "", "é" * 9])
def test_what_does_not_parse_has_no_colours(code: str) -> None:
    assert chart_spots(code) == []


@pytest.mark.parametrize("code", ["", "<", "<p style=", "<style>", '<p style="color: #1">', "\0"])
def test_what_is_no_page_has_no_colours(code: str) -> None:
    assert page_spots(code) == []


@pytest.mark.parametrize(
    ("css", "new", "expected"),
    [
        ("color: #123; fill: #aabbcd", (255, 0, 17), "color: #f01; fill: #f01"),
        ("color: #123; fill: #aabbcd", (255, 0, 18), "color: #ff0012; fill: #ff0012"),
        ("color: #FFFFFF; fill: #ABC", (170, 187, 204), "color: #ABC; fill: #ABC"),
        ("color: #ffffff; fill: red", (170, 187, 204), "color: #aabbcc; fill: #aabbcc"),
        ("color: rgb( 1 2 3 )", (170, 187, 204), "color: rgb( 170 187 204 )"),
        ("color: rgba(1,2,3,1)", (170, 187, 204), "color: rgba(170,187,204,1)"),
    ],
)
def test_others_are_spelled_as_the_code_spells(
    css: str, new: tuple[int, int, int], expected: str
) -> None:
    code = f'<p style="{css}">#abc</p>'
    spots = page_spots(code)
    assert written(code, spots, [new] * len(spots)) == f'<p style="{expected}">#abc</p>'
    assert written(code, spots, [None] * len(spots)) == code


def test_quotes_of_a_script_stay() -> None:
    code = "bar(x, color='red', ec=\"#ABC\")\n"
    new = written(code, chart_spots(code), [(1, 2, 3), (255, 255, 255)])
    assert new == "bar(x, color='#010203', ec=\"#FFF\")\n"
