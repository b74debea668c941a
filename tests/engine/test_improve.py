"""Answers are told apart by what they draw: real renderers, real pictures."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from engine.compare import Similarity
from engine.errors import ErrorCode, VisCodexError
from engine.hints import read
from engine.improve import Drawn, Judge, best, better, repair_request
from engine.protocol import ConvertRequest
from engine.render.drawing import Drawer

PAGE = """<!DOCTYPE html>
<html><head><style>
body { margin: 0; background: #fff; font: 16px/1.5 sans-serif; }
.card { margin: 24px; padding: 16px; border: 1px solid #888; background: #eef; }
button { padding: 8px 16px; border: 0; background: #36c; color: #fff; font: inherit; }
</style></head>
<body><div class="card"><h2>Weekly report</h2><p>All systems are running.</p>
<button>Open details</button></div></body></html>
"""
CHART = """import matplotlib.pyplot as plt

plt.figure(figsize=(4, 3))
plt.bar(["North", "South", "East"], [3, 7, 5], color="#2a7")
plt.title("Visits by region")
plt.tight_layout()
plt.show()
"""


@pytest.fixture(scope="module")
def drawer() -> Iterator[Drawer]:
    with Drawer() as shared:
        yield shared


def judge_of(drawer: Drawer, code: str, target: str, size: tuple[int, int]) -> Judge:
    """A judge whose picture is what `code` draws."""
    drawing = drawer.draw(code, target, size)
    picture = Image.open(io.BytesIO(drawing.png)).convert("RGB")
    return Judge(drawer, picture, read(picture))


@pytest.fixture(scope="module")
def page(drawer: Drawer) -> Judge:
    return judge_of(drawer, PAGE, "html", (400, 240))


@pytest.fixture(scope="module")
def chart(drawer: Drawer) -> Judge:
    return judge_of(drawer, CHART, "matplotlib", (400, 300))


def test_the_code_of_the_picture_itself_is_nearly_perfect(page: Judge) -> None:
    found = page.judge(PAGE, "html")
    assert found.likeness is not None
    assert found.likeness.pixels == 1
    assert found.likeness.text is not None
    assert found.likeness.text > 0.9
    assert found.problem is None


@pytest.mark.parametrize(
    "changed",
    [
        PAGE.replace("#36c", "#c33").replace("#eef", "#fee"),
        PAGE.replace("Weekly report", "Kalender").replace("All systems are running.", "Nope"),
        PAGE.replace("<button>Open details</button>", ""),
        PAGE.replace("margin: 24px", "margin: 60px 4px 4px 90px"),
    ],
)
def test_a_changed_page_loses(page: Judge, changed: str) -> None:
    assert changed != PAGE
    verdicts = [page.judge(code, "html") for code in (changed, PAGE)]
    assert best(verdicts) is verdicts[1]
    assert not better(verdicts[0], verdicts[1])


BROKEN = CHART.replace('"East"], [3, 7, 5]', '"East"], [3, 7]')


def test_a_changed_chart_loses_and_a_broken_one_more(chart: Judge) -> None:
    changed, cut = CHART.replace("plt.bar(", "plt.barh("), CHART.replace("show()", "show((")
    verdicts = [chart.judge(code, "matplotlib") for code in (BROKEN, changed, CHART, cut)]
    assert best(verdicts) is verdicts[2]
    assert best(verdicts[:2]) is verdicts[1]
    assert verdicts[0].png is None
    problems = [str(verdicts[n].problem) for n in (0, 3)]
    assert "ValueError" in problems[0]
    assert "line 4" in problems[0]
    assert "SyntaxError" in problems[1]
    assert "line 7" in problems[1]


def test_nothing_of_a_page_is_no_page(page: Judge) -> None:
    found = page.judge("just words\n", "html")
    assert (found.png, found.likeness) == (None, None)
    assert found.problem is not None


REQUEST = ConvertRequest(Path("chart.png"), seed=3, candidates=4)


def scored(total: float | None, code: str = "x") -> Drawn:
    if total is None:
        return Drawn(code, "html", problem=VisCodexError(ErrorCode.render_failed, "It fails."))
    return Drawn(code, "html", b"png", Similarity(total, total, total, total))


def test_only_what_measures_better_replaces() -> None:
    assert better(scored(0.6), scored(0.5))
    assert not better(scored(0.5), scored(0.6))
    assert better(scored(0.1), scored(None))
    assert not better(scored(None), scored(0.1))
    assert not better(scored(None), scored(None))
    assert better(scored(0.501, "a"), scored(0.503, "longer"))
    assert not better(scored(0.503, "longer"), scored(0.501, "a"))
    assert not better(scored(0.5), scored(0.5))
    several = [scored(None), scored(0.4), scored(0.4), scored(0.39)]
    assert best(several) is several[1]


def test_one_measure_alone_does_not_decide() -> None:
    old = Drawn("x", "html", b"png", Similarity(0.60, 0.60, 0.60, 0.60, 0.60))
    for name in ("layout", "colour", "pixels", "text"):
        brilliant = replace(Similarity(0.55, 0.5, 0.5, 0.5, 0.5), **{name: 1.0})
        assert not better(Drawn("x", "html", b"png", brilliant), old)
        poor = replace(Similarity(0.65, 0.7, 0.7, 0.7, 0.7), **{name: 0.3})
        assert better(Drawn("x", "html", b"png", poor), old)


def test_a_repair_tells_the_error_to_models_that_listen() -> None:
    problem = VisCodexError(ErrorCode.render_failed, "SyntaxError: never closed (line 1).")
    failed = Drawn("plt.plot(\n", "matplotlib", problem=problem)
    told = repair_request(REQUEST, failed, 1, takes_instructions=True)
    assert told.refine is not None
    assert "never closed" in told.refine[0]
    assert told.refine[1] == failed.code
    assert (told.target, told.candidates, told.seed) == ("matplotlib", 1, 3)
    tries = [repair_request(REQUEST, failed, turn, takes_instructions=False) for turn in (1, 2)]
    assert [one.seed for one in tries] == [4, 5]
    assert all(one.refine is None and (one.temperature or 0) > 0 for one in tries)
