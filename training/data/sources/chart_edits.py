"""Variants of a chart's script by edits of its syntax tree: other colours, data, style, size.

An edit changes constants where matplotlib takes them, so most variants run; whether one does, and
whether it looks different, is for the sandbox to say.
"""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Any

from training.data.sources.chart_code import written

PALETTES: Sequence[Sequence[str]] = (
    ("#1b9e77", "#d95f02", "#7570b3", "#e7298a", "#66a61e", "#e6ab02", "#a6761d", "#666666"),
    ("#4e79a7", "#f28e2b", "#e15759", "#76b7b2", "#59a14f", "#edc948", "#b07aa1", "#9c755f"),
    ("#003f5c", "#58508d", "#bc5090", "#ff6361", "#ffa600", "#2f4b7c", "#665191", "#a05195"),
    ("#264653", "#2a9d8f", "#e9c46a", "#f4a261", "#e76f51", "#8ab17d", "#457b9d", "#e63946"),
    ("#0b3954", "#087e8b", "#bfd7ea", "#ff5a5f", "#c81d25", "#3c6e71", "#284b63", "#d9d9d9"),
)
MAPS = ("viridis", "plasma", "inferno", "magma", "cividis", "coolwarm", "RdYlBu", "Blues",
        "Greens", "Purples", "YlOrRd", "PuBuGn", "Spectral", "PiYG")  # fmt: skip
COLOURED = {"color", "c", "colors", "facecolor", "fc", "edgecolor", "ec", "markerfacecolor",
            "markeredgecolor", "ecolor", "mfc", "mec", "hatchcolor", "facecolors",
            "edgecolors"}  # fmt: skip
MARKERS, LINES = ("o", "s", "^", "D", "v", "P", "X"), ("-", "--", "-.", ":")
# What they take says where things stand, not what they show.
PLACING = {"add_axes", "axes", "axis", "inset_axes", "set_position", "set_xticks", "set_yticks",
           "xticks", "yticks", "add_gridspec", "GridSpec"}  # fmt: skip
# What takes its colour from the cycle where none is given.
CYCLED = {"plot", "scatter", "bar", "barh", "hist", "pie", "step", "errorbar", "stackplot",
          "fill_between", "stem", "semilogx", "semilogy", "loglog", "ecdf", "stairs"}  # fmt: skip
KEPT = {"none", "None", "auto", "face", "inherit", "w", "white", "k", "black"}
_FORMAT = re.compile(r"^([bgrcmy])([-.:ovs^*x+]*)$")
_NAMED = re.compile(r"^(#[0-9a-fA-F]{3,8}|C\d|tab:\w+|xkcd:.+|[bgrcmy]|[a-z]{3,20})$")


def _calls(tree: ast.AST) -> list[ast.Call]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def _constants(node: ast.AST, kind: type | tuple[type, ...]) -> list[ast.Constant]:
    return [
        one
        for one in ast.walk(node)
        if isinstance(one, ast.Constant)
        and isinstance(one.value, kind)
        and not isinstance(one.value, bool)
    ]


def other_colours(tree: ast.Module, rng: random.Random) -> bool:
    """Each colour becomes one of another palette, the same one everywhere; maps are exchanged."""
    palette = rng.sample(rng.choice(PALETTES), 8)
    chosen: dict[str, str] = {}
    changed = False

    def new(colour: str) -> str:
        return chosen.setdefault(colour.lower(), palette[len(chosen) % len(palette)])

    for call in _calls(tree):
        for keyword in call.keywords:
            if keyword.arg == "cmap":
                for text in _constants(keyword.value, str):
                    text.value = rng.choice([name for name in MAPS if name != text.value])
                    changed = True
            elif keyword.arg in COLOURED:
                for text in _constants(keyword.value, str):
                    if text.value not in KEPT and _NAMED.match(str(text.value)):
                        text.value = new(str(text.value))
                        changed = True
        if _attribute(call) in ("plot", "errorbar", "step"):
            changed = _format_colour(call, new) or changed
    if not changed and _plots(tree) and any(_attribute(call) in CYCLED for call in _calls(tree)):
        # No colour is said anywhere: the cycle is changed instead.
        names = ", ".join(f"'{colour}'" for colour in palette)
        line = f"plt.rcParams['axes.prop_cycle'] = plt.cycler(color=[{names}])"
        changed = _after_imports(tree, line)
    return changed


def _format_colour(call: ast.Call, new: Callable[[str], str]) -> bool:
    """`plot(x, y, "r--")` with another colour: the letter goes, a keyword comes."""
    for text in call.args:
        if not isinstance(text, ast.Constant) or not isinstance(text.value, str):
            continue
        found = _FORMAT.match(text.value)
        if found and not any(keyword.arg in ("color", "c") for keyword in call.keywords):
            formats = [
                a for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)
            ]
            if len(formats) > 1:
                return False
            text.value = found[2]
            call.keywords.append(ast.keyword("color", ast.Constant(new(found[1]))))
            if not found[2]:
                call.args.remove(text)
            return True
    return False


