"""Texts of charts: titles, axis labels, names of series and categories, cut to their room."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable, Sequence

from training.nano.words import LABELS, WordSource


def _list(text: str) -> tuple[str, ...]:
    return tuple(text.split("|"))


_QUANTITIES = _list(
    "Sales|Revenue|Profit|Cost|Price|Count|Number|Value|Score|Accuracy|Loss|Error|Time|Speed|"
    "Temperature|Weight|Height|Distance|Energy|Power|Pressure|Share|Rate|Growth|Population|Users|"
    "Visitors|Orders|Votes|Points|Frequency|Density|Output|Demand|Age|Rating|Volume|Area|"
    "Length|Rainfall|Emissions|Precision|Recall|Latency|Memory"
)
_UNITS = _list("%|s|ms|kg|km|m|cm|USD|EUR|$|h|min|days|MB|GB|kW|°C|mm|t|k|mio|years|m/s")
_X_NAMES = _list(
    "Year|Month|Day|Week|Quarter|Time|Hour|Step|Epoch|Category|Group|Product|Region|"
    "Team|City|Country|Model|Method|Size|Age|Distance|Dose|Depth|Round|Trial|Index|x|t|n|Number|"
    "Batch|Length"
)
_PAIRS = tuple(
    _list(pair)
    for pair in (
        "Train|Test",
        "Actual|Forecast",
        "Men|Women",
        "Before|After",
        "Plan|Actual",
        "Ours|Baseline",
        "2023|2024",
    )
)


def clean(text: str) -> str:
    """`text` without what would break a string, start mathematics or hide a legend entry."""
    kept = "".join(c for c in text if c not in '"\\`' and unicodedata.category(c)[0] != "C")
    if kept.count("$") > 1:
        kept = kept.replace("$", "")
    return kept.strip().lstrip("_").strip()


def fitting(draw: Callable[[], str], room: int, tries: int = 8) -> str | None:
    """The first clean text of at most `room` characters, or None."""
    for _ in range(tries):
        text = clean(draw())
        if 0 < len(text) <= room:
            return text
    return None


def title(words: WordSource, room: int) -> str | None:
    """A heading of the chart."""
    rng = words.rng

    def draw() -> str:
        kind = rng.random()
        quantity = rng.choice(_QUANTITIES)
        if kind < 0.15:
            return f"{quantity} by {rng.choice(_X_NAMES[:24]).lower()}"
        if kind < 0.25:
            return f"{words.title(2)} {rng.randint(1995, 2029)}"
        if kind < 0.32:
            return f"{words.brand()} {quantity.lower()}"
        if kind < 0.36:
            return f"{words.title(2)}: {words.phrase(2)}"
        return words.title(rng.choices((1, 2, 3, 4, 5), (1, 3, 4, 3, 2))[0])

    return fitting(draw, room)


def axis_label(words: WordSource, room: int, names: Sequence[str] = _QUANTITIES) -> str | None:
    """The label of an axis: a quantity or any word, sometimes with a unit."""
    rng = words.rng

    def draw() -> str:
        kind = rng.random()
        if kind < 0.1 and names is _X_NAMES:
            return rng.choice("xtnk")
        text = rng.choice(names) if kind < 0.5 else words.title(rng.choice((1, 1, 2)))
        return f"{text} ({rng.choice(_UNITS)})" if rng.random() < 0.2 else text

    return fitting(draw, room)


def x_label(words: WordSource, room: int) -> str | None:
    """The label of a horizontal axis."""
    return axis_label(words, room, _X_NAMES)


def _months(rng: random.Random, n: int) -> list[str]:
    start = rng.randrange(0, 13 - n) if n <= 12 else 0
    return [m[:3] for m in LABELS["month"][start : start + n]]


def _days(rng: random.Random, n: int) -> list[str]:
    cut = rng.choice((3, 3, 2))
    start = rng.randrange(0, 8 - n) if n <= 7 else 0
    return [d[:cut] for d in LABELS["day"][start : start + n]]


def _years(rng: random.Random, n: int) -> list[str]:
    first = rng.randint(1990, 2027 - n)
    return [str(first + i) for i in range(n)]


def _numbered(rng: random.Random, n: int) -> list[str]:
    stem = rng.choice(("Q", "Group ", "Team ", "Run ", "S", "T", "Week ", "v", "Day ", "Item "))
    return [f"{stem}{i + 1}" for i in range(n)]


def _lettered(rng: random.Random, n: int) -> list[str]:
    stem = rng.choice(("", "", "", "Group ", "Type ", "Class ", "Plan "))
    return [f"{stem}{chr(65 + i)}" for i in range(n)]


def _spans(rng: random.Random, n: int) -> list[str]:
    step = rng.choice((5, 10, 10, 20))
    start = rng.choice((0, 10, 18, 20))
    return [f"{start + i * step}-{start + (i + 1) * step - 1}" for i in range(n)]


def categories(words: WordSource, n: int, room: int) -> list[str]:
    """`n` different names of at most `room` characters each."""
    rng = words.rng
    ordered = (_months, _days, _years, _numbered, _lettered, _spans)
    for _ in range(12):
        kind = rng.random()
        if kind < 0.4:
            names = rng.choice(ordered)(rng, n)
        elif kind < 0.5:
            names = words.labels(rng.choice(("status", "plan", "column", "menu", "stat", "nav")), n)
        else:
            source = rng.choices(
                (
                    words.word,
                    words.brand,
                    words.place,
                    words.first_name,
                    words.acronym,
                    words.random_string,
                ),
                (7, 2, 3, 3, 2, 1),
            )[0]
            names = [_short(source, room) for _ in range(n)]
            if source == words.word and rng.random() < 0.75:
                names = [name.capitalize() for name in names]
        names = [clean(name) for name in names]
        if len(set(names)) == n and all(0 < len(name) <= room for name in names):
            return names
    return [chr(65 + i) for i in range(n)]


def _short(source: Callable[[], str], room: int) -> str:
    return fitting(source, room, 12) or ""


def series_names(words: WordSource, n: int, room: int = 14) -> list[str]:
    """Names for the legend."""
    rng = words.rng
    if n == 2 and rng.random() < 0.2:
        return list(rng.choice(_PAIRS))
    return categories(words, n, room)
