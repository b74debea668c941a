"""The help page on errors: a Markdown file with a section for each code of the table of errors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from app.bootstrap import asset

PAGE = "help/errors.md"
_HEADING = re.compile(r"^## (\w+)$", re.MULTILINE)


def page() -> Path | None:
    """The file, which comes with the application; None where an installation lacks it."""
    return asset(PAGE)


def sections(text: str) -> Mapping[str, str]:
    """Code -> its section in Markdown without the heading, in the order of the page.

    The headings are the codes, so that the file has an anchor for each wherever it is shown.
    """
    _above, *parts = _HEADING.split(text)
    return {code: body.strip() for code, body in zip(parts[::2], parts[1::2], strict=True)}
