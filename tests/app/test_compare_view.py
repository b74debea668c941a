"""Snip and render compared: real renderers, real figures, every way to look."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication

from app.actions import make_actions
from app.preview.chart import default_runner
from app.preview.compare_job import Comparer, Comparison, Wish
from app.preview.compare_lines import missing_lines
from app.session import Picture
from app.theme import Theme
from app.views.compare_scores import in_words
from app.views.compare_view import CompareView
from app.views.dress import Dresser
from app.views.preview_pane import PreviewPane
from engine.compare import similarity
from engine.hints import TextLine
from engine.images import load_picture
from engine.render.drawing import Drawer

LEFT = "<body style='margin:0;background:#fff'><div style='width:100px;height:150px;background:{}'>"


def line(text: str, y: float = 0.0) -> TextLine:
    return TextLine(text, (0.0, y, 100.0, y + 20.0), 1.0, (0, 0, 0), (255, 255, 255))


def png_of(code: str, size: tuple[int, int]) -> bytes:
    with Drawer() as drawer:
        return drawer.draw(code, "html", size).png


@pytest.fixture(scope="module")
def snip() -> bytes:
    """200 x 150: red on the left, white on the right."""
    return png_of(LEFT.format("#ff0000"), (200, 150))


@pytest.fixture
def view(qapp: QApplication, theme: Theme, qtbot: Any) -> Iterator[CompareView]:
    made = CompareView(Dresser(theme))
    made.resize(440, 480)
    made.show()
    yield made
    made.close_down()
    made.close()
    made.deleteLater()


def compare(view: CompareView, qtbot: Any, snip: bytes, code: str, lines: Any = ()) -> Comparison:
    view.set_snip(snip)
    view.set_lines(list(lines))
    view.set_code(code, "html", True)
    qtbot.waitUntil(lambda: view.comparison is not None, timeout=60_000)
    assert view.comparison is not None
    return view.comparison


def at(view: CompareView, x: float, y: float = 0.5) -> QColor:
    """The colour at a share of the painted canvas."""
    frame = view.canvas.frames()[0]
    image = view.canvas.grab().toImage()
    place = frame.topLeft() + QPointF(x * frame.width(), y * frame.height())
    return image.pixelColor(place.toPoint())


# What is measured -----------------------------------------------------------


def test_figures_are_those_of_the_engine_for_the_picture_shown(
    view: CompareView, qtbot: Any, samples: Path
) -> None:
    snip = (samples / "login.png").read_bytes()
    code = (samples / "sources" / "login.html").read_text().replace("background", "ground", 1)
    lines = [line("Welcome back"), line("Nowhere to be seen")]
    done = compare(view, qtbot, snip, code, lines)
    picture = load_picture(snip)
    with Drawer() as drawer:
        drawing = drawer.draw(code, "html", picture.size)
    drawn = Image.open(io.BytesIO(drawing.png))
    assert done.likeness == similarity(picture, drawn, lines, drawing.texts)
    assert (done.drawn.width(), done.drawn.height()) == drawn.size
    assert done.drawn.pixelColor(30, 30).getRgb()[:3] == drawn.convert("RGB").getpixel((30, 30))
    assert [missing.text for missing in done.missing] == ["Nowhere to be seen"]
    total = done.likeness.total
    assert view.scores.total.text() == f"Similarity {total:.0%}: {in_words(total)}"
    assert view.scores.bars["colour"].value() == round(100 * done.likeness.colour)
    assert "%" in view.scores.figures["text"].text()


def test_same_code_is_equal_and_text_is_left_out_without_lines(
    view: CompareView, qtbot: Any, snip: bytes
) -> None:
    done = compare(view, qtbot, snip, LEFT.format("#ff0000"))
    assert done.likeness is not None
    assert done.likeness.total == 1.0
    assert view.scores.total.text() == "Similarity 100%: nearly equal"
    assert view.scores.figures["text"].text() == "not measured"
    assert not view.scores.lines.isVisible()


def test_work_is_done_elsewhere_and_kept(qapp: QApplication, qtbot: Any, snip: bytes) -> None:
    comparer = Comparer()
    threads: set[str] = set()
    real = comparer._measure

    def watched(wish: Wish) -> Comparison:
        threads.add(threading.current_thread().name)
        return real(wish)

    comparer._measure = watched  # type: ignore[method-assign]
    wishes = [Wish(snip, (), LEFT.format(colour), "html") for colour in ("#ff0000", "#00ff00")]
    for wish in wishes:
        with qtbot.waitSignal(comparer.compared, timeout=60_000) as told:
            assert comparer.compare(wish) is None
        assert comparer.compare(wish) is told.args[0]
    assert comparer.compare(wishes[0]) is not None
    assert comparer.made == 2
    assert threads == {"compare"}
    comparer.close()


def test_code_that_draws_nothing_says_why(view: CompareView, qtbot: Any, snip: bytes) -> None:
    view.set_snip(snip)
    view.set_code("import matplotlib.pyplot as plt\nplt.nonsense()\n", "matplotlib", True)
    qtbot.waitUntil(lambda: "nonsense" in view.card.text, timeout=60_000)
    assert view.card.isVisible()
    compare(view, qtbot, snip, LEFT.format("#0000ff"))
    assert view.canvas.isVisible()


def test_nothing_is_compared_while_code_grows_or_nobody_looks(
    view: CompareView, qtbot: Any, snip: bytes
) -> None:
    view.set_snip(snip)
    view.set_code(LEFT.format("#ff0000"), "html", False)
    assert "complete" in view.card.text
    view.hide()
    view.set_code(LEFT.format("#ff0000"), "html", True)
    qtbot.wait(200)
    assert view.comparer.made == 0
    view.show()
    qtbot.waitUntil(lambda: view.comparison is not None, timeout=60_000)
    view.set_snip(b"")
    assert "no picture" in view.card.text


# How it is looked at --------------------------------------------------------


def test_slider_shows_the_snip_left_of_its_line(view: CompareView, qtbot: Any, snip: bytes) -> None:
    compare(view, qtbot, snip, LEFT.format("#0000ff"))
    view.slider.setValue(25)
    assert at(view, 0.1).name() == "#ff0000"
    assert at(view, 0.4).name() == "#0000ff"
    view.slider.setFocus()
    for _ in range(20):
        qtbot.keyClick(view.slider, Qt.Key.Key_Right)
    assert view.slider.value() == 45
    assert at(view, 0.35).name() == "#ff0000"
    frame = view.canvas.frames()[0]
    place = frame.topLeft() + QPointF(0.75 * frame.width(), 10)
    qtbot.mouseClick(view.canvas, Qt.MouseButton.LeftButton, pos=place.toPoint())
    assert abs(view.slider.value() - 75) <= 1


def test_onion_skin_mixes_by_its_opacity(view: CompareView, qtbot: Any, snip: bytes) -> None:
    compare(view, qtbot, snip, LEFT.format("#0000ff"))
    view.actions_by_name["compare_onion"].trigger()
    assert view.slider.accessibleName() == "Opacity of the code's picture"
    view.slider.setValue(0)
    assert at(view, 0.2).name() == "#ff0000"
    view.slider.setValue(100)
    assert at(view, 0.2).name() == "#0000ff"
    view.slider.setValue(50)
    red, _, blue, _ = at(view, 0.2).getRgb()
    assert abs(red - 127) <= 2
    assert abs(blue - 127) <= 2


def test_side_by_side_and_heat(view: CompareView, qtbot: Any, snip: bytes) -> None:
    compare(view, qtbot, snip, LEFT.format("#0000ff"))
    view.actions_by_name["compare_beside"].trigger()
    frames = view.canvas.frames()
    assert len(frames) == 2
    image = view.canvas.grab().toImage()
    colours = [image.pixelColor((f.topLeft() + QPointF(8, 8)).toPoint()).name() for f in frames]
    assert colours == ["#ff0000", "#0000ff"]
    assert not view.slider.isVisible()
    view.actions_by_name["compare_heat"].trigger()
    hot, cold = at(view, 0.2), at(view, 0.8)
    assert hot.red() > 180
    assert hot.green() < 80
    assert min(cold.getRgb()) > 240


def test_pictures_of_different_sizes_share_a_canvas(
    view: CompareView, qtbot: Any, snip: bytes
) -> None:
    chart = (
        "import matplotlib.pyplot as plt\n"
        "fig = plt.figure(figsize=(3, 1), facecolor='#00ff00')\nplt.show()\n"
    )
    view.set_snip(snip)
    view.set_code(chart, "matplotlib", True)
    qtbot.waitUntil(lambda: view.comparison is not None, timeout=60_000)
    frame = view.canvas.frames()[0]
    assert (round(frame.width()), round(frame.height())) == (300, 150)
    view.actions_by_name["compare_onion"].trigger()
    view.slider.setValue(100)
    assert at(view, 0.9, 0.3).name() == "#00ff00"
    assert at(view, 0.2, 0.9).name() == "#ff0000"


def test_digits_switch_the_way_to_look(view: CompareView, qtbot: Any, snip: bytes) -> None:
    compare(view, qtbot, snip, LEFT.format("#0000ff"))
    view.activateWindow()
    view.setFocus()
    for key, mode in ((Qt.Key.Key_4, "heat"), (Qt.Key.Key_2, "beside"), (Qt.Key.Key_1, "slider")):
        focus = QApplication.focusWidget()
        assert focus is not None
        qtbot.keyClick(focus, key)
        assert view.mode == mode
        assert view.mode_name.text()


# Lines of text --------------------------------------------------------------


@pytest.mark.parametrize(
    ("snip_text", "drawn_texts", "missing"),
    [
        ("Sign in", ["Sign in"], False),
        ("Sign in", ["sign  IN!"], False),
        ("Forgot your password?", ["Forgot your", "password?"], False),
        ("Email address", ["Your Email address here"], False),
        ("Welcome back, Robln", ["Welcome back, Robin"], False),
        ("Sign in", ["Sign up"], True),
        ("$42", ["$49"], True),
        ("42", ["Order 42 now"], False),
        ("42", ["Order 1420"], True),
        ("...", [], False),
        ("Anything", [], True),
    ],
)  # fmt: skip
def test_missing_lines(snip_text: str, drawn_texts: list[str], missing: bool) -> None:
    drawn = [line(text, 30.0 * number) for number, text in enumerate(drawn_texts)]
    assert missing_lines([line(snip_text)], drawn) == ([0] if missing else [])


def test_each_text_stands_for_one_line_only() -> None:
    drawn = [line("Sign in to your diary"), line("Email", 30), line("Your password", 60)]
    snip = [line("Sign in"), line("Sign in to your diary"), line("Email"), line("Email")]
    assert missing_lines(snip, drawn) == [0, 3]
    assert missing_lines(snip, [*drawn, line("Sign in", 90), line("Email", 120)]) == []


def test_missing_lines_are_listed_and_marked(view: CompareView, qtbot: Any, snip: bytes) -> None:
    code = LEFT.format("#ff0000") + "</div><p>There"
    compare(view, qtbot, snip, code, [line("There"), line("Gone <b>away</b>")])
    assert view.scores.lines.text() == "1 of 2 lines of text missing"
    with qtbot.waitSignal(view.lines_wanted) as told:
        view.scores.lines.click()
    assert [one.text for one in told.args[0]] == ["Gone <b>away</b>"]
    assert view.scores.list.item(0).text() == "Gone <b>away</b>"
    with qtbot.waitSignal(view.lines_wanted) as told:
        view.hide()
    assert told.args == [[]]


# In the pane ----------------------------------------------------------------


@pytest.fixture
def pane(qapp: QApplication, theme: Theme, qtbot: Any) -> Iterator[PreviewPane]:
    made = PreviewPane(make_actions(theme), Dresser(theme), default_runner, False)
    made.resize(460, 520)
    made.show()
    yield made
    made.shut()
    made.close()
    made.deleteLater()


def test_comparison_takes_the_place_of_the_preview(
    pane: PreviewPane, qtbot: Any, snip: bytes
) -> None:
    pane.set_source(Picture(snip, 200, 150, "x"))
    pane.show_code(LEFT.format("#0000ff"), "html", True)
    pane.activateWindow()
    qtbot.keyClick(pane, Qt.Key.Key_4, Qt.KeyboardModifier.ControlModifier)
    assert pane.compare.isVisible()
    assert not pane.tools.isVisible()
    assert pane.compare.slider.hasFocus()
    qtbot.waitUntil(lambda: pane.compare.comparison is not None, timeout=60_000)
    pane.show_code(LEFT.format("#00ff00"), "html", True)
    assert pane.compare.isVisible()
    first = pane.compare.comparison
    qtbot.waitUntil(lambda: pane.compare.comparison is not first, timeout=60_000)
    pane.actions_by_name["compare"].trigger()
    assert pane.card.isVisible()
    assert pane.tools.isVisible()
