"""Colours that were changed come back from the picture: real drawings, real reading."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest
from PIL import Image

from engine.errors import ErrorCode, VisCodexError
from engine.hints import read
from engine.matching.colour.chart_spots import chart_spots
from engine.matching.colour.match import FINDERS, match_colours
from engine.matching.colour.page_spots import page_spots
from engine.matching.colour.palette import VISIBLE
from engine.matching.colour.probes import probe
from engine.matching.colour.shades import apart, contrast
from engine.matching.scene import Scene
from engine.render.drawing import Drawer
from tests.engine.counting import Counting

SIZE = (640, 480)
INK = 6.0  # CIELAB: print is too thin for its colour to be known to the digit


@pytest.fixture(scope="module")
def drawer() -> Iterator[Counting]:
    with Counting() as shared:
        yield shared


@cache
def scene_of(drawer: Drawer, code: str, target: str) -> Scene:
    """A scene whose picture is what `code` draws."""
    picture = Image.open(io.BytesIO(drawer.draw(code, target, SIZE).png)).convert("RGB")
    return Scene(drawer, picture, read(picture), target)


def replaced(code: str, words: Mapping[str, str]) -> str:
    """All at once, so that colours can be swapped."""
    assert all(word in code for word in words)
    return re.sub("|".join(map(re.escape, words)), lambda found: words[found[0]], code)


def source(samples: Path, name: str) -> tuple[str, str]:
    code = (samples / "sources" / name).read_text(encoding="utf-8")
    return code, "html" if name.endswith(".html") else "matplotlib"


def total(scene: Scene, code: str) -> float:
    likeness = scene.judge(code).likeness
    assert likeness is not None
    return likeness.total


CHANGED = [
    ("login.html", {"#eef2f7": "#3a4", "#0f766e": "crimson", "#d8e0ea": "#a0a"}),
    ("login.html", {"#0f766e": "#fff", "#1d2b3a": "#b00", "#5d6b7a": "#070"}),
    ("pricing.html", {"#312e81": "#a33", "#e0e7ff": "#ffd", "#e4e4e7": "rgb(9, 80, 10)"}),
    ("pricing.html", {"background: #fff": "background: #222", "color: #27272a": "color: #eee"}),
    ("trend.py", {"#c2410c": "#4338ca", "#4338ca": "green"}),
    ("chart.py", {"#2a7f9e": "tab:orange"}),
]


@pytest.mark.parametrize(("name", "words"), CHANGED)
def test_the_right_colours_come_back(
    drawer: Counting, samples: Path, name: str, words: dict[str, str]
) -> None:
    right, target = source(samples, name)
    wrong = replaced(right, words)
    scene = scene_of(drawer, right, target)
    drawer.drawings = 0
    found = match_colours(wrong, scene)
    assert drawer.drawings <= 9
    assert total(scene, found) >= total(scene, wrong)
    spots, expected = FINDERS[target](found), FINDERS[target](right)
    assert len(spots) == len(expected)
    for spot, other in zip(spots, expected, strict=True):
        if other.kind == "text":
            assert apart(spot.colour, other.colour) < INK
        else:
            assert spot.colour == other.colour
    gaps = [_between(code, target) for code in (found, wrong)]
    assert gaps[0] == gaps[1]
    assert match_colours(found, scene) == found


def _between(code: str, target: str) -> list[str]:
    """All that is no colour."""
    ends = [0]
    for spot in FINDERS[target](code):
        ends += [spot.start, spot.end]
    ends.append(len(code))
    return [code[a:b] for a, b in zip(ends[::2], ends[1::2], strict=True)]


@pytest.mark.parametrize("name", ["login.html", "pricing.html", "trend.py", "chart.py"])
def test_right_code_stays_as_it_is(drawer: Counting, samples: Path, name: str) -> None:
    code, target = source(samples, name)
    assert match_colours(code, scene_of(drawer, code, target)) == code


def test_what_lies_some_pixels_off_is_found_by_its_words(drawer: Counting, samples: Path) -> None:
    right, target = source(samples, "login.html")
    scene = scene_of(drawer, right, target)
    wrong = replaced(
        right, {"padding: 40px": "padding: 64px 0 0", "#0f766e": "#750", "#fff": "#ccd"}
    )
    found = match_colours(wrong, scene)
    assert "background: #0f766e; color: #fff" in found
    assert "padding: 28px; background: #fff" in found


PALETTE = """<!DOCTYPE html>
<html><head><style>
:root { --brand: #b3123f; --paper: #fafafa; }
body { margin: 0; padding: 20px; background: var(--paper); font: 16px sans-serif; color: #222; }
#abc { padding: 12px; background: var(--brand); color: #fff; }
.x { margin: 12px 0; height: 40px; background: #b3123f; }
a:hover { background: #b3123f; color: #fafafa; }
</style></head><body>
<div id="abc">color: red; #b3123f</div><div class="x"></div>
<svg width="80" height="40"><rect width="80" height="40" fill="#b3123f" /></svg>
<p style="color: rgb(18, 100, 3)">Settings and members of all the teams</p>
</body></html>
"""


def test_a_palette_stays_one(drawer: Counting) -> None:
    scene = scene_of(drawer, PALETTE, "html")
    wrong = replaced(
        PALETTE,
        {": #b3123f": ": #246", '"#b3123f"': '"#246"', "--paper: #fafafa": "--paper: #ffd"},
    ).replace("rgb(18, 100, 3)", "rgb(80, 30, 200)")
    assert "color: red; #b3123f</div>" in wrong
    found = match_colours(wrong, scene)
    assert found.count("#b3123f") == PALETTE.count("#b3123f")
    assert "--paper: #fafafa" in found
    assert "#abc {" in found and ">color: red; #b3123f<" in found
    ink = page_spots(found)[-1].colour
    assert "rgb(" in found and apart(ink, (18, 100, 3)) < INK


BUTTON = """<!DOCTYPE html>
<html><head><style>
body { margin: 0; padding: 24px; background: #fff; font: 18px sans-serif; color: #333; }
button { padding: 12px 30px; border: 0; background: #06c; color: #fff; font: inherit; }
</style></head><body><p>Opening hours</p><button>Reserve a table</button></body></html>
"""


def test_text_stays_readable_where_the_picture_has_no_button(drawer: Counting) -> None:
    bare = BUTTON.replace("<button>Reserve a table</button>", "")
    scene = scene_of(drawer, bare, "html")
    found = match_colours(BUTTON, scene)
    ground, ink = page_spots(found)[-2:]
    assert contrast(ground.colour, ink.colour) > 2


def test_a_button_does_not_vanish_in_its_page(drawer: Counting) -> None:
    """Dark words on it would stay readable on white as well."""
    code = BUTTON.replace("#06c; color: #fff", "#6cf; color: #000")
    bare = code.replace("#6cf", "none")
    found = match_colours(code, scene_of(drawer, bare, "html"))
    page, button = (spot.colour for spot in page_spots(found) if spot.kind == "area")
    assert apart(page, button) >= VISIBLE


def test_faint_text_grows_no_fainter(drawer: Counting) -> None:
    faint = BUTTON.replace("background: #06c; color: #fff", "background: #eee; color: #ddd")
    scene = scene_of(drawer, BUTTON.replace("#06c", "#fff"), "html")
    ground, ink = page_spots(match_colours(faint, scene))[-2:]
    assert contrast(ground.colour, ink.colour) >= contrast((238,) * 3, (221,) * 3)


def test_marks_of_a_chart_stay_visible(drawer: Counting, samples: Path) -> None:
    right, target = source(samples, "chart.py")
    scene = scene_of(drawer, right.replace("ax.bar(boroughs, visits", "ax.bar([], []"), target)
    found = match_colours(right, scene)
    assert apart(chart_spots(found)[0].colour, (255, 255, 255)) >= 20


WEDGES = """import matplotlib.pyplot as plt
fig, ax = plt.subplots(figsize=(4, 3), facecolor="#F4F4EC")
ax.pie([4, 3, 2, 1], labels=["red", "b", "C1", "#abc"], colors=['tab:red', "#DDAA33", 'k', "C2"])
plt.show()
"""


def test_lists_names_and_grounds_of_a_chart(drawer: Counting) -> None:
    scene = scene_of(drawer, WEDGES, "matplotlib")
    start = WEDGES.index("colors=")
    shuffled = WEDGES[:start] + replaced(
        WEDGES[start:], {"'tab:red'": "'b'", "#DDAA33": "#AA0000", "'k'": "'0.6'", "C2": "magenta"}
    )
    found = match_colours(shuffled.replace("#F4F4EC", "white"), scene)
    assert [spot.colour for spot in chart_spots(found)] == [
        (0xF4, 0xF4, 0xEC), (0xD6, 0x27, 0x28), (0xDD, 0xAA, 0x33), (0, 0, 0), (0x2C, 0xA0, 0x2C),
    ]  # fmt: skip
    assert """colors=['#D62728', "#DDAA33", '#000""" in found
    assert """labels=["red", "b", "C1", "#abc"]""" in found


@pytest.mark.parametrize(
    ("code", "target"),
    [
        ("plt.bar([1], [2], color='red'", "matplotlib"),
        (
            "import matplotlib.pyplot as plt\nplt.bar([1, 2], [1, 2, 3], color='red')\n",
            "matplotlib",
        ),
        ("import os\nx = dict(color='red')\n", "matplotlib"),
        # With a probe in its place it fails.
        (
            "import matplotlib.pyplot as plt\n"
            "color = {'red': 1}['red']\nn = ['red'].index(str('red'))\n"
            "colors = ['red']\nplt.bar([1], [1 / (colors[0] == 'red')], color=colors)\n",
            "matplotlib",
        ),
        ("color: red", "html"),
        ("", "html"),
        ("<p style='color: #", "html"),
        ("<style>p { color: red", "html"),
    ],
)
def test_odd_code_comes_back(drawer: Counting, samples: Path, code: str, target: str) -> None:
    right = source(samples, "chart.py" if target == "matplotlib" else "login.html")[0]
    assert match_colours(code, scene_of(drawer, right, target)) == code


def test_a_page_without_colours_is_not_drawn(drawer: Counting, samples: Path) -> None:
    scene = scene_of(drawer, source(samples, "login.html")[0], "html")
    drawer.drawings = 0
    assert match_colours("<p>Plain</p>\n", scene) == "<p>Plain</p>\n"
    assert drawer.drawings == 0


def test_more_colours_than_probes(drawer: Counting) -> None:
    cells = "".join(f'<i style="background: #{n:02x}8040">&nbsp;</i>' for n in range(250))
    page = f"<style>i {{ float: left; width: 20px; height: 20px }}</style>{cells}"
    scene = scene_of(drawer, page, "html")
    drawer.drawings = 0
    found = match_colours(page.replace("8040", "8050"), scene)
    assert drawer.drawings <= 9
    assert found.count("8040") >= 60


def test_a_cancelled_drawing_is_told(samples: Path) -> None:
    code, target = source(samples, "chart.py")
    stopped = threading.Event()
    with Drawer(stopped=stopped) as own:
        picture = Image.open(io.BytesIO(own.draw(code, target, SIZE).png)).convert("RGB")
        scene = Scene(own, picture, [], target)
        before = scene.judge(code)
        assert before.png is not None
        stopped.set()
        with pytest.raises(VisCodexError) as told:
            probe(code, chart_spots(code), scene, before.png)
        assert told.value.code is ErrorCode.cancelled
        with pytest.raises(VisCodexError, match="Cancelled"):
            match_colours(code, scene)
