"""Indentation of code, by whole lines and without a thought of brackets."""

from __future__ import annotations

import re

_WHITE = re.compile(r"[ \t]*")
_INDENTED = re.compile(r"^(?P<tab>\t)|^(?P<spaces> +)\S", re.MULTILINE)


def unit(text: str, default: int = 4) -> str:
    """One step of indentation as `text` has it: a tab, or its smallest run of spaces (2 to 8)."""
    found = _INDENTED.findall(text[:20_000])
    if any(tab for tab, _ in found):
        return "\t"
    runs = [len(spaces) for _, spaces in found if 2 <= len(spaces) <= 8]
    return " " * (min(runs) if runs else default)


def leading(line: str) -> str:
    """The white space at the beginning of `line`."""
    found = _WHITE.match(line)
    return found[0] if found else ""


def removable(line: str, step: str) -> int:
    """How many characters to take from the beginning of `line` for one step less."""
    if line.startswith("\t"):
        return 1
    width = 4 if step == "\t" else len(step)
    return min(width, len(line) - len(line.lstrip(" ")))
