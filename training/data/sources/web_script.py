"""The script that cuts a loaded page into snips, run in the renderer in a world apart.

It answers a JSON list of {part, width, html}: whole pages of their own, each with the rules that
apply in it and nothing that would be fetched, run or followed. Its pieces lie in `page_cut/`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

PIECES = ("rules", "clean", "write", "build", "cut")  # in the order in which they run
PLACEHOLDER = "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'/>"


def cutting_script(parts: Sequence[str], max_height: int, limit: int) -> str:
    """The script for these parts of a page: at most `limit` snips, none higher than `max_height`
    CSS pixels as it stands in the page."""
    constants = (
        f"const PARTS = {json.dumps(list(parts))}, MAX = {max_height}, LIMIT = {limit}, "
        f"PLACEHOLDER = {json.dumps(PLACEHOLDER)};"
        'const doc = document, body = document.body; if (!body) return "[]";'
    )
    return f"(() => {{\n{constants}\n{_pieces()}\n}})()"


@cache
def _pieces() -> str:
    folder = Path(__file__).with_name("page_cut")
    return "\n".join((folder / f"{name}.js").read_text(encoding="utf-8") for name in PIECES)
