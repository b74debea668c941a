"""The samples of a data folder in memory, and batches drawn from them by number.

Batch k of a stage depends on the seed and k alone, so a stopped stage goes on with the batch it
would have seen.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from engine.errors import ErrorCode, VisCodexError
from engine.images import ImageLimits
from training.nano.batches import (
    Example,
    LanguageBatch,
    PromptEncoder,
    VisionBatch,
    language_batch,
    make_example,
    vision_batch,
)
from training.nano.reader_noise import ReaderNoise
from training.nano.records import Sample, read_shard, shard_files

POOL = 6  # a batch is cut from this many times its size, sorted by length: little padding


class Corpus:
    """All samples of a folder, by level."""

    def __init__(self, folder: Path) -> None:
        self.samples: list[Sample] = []
        for path in shard_files(folder):
            self.samples += read_shard(path)
        if not self.samples:
            raise VisCodexError(
                ErrorCode.bad_input, f"There are no shards in '{folder}'.", "Build the data first."
            )
        self.by_level: dict[int, list[Sample]] = defaultdict(list)
        for sample in self.samples:
            self.by_level[sample.level].append(sample)

    def draw(self, count: int, shares: Sequence[float], rng: random.Random) -> list[Sample]:
        """Draw `count` samples, levels by `shares` (relative)."""
        levels = [level for level in sorted(self.by_level) if level < len(shares)]
        weights = [shares[level] for level in levels]
        chosen = rng.choices(levels, weights, k=count)
        return [rng.choice(self.by_level[level]) for level in chosen]


def vision_batches(
    corpus: Corpus, limits: ImageLimits, budget: int, rng: random.Random
) -> VisionBatch:
    """A batch of pictures with about `budget` patches."""
    chosen: list[Sample] = []
    patches = 0
    while patches < budget:
        sample = rng.choice(corpus.samples)
        width, height = sample.size
        patches += max(64, width * height // 196)
        chosen.append(sample)
    return vision_batch(chosen, limits)


def language_batches(
    corpus: Corpus,
    encoder: PromptEncoder,
    limits: ImageLimits,
    budget: int,
    shares: Sequence[float],
    rng: random.Random,
    noise: ReaderNoise | None,
    *,
    with_picture: bool,
    copy: float = 0.0,
) -> LanguageBatch:
    """A batch of prompts and answers of alike lengths, at most `budget` padded tokens.

    `copy` is the share of bare copying exercises among the examples.
    """
    seed = rng.choice(corpus.draw(1, shares, rng))
    size = max(2, budget // max(200, len(seed.code) // 2 + 30 * len(seed.lines) + 150))
    pool = [
        make_example(
            sample,
            encoder,
            limits,
            rng,
            noise,
            with_picture=with_picture,
            copy=rng.random() < copy,
        )
        for sample in corpus.draw(POOL * size, shares, rng)
    ]
    pool.sort(key=lambda example: len(example.ids))
    start = rng.randrange(max(1, len(pool) - size))
    batch: list[Example] = []
    for example in pool[start:]:
        if batch and (len(batch) + 1) * len(example.ids) > budget:
            break
        batch.append(example)
    return language_batch(batch, encoder, limits)
