"""The preview pane with the real page and the real chart runner."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication

from app.preview.chart import chart_page, default_runner
from app.session import Picture
from app.theme import Theme
from app.views.preview_pane import PreviewPane
from engine.render.python import PlotRunner
from tests.app.panes import web_pane
from tests.app.test_preview import Listener

CHART = """import matplotlib.pyplot as plt

fig, ax = plt.subplots(figsize=(4, 3))
ax.bar(["a", "b"], [1, 2], color="#ff0000")
plt.show()
"""


def runner_without_wall(unwalled: bool) -> PlotRunner:
    """What the application has on a system that cannot shut scripts in."""
    return PlotRunner(wall="none", allow_unwalled=unwalled)


@pytest.fixture
def pane(
    request: pytest.FixtureRequest, qapp: QApplication, theme: Theme, qtbot: Any
) -> Iterator[PreviewPane]:
    yield from web_pane(theme, getattr(request, "param", default_runner), qtbot)


def test_chart_is_drawn(pane: PreviewPane, qtbot: Any) -> None:
    with qtbot.waitSignal(pane.drawn, timeout=60_000):
        pane.show_code(CHART, "matplotlib", True)
    image = pane.chart.image
    assert (image.width(), image.height()) == (400, 300)
    colours = {image.pixelColor(x, 230).name() for x in range(0, 400, 5)}
    assert "#ff0000" in colours
    assert pane.chart.isVisible()
    began = time.monotonic()
    with qtbot.waitSignal(pane.drawn, timeout=60_000):
        pane.show_code(CHART.replace("#ff0000", "#0000ff"), "matplotlib", True)
    print(f"warm chart: {1000 * (time.monotonic() - began):.0f} ms")


@pytest.mark.parametrize("pane", [runner_without_wall], indirect=True)
def test_without_a_wall_charts_run_only_for_those_who_say_so(pane: PreviewPane, qtbot: Any) -> None:
    with qtbot.waitSignal(pane.failed, timeout=60_000) as told:
        pane.show_code(CHART, "matplotlib", True)
    assert "not run" in told.args[0]
    assert pane.chart_png is None
    pane.set_unwalled(True)
    with qtbot.waitSignal(pane.drawn, timeout=60_000):
        pane.redraw()
    assert pane.chart_png is not None
    pane.set_unwalled(False)
    with qtbot.waitSignal(pane.failed, timeout=60_000):
        pane.redraw()


def test_chart_follows_the_stream_without_telling_errors(pane: PreviewPane, qtbot: Any) -> None:
    told: list[str] = []
    pane.failed.connect(lambda message, line: told.append(message))
    cut = CHART.index("plt.show") - 4
    for end in (20, 60, cut):
        pane.show_code(CHART[:end], "matplotlib", False)
    with qtbot.waitSignal(pane.drawn, timeout=60_000):
        pane.show_code(CHART[: cut + 2], "matplotlib", False)
    assert not pane.chart.image.isNull()
    assert told == []


def test_error_of_a_chart_names_its_line(pane: PreviewPane, qtbot: Any) -> None:
    code = "import matplotlib.pyplot as plt\n\nplt.plot([1, 2])\nplt.nonsense()\n"
    with qtbot.waitSignal(pane.failed, timeout=60_000) as told:
        pane.show_code(code, "matplotlib", True)
    message, line = told.args
    assert line == 4
    assert "nonsense" in message


def test_finished_chart_is_sharp_at_every_size(pane: PreviewPane, qtbot: Any) -> None:
    pane.show_code(CHART, "matplotlib", True)
    assert pane.web is not None
    qtbot.waitUntil(pane.web.isVisible, timeout=60_000)
    qtbot.wait(200)

    def bar() -> list[str]:
        """Colours along the row with the most red, from a little before it on."""
        assert pane.web is not None
        image = pane.web.grab().toImage()
        rows = [
            [image.pixelColor(x, y).name() for x in range(image.width())]
            for y in range(0, image.height(), 20)
        ]
        row = max(rows, key=lambda colours: colours.count("#ff0000"))
        return row[max(0, row.index("#ff0000") - 4) :] if "#ff0000" in row else []

    small = bar().count("#ff0000")
    for _ in range(8):
        pane.actions_by_name["zoom_in"].trigger()
    assert pane.tools.zoom == 2.0
    assert 120 < small < 280  # both bars, or 400 px of chart less its margins
    # Of the larger one only the first bar is in view, twice as wide as it was.
    qtbot.waitUntil(lambda: bar().count("#ff0000") > 0.85 * small, timeout=10_000)
    # A picture made larger has a blurred edge, a drawing made larger a sharp one.
    rim = [name for name in bar()[:4] if name not in ("#ffffff", "#000000")]
    assert len(rim) <= 1
    assert not pane.tools.widths.isVisible()


@pytest.mark.parametrize("pane", [runner_without_wall], indirect=True)
def test_without_a_wall_the_card_offers_to_run_it(pane: PreviewPane, qtbot: Any) -> None:
    asked = pane._window_actions["unwalled"]
    asked.toggled.connect(lambda on: (pane.set_unwalled(on), pane.redraw()))
    with qtbot.waitSignal(pane.failed, timeout=60_000):
        pane.show_code(CHART, "matplotlib", True)
    assert "not run" in pane.card.text
    assert [button.text() for button in pane.card.buttons] == ["Run it anyway"]
    with qtbot.waitSignal(pane.drawn, timeout=60_000):
        pane.card.buttons[0].click()
    assert asked.isChecked()


def test_line_at_fault_is_told_and_taken_back(pane: PreviewPane, qtbot: Any) -> None:
    told: list[tuple[int, str]] = []
    pane.error_line.connect(lambda line, message: told.append((line, message)))
    with qtbot.waitSignal(pane.failed, timeout=60_000):
        pane.show_code("import matplotlib.pyplot as plt\nplt.nonsense()\n", "matplotlib", True)
    assert told[-1][0] == 2
    assert "nonsense" in told[-1][1]
    with qtbot.waitSignal(pane.drawn, timeout=60_000):
        pane.show_code(CHART, "matplotlib", True)
    assert told[-1] == (0, "")


@pytest.mark.slow
def test_chart_written_by_a_hostile_script_stays_a_picture(pane: PreviewPane, qtbot: Any) -> None:
    listener = Listener()
    address = f"http://127.0.0.1:{listener.port}"
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="200" height="100">'
        f'<style>@import "{address}/a.css";</style><image href="{address}/b.png" width="9"/>'
        f'<script>fetch("{address}/c"); document.documentElement.innerHTML = "";</script>'
        f'<foreignObject width="9" height="9"><iframe xmlns="http://www.w3.org/1999/xhtml" '
        f'src="{address}/d"/></foreignObject><rect width="200" height="100" fill="#00ff00"/></svg>'
    )
    assert pane.web is not None
    with qtbot.waitSignal(pane.web.shown, timeout=20_000):
        pane.web.show_html(chart_page(svg.encode(), (200, 100), "white", 0.0))
    pane._stack.setCurrentWidget(pane.web)
    qtbot.wait(1500)
    image = pane.web.grab().toImage()
    assert image.pixelColor(image.width() // 2, image.height() // 2).name() == "#00ff00"
    assert listener.hits == []
    listener.close()


def test_page_takes_the_width_of_the_picture(pane: PreviewPane, qtbot: Any) -> None:
    pane.set_source(Picture(b"", 300, 200, "x"))
    with qtbot.waitSignal(pane.drawn, timeout=20_000):
        pane.show_code("<body style='background:#ff0000'>", "html", True)
    qtbot.wait(150)
    assert pane.web is not None
    image = pane.web.grab().toImage()
    row = [image.pixelColor(x, 100).name() == "#ff0000" for x in range(image.width())]
    assert sum(row) == 300
    pane.set_width_choice("fit")
    qtbot.wait(300)
    assert pane.web.grab().toImage().pixelColor(4, 100).name() == "#ff0000"


def test_clear_takes_the_old_page_away(pane: PreviewPane, qtbot: Any) -> None:
    with qtbot.waitSignal(pane.drawn, timeout=20_000):
        pane.show_code("<p>x", "html", True)
    assert pane.web is not None
    assert pane.web.isVisible()
    pane.clear()
    assert not pane.web.isVisible()


def test_warm_page_is_quick(pane: PreviewPane, qtbot: Any) -> None:
    """The budget is 100 ms; machines are noisy, so the figure is printed and a bound is loose."""
    with qtbot.waitSignal(pane.drawn, timeout=20_000):
        pane.show_code("<p>warm up", "html", True)
    times = []
    for number in range(5):
        began = time.monotonic()
        with qtbot.waitSignal(pane.drawn, timeout=20_000):
            pane.show_code(f"<h1>{number}</h1>" + "<p>text</p>" * 40, "html", True)
        times.append(1000 * (time.monotonic() - began))
    print(f"warm page: {sorted(times)[2]:.0f} ms")
    assert min(times) < 1000
