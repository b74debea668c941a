"""Finding a text in the code."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right

Match = tuple[int, int]
"""start and end, counted in UTF-16 units as Qt counts"""


def find_all(text: str, needle: str, match_case: bool) -> list[Match]:
    """Where `needle` stands in `text`, from the beginning on and without overlaps."""
    if not needle:
        return []
    found = [match.span() for match in _pattern(needle, match_case).finditer(text)]
    if not found or text.isascii():
        return found
    wide = [place for place, letter in enumerate(text) if letter > "\uffff"]
    if not wide:
        return found
    return [
        (start + bisect_left(wide, start), end + bisect_left(wide, end)) for start, end in found
    ]


def replace_all(text: str, needle: str, match_case: bool, replacement: str) -> str:
    """`text` with `replacement` for each match of `find_all`."""
    return _pattern(needle, match_case).sub(lambda _: replacement, text) if needle else text


def _pattern(needle: str, match_case: bool) -> re.Pattern[str]:
    return re.compile(re.escape(needle), 0 if match_case else re.IGNORECASE)


def within(matches: list[Match], start: int, end: int) -> list[Match]:
    """Those that reach into the range from `start` to `end`."""
    first = bisect_right([stop for _, stop in matches], start)
    last = bisect_left([begin for begin, _ in matches], end)
    return matches[first:last]


def next_match(matches: list[Match], place: int) -> int:
    """Number of the first match at `place` or behind it, else of the first; -1: none."""
    if not matches:
        return -1
    number = bisect_left([start for start, _ in matches], place)
    return number if number < len(matches) else 0


def previous_match(matches: list[Match], place: int) -> int:
    """Number of the last match before `place`, else of the last; -1: none."""
    before = bisect_left([start for start, _ in matches], place)
    return (before or len(matches)) - 1
