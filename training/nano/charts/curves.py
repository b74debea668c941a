"""Makers of charts over a number axis: lines, points, steps, areas, error bars."""

from __future__ import annotations

import itertools

from training.nano.charts import texts
from training.nano.charts.board import Board, Panel
from training.nano.charts.script import Value, call, number, numbered, row, string, table
from training.nano.charts.values import Scale, abscissa, draw_scale, errors, series


def _axis(board: Board, n: int) -> tuple[list[Value], list[str], list[float]]:
    """The column x, its tick statements, and the places of the values."""
    if board.rng.random() < 0.3:
        return list[Value](board.names(n)), [], [float(i) for i in range(n)]
    x = abscissa(board.rng, n)
    years = x[0] >= 1900
    room = board.room(n) >= len(number(x[-1]))
    evenly = len({round(b - a, 4) for a, b in itertools.pairwise(x)}) == 1
    ticks = (
        [call("xticks", "x")] if room and evenly and (years or board.rng.random() < 0.25) else []
    )
    return list[Value](x), ticks, x


def _signed(board: Board, values: list[float], scale: Scale) -> list[float]:
    middle = scale.fit(0.5)
    return [round(v - middle, 4) for v in values]


def _ordinates(board: Board, count: int, n: int) -> tuple[Scale, list[list[float]]]:
    scale = draw_scale(board.rng, 3 if board.level < 2 else 4)
    all_values = [series(board.rng, n, scale) for _ in range(count)]
    if board.chance(0.04, 0.07):
        all_values = [_signed(board, values, scale) for values in all_values]
    return scale, all_values


def _count(board: Board) -> int:
    if board.level == 0 or board.part:
        return 1
    return 1 if board.rng.random() < 0.3 else board.many()


def line(board: Board) -> Panel:
    """One to three lines."""
    n, count = board.points(), _count(board)
    x, ticks, places = _axis(board, n)
    scale, ys = _ordinates(board, count, n)
    labels, colours, formats = (
        board.labels(count),
        board.colours(count, thin=True),
        board.formats(count),
    )
    thick, columns = board.thick(), numbered("y", count)
    draw = [
        call("plot", "x", y, *([fmt] if fmt else []), color=colour, linewidth=thick, label=label)
        for y, fmt, colour, label in zip(columns, formats, colours, labels, strict=True)
    ]
    data = table(x=x, **dict(zip(columns, ys, strict=True)))
    panel = Panel([data], draw, ticks, legend="" if labels[0] else None)
    _extras(board, panel, scale, places, ys)
    return panel


def _extras(
    board: Board, panel: Panel, scale: Scale, places: list[float], ys: list[list[float]]
) -> None:
    """Now and then limits, a logarithmic axis, a reference line or a note."""
    rng = board.rng
    top = max(max(y) for y in ys)
    low = min(min(y) for y in ys)
    kind = rng.random()
    if board.level == 0 or board.part:
        return
    if kind < 0.15 and low >= 0 and top > 0.6 * scale.top:
        panel.limits.append(call("ylim", "0", number(_round_up(scale.top))))
    elif kind < 0.2 and board.level == 2 and low > 0 and top / low > 20:
        panel.limits.append(call("yscale", string("log")))
    elif kind < 0.3:
        level = scale.fit(rng.uniform(0.3, 0.8))
        colour = string(rng.choice(("#f00", "#888", "#c33", "#090")))
        if low < level < top:
            panel.draw.append(call("axhline", number(level), color=colour, linestyle=string("--")))
    elif kind < 0.4 and board.level == 2 and board.size.height >= 300:
        values = ys[0]
        i = rng.randrange(len(values) - 1)
        note = texts.fitting(lambda: board.words.title(1), 10)
        if note and values[i] < max(values):
            panel.draw.append(call("text", number(places[i]), number(values[i]), string(note)))


def _round_up(top: float) -> float:
    return next(t for t in (1, 5, 8, 10, 12, 20, 50, 100, 200, 500, 1000, 5000, 100000) if t >= top)


def steps(board: Board) -> Panel:
    """A step line, sometimes two."""
    n, count = board.points(), 1 if board.part else min(2, _count(board))
    x, ticks, _ = _axis(board, n)
    _, ys = _ordinates(board, count, n)
    labels, colours, thick = board.labels(count), board.colours(count, thin=True), board.thick()
    where, columns = string(board.rng.choice(("mid", "post"))), numbered("y", count)
    draw = [
        call("step", "x", y, where=where, color=colour, linewidth=thick, label=label)
        for y, colour, label in zip(columns, colours, labels, strict=True)
    ]
    data = table(x=x, **dict(zip(columns, ys, strict=True)))
    return Panel([data], draw, ticks, legend="" if labels[0] else None)


