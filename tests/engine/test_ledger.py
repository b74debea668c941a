"""The ledger against a cache played by a list: any order of prompts, answers and stops."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from engine.llama.ledger import ImageItem, Item, Ledger, cells_of, common_length, positions_of

IMAGES = [ImageItem("a", 50, 10), ImageItem("b", 50, 10), ImageItem("a", 12, 4)]
ITEMS = st.one_of(st.integers(0, 3), st.sampled_from(IMAGES))


def test_cells_and_positions_differ() -> None:
    items: list[Item] = [1, 2, IMAGES[0], 3]
    assert cells_of(items) == 53
    assert positions_of(items) == 13


def test_trimming_gives_the_position_to_remove_from() -> None:
    ledger = Ledger()
    for item in (1, 2, IMAGES[0], 3, 4):
        ledger.append(item)
    assert (ledger.cells, ledger.position) == (54, 14)
    assert ledger.trim(3) == 12
    assert ledger.trim(2) == 2
    assert (ledger.cells, ledger.position) == (2, 2)
    with pytest.raises(ValueError, match="cannot trim"):
        ledger.trim(3)


@given(st.lists(ITEMS), st.lists(ITEMS), st.lists(ITEMS))
def test_the_common_part_is_common_and_longest(
    shared: list[Item], first: list[Item], second: list[Item]
) -> None:
    length = common_length(shared + first, shared + second)
    assert length >= len(shared)
    left, right = shared + first, shared + second
    assert left[:length] == right[:length]
    assert length in (len(left), len(right)) or left[length] != right[length]


class CacheMachine(RuleBasedStateMachine):
    """Cells with positions, removed by position as llama.cpp does, beside a ledger."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.cells: list[int] = []  # the position of each

    def add(self, item: Item) -> None:
        base = self.ledger.position
        # All tokens of a picture carry its first position.
        self.cells += [base] * (item.cells if isinstance(item, ImageItem) else 1)
        self.ledger.append(item)

    @rule(items=st.lists(ITEMS, max_size=6))
    def prompt(self, items: list[Item]) -> None:
        keep = common_length(self.ledger.items, items)
        start = self.ledger.trim(keep)
        self.cells = [position for position in self.cells if position < start]
        for item in items[keep:]:
            self.add(item)
        assert self.ledger.items == items

    @rule(token=st.integers(0, 3))
    def generate(self, token: int) -> None:
        self.add(token)

    @invariant()
    def agree(self) -> None:
        assert len(self.cells) == self.ledger.cells == cells_of(self.ledger.items)
        assert self.cells == sorted(self.cells)
        assert self.ledger.position > max(self.cells, default=-1)


TestCache = CacheMachine.TestCase
