"""The texts of a chart in its script: string constants that are drawn, and nothing else.

A constant counts where texts stand (the argument of a title, a label, an element of a list) and
only if the drawing holds its text. Names of columns, colours, styles and files that happen to read
like a drawn text are told by where they stand.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeGuard

from engine.hints import TextLine
from engine.matching.places import Places
from engine.matching.text.passages import Passage, words_in

Bound = list[tuple[Passage | None, list[TextLine]]]

# Functions whose own arguments are drawn.
WRITERS = frozenset((
    "title", "suptitle", "supxlabel", "supylabel", "xlabel", "ylabel", "zlabel", "text", "figtext",
    "annotate", "set_title", "set_xlabel", "set_ylabel", "set_zlabel", "set_label", "set_text",
    "legend", "set_xticklabels", "set_yticklabels", "xticks", "yticks",
))  # fmt: skip
# Keywords whose values are drawn.
TEXT_KEYWORDS = frozenset((
    "label", "labels", "title", "xlabel", "ylabel", "zlabel", "text", "s", "x", "y", "height",
    "tick_labels", "xticklabels", "yticklabels", "ticklabels", "legend", "names", "columns",
    "index", "data", "width", "categories", "suptitle", "t",
))  # fmt: skip
MARK = "\u200b"  # draws nothing, and tells constants of the same text apart
MOST_MARKS = 8
_LITERAL = re.compile(r"([rRuU]?)('''|\"\"\"|'|\")(.*)\2", re.DOTALL)
_ESCAPE = re.compile(
    r"\\(?:\r\n|[0-7]{1,3}|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|N\{[^}]+\}|.)", re.DOTALL
)


def chart_passages(code: str, drawn: Sequence[TextLine]) -> list[Passage]:
    """The constants that are drawn, in the order of the script; none where it does not parse."""
    try:
        return _drawn_constants(code, ast.parse(code), drawn)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def _drawn_constants(code: str, tree: ast.AST, drawn: Sequence[TextLine]) -> list[Passage]:
    keys = {_key(line.text) for line in drawn}
    lookups, places = _looked_up(tree), Places(code)
    found = (
        _passage(code, places, node, free)
        for node, free in _texts(tree, _undrawn_names(tree))
        if _key(node.value) in keys and node.value not in lookups
    )
    return [passage for passage in found if passage is not None]


def marked(code: str, passages: Sequence[Passage]) -> str | None:
    """The script with a mark on constants of the same text; None where there are none.

    Elements of lists have none: two that are equal are one tick, and keys are looked up.
    """
    spans = []
    for group in _groups(passages).values():
        if 1 < len(group) <= MOST_MARKS:
            marks = [(one.words[-1].end, MARK * (n + 1)) for n, one in enumerate(group) if one.free]
            spans += marks
    for at, mark in sorted(spans, reverse=True):
        code = code[:at] + mark + code[at:]
    return code if spans else None


def bind_chart(
    passages: Sequence[Passage], drawn: Sequence[TextLine], seen: Sequence[TextLine] | None
) -> Bound:
    """Which constant draws which text, in the order of `drawn`; None where none is known.

    `seen` are the texts that the marked script draws. What they do not tell apart changes together.
    """
    groups = _groups(passages)
    told = seen is not None and [one.text.replace(MARK, "") for one in seen] == [
        line.text for line in drawn
    ]
    marks = [one.text.count(MARK) for one in seen] if told and seen else [0] * len(drawn)
    # A script may draw such marks of its own.
    told_apart = {
        (key, mark)
        for line, mark in zip(drawn, marks, strict=True)
        if 0 < mark <= len(groups.get(key := _key(line.text), ()))
    }
    together: dict[str, Passage] = {}
    for key, group in groups.items():
        rest = [one for n, one in enumerate(group) if (key, n + 1) not in told_apart]
        if rest:
            together[key] = replace(rest[0], others=tuple(one.words for one in rest[1:]))
    bound: Bound = []
    for line, mark in zip(drawn, marks, strict=True):
        key = _key(line.text)
        if (key, mark) in told_apart:
            bound.append((groups[key][mark - 1], [line]))
        else:
            bound.append((together.get(key), [line]))
    return bound


def _groups(passages: Sequence[Passage]) -> dict[str, list[Passage]]:
    groups: dict[str, list[Passage]] = {}
    for passage in passages:
        groups.setdefault(passage.text, []).append(passage)
    return groups


def _key(text: str) -> str:
    return " ".join(text.split())


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _undrawn_names(tree: ast.AST) -> set[str]:
    """Names whose values go into keywords that are not drawn, such as `color=palette`."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg not in TEXT_KEYWORDS:
            names |= {one.id for one in ast.walk(node.value) if isinstance(one, ast.Name)}
    return names


