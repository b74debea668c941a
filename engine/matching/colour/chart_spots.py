"""The colours of a chart: strings in its script that matplotlib takes for colours.

Hexadecimal digits and `tab:blue` count wherever no words are expected. Names, letters, levels of
grey and `C0` may be other things: they count in arguments, variables and entries that are called
colours. Format strings ("r--") are left alone.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from engine.hints import Colour
from engine.matching.colour.spot import HEX, NAMES, Kind, Spot, colour_of
from engine.matching.places import Places

# matplotlib's `tab:` colours, which are its default cycle too.
_TABLEAU = {
    "blue": "#1f77b4", "orange": "#ff7f0e", "green": "#2ca02c", "red": "#d62728",
    "purple": "#9467bd", "brown": "#8c564b", "pink": "#e377c2", "gray": "#7f7f7f",
    "olive": "#bcbd22", "cyan": "#17becf",
}  # fmt: skip
_CYCLE = tuple(_TABLEAU.values())
_LETTERS: dict[str, Colour] = {
    "b": (0, 0, 255), "g": (0, 128, 0), "r": (255, 0, 0), "c": (0, 191, 191),
    "m": (191, 0, 191), "y": (191, 191, 0), "k": (0, 0, 0), "w": (255, 255, 255),
}  # fmt: skip
_MAKES_PAPER = ("figure", "subplots", "subplot", "axes", "add_subplot", "add_axes")
_PAPER = re.compile(rf"set_facecolor|(?:{'|'.join(_MAKES_PAPER)}|savefig)\.facecolor")
_SAYS_COLOUR = re.compile(r"colou?r|palette|^(?:c|fc|ec|mfc|mec)$", re.IGNORECASE)
_WORDS = re.compile(r"label|title|^(?:text|annotate|s)$", re.IGNORECASE)
_GREY = re.compile(r"0?\.\d+|[01](?:\.0*)?")
_LITERAL = re.compile(r"""[uUrR]?('''|\"""|'|")(?P<value>.*)\1""", re.DOTALL)


def chart_spots(code: str) -> list[Spot]:
    """The colours of a script, in order; none where it does not parse."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    places, spots = Places(code), []
    for constant, kind in _strings(tree):
        text = str(constant.value)
        colour = _colour(text, kind is not None)
        if colour is None:
            continue
        literal = _LITERAL.fullmatch(code, *places.span(constant))
        if literal and literal["value"] == text:
            spots.append(Spot(*literal.span("value"), colour, kind or "any"))
    return sorted(spots, key=lambda spot: spot.start)


def _strings(tree: ast.AST) -> Iterator[tuple[ast.Constant, Kind | None]]:
    """Each string, and what it colours by the names around it; None where none is of a colour."""
    waiting: list[tuple[ast.AST, Kind | None]] = [(tree, None)]
    while waiting:
        node, kind = waiting.pop()
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node, kind
        elif not isinstance(node, ast.JoinedStr) and not _ramp(node):
            named = [(child, name) for child, name in _children(node) if not _WORDS.search(name)]
            waiting += [(child, _kind(name) or kind) for child, name in named]


def _ramp(node: ast.AST) -> bool:
    """Whether colours are mixed here: what is seen are steps between them."""
    return isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "from_list"


def _children(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """What a node is made of, each with the name that it is given to."""
    if isinstance(node, ast.Call):
        name = _name(node.func)
        yield node.func, ""
        yield from ((child, name) for child in node.args)
        for keyword in node.keywords:
            argument = keyword.arg or ""
            yield keyword.value, f"{name}.{argument}" if name in _MAKES_PAPER else argument
    elif isinstance(node, ast.Assign):
        yield node.value, " ".join(_name(target) for target in node.targets)
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        yield node.value, _name(node.target)
    elif isinstance(node, ast.Dict):
        yield from zip(node.values, (_name(key) for key in node.keys), strict=True)
    else:
        yield from ((child, "") for child in ast.iter_child_nodes(node))


def _name(node: ast.AST | None) -> str:
    """What a variable, method or key is called."""
    if isinstance(node, ast.Subscript):
        return _name(node.slice)
    part = {ast.Name: "id", ast.Attribute: "attr", ast.Constant: "value"}.get(type(node), "")
    return str(getattr(node, part, ""))


def _kind(name: str) -> Kind | None:
    if _PAPER.fullmatch(name):
        return "area"
    return "any" if _SAYS_COLOUR.search(name) else None


def _colour(text: str, named: bool) -> Colour | None:
    lower = text.lower()
    if re.fullmatch(HEX, text):
        return colour_of(text)
    if lower.startswith("tab:") and (
        hexadecimal := _TABLEAU.get(lower[4:].replace("grey", "gray"))
    ):
        return colour_of(hexadecimal)
    if not named:
        return None
    if re.fullmatch(r"C\d", text):
        return colour_of(_CYCLE[int(text[1])])
    if lower in NAMES:
        return colour_of(lower)
    if _GREY.fullmatch(text):
        level = round(255 * float(text))
        return level, level, level
    return _LETTERS.get(text)
