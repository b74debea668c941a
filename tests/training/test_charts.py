"""Generated charts: what the answers promise, checked by drawing them."""

from __future__ import annotations

import ast
import random
import re
from collections import Counter
from collections.abc import Iterator

import pytest

from engine.render.python import PlotResult, PlotRunner
from training.nano.charts import KINDS, Chart, answer_tokens, make_chart
from training.nano.charts.make import LIMITS
from training.nano.words import Split, WordSource, held_out_words


def draw(seed: int, level: int, split: Split = "train") -> Chart:
    rng = random.Random(seed)
    return make_chart(rng, level, WordSource(rng, split))


def calls(chart: Chart) -> list[ast.Call]:
    return [node for node in ast.walk(ast.parse(chart.code)) if isinstance(node, ast.Call)]


def name_of(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def columns(chart: Chart) -> dict[str, tuple[object, ...]]:
    """The columns that the answer's tables name (those of the last panel where there are two)."""
    found: dict[str, tuple[object, ...]] = {}
    for node in ast.walk(ast.parse(chart.code)):
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call):
            continue
        if isinstance(node.value.func, ast.Name) and node.value.func.id == "zip":
            rows = [ast.literal_eval(row) for row in node.value.args]
            assert isinstance(node.targets[0], ast.Tuple)
            names = [target.id for target in node.targets[0].elts if isinstance(target, ast.Name)]
            assert {len(row) for row in rows} == {len(names)}, chart.code
            found |= dict(zip(names, zip(*rows, strict=True), strict=True))
    return found


@pytest.fixture(scope="module")
def runner() -> Iterator[PlotRunner]:
    with PlotRunner() as warm:
        yield warm


@pytest.fixture(scope="module")
def drawn(runner: PlotRunner) -> list[tuple[Chart, PlotResult]]:
    """A few dozen charts of all levels and kinds, drawn with their skins."""
    charts = [draw(seed, level) for level in range(3) for seed in range(12)]
    missing = set(KINDS) - {kind for chart in charts for kind in chart.kind.split("+")}
    for kind in sorted(missing):
        charts.append(next(c for c in (draw(s, 2) for s in range(100, 5000)) if kind in c.kind))
    return [(c, runner.run(c.code, describe=True, params=c.skin)) for c in charts]


def test_one_state_decides_everything() -> None:
    assert draw(5, 2) == draw(5, 2)
    assert draw(5, 2).code != draw(6, 2).code
    assert len({draw(seed, 0).code for seed in range(200)}) == 200


@pytest.mark.parametrize("level", [0, 1, 2])
def test_answers_keep_to_the_limit_of_their_level(level: int) -> None:
    kinds: Counter[str] = Counter()
    for seed in range(300):
        chart = draw(seed, level)
        kinds[chart.kind] += 1
        assert answer_tokens(chart.code) <= LIMITS[level]
        assert 240 <= chart.width <= 640
        assert 200 <= chart.height <= 480
    wanted = {name for name, kind in KINDS.items() if kind.weights[level] > 0}
    assert wanted <= set(kinds)


def test_statements_come_in_one_order() -> None:
    order = "use figure title xlabel ylabel xticks grid legend tight_layout show".split()  # noqa: SIM905
    for seed in range(200):
        chart = draw(seed, 1)
        lines = chart.code.splitlines()
        assert lines[0] == "import matplotlib.pyplot as plt"
        assert lines[-2:] == ["plt.tight_layout()", "plt.show()"]
        found = [word for line in lines for word in re.findall(r"^plt\.(?:style\.)?(\w+)\(", line)]
        known = [word for word in found if word in order]
        assert known == sorted(known, key=order.index), chart.code
        assert f"figsize=({chart.width / 100:g}, {chart.height / 100:g})" in chart.code


def test_numbers_are_short_and_colours_have_three_digits() -> None:
    for seed in range(300):
        code = draw(seed, seed % 3).code
        for number in re.findall(r"(?<![\w#.\"])\d+(?:\.\d+)?", re.sub(r'"[^"\n]*"', '""', code)):
            assert len(number.replace(".", "")) <= 6, code
        for colour in re.findall(
            r"#\w+", "".join(re.findall(r'color\w*=("[^"]*"|\[[^]]*\])', code))
        ):
            assert re.fullmatch(r"#[0-9a-f]{3}", colour), code


