"""How values are written in a chart script: one spelling for each value, nothing to guess."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import regex

Value = float | int | str | list[float]

_PRETOKENS = regex.compile(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_LONG_WORD = regex.compile(r"\p{L}{7,}")
_STRINGS = regex.compile(r'"[^"\n]*"')


def number(value: float) -> str:
    """The shortest spelling: 3, 3.5, 0.25; never an exponent."""
    text = f"{value:.4f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def string(text: str) -> str:
    """A double-quoted string; `text` must be free of quotes and backslashes (see `texts.clean`)."""
    return f'"{text}"'


def literal(value: Value) -> str:
    """A number, a string or a list of numbers as Python writes it."""
    if isinstance(value, list):
        return row(value)
    return string(value) if isinstance(value, str) else number(value)


def row(values: Iterable[Value]) -> str:
    """A list."""
    return "[" + ", ".join(literal(v) for v in values) + "]"


def table(**columns: Sequence[Value]) -> str:
    """The statement that names columns of equal length, written row by row.

    Rows keep what belongs to one place of the picture together, and columns written in rows cannot
    differ in length.
    """
    rows = zip(*columns.values(), strict=True)
    lines = [f"    ({', '.join(map(literal, r))})," for r in rows]
    return "\n".join([f"{', '.join(columns)} = zip(", *lines, ")"])


def matrix(name: str, rows: Iterable[Sequence[Value]]) -> str:
    """The statement that names a list of lists, a line for each row."""
    return "\n".join([f"{name} = [", *(f"    {row(r)}," for r in rows), "]"])


def numbered(name: str, count: int) -> list[str]:
    """Names of `count` columns: y, or y1 y2 and so on where there are several."""
    return [name] if count == 1 else [f"{name}{i + 1}" for i in range(count)]


def call(name: str, *positional: str, **keywords: str | None) -> str:
    """A call on `plt`; the arguments are source text, a keyword of None is left out."""
    parts = [*positional, *(f"{k}={v}" for k, v in keywords.items() if v is not None)]
    return f"plt.{name}({', '.join(parts)})"


def mapping(entries: Mapping[str, Value]) -> str:
    """A dict of literals."""
    return "{" + ", ".join(f"{string(k)}: {literal(v)}" for k, v in entries.items()) + "}"


def answer_tokens(code: str) -> int:
    """About how many tokens a script costs the small model.

    Pre-tokens of the Qwen2 pattern, and one more for each further five letters of a long word in a
    string: words of code are single tokens, words of texts are not.
    """
    texts = "".join(_STRINGS.findall(code))
    extra = sum((len(word) - 2) // 5 for word in _LONG_WORD.findall(texts))
    return len(_PRETOKENS.findall(code)) + extra
