"""Text hints for a share of the records, as the application will give them."""

from __future__ import annotations

import random

from engine.hints import TextLine, read
from training.data.draft import Draft
from training.data.recipe import DataRecipe
from training.nano.reader_noise import ReaderNoise


def give_hints(draft: Draft, recipe: DataRecipe) -> None:
    """Attach hints to a draft that the recipe's share falls on.

    Which records and what errors depends on the seed and the record's id alone. Pictures that no
    renderer of ours drew are read.
    """
    if not draft.pictures or draft.record.kind not in ("html", "chart"):
        return
    rng = random.Random(f"hints {recipe.seed} {draft.record.id}")
    if rng.random() >= recipe.hints:
        return
    lines: list[TextLine] | None = None
    if recipe.hints_from == "renderer" and draft.lines is not None:
        lines = ReaderNoise().apply(draft.lines, rng)
    draft.changed(hints=tuple(read(draft.pictures[0].image) if lines is None else lines))
