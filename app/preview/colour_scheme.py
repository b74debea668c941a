"""Light or dark for a previewed page, whatever the window around it is.

QtWebEngine has no such setting for one page: `prefers-color-scheme` follows the application, and
its ForceDarkMode inverts pages that have no dark colours at all. So the question is answered in the
page's own text before it is shown: in style sheets, in attributes of tags and in scripts the media
feature becomes one that always, or never, holds, and `color-scheme: light dark` becomes the one
wanted. Words between tags stay as they are, and so does every line break, hence every line number.
Not seen: a query that a script puts together from pieces.
"""

from __future__ import annotations

import re

ALWAYS = "(min-width: 0px)"
NEVER = "(max-width: 0px)"

_CODE = re.compile(
    r"<(style|script)\b.*?(?:</\1\s*>|\Z)|<[a-z!/](?:[^>\"']|\"[^\"]*\"|'[^']*')*>", re.I | re.S
)
_QUESTION = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(dark|light)\s*\)", re.I)
_BOTH = re.compile(r"(color-scheme\s*:\s*)(?:light\s+dark|dark\s+light)\b", re.I)
_META = re.compile(
    r"<meta\b(?=[^>]*\bname\s*=\s*[\"']?color-scheme\b)[^>]*\bcontent\s*=\s*([\"'])(?P<both>[^\"'>]*)\1",
    re.I,
)


def knows_dark(html: str) -> bool:
    """Whether the page has colours of its own for a dark screen."""
    return any(
        pattern.search(part.group())
        for part in _CODE.finditer(html)
        for pattern in (_QUESTION, _BOTH, _META)
    )


def with_scheme(html: str, dark: bool) -> str:
    """The page as it looks to somebody who prefers dark, or light, colours."""
    name = "dark" if dark else "light"

    def answer(match: re.Match[str]) -> str:
        breaks = "\n" * match.group().count("\n")
        return breaks + (ALWAYS if match.group(1).lower() == name else NEVER)

    def both(match: re.Match[str]) -> str:
        return f"{match.group(1)}{name}" + "\n" * match.group()[len(match.group(1)) :].count("\n")

    def meta(match: re.Match[str]) -> str:
        if not {"light", "dark"} <= set(match["both"].lower().split()):
            return match.group()
        start, end = match.start("both") - match.start(), match.end("both") - match.start()
        return match.group()[:start] + name + match.group()[end:]

    def part(match: re.Match[str]) -> str:
        text = _QUESTION.sub(answer, match.group())
        return _META.sub(meta, _BOTH.sub(both, text))

    return _CODE.sub(part, html)
