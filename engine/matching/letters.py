"""What two spellings of a text have in common."""

from __future__ import annotations

import unicodedata


def letters(text: str) -> str:
    """Letters and digits alone, without case, accents and widths; the text itself without any."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    kept = "".join(letter for letter in plain if letter.isalnum())
    return kept or text.strip()
