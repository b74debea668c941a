"""Several answers to one prompt: sequences of a KV cache that share the prompt's cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.llama.decoder import Decoder, Row, problem_of
from engine.llama.sampling import Sampler
from engine.llama.session import VisionSession


class Branches:
    """Answers that grow from what the session has prefilled, in one of its lanes. A context
    manager: at its end only the prompt is left in the cache."""

    def __init__(self, session: VisionSession, lane: Decoder, numbers: Sequence[int]) -> None:
        """`numbers` name the answers; each gets a sequence of the lane."""
        self._session = session
        self._lane = lane
        self._sequences = {number: place for place, number in enumerate(numbers)}
        self._lengths = dict.fromkeys(numbers, 0)  # tokens of each branch that lie in the cache
        self._start = session.ledger.position
        self._prompt_cells = session.ledger.cells

    def __enter__(self) -> Branches:
        for sequence in self._sequences.values():
            if sequence:
                self._lane.share(0, sequence)
        return self

    def __exit__(self, *ignored: object) -> None:
        for number in self._sequences:
            self.rewind(number, 0)

    @property
    def free_cells(self) -> int:
        """Cells that are left for all branches together."""
        return self._lane.cells - self._prompt_cells - sum(self._lengths.values())

    def length(self, number: int) -> int:
        """Tokens that branch `number` has in the cache."""
        return self._lengths[number]

    def draw(self, sampler: Sampler, row: int) -> int:
        """The next token after a row of the last pass (-1: its last); see Sampler.draw."""
        return self._lane.draw(sampler, row)

    def extend(self, tokens: Mapping[int, Sequence[int]]) -> dict[int, range]:
        """Decode tokens at the ends of some branches in one pass.

        Returns for each branch the rows whose logits follow its tokens (see Sampler.draw).
        Raises VisCodexError: context_full, cancelled, out_of_memory.
        """
        rows: list[Row] = []
        found: dict[int, range] = {}
        for number, added in tokens.items():
            start = self._start + self._lengths[number]
            found[number] = range(len(rows), len(rows) + len(added))
            sequence = self._sequences[number]
            rows += [Row(sequence, start + index, token) for index, token in enumerate(added)]
        problem = problem_of(self._lane.decode(rows, [True] * len(rows)), self._lane.cells)
        if problem is not None:
            raise problem
        for number, added in tokens.items():
            self._lengths[number] += len(added)
        return found

    def rewind(self, number: int, length: int) -> None:
        """Keep the first `length` tokens of a branch."""
        sequence = self._sequences[number]
        # Without a token of its own a branch beside the first one is not needed at all.
        position = -1 if sequence and not length else self._start + length
        if not self._lane.remove(sequence, position):
            # A recurrent state cannot go back a part of the way.
            if self._lane is self._session.main:
                self._session.forget()
            else:
                self._lane.clear()
        self._lengths[number] = length
