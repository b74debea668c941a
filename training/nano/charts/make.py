"""Composes a chart script: `make_chart`."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from training.nano.charts import blocks, curves, texts
from training.nano.charts.board import Board, Panel
from training.nano.charts.script import answer_tokens, call, number, string
from training.nano.charts.style import DOTS_PER_INCH, SHEETS, Size, draw_size, draw_skin, font_scale
from training.nano.words import WordSource

__all__ = ["KINDS", "LIMITS", "Chart", "answer_tokens", "make_chart"]

LIMITS = (120, 200, 320)
"""Most tokens of an answer, by level (see `script.answer_tokens`)."""


@dataclass(frozen=True)
class Chart:
    """A generated chart: `code` is the answer a model must write.

    `width` and `height` are the size of the picture in pixels, `kind` names the kinds of the
    panels (joined by "+"). `skin` holds rcParams that belong only into the picture: fonts and small
    habits, which the answer need not tell.
    """

    code: str
    kind: str
    width: int
    height: int
    skin: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Kind:
    """A maker, its weights at levels 0, 1 and 2, and whether it may be one panel of several."""

    make: Callable[[Board], Panel]
    weights: tuple[float, float, float]
    part: bool = False
    plain: bool = False
    """True where style sheets spoil it."""


KINDS: Mapping[str, Kind] = {
    "line": Kind(curves.line, (5, 7, 7), part=True),
    "bar": Kind(blocks.bar, (6, 5, 4), part=True),
    "barh": Kind(blocks.side_bar, (4, 4, 3), part=True),
    "scatter": Kind(curves.scatter, (4, 4, 4), part=True),
    "pie": Kind(blocks.pie, (4, 4, 2), part=True),
    "hist": Kind(blocks.histogram, (4, 4, 3), part=True),
    "area": Kind(curves.area, (3, 2, 1), part=True),
    "stackplot": Kind(curves.stacked_area, (0, 2, 3)),
    "step": Kind(curves.steps, (2, 2, 2), part=True),
    "grouped": Kind(blocks.grouped_bar, (0, 4, 5)),
    "stacked": Kind(blocks.stacked_bar, (0, 4, 4)),
    "boxplot": Kind(blocks.boxes, (1.5, 3, 3)),
    "heatmap": Kind(blocks.heatmap, (1.5, 3, 5), plain=True),
    "errorbar": Kind(curves.error_line, (1.5, 2, 2)),
    "band": Kind(curves.band, (0, 1, 2.5)),
}
"""All kinds of charts by name."""


def make_chart(rng: random.Random, level: int, words: WordSource) -> Chart:
    """A chart whose answer keeps to the limit of the level (0, 1 or 2; higher ones count as 2).

    `words` should draw from the same `rng`: one state decides the whole chart.
    """
    level = min(level, 2)
    while True:
        chart = (
            _several(rng, level, words)
            if level == 2 and rng.random() < 0.1
            else _one(rng, level, words)
        )
        if answer_tokens(chart.code) <= LIMITS[level]:
            return chart


def _kind(rng: random.Random, level: int, *, part: bool) -> str:
    names = [name for name, kind in KINDS.items() if kind.part or not part]
    return rng.choices(names, [KINDS[name].weights[level] for name in names])[0]


def _one(rng: random.Random, level: int, words: WordSource) -> Chart:
    name = _kind(rng, level, part=False)
    sheet = None
    if not KINDS[name].plain and rng.random() < (0.0, 0.07, 0.12)[level]:
        sheet = rng.choice(SHEETS)
    skin = draw_skin(rng, sheet)
    size = draw_size(rng, level)
    board = Board(rng, words, level, size, font_scale(skin) * (1.1 if sheet else 1), sheet)
    panel = KINDS[name].make(board)
    return Chart(
        _script([_statements(board, panel)], panel.numpy, size, sheet, ()),
        name,
        size.width,
        size.height,
        skin,
    )


def _several(rng: random.Random, level: int, words: WordSource) -> Chart:
    """Two small charts side by side or one above the other."""
    layout = rng.choice(((1, 2), (1, 2), (2, 1)))
    size = draw_size(rng, level, layout)
    skin = draw_skin(rng, None)
    first = _kind(rng, 0, part=True)
    names = [first, first if rng.random() < 0.4 else _kind(rng, 0, part=True)]
    room = Size(size.width // layout[1], size.height // layout[0])
    bodies = []
    for name in names:
        board = Board(rng, words, 0, room, font_scale(skin), part=True)
        bodies.append(_statements(board, KINDS[name].make(board)))
    code = _script(bodies, False, size, None, layout)
    return Chart(code, "+".join(names), size.width, size.height, skin)


def _statements(board: Board, panel: Panel) -> list[str]:
    """The statements of one pair of axes in their fixed order."""
    out = [*panel.data, *panel.draw]
    title = texts.title(board.words, board.title_room()) if board.chance(0.85, 0.88) else None
    if title:
        out.append(call("title", string(title)))
    if panel.labelled:
        below = texts.x_label(board.words, board.room()) if board.chance(0.35, 0.6, 0.75) else None
        aside = (
            texts.axis_label(board.words, board.side_room())
            if board.chance(0.35, 0.6, 0.75)
            else None
        )
        out += [call("xlabel", string(below))] if below else []
        out += [call("ylabel", string(aside))] if aside else []
    out += [*panel.ticks, *panel.limits]
    ruled = board.sheet not in (None, "dark_background")
    if panel.grids and not ruled and board.chance(0.25, 0.35):
        out.append(call("grid", board.rng.choice(panel.grids)))
    if panel.legend is not None:
        out.append(call("legend", panel.legend))
    return out


def _script(
    bodies: list[list[str]], numpy: bool, size: Size, sheet: str | None, layout: tuple[int, ...]
) -> str:
    lines = ["import matplotlib.pyplot as plt", *(["import numpy as np"] if numpy else []), ""]
    if sheet:
        lines.append(call("style.use", string(sheet)))
    inches = f"({number(size.width / DOTS_PER_INCH)}, {number(size.height / DOTS_PER_INCH)})"
    lines.append(call("figure", figsize=inches))
    for i, body in enumerate(bodies):
        if layout:
            lines.append(call("subplot", *(str(v) for v in (*layout, i + 1))))
        lines += body
    return "\n".join([*lines, "plt.tight_layout()", "plt.show()", ""])