def _looked_up(tree: ast.AST) -> set[str]:
    """Constants that something is found by: another spelling would not find it."""
    found: set[str] = set()
    for node in ast.walk(tree):
        parts: list[ast.AST] = []
        if isinstance(node, ast.Subscript):
            parts = [node.slice]
        elif isinstance(node, ast.Compare):
            parts = [node]
        elif isinstance(node, ast.Call) and _name(node.func) not in WRITERS:
            parts = [one for one in node.args if isinstance(one, ast.Constant)]
        for part in parts:
            found |= {
                one.value
                for one in ast.walk(part)
                if isinstance(one, ast.Constant) and isinstance(one.value, str)
            }
    return found


class _Text(ast.Constant):
    """A constant whose value is known to be a text."""

    value: str


def _texts(tree: ast.AST, undrawn: set[str]) -> Iterator[tuple[_Text, bool]]:
    """Constants where texts stand, and whether that is an argument rather than a part of data."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.JoinedStr, ast.BinOp, ast.Subscript, ast.Compare)):
            continue
        if isinstance(node, ast.keyword) and node.arg not in TEXT_KEYWORDS:
            continue
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = {
                one.id for part in targets for one in ast.walk(part) if isinstance(one, ast.Name)
            }
            if names & undrawn:
                continue
        if _is_text(node) and _stands_as_text(tree, node):
            yield node, isinstance(tree, (ast.Call, ast.keyword))
        yield from _texts(node, undrawn)


def _is_text(node: ast.AST) -> TypeGuard[_Text]:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _stands_as_text(parent: ast.AST, node: ast.AST) -> bool:
    if isinstance(parent, ast.Call):
        return node in parent.args and _name(parent.func) in WRITERS
    return isinstance(
        parent,
        (ast.keyword, ast.List, ast.Tuple, ast.Set, ast.Dict, ast.Assign, ast.AnnAssign),
    )


def _passage(code: str, places: Places, node: _Text, free: bool) -> Passage | None:
    """None for what cannot be edited word by word: joined literals, mathematical text."""
    found = _LITERAL.fullmatch(code, *places.span(node))
    if found is None or node.value.count("$") > 1 or not node.value.strip():
        return None
    raw = found[1].lower() == "r"
    pieces = list(_pieces(code, found.start(3), found.end(3), raw))
    if "".join(meaning for _, _, meaning in pieces) != node.value:
        return None
    return Passage(words_in(pieces), partial(_spelled, raw, found[2][0]), free=free)


def _pieces(code: str, start: int, end: int, raw: bool) -> Iterator[tuple[int, int, str]]:
    """code[start:end] letter by letter, escapes undone."""
    at = start
    while at < end:
        found = _ESCAPE.match(code, at, end) if code[at] == "\\" and not raw else None
        if found is None:
            yield at, at + 1, code[at]
            at += 1
        else:
            yield at, found.end(), _meaning(found[0])
            at = found.end()


def _meaning(escape: str) -> str:
    try:
        return str(ast.literal_eval(f'"""{escape}"""'))
    except (SyntaxError, ValueError):
        return escape


def _spelled(raw: bool, quote: str, text: str) -> str | None:
    if text.count("$") > 1 or not text.isprintable():
        return None
    if raw:
        return None if quote in text or "\\" in text else text
    return text.replace("\\", "\\\\").replace(quote, "\\" + quote)
