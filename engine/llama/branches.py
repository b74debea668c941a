"""Several answers to one prompt: sequences of the KV cache that share the prompt's cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.llama.session import Row, VisionSession


class Branches:
    """Answers that grow from what the session has prefilled. A context manager: at its end only
    the prompt is left in the cache."""

    def __init__(self, session: VisionSession, count: int) -> None:
        self._session = session
        self._lengths = [0] * count  # tokens of each branch that lie in the cache
        self._start = session.ledger.position

    def __enter__(self) -> Branches:
        for number in range(1, len(self._lengths)):
            self._session.share_prompt(number)
        self._session.writing(True)
        return self

    def __exit__(self, *ignored: object) -> None:
        self._session.writing(False)
        for number in range(len(self._lengths)):
            self.rewind(number, 0)

    @property
    def free_cells(self) -> int:
        """Cells that are left for all branches together."""
        return self._session.free_cells - sum(self._lengths)

    def length(self, number: int) -> int:
        """Tokens that branch `number` has in the cache."""
        return self._lengths[number]

    def extend(self, tokens: Mapping[int, Sequence[int]]) -> dict[int, range]:
        """Decode tokens at the ends of some branches in one pass.

        Returns for each branch the rows whose logits follow its tokens (see Sampler.draw).
        Raises VisCodexError: context_full, cancelled.
        """
        rows: list[Row] = []
        found: dict[int, range] = {}
        for number, added in tokens.items():
            start = self._start + self._lengths[number]
            found[number] = range(len(rows), len(rows) + len(added))
            rows += [Row(number, start + index, token) for index, token in enumerate(added)]
        self._session.decode(rows)
        for number, added in tokens.items():
            self._lengths[number] += len(added)
        return found

    def rewind(self, number: int, length: int) -> None:
        """Keep the first `length` tokens of a branch."""
        self._session.remove(number, self._start + length)
        self._lengths[number] = length