def other_data(tree: ast.Module, rng: random.Random) -> bool:
    """Numbers in lists of three or more are shaken, seeds changed, factors of data shifted."""
    changed = False
    places = {
        id(given)
        for call in _calls(tree)
        if _attribute(call) in PLACING
        for given in [*call.args, *(keyword.value for keyword in call.keywords)]
    }
    for node in ast.walk(tree):
        if id(node) in places:
            continue
        if isinstance(node, ast.List | ast.Tuple) and len(node.elts) >= 3:
            numbers = [_number(item) for item in node.elts]
            if all(number is not None for number in numbers) and not _is_ordered(numbers):
                for index, value in enumerate(numbers):
                    assert value is not None
                    node.elts[index] = _literal(_shaken(value, rng))
                changed = True
        elif isinstance(node, ast.Call) and _attribute(node) in (
            "seed",
            "default_rng",
            "RandomState",
        ):
            for seed in _constants(node, int):
                seed.value = rng.randrange(1000)
                changed = True
    return changed


def other_style(tree: ast.Module, rng: random.Random) -> bool:
    """Widths, sizes, markers, dashes, transparency; or a grid where nothing of these is said."""
    changed = False
    for call in _calls(tree):
        for keyword in call.keywords:
            value = keyword.value
            if not isinstance(value, ast.Constant):
                continue
            if keyword.arg in ("lw", "linewidth", "s", "markersize", "ms"):
                if isinstance(value.value, int | float) and value.value > 0:
                    value.value = round(value.value * rng.choice((0.5, 0.7, 1.5, 2.0)), 2)
                    changed = True
            elif (
                keyword.arg == "marker" and isinstance(value.value, str) and value.value in MARKERS
            ):
                value.value = rng.choice([m for m in MARKERS if m != value.value])
                changed = True
            elif keyword.arg in ("ls", "linestyle") and value.value in LINES:
                value.value = rng.choice([line for line in LINES if line != value.value])
                changed = True
            elif keyword.arg == "alpha" and isinstance(value.value, float) and 0 < value.value < 1:
                value.value = round(min(0.95, max(0.15, value.value + rng.choice((-0.2, 0.2)))), 2)
                changed = True
    if _plots(tree) and (not changed or rng.random() < 0.5):
        lines = (
            "plt.rcParams['axes.grid'] = True",
            f"plt.rcParams['font.size'] = {rng.choice((8, 9, 11, 12))}",
            "plt.rcParams['axes.spines.top'] = False",
            "plt.rcParams['font.family'] = 'serif'",
            f"plt.rcParams['axes.facecolor'] = '{rng.choice(('#f4f4f6', '#eef3f8', '#fbf7ef'))}'",
        )
        changed = _after_imports(tree, rng.choice(lines)) or changed
    return changed


def other_size(tree: ast.Module, rng: random.Random) -> bool:
    """Another `figsize` where a figure is made by name."""
    changed = False
    for call in _calls(tree):
        if _attribute(call) not in ("figure", "subplots", "subplot_mosaic"):
            continue
        found = next((k for k in call.keywords if k.arg == "figsize"), None)
        if found is None:
            across, down = rng.choice(((8, 5), (7, 4), (5, 5), (6, 6), (9, 4.5)))
            size = ast.parse(f"({across}, {down})", mode="eval").body
            call.keywords.append(ast.keyword("figsize", size))
            changed = True
        elif isinstance(found.value, ast.Tuple | ast.List):
            for index, item in enumerate(found.value.elts):
                number = _number(item)
                if number is not None:
                    found.value.elts[index] = _literal(round(number * rng.uniform(0.8, 1.25), 1))
                    changed = True
    return changed


EDITS: Mapping[str, Callable[[ast.Module, random.Random], bool]] = MappingProxyType(
    {"colours": other_colours, "data": other_data, "style": other_style, "size": other_size}
)


def varied(code: str, rng: random.Random, edits: Sequence[str]) -> str | None:
    """The script with one to all of the named edits; None where none of them finds a place."""
    tree = ast.parse(code)
    names = [name for name in EDITS if name in edits]
    chosen = rng.sample(names, rng.randint(1, len(names)))
    applied = [name for name in names if name in chosen and EDITS[name](tree, rng)]
    rest = [name for name in names if name not in chosen]
    while not applied and rest:  # the lot fell on edits that find nothing here
        name = rest.pop(rng.randrange(len(rest)))
        applied = [name] if EDITS[name](tree, rng) else []
    if not applied:
        return None
    return written(tree.body)


def _attribute(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _plots(tree: ast.Module) -> bool:
    return any(
        isinstance(node, ast.Import) and any(alias.asname == "plt" for alias in node.names)
        for node in tree.body
    )


def _after_imports(tree: ast.Module, line: str) -> bool:
    places = [i for i, s in enumerate(tree.body) if isinstance(s, ast.Import | ast.ImportFrom)]
    if not places:
        return False
    tree.body.insert(places[-1] + 1, ast.parse(line).body[0])
    return True


def _number(node: ast.AST) -> float | int | None:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _number(node.operand)
        return None if inner is None else -inner
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return node.value  # type: ignore[return-value]
    return None


def _is_ordered(numbers: Sequence[Any]) -> bool:
    """Evenly rising numbers are places, not data; so are ones and zeros."""
    steps = {round(b - a, 9) for a, b in pairwise(numbers)}
    return len(steps) == 1 or set(numbers) <= {0, 1}


def _shaken(value: float | int, rng: random.Random) -> float | int:
    factor = rng.uniform(0.7, 1.3)
    if isinstance(value, int):
        return round(value * factor) if abs(value) > 3 else value
    digits = max(1, len(repr(value).partition(".")[2].partition("e")[0]))
    new = round(value * factor, min(digits, 12))
    return min(new, 1.0) if 0 <= value <= 1 else new  # shares and parts of colours


def _literal(value: float | int) -> ast.expr:
    constant = ast.Constant(abs(value))
    return ast.UnaryOp(ast.USub(), constant) if value < 0 else constant
