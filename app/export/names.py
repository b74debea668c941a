"""File names for code, taken from its title."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from html import unescape

from engine.tasks import TASKS

LONGEST = 60
FALLBACK: Mapping[str, str] = {"html": "page", "matplotlib": "chart"}
_TITLE = re.compile(r"<title[^>]*>(.*?)</title\s*>", re.IGNORECASE | re.DOTALL)
_HEADING = re.compile(r"<h1[^>]*>(.*?)</h1\s*>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
_TITLE_CALLS = ("suptitle", "set_title", "title")
"""Calls of matplotlib that give a title; the first of this list that is found counts."""

_RESERVED = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
)
"""Names that Windows keeps for devices, whatever the suffix."""


def suggested_name(code: str, target: str) -> str:
    """A file name with the right suffix for code of `target` ("html" or "matplotlib")."""
    return suggested_stem(code, target) + TASKS[target].suffix


def suggested_stem(code: str, target: str) -> str:
    """The title as a name that every system takes; "page" or "chart" where there is none."""
    title = _page_title(code) if target == "html" else _chart_title(code)
    return file_stem(title) or FALLBACK[target]


def file_stem(title: str) -> str:
    """Letters and digits of `title` in lower case, joined by hyphens; "" where nothing is left."""
    words = re.findall(r"[^\W_]+", title.lower())
    stem = "-".join(words)[:LONGEST].rstrip("-")
    return f"{stem}-1" if stem in _RESERVED else stem


def _page_title(code: str) -> str:
    for pattern in (_TITLE, _HEADING):
        found = pattern.search(code)
        text = unescape(_TAG.sub(" ", found[1])).strip() if found else ""
        if text:
            return text
    return ""


def _chart_title(code: str) -> str:
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError):
        return ""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if (
            not isinstance(node, ast.Call)
            or not isinstance(node.func, ast.Attribute)
            or (not node.args)
        ):
            continue
        words = node.args[0]
        if isinstance(words, ast.Constant) and isinstance(words.value, str):
            found.setdefault(node.func.attr, words.value)
    return next((found[name] for name in _TITLE_CALLS if found.get(name, "").strip()), "")