def test_training_texts_hold_no_held_out_word() -> None:
    closed = held_out_words()
    seen = set()
    for seed in range(400):
        for text in re.findall(r'"([^"\n]*)"', draw(seed, seed % 3).code):
            assert not closed.intersection(re.findall(r"[a-z]+", text.lower()))
        texts = " ".join(re.findall(r'"([^"\n]*)"', draw(seed, seed % 3, "held_out").code))
        seen |= closed.intersection(re.findall(r"[a-z]+", texts.lower()))
    assert len(seen) > 20


def test_box_plots_are_their_five_values() -> None:
    from matplotlib.cbook import boxplot_stats

    boxes = [c for c in (draw(seed, 1) for seed in range(600)) if c.kind == "boxplot"]
    assert len(boxes) > 10
    for chart in boxes:
        for values in columns(chart)["y"]:
            stats = boxplot_stats(values)[0]
            shown = [stats[k] for k in ("whislo", "q1", "med", "q3", "whishi")]
            assert shown == pytest.approx(values)
            assert len(stats["fliers"]) == 0


def test_pies_add_up_to_a_hundred() -> None:
    for seed in range(300):
        chart = draw(seed, 0)
        if chart.kind == "pie":
            assert sum(columns(chart)["y"]) == 100


def test_data_stand_in_rows() -> None:
    """Lists side by side could differ in length; a row keeps what belongs to one place."""
    for seed in range(300):
        chart = draw(seed, seed % 3)
        assert columns(chart) or chart.kind == "heatmap"
        drawing = [c for c in calls(chart) if name_of(c) in ("plot", "bar", "barh", "pie", "step")]
        for call in drawing:
            assert not any(isinstance(argument, ast.List) for argument in call.args), chart.code


def test_every_chart_draws_at_its_size(drawn: list[tuple[Chart, PlotResult]]) -> None:
    assert {kind for chart, _ in drawn for kind in chart.kind.split("+")} == set(KINDS)
    for chart, result in drawn:
        assert result.error is None, chart.code
        assert (result.width, result.height) == (chart.width, chart.height)


def test_the_answer_alone_draws_too(
    drawn: list[tuple[Chart, PlotResult]], runner: PlotRunner
) -> None:
    for chart, _ in drawn[::5]:
        bare = runner.run(chart.code)
        assert bare.error is None
        assert (bare.width, bare.height) == (chart.width, chart.height)


def test_texts_of_the_answer_are_in_the_picture(drawn: list[tuple[Chart, PlotResult]]) -> None:
    for chart, result in drawn:
        assert result.description is not None
        shown = {text["text"] for text in result.description["texts"]}
        for call in calls(chart):
            if name_of(call) in ("title", "xlabel", "ylabel"):
                assert ast.literal_eval(call.args[0]) in shown
            for keyword in call.keywords:
                if keyword.arg == "label":
                    assert ast.literal_eval(keyword.value) in shown
        names = {v for v in columns(chart).get("x", ()) if isinstance(v, str)}
        assert names <= shown, chart.code


def test_texts_lie_inside_and_apart(drawn: list[tuple[Chart, PlotResult]]) -> None:
    """Titles and tick labels keep clear of the rim and of each other in nearly all charts."""
    bad = 0
    for _, result in drawn:
        assert result.description is not None
        texts = result.description["texts"]
        boxes = [t["box"] for t in texts if t["role"] == "xtick" and t["rotation"] == 0]
        clash = any(
            a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
            for i, a in enumerate(boxes)
            for b in boxes[:i]
        )
        rim = any(
            t["box"][0] <= 0 or t["box"][2] >= result.width or t["box"][1] <= 0
            for t in texts
            if t["role"] != "annotation"
        )
        bad += clash or rim
    assert bad <= 0.1 * len(drawn)
