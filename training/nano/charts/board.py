"""What the makers of charts share: the random state, the room, and the parts of a script."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from training.nano.charts import texts
from training.nano.charts.script import string
from training.nano.charts.style import LINES, MARKERS, Size, brightness, draw_colours
from training.nano.words import WordSource

_PX_PER_LETTER = 8.2
"""Mean advance of DejaVu Sans at 10 pt and 100 dots per inch, with some air."""


@dataclass
class Panel:
    """The statements of one pair of axes, by their place in the script (the order never varies)."""

    data: list[str] = field(default_factory=list)
    draw: list[str] = field(default_factory=list)
    ticks: list[str] = field(default_factory=list)
    limits: list[str] = field(default_factory=list)
    legend: str | None = None
    labelled: bool = True
    grids: tuple[str, ...] = ("", "", 'linestyle="--"', 'axis="y"')
    numpy: bool = False


@dataclass
class Board:
    """Draws what makers need; `size` is the room of one panel in pixels."""

    rng: random.Random
    words: WordSource
    level: int
    size: Size
    fonts: float = 1.0
    sheet: str | None = None
    part: bool = False
    """True where the panel is one of several."""

    def chance(self, *by_level: float) -> bool:
        """True with the probability of the level (the last one counts for higher levels)."""
        return self.rng.random() < by_level[min(self.level, len(by_level) - 1)]

    def points(self) -> int:
        """Length of a series."""
        low, high = ((3, 5), (3, 6), (4, 8))[min(self.level, 2)]
        return self.rng.randint(low, high)

    def many(self) -> int:
        """Two or three series; a small picture has no room for a legend of three."""
        small = self.level == 0 or self.size.height < 250 or self.size.width < 300
        return 2 if small else self.rng.choice((2, 2, 3))

    def room(self, n: int = 1) -> int:
        """Letters that fit under each of `n` slots along the horizontal axis."""
        return max(2, int(((self.size.width * 0.82 - 20) / n - 8) / (_PX_PER_LETTER * self.fonts)))

    def title_room(self) -> int:
        """Letters that fit above the axes."""
        return int((self.size.width - 50) / (_PX_PER_LETTER * 1.22 * self.fonts))

    def side_room(self) -> int:
        """Letters that fit along the vertical axis."""
        return int((self.size.height * 0.72 - 30) / (_PX_PER_LETTER * self.fonts))

    def names(self, n: int, room: int | None = None) -> list[str]:
        """Names of categories."""
        return texts.categories(self.words, n, min(16, self.room(n) if room is None else room))

    def labels(self, n: int) -> list[str | None]:
        """Source of the legend names, all None where one series needs no legend."""
        if n == 1 and not self.chance(0.0, 0.2, 0.25):
            return [None]
        return [string(name) for name in texts.series_names(self.words, n)]

    def palette(self, n: int, *, thin: bool = False) -> list[str] | None:
        """`n` colours; None for the default cycle. Thin marks are never pale."""
        if self.rng.random() < (0.6 if self.sheet else 0.35):
            return None
        dark = self.sheet == "dark_background"
        for _ in range(12):
            drawn = draw_colours(self.rng, n)
            levels = [brightness(c) for c in drawn]
            if min(levels) > 0.35 if dark else max(levels) < (0.74 if thin else 0.95):
                return drawn
        return None

    def colours(self, n: int, *, thin: bool = False) -> list[str | None]:
        """Source of the colours of a palette; all None for the default cycle."""
        return [string(c) for c in self.palette(n, thin=thin) or []] or [None] * n

    def edge(self) -> str | None:
        """Source of the colour of edges, in a few charts."""
        if not self.chance(0.12):
            return None
        return string(
            self.rng.choice(
                ("#fff",) if self.sheet == "dark_background" else ("#000", "#000", "#fff")
            )
        )

    def formats(self, n: int, *, markers: float = 0.6) -> list[str | None]:
        """Source of `n` format strings such as "o--"; None for a plain line."""
        same = self.rng.random() < 0.4
        out: list[str] = []
        for i in range(n):
            marker = (
                self.rng.choice(MARKERS if self.level else "ooos^")
                if self.rng.random() < markers
                else ""
            )
            line = self.rng.choices(LINES, (7, 3, 1, 1))[0]
            out.append(out[0] if same and i else marker + line)
        return [None if f == "-" else string(f) for f in out]

    def thick(self) -> str | None:
        """Source of a line width that can be told from the default."""
        return "3" if self.chance(0.1, 0.12) else None
