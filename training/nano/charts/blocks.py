"""Makers of charts over names: bars, histograms, pies, boxes, heatmaps."""

from __future__ import annotations

from training.nano.charts import texts
from training.nano.charts.board import Board, Panel
from training.nano.charts.script import (
    Value,
    call,
    mapping,
    matrix,
    number,
    numbered,
    row,
    string,
    table,
)
from training.nano.charts.style import draw_colours
from training.nano.charts.values import Scale, column, draw_scale, errors, shares

_BAR_GRIDS = ("", 'axis="y"', 'axis="y"', 'axis="y", linestyle="--"')
_SIDE_GRIDS = ("", 'axis="x"', 'axis="x"', 'axis="x", linestyle="--"')


def _names(board: Board, n: int) -> tuple[list[str], list[str]]:
    """Names for `n` places on the horizontal axis and the tick statements they need."""
    if board.level and not board.part and board.size.height >= 250 and board.chance(0, 0.06, 0.12):
        names = board.names(n, 14)
        if max(len(name) for name in names) > max(4, board.room(n) - 3):
            return names, [call("xticks", rotation=str(board.rng.choice((45, 45, 90))))]
    return board.names(n), []


def _bar_colours(board: Board, n: int) -> tuple[dict[str, list[Value]], str | None]:
    """Now and then a column c with a colour for each bar; and the source of the colour."""
    if n <= 6 and board.chance(0.1, 0.2):
        return {"c": list[Value](draw_colours(board.rng, n))}, "c"
    return {}, board.colours(1)[0]


def bar(board: Board) -> Panel:
    """Upright bars of one series, in one colour or each in its own."""
    n = board.points()
    names, ticks = _names(board, n)
    scale = draw_scale(board.rng, 4)
    y = column(board.rng, n, scale)
    if board.chance(0.03, 0.06):
        y = [v if board.rng.random() < 0.6 else -v for v in y]
    columns, colour = _bar_colours(board, n)
    width = board.rng.choice(("0.5", "0.6")) if board.chance(0.12) else None
    ranged = board.chance(0, 0.06, 0.15)
    if ranged:
        columns["e"] = list[Value](errors(board.rng, [abs(v) for v in y], scale))
    bars = call(
        "bar",
        "x",
        "y",
        *([width] if width else []),
        yerr="e" if ranged else None,
        capsize="4" if ranged else None,
        color=colour,
        edgecolor=board.edge(),
    )
    labelled = not ranged and min(y) > 0 and board.chance(0.1, 0.2)
    draw = ["bars = " + bars, call("bar_label", "bars")] if labelled else [bars]
    return Panel([table(x=names, y=y, **columns)], draw, ticks, grids=_BAR_GRIDS)


