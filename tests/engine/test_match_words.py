"""Words in code come back to those of the picture: real drawings, read by the real reader."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import pytest
from PIL import Image

from engine.errors import ErrorCode, VisCodexError
from engine.hints import TextLine, read
from engine.matching.scene import Scene
from engine.matching.text.match import DRAWINGS, match_words
from engine.render.drawing import Drawer
from tests.engine.counting import Counting

SAMPLES = Path(__file__).resolve().parents[2] / "assets" / "samples"
SUFFIXES = {"html": ".html", "matplotlib": ".py"}
Shown = Callable[..., Scene]


@pytest.fixture(scope="module")
def drawer() -> Iterator[Counting]:
    with Counting() as shared:
        yield shared


@pytest.fixture(scope="module")
def shown(drawer: Counting) -> Shown:
    """The scene of the picture that code draws, as it is read."""

    @lru_cache
    def scene(code: str, target: str, size: tuple[int, int] = (640, 400)) -> Scene:
        drawing = drawer.draw(code, target, size)
        picture = Image.open(io.BytesIO(drawing.png)).convert("RGB")
        return Scene(drawer, picture, read(picture), target)

    return scene


@lru_cache
def sample(name: str, target: str) -> tuple[str, Image.Image, tuple[TextLine, ...]]:
    """The source of a sample, its picture and what is read in it."""
    source = (SAMPLES / "sources" / f"{name}{SUFFIXES[target]}").read_text()
    picture = Image.open(SAMPLES / f"{name}.png").convert("RGB")
    return source, picture, tuple(read(picture))


def changed(code: str, *changes: tuple[str, str]) -> str:
    """`code` with each (old, new) replaced where it stands first."""
    for old, new in changes:
        assert old in code
        code = code.replace(old, new, 1)
    return code


SPOILED = [
    ("login", "html", [("Welcome back", "Welcom bakc"), ("garden diary", "gardan dairy")]),
    (
        "login",
        "html",
        [("robin@meadow.org", "robbin@meadow.org"), ("<label>Email", "<label>Emial")],
    ),
    ("login", "html", [('value="Your password"', 'placeholder="Yuor pasword"')]),
    ("pricing", "html", [("Boat storage for every season", "Boot storing for ever season")]),
    ("pricing", "html", [("$18", "$19"), ("$64", "$84"), ("Heated", "Heatd")]),
    ("pricing", "html", [("Dinghy", "\0"), ("Sloop", "Dinghy"), ("\0", "Sloop")]),
    ("pricing", "html", [("$18", "\0"), ("$64", "$18"), ("\0", "$64")]),
    ("pricing", "html", [("Mast workshop", "Mast workshop workshop"), ("One covered", "One")]),
    ("pricing", "html", [("Sloop", "Yacht")]),
    ("chart", "matplotlib", [("Library visits", "Libary vists"), ("(thousands)", "(thousand)")]),
    ("chart", "matplotlib", [('"Harbour"', '"Harbor"'), ('"Mills"', '"Milk"')]),
    ("chart", "matplotlib", [('"North"', "'\0'"), ('"East"', '"North"'), ("'\0'", '"East"')]),
    ("trend", "matplotlib", [('label="Lake"', 'label="Lakes"'), ('"River"', '"Rivet"')]),
    ("trend", "matplotlib", [('"Water temperature"', '"Winter temperatures"')]),
]


@pytest.mark.parametrize(("name", "target", "changes"), SPOILED)
def test_the_words_of_a_sample_come_back(
    drawer: Counting, name: str, target: str, changes: list[tuple[str, str]]
) -> None:
    source, picture, lines = sample(name, target)
    spoiled = changed(source, *changes)
    drawer.drawings = 0
    found = match_words(spoiled, Scene(drawer, picture, lines, target))
    # The kind of attribute or of quotes that spoiling changed is not put back, only the words.
    wanted = source
    if "placeholder" in spoiled:
        wanted = changed(source, ('value="Your', 'placeholder="Your'))
    assert found == wanted
    assert drawer.drawings <= DRAWINGS


@pytest.mark.parametrize(
    ("name", "target"),
    [("login", "html"), ("pricing", "html"), ("chart", "matplotlib"), ("trend", "matplotlib")],
)
def test_right_words_stay(drawer: Counting, name: str, target: str) -> None:
    source, picture, lines = sample(name, target)
    assert match_words(source, Scene(drawer, picture, lines, target)) == source


PAGE = """<!DOCTYPE html>
<html><head><title>Tide tabels</title><style>
body { margin: 0; padding: 20px; font: 18px/1.5 sans-serif; background: #fff; color: #222; }
/* Tide tabels */ p { width: 420px; margin: 0 0 16px; } .red { color: #a00; }
</style></head>
<body>
<h2 id="tides" class="red">Tide tables</h2>
<p>High water at the old harbour comes twice a day, and the
   ferry waits for <b>half an hour</b> before it leaves for the <a href="#red">islands</a>.</p>
<p>Fish &amp; chips &lt; 12 &euro;&nbsp;today</p>
<input placeholder="Find a harbour">
<select><option>Summer</option><option selected>Winter</option></select>
<script>var tides = "Tide tabels";</script>
</body></html>
"""


@pytest.mark.parametrize(
    "changes",
    [
        [("Tide tables</h2>", "Tied tabels</h2>")],
        [("old harbour", "cold harbor"), ("twice", "twise")],  # on the first rows
        [("ferry waits", "fery wates"), ("half an hour", "half on hour")],
        [("islands</a>", "iland</a>"), ("before it", "befor its")],
        [("chips &lt; 12", "ships &lt; 17"), ("today", "toady")],
        [("Find a harbour", "Fine a harbor")],
        [("selected>Winter", "selected>Wintre")],
    ],
)
def test_text_that_wraps_and_is_split_by_elements(
    shown: Shown, changes: list[tuple[str, str]]
) -> None:
    assert match_words(changed(PAGE, *changes), shown(PAGE, "html")) == PAGE


def test_what_is_written_in_is_escaped(shown: Shown) -> None:
    page = PAGE.replace("Tide tables</h2>", "Nets &lt;new&gt; for &quot;Anna&quot;</h2>")
    page = page.replace('"Find a harbour"', "'Tom&#39;s \"boats\"'")
    scene = shown(page, "html")
    spoiled = PAGE.replace("Tide tables</h2>", "Nats nuw for Ana</h2>").replace(
        "Find a harbour", "Toms boots"
    )
    found = match_words(spoiled, scene)
    assert "Nets &lt;new&gt; for" in found
    assert "<new>" not in found
    assert 'placeholder="Toms &quot;boats&quot;"' in found


CHART = """import matplotlib.pyplot as plt

# Rainfall by town, red
palette = ["red", "navy", "teal"]
towns = ["Exeter", "Truro", "Red\\nHill"]
rain = {"Exeter": 71, "Truro": 93, "Red\\nHill": 55}
fig, ax = plt.subplots(figsize=(6, 4))
ax.bar(towns, [rain[name] for name in rain], color=palette)
ax.plot(towns, [60, 80, 50], "o--", color="navy", label="Long term", marker="o")
for n, name in enumerate(towns):
    ax.text(n, 20, f"{rain[name]} mm", ha="center")
ax.set_title('Rain in "wet" towns')
ax.set_ylabel("Rainfall")
ax.set_xlabel("Town")
ax.legend(loc="upper left")
plt.tight_layout()
plt.savefig("Rainfall.png")
"""


@pytest.mark.parametrize(
    "changes",
    [
        [("towns = [\"Exeter\"", "towns = [\"Exater\""), ('{"Exeter"', '{"Exater"')],
        [('towns = ["Exeter", "Truro", "Red\\nHill"', 'towns = ["Exeter", "Truro", "Rod\\nHall"'),
         ('93, "Red\\nHill"', '93, "Rod\\nHall"')],
        [("""'Rain in "wet" towns'""", """'Rains in "west" town'""")],
        [('label="Long term"', 'label="Lung turn"')],
        [('set_ylabel("Rainfall")', 'set_ylabel("Rainfull")'), ('"Town"', '"Down"')],
    ],
)  # fmt: skip
def test_the_texts_of_a_chart_come_back(shown: Shown, changes: list[tuple[str, str]]) -> None:
    assert match_words(changed(CHART, *changes), shown(CHART, "matplotlib")) == CHART


def test_constants_that_only_read_like_a_text_stay(shown: Shown) -> None:
    """A colour, a file and a format that are spelled like a drawn text are none."""
    page = CHART.replace('"Long term"', '"Read"').replace('"Rainfall")', '"Rainfalls")')
    code = CHART.replace('"Long term"', '"red"')
    found = match_words(code, shown(page, "matplotlib"))
    assert 'palette = ["red", "navy", "teal"]' in found
    assert 'label="Read"' in found
    assert 'set_ylabel("Rainfalls")' in found
    assert 'savefig("Rainfall.png")' in found
    assert 'f"{rain[name]} mm"' in found


def test_constants_of_the_same_text_are_told_apart(shown: Shown) -> None:
    code = CHART.replace('"Town"', '"Rainfall"')
    assert match_words(code, shown(CHART, "matplotlib")) == CHART


LINE = TextLine("", (0, 0, 1, 1), 0.99, (0, 0, 0), (255, 255, 255))


def misread(scene: Scene, drawer: Drawer, old: str, new: str, confidence: float = 0.99) -> Scene:
    """A scene where the reader takes a text for another."""
    lines = [
        replace(line, text=line.text.replace(old, new), confidence=confidence)
        if old in line.text
        else line
        for line in scene.lines
    ]
    assert lines != list(scene.lines)
    return Scene(drawer, scene.picture, lines, scene.target)


@pytest.mark.parametrize(
    ("old", "new", "confidence"),
    [
        ("Sign in to your garden diary.", "Signin to yourgarden diary", 0.99),
        ("Sign in to your garden diary.", "Sign in to your gar den diary .", 0.99),
        ("Email", "Emall", 0.7),
        ("Email", "Emai1", 0.99),
        ("Password", "Password:", 0.99),
        ("Welcome back", "VVelcorne hack", 0.8),
        ("Welcome back", "WelCome baCk", 0.99),
        ("robin@meadow.org", "robin@meadow.org)", 0.99),
        ("Your password", "中", 0.8),
        ("Your password", "Your", 0.8),
        ("Your password", " ", 0.99),
    ],
)
def test_what_the_reader_has_wrong_does_not_spoil_right_words(
    drawer: Counting, old: str, new: str, confidence: float
) -> None:
    source, picture, lines = sample("login", "html")
    scene = misread(Scene(drawer, picture, lines, "html"), drawer, old, new, confidence)
    assert match_words(source, scene) == source


def test_punctuation_stays_beside_a_word_that_changes(drawer: Counting) -> None:
    source, picture, lines = sample("login", "html")
    scene = misread(Scene(drawer, picture, lines, "html"), drawer, "diary.", "diary")
    spoiled = changed(source, ("garden diary.", "gardn dairy."))
    assert match_words(spoiled, scene) == source


@pytest.mark.parametrize(
    ("old", "wrong", "right"),
    [
        ("Reserve", "RESERVE", "Reserve"),
        ("$64", "€64", "$64"),
        ("Heated hall", "Heated hell", "Heated hall"),
        ("One covered rack", "1,250 racks", "One covered rack"),
    ],
)
def test_capitals_currencies_and_other_texts_of_the_same_place(
    drawer: Counting, old: str, wrong: str, right: str
) -> None:
    source, picture, lines = sample("pricing", "html")
    found = match_words(changed(source, (old, wrong)), Scene(drawer, picture, lines, "html"))
    assert found == changed(source, (old, right))


def test_capitals_that_a_style_makes_are_left(shown: Shown) -> None:
    page = PAGE.replace(".red {", ".red { text-transform: uppercase;")
    assert match_words(page, shown(page, "html")) == page


def test_numbers_of_a_list_are_not_written_in(shown: Shown) -> None:
    page = PAGE.replace(
        "<p>Fish", "<ol><li>Boats for hire</li><li>Rooms with a view</li></ol><p>Fish"
    )
    spoiled = page.replace("Boats for hire", "Boots for hire")
    assert match_words(spoiled, shown(page, "html")) == page


def test_lines_of_no_text_are_not_added(drawer: Counting) -> None:
    source, picture, lines = sample("login", "html")
    less = changed(source, ("<label>Email</label>\n", ""))
    assert match_words(less, Scene(drawer, picture, lines, "html")) == less


@pytest.mark.parametrize(
    ("code", "target"),
    [
        ("", "html"),
        ("just words", "html"),
        ("<p", "html"),
        ("<p>Welcom <b", "html"),
        ("plt.title('Welcom", "matplotlib"),
        ("\0", "matplotlib"),
        ("raise ValueError('Welcom back')", "matplotlib"),
        ("import matplotlib.pyplot as plt\nplt.title(nothing)\n", "matplotlib"),
    ],
)
def test_code_that_does_not_draw_comes_back(drawer: Counting, code: str, target: str) -> None:
    _, picture, lines = sample("login", "html")
    assert match_words(code, Scene(drawer, picture, lines, target)) == code


def test_a_cancelled_drawing_is_told(drawer: Counting) -> None:
    source, picture, lines = sample("login", "html")
    stopped = threading.Event()
    stopped.set()
    with Drawer(stopped=stopped) as refusing, pytest.raises(VisCodexError) as raised:
        match_words(source, Scene(refusing, picture, lines, "html"))
    assert raised.value.code is ErrorCode.cancelled


def test_drawings_are_bounded(drawer: Counting) -> None:
    """However many texts are wrong, and however little each edit helps."""
    source, picture, lines = sample("pricing", "html")
    blank = Image.new("RGB", picture.size, "black")  # nothing that is written in looks better
    spoiled = source.replace("e", "o").replace("hoad", "head").replace("<stylo", "<style")
    for shown_picture in (picture, blank):
        drawer.drawings = 0
        match_words(spoiled, Scene(drawer, shown_picture, lines, "html"))
        assert drawer.drawings <= DRAWINGS


def test_the_same_comes_of_it_again(drawer: Counting) -> None:
    source, picture, lines = sample("pricing", "html")
    spoiled = source.replace("Reserve", "Resarve").replace("rack", "truck")
    results = {match_words(spoiled, Scene(drawer, picture, lines, "html")) for _ in range(3)}
    assert len(results) == 1


def test_a_page_that_the_parser_refuses_comes_back(shown: Shown) -> None:
    odd = PAGE.replace("<h2", "<![odd[x]]><h2").replace("Tide tables</h2>", "Tied tabels</h2>")
    assert match_words(odd, shown(PAGE, "html")) == odd


TICKS = """import matplotlib.pyplot as plt

weeks = [1, 2, 3]; größe = "Höhe in Fuß"; plt.figure(figsize=(6, 4))
for label, level in {"Lock": [2, 3, 4], "Weir": [1, 2, 2]}.items():
    plt.plot(weeks, level, label=label)
plt.xticks(weeks, labels=["Früh", 'Noon', r"Evening"])
plt.yticks([1, 2, 3, 4], ["low", "mean", "high", "flood"])
plt.annotate("Gate opened", xy=(2, 3), xytext=(1.2, 3.6), arrowprops={"arrowstyle": "->"})
plt.title("Levels " "of the canal"); plt.ylabel(größe)
plt.xlabel(f"{len(weeks)} times of day")
plt.legend(title="Place", loc="lower right")
"""


@pytest.mark.parametrize(
    "changes",
    [
        [('"Früh", \'Noon\', r"Evening"', '"Froh", \'Moon\', r"Evenings"')],
        [('"mean", "high"', '"meen", "hugh"'), ('"Gate opened"', '"Gates open"')],
        [('"Lock"', '"Look"'), ('"Weir"', '"Wear"'), ('title="Place"', 'title="Plate"')],
        [('"Höhe in Fuß"', '"Höhe im Fluß"')],
    ],
)
def test_ticks_legends_notes_and_names(shown: Shown, changes: list[tuple[str, str]]) -> None:
    assert match_words(changed(TICKS, *changes), shown(TICKS, "matplotlib")) == TICKS


@pytest.mark.parametrize(
    "change", [('"Levels " "of', '"Labels " "of'), ("times of day", "dimes of day")]
)
def test_joined_literals_and_places_in_a_text_stay(shown: Shown, change: tuple[str, str]) -> None:
    """What is not spelled in one piece is not edited."""
    code = changed(TICKS, change)
    assert match_words(code, shown(TICKS, "matplotlib")) == code


FORM = """<!DOCTYPE html><meta charset="utf-8">
<style>body { margin: 16px; font: 16px sans-serif; }
* { font: inherit; } p { margin: 8px 0; }</style>
<p>Leave a note</p><textarea rows=2 cols=30>Back before
the evening</textarea>
<p><input type=submit value='Send the note'> <input type=checkbox value="Nota" checked> Copy me</p>
<nav><a href="#">Orders</a><br>
<a href="#">Invoices</a><br><a href="#">Customers</a></nav>
"""


def test_forms_and_links_below_each_other(shown: Shown) -> None:
    spoiled = changed(
        FORM, ("Send the note'", "Sent the not'"), ("Copy me", "Copi me"), ("before", "befour"),
        ("Orders", "Oders"), ("Invoices", "Invoice"), ("Customers", "Costumers"),
    )  # fmt: skip
    assert match_words(spoiled, shown(FORM, "html")) == FORM
