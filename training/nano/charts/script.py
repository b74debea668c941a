"""How values are written in a chart script: one spelling for each value, nothing to guess."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import regex

Value = float | int | str

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
    """A number or a string as Python writes it."""
    return string(value) if isinstance(value, str) else number(value)


def row(values: Iterable[Value]) -> str:
    """A list."""
    return "[" + ", ".join(literal(v) for v in values) + "]"


def grid(rows: Iterable[Sequence[Value]]) -> str:
    """A list of lists on one line."""
    return "[" + ", ".join(row(r) for r in rows) + "]"


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