def side_bar(board: Board) -> Panel:
    """Lying bars, the first name on top."""
    n = min(board.points(), max(3, board.size.height // 40))
    names = board.names(n, max(4, int(board.size.width * 0.3 / (8.2 * board.fonts))))
    y = column(board.rng, n, draw_scale(board.rng, 4))
    columns, colour = _bar_colours(board, n)
    bars = call("barh", "x", "y", color=colour, edgecolor=board.edge())
    draw = ["bars = " + bars, call("bar_label", "bars")] if board.chance(0.1, 0.2) else [bars]
    data = [table(x=names, y=y, **columns)]
    return Panel(data, draw, limits=["plt.gca().invert_yaxis()"], grids=_SIDE_GRIDS)


def grouped_bar(board: Board) -> Panel:
    """Two or three bars side by side for each name."""
    count = board.many()
    n = board.rng.randint(2, 3 if board.level == 0 else 4 if count == 3 else 5)
    names = board.names(n)
    scale = draw_scale(board.rng, 3)
    labels, colours, edge = board.labels(count), board.colours(count), board.edge()
    width = 0.4 if count == 2 else 0.25
    columns = {y: column(board.rng, n, scale) for y in numbered("y", count)}
    draw = ["i = np.arange(len(x))"]
    for k, (y, label, colour) in enumerate(zip(columns, labels, colours, strict=True)):
        offset = (k - (count - 1) / 2) * width
        place = "i" if offset == 0 else f"i {'-' if offset < 0 else '+'} {number(abs(offset))}"
        draw.append(call("bar", place, y, number(width), color=colour, edgecolor=edge, label=label))
    ticks = [call("xticks", "i", "x")]
    data = [table(x=names, **columns)]
    return Panel(data, draw, ticks, legend="", grids=_BAR_GRIDS, numpy=True)


def stacked_bar(board: Board) -> Panel:
    """Two or three bars on top of each other for each name, upright or lying."""
    count = board.many()
    n = board.rng.randint(2, 4 if board.level < 2 else 5)
    lying = board.chance(0.2)
    names = board.names(n, 10 if lying else None)
    scale = draw_scale(board.rng, 3)
    columns = {y: column(board.rng, n, scale) for y in numbered("y", count)}
    labels, colours, edge = board.labels(count), board.colours(count), board.edge()
    bases = (None, "y1", "np.add(y1, y2)")
    draw = [
        call(
            "barh" if lying else "bar",
            "x",
            y,
            color=colours[i],
            edgecolor=edge,
            label=labels[i],
            **{"left" if lying else "bottom": bases[i]},
        )
        for i, y in enumerate(columns)
    ]
    limits = ["plt.gca().invert_yaxis()"] if lying else []
    return Panel(
        [table(x=names, **columns)],
        draw,
        limits=limits,
        legend="",
        grids=_SIDE_GRIDS if lying else _BAR_GRIDS,
        numpy=count == 3,
    )


def histogram(board: Board) -> Panel:
    """Counts by the left edge of their bin, as weights: the picture shows no single values."""
    rng = board.rng
    n = {0: rng.randint(4, 6), 1: rng.randint(5, 8), 2: rng.randint(6, 10)}[min(board.level, 2)]
    step = rng.choice((1, 1, 2, 5, 10, 10, 20, 0.1, 0.2, 0.5))
    start = rng.choice((0, 0, 0, 1, 2, -n // 2)) * step
    counts = Scale(rng.choice((10, 20, 40)), 1)
    middle, width = rng.uniform(0.25, 0.75) * n, rng.uniform(0.18, 0.45) * n
    falling = rng.random() < 0.15
    weights = []
    for i in range(n):
        share = 0.97 * (
            0.6 ** (i * 4 / n) if falling else 2.718 ** -(((i + 0.5 - middle) / width) ** 2)
        )
        weights.append(max(counts.fit(share * rng.uniform(0.85, 1.03)), 1))
    edges = [round(start + i * step, 4) for i in range(n + 1)]
    edge = string(rng.choice(("#000", "#fff"))) if board.chance(0.55) else None
    bins = f"[*x, {number(edges[-1])}]"
    draw = [call("hist", "x", bins, weights="y", color=board.colours(1)[0], edgecolor=edge)]
    return Panel([table(x=edges[:-1], y=weights)], draw, grids=_BAR_GRIDS)


def pie(board: Board) -> Panel:
    """A pie or a ring of whole percentages."""
    rng = board.rng
    n = rng.randint(2, 4 if board.level == 0 else 6)
    top = rng.random() < 0.4
    parts = shares(rng, n)
    while _ambiguous(parts, top):
        parts = shares(rng, n)
    drawn = board.palette(n)
    colours = {"c": drawn} if drawn else {}
    percent = string(rng.choice(("%d%%", "%1.1f%%"))) if board.chance(0.5, 0.6) else None
    ring = (
        mapping({"width": rng.choice((0.3, 0.4, 0.5))})
        if not percent and board.chance(0.3)
        else None
    )
    aside = (
        board.level > 0
        and board.size.width > 1.25 * board.size.height
        and not board.part
        and board.chance(0, 0.15)
    )
    names = board.names(n, 10)
    legend = 'x, loc="center left", bbox_to_anchor=(1, 0.5)' if aside else None
    draw = [
        call(
            "pie",
            "y",
            labels=None if aside else "x",
            colors="c" if colours else None,
            autopct=percent,
            startangle="90" if top else None,
            wedgeprops=ring,
        )
    ]
    data = [table(x=names, y=parts, **colours)]
    return Panel(data, draw, legend=legend, labelled=False, grids=())


def _ambiguous(parts: list[int], top: bool) -> bool:
    """True where a border lies where the first wedge would begin with the other start angle."""
    other = 75 if top else 25
    sums = [sum(parts[:i]) for i in range(1, len(parts))]
    return any(abs(s - other) < 4 for s in sums) or min(parts) < 4


def boxes(board: Board) -> Panel:
    """Box plots of five values each: whiskers, quartiles and median are the values themselves."""
    rng = board.rng
    n = rng.randint(2, 3 if board.level == 0 else 4)
    scale = draw_scale(rng, 2)
    unit = scale.step if scale.top / scale.step >= 20 else scale.step / 2
    fine = max(1, round(0.02 * scale.top / unit))
    data: list[Value] = []
    for _ in range(n):
        reach = round(rng.uniform(0.15, 0.55) * scale.top / unit)
        half = max(2 * fine, reach // 4)
        q1 = rng.randint(max(reach // 2, 1), max(reach // 2 + 1, round(scale.top / unit) - reach))
        median = q1 + rng.randint(fine, 2 * half - fine)
        q3 = q1 + 2 * half
        whisker = 3 * half  # 1.5 times the height of the box: beyond it a value is an outlier
        low = max(0, q1 - rng.randint(half // 2 + 1, whisker))
        high = q3 + rng.randint(half // 2 + 1, whisker)
        data.append([round(v * unit, 4) for v in (low, q1, median, q3, high)])
    face = rng.choice(("#9cf", "#fb9", "#9d9", "#fe9", "#cbf", "#ccc", "#69c", "#fa4"))
    filled = board.sheet is None and board.chance(0.35)
    props = mapping({"facecolor": face}) if filled else None
    draw = [call("boxplot", "y", patch_artist="True" if filled else None, boxprops=props)]
    ticks = [call("xticks", "range(1, len(x) + 1)", "x")]
    return Panel([table(x=board.names(n), y=data)], draw, ticks, grids=_BAR_GRIDS)


_MAPS = (
    "Blues",
    "Greens",
    "Reds",
    "Oranges",
    "coolwarm",
    "magma",
    "YlGnBu",
    "RdYlGn",
    "gray",
    "hot",
    "cool",
    "bwr",
)
_DARK_WHEN_LOW = ("viridis", "magma", "gray", "hot")


def heatmap(board: Board) -> Panel:
    """A small matrix as colours, with a colour bar or with its values written in."""
    rng = board.rng
    rows, columns = {0: (2, 2), 1: (rng.randint(2, 3), rng.randint(2, 4))}.get(
        board.level, (rng.randint(2, 4), rng.randint(3, 5))
    )
    scale = draw_scale(rng, 2)
    cells = [[scale.fit(rng.uniform(0.0, 1.0)) for _ in range(columns)] for _ in range(rows)]
    name = "viridis" if rng.random() < 0.3 else rng.choice(_MAPS)
    written = (
        board.level > 0
        and name not in ("coolwarm", "RdYlGn", "bwr", "cool")
        and rng.random() < 0.45
    )
    values = [v for line in cells for v in line]
    draw = [
        call(
            "imshow",
            "z",
            cmap=string(name) if name != "viridis" else None,
            aspect=string("auto") if rng.random() < 0.5 else None,
        )
    ]
    if not written or rng.random() < 0.3:
        label = (
            texts.fitting(lambda: board.words.title(1), board.side_room())
            if board.chance(0, 0.1, 0.25)
            else None
        )
        draw.append(call("colorbar", label=string(label) if label else None))
    if written:
        middle = number(scale.fit((min(values) + max(values)) / 2 / scale.top))
        above, below = ("k", "w") if name in _DARK_WHEN_LOW else ("w", "k")
        draw += [
            "for i, row in enumerate(z):",
            "    for j, v in enumerate(row):",
            f'        color = "{above}" if v > {middle} else "{below}"',
            '        plt.text(j, i, v, ha="center", va="center", color=color)',
        ]
    if rng.random() < 0.25:
        return Panel([matrix("z", cells)], draw, grids=())
    across = board.names(columns, max(2, board.room(columns) - 3))
    data = [f"x = {row(across)}", table(y=board.names(rows, 9), z=list[Value](cells))]
    ticks = [call("xticks", "range(len(x))", "x"), call("yticks", "range(len(y))", "y")]
    return Panel(data, draw, ticks, grids=())
