"""The order of the samples: a function of seed and epoch alone, alike lengths together.

The sampler of transformers for this draws from the global generator, so that a resumed run would
see another order than the one that was stopped.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from torch.utils.data import Sampler

POOL = 50  # batches that are sorted by length together


class LengthOrder(Sampler[int]):
    """Shuffles samples, sorts stretches of POOL batches by length, and shuffles the batches.

    `batch` counts the samples of one step on all devices, so one process and many see the same
    batches. The first of an epoch is the one with the longest sample: what does not fit into
    memory is told at once. The samples of a batch are shuffled, or one device would always have
    the longest. What is left to a whole batch waits for another epoch: every step then weighs the
    same, and no device gets a sample twice to fill up.
    """

    def __init__(self, lengths: Sequence[int], batch: int, seed: int) -> None:
        self._lengths, self._batch, self._seed = lengths, batch, seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Which epoch the next iteration is of."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths) // self._batch * self._batch

    def __iter__(self) -> Iterator[int]:
        rng = random.Random(f"{self._seed} {self._epoch}")
        order = list(range(len(self._lengths)))
        rng.shuffle(order)
        batches: list[list[int]] = []
        pool = POOL * self._batch
        for start in range(0, len(order), pool):
            stretch = sorted(order[start : start + pool], key=lambda n: -self._lengths[n])
            batches += [stretch[n : n + self._batch] for n in range(0, len(stretch), self._batch)]
        whole = [batch for batch in batches if len(batch) == self._batch]
        rng.shuffle(whole)
        if whole:
            longest = max(range(len(whole)), key=lambda n: max(self._lengths[i] for i in whole[n]))
            whole[0], whole[longest] = whole[longest], whole[0]
        for batch in whole:
            rng.shuffle(batch)
            yield from batch