def scatter(board: Board) -> Panel:
    """One to three groups of points, each ordered from left to right."""
    rng = board.rng
    count = _count(board)
    total = {0: rng.randint(4, 6), 1: rng.randint(5, 8), 2: rng.randint(6, 12)}[min(board.level, 2)]
    n = max(3, total // count)
    across, up = draw_scale(rng, 3), draw_scale(rng, 3)
    labels, colours = board.labels(count), board.colours(count, thin=True)
    size = "80" if board.chance(0.2) else None
    alpha = "0.5" if board.chance(0.1) else None
    same = rng.choice((True, True, False))
    data, draw = [], []
    names = zip(numbered("x", count), numbered("y", count), strict=True)
    for i, (x, y) in enumerate(names):
        xs, ys = _cloud(board, n, across, up)
        data.append(table(**{x: xs, y: ys}))
        draw.append(
            call(
                "scatter",
                x,
                y,
                *([size] if size else []),
                color=colours[i],
                marker=None if same else (None, '"^"', '"s"')[i],
                alpha=alpha,
                label=labels[i],
            )
        )
    return Panel(data, draw, legend="" if labels[0] else None, grids=("", "", 'linestyle="--"'))


def _cloud(board: Board, n: int, across: Scale, up: Scale) -> tuple[list[float], list[float]]:
    rng = board.rng
    kind = rng.random()
    slope, centre = rng.choice((-0.8, 0.8)), (rng.uniform(0.25, 0.75), rng.uniform(0.25, 0.75))
    points: dict[float, float] = {}
    while len(points) < n:
        u, v = rng.uniform(0.03, 1), rng.uniform(0.03, 1)
        if kind < 0.45:
            v = min(1.0, max(0.03, 0.5 + slope * (u - 0.5) + rng.uniform(-0.15, 0.15)))
        elif kind < 0.7:
            u, v = (min(1.0, max(0.03, rng.gauss(c, 0.13))) for c in centre)
        points[across.fit(u)] = up.fit(v)
        if across.top / across.step < n:
            break
    xs = sorted(points)
    return xs, [points[x] for x in xs]


def area(board: Board) -> Panel:
    """The area under a line."""
    n = board.points()
    x, ticks, _ = _axis(board, n)
    _, (y,) = _ordinates(board, 1, n)
    colour = board.colours(1)[0]
    alpha = board.rng.choice((None, "0.3", "0.5"))
    if alpha and board.chance(0.4, 0.5):
        draw = [
            call("plot", "x", "y", color=colour),
            call("fill_between", "x", "y", color=colour, alpha=alpha),
        ]
    else:
        draw = [call("fill_between", "x", "y", color=colour, alpha=alpha)]
    return Panel([table(x=x, y=y)], draw, ticks)


def stacked_area(board: Board) -> Panel:
    """Two or three areas on top of each other."""
    n, count = board.points(), board.many()
    x, ticks, _ = _axis(board, n)
    scale = draw_scale(board.rng, 3)
    ys = [series(board.rng, n, scale, least=0.1) for _ in range(count)]
    names = texts.series_names(board.words, count)
    colours = board.colours(count)
    chosen = "[" + ", ".join(c for c in colours if c) + "]" if colours[0] else None
    columns = numbered("y", count)
    draw = [call("stackplot", "x", *columns, labels=row(names), colors=chosen)]
    data = table(x=x, **dict(zip(columns, ys, strict=True)))
    return Panel([data], draw, ticks, legend='loc="upper left"' if board.chance(0.5) else "")


def error_line(board: Board) -> Panel:
    """Points or a line with error bars."""
    n = board.points()
    x, ticks, _ = _axis(board, n)
    scale = draw_scale(board.rng, 3)
    y = series(board.rng, n, scale, least=0.15)
    spread = errors(board.rng, y, scale)
    own = board.chance(0.3, 0.5, 0.7)
    data = table(x=x, y=y, e=spread) if own else table(x=x, y=y)
    fmt = string(board.rng.choice(("o", "o", "s", "^")) + board.rng.choice(("", "-", "--")))
    label = board.labels(1)[0]
    draw = [
        call(
            "errorbar",
            "x",
            "y",
            yerr="e" if own else number(spread[0]),
            fmt=fmt,
            color=board.colours(1, thin=True)[0],
            capsize="4",
            label=label,
        )
    ]
    return Panel([data], draw, ticks, legend="" if label else None)


def band(board: Board) -> Panel:
    """A line inside a pale band."""
    n = board.points()
    x, ticks, _ = _axis(board, n)
    scale = draw_scale(board.rng, 2)
    y = series(board.rng, n, scale, least=0.25)
    spread = errors(board.rng, y, scale)
    low = [round(v - e, 4) for v, e in zip(y, spread, strict=True)]
    high = [round(v + e, 4) for v, e in zip(y, spread, strict=True)]
    colour, label = board.colours(1, thin=True)[0], board.labels(1)[0]
    fmt = board.formats(1)[0]
    draw = [
        call("plot", "x", "y", *([fmt] if fmt else []), color=colour, label=label),
        call("fill_between", "x", "low", "high", color=colour, alpha="0.2"),
    ]
    data = table(x=x, y=y, low=low, high=high)
    return Panel([data], draw, ticks, legend="" if label else None)
