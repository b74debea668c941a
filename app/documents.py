"""The text of a Qt document as the code it is, and what differs between two texts."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtGui import QTextDocument


def document_text(document: QTextDocument) -> str:
    """The text with "\\n" between lines; `toPlainText` would change no-break spaces, too."""
    return document.toRawText().replace("\u2029", "\n")


def plain(text: str) -> str:
    """`text` as it comes back out of a document: one kind of line end."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2029", "\n")


def units(text: str) -> int:
    """Length in UTF-16 units, as Qt counts."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def changed_part(old: str, new: str) -> tuple[int, int, str]:
    """What to replace in `old` to make it `new`: start, end, text. Never splits a letter."""
    shorter = min(len(old), len(new))
    start = _longest(shorter, lambda n: old[:n] == new[:n])
    end = _longest(shorter - start, lambda n: n == 0 or old[-n:] == new[-n:])
    return start, len(old) - end, new[start : len(new) - end]


def _longest(most: int, fits: Callable[[int], bool]) -> int:
    """The largest n up to `most` that fits, where all smaller ones fit, too."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if fits(middle):
            low = middle
        else:
            high = middle - 1
    return low
