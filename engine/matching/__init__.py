"""Changes to code that need no model: what the picture says is measured and written in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from engine.matching.colour.match import match_colours
from engine.matching.scene import Scene
from engine.matching.text.match import match_words


@dataclass(frozen=True)
class Match:
    """One kind of change: what it does, and the words (for people) while it does."""

    change: Callable[[str, Scene], str]
    note: str


MATCHES: Mapping[str, Match] = MappingProxyType(
    {
        "text": Match(match_words, "Comparing the words with the picture"),
        "colours": Match(match_colours, "Reading the colours of the picture"),
    }
)
