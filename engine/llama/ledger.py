"""What lies in the KV cache of one sequence, in cells and in positions, which differ.

A picture of nx x ny tokens takes nx * ny cells but moves the position on by max(nx, ny) only
(M-RoPE), so the two are counted apart: room is a matter of cells, `seq_rm` and the next token are
matters of positions. No llama.cpp in here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ImageItem:
    """A picture in a prompt. `key` names its pixels, its size and what encoded it."""

    key: str
    cells: int
    positions: int


Item = int | ImageItem  # a text token, or a picture


def cells_of(items: Sequence[Item]) -> int:
    """KV cells that the items take."""
    return sum(item.cells if isinstance(item, ImageItem) else 1 for item in items)


def positions_of(items: Sequence[Item]) -> int:
    """Positions that the items move on."""
    return sum(item.positions if isinstance(item, ImageItem) else 1 for item in items)


def common_length(first: Sequence[Item], second: Sequence[Item]) -> int:
    """How many items both begin with. Items are whole: there is no boundary inside a picture."""
    count = 0
    for left, right in zip(first, second, strict=False):
        if left != right:
            break
        count += 1
    return count


@dataclass
class Ledger:
    """The items of one sequence, in order."""

    items: list[Item] = field(default_factory=list)
    cells: int = 0
    position: int = 0

    def append(self, item: Item) -> None:
        """An item was decoded at the end."""
        self.items.append(item)
        self.cells += cells_of((item,))
        self.position += positions_of((item,))

    def trim(self, length: int) -> int:
        """Keep the first `length` items; returns the position from which on to remove."""
        if not 0 <= length <= len(self.items):
            raise ValueError(f"cannot trim {len(self.items)} items to {length}")
        dropped = self.items[length:]
        del self.items[length:]
        self.cells -= cells_of(dropped)
        self.position -= positions_of(dropped)
        return self.position
