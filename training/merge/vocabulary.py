"""Which rows of the vocabulary matrices are merged: those that mean the same token everywhere.

Qwen's models share their ordinary tokens, but give the numbers behind them to different tokens
(vision, tool and fill-in-the-middle marks), and pad the matrix to different lengths.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.errors import ErrorCode, VisCodexError
from training.checkpoint import Checkpoint
from training.merge.recipe import Embeddings
from training.names import EMBEDDING
from training.tensors import broken, read_json

Runs = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Tokens:
    """Ordinary tokens by number, and the numbers of added (special) ones."""

    ordinary: Mapping[int, str]
    added: frozenset[int]


def read_tokens(folder: Path) -> Tokens:
    """From tokenizer.json, else from vocab.json and tokenizer_config.json."""
    try:
        if (folder / "tokenizer.json").exists():
            data = read_json(folder / "tokenizer.json")
            added = {int(entry["id"]) for entry in data.get("added_tokens", [])}
            vocabulary = data["model"]["vocab"]
        elif (folder / "vocab.json").exists():
            vocabulary, added = read_json(folder / "vocab.json"), set()
            if (folder / "tokenizer_config.json").exists():
                table = read_json(folder / "tokenizer_config.json").get("added_tokens_decoder", {})
                added = {int(number) for number in table}
        else:
            raise VisCodexError(
                ErrorCode.bad_input,
                f"There is no tokenizer.json in '{folder}'.",
                "It tells which rows mean the same token; or keep the VLM's (--embeddings vlm).",
            )
        ordinary = {int(number): token for token, number in vocabulary.items()}
    except (KeyError, TypeError, ValueError, AttributeError):
        raise broken(f"The tokenizer in '{folder}' cannot be read.", "Copy it again.") from None
    return Tokens({n: t for n, t in ordinary.items() if n not in added}, frozenset(added))


@dataclass(frozen=True)
class Rows:
    """Rows of the matrices of each model, and the runs of rows (start, stop) that are merged."""

    counts: Mapping[str, int]
    merged: Runs

    @property
    def merged_count(self) -> int:
        """How many rows are merged."""
        return sum(stop - start for start, stop in self.merged)

    def told(self) -> str:
        """One line on what happens."""
        given = ", ".join(f"{name} {count}" for name, count in self.counts.items())
        kept = self.counts["vlm"] - self.merged_count
        if not self.merged:
            return f"vocabulary rows ({given}): all of the VLM's are kept"
        return (
            f"vocabulary rows ({given}): {self.merged_count} that mean the same token are merged, "
            f"{kept} of the VLM's are kept (its special tokens, padding, tokens of its own)"
        )


def choose_rows(models: Mapping[str, Checkpoint], embeddings: Embeddings) -> Rows:
    """`models` has the keys vlm, coder and, where it is needed, base."""
    counts = {name: model.values(EMBEDDING).shape[0] for name, model in models.items()}
    if embeddings == "vlm":
        return Rows(counts, ())
    tokens = {name: read_tokens(model.folder) for name, model in models.items()}
    mine, others = tokens["vlm"], [found for name, found in tokens.items() if name != "vlm"]
    most = min(counts.values())
    shared = sorted(
        number
        for number, token in mine.ordinary.items()
        if number < most
        and number not in mine.added
        and all(other.ordinary.get(number) == token for other in others)
    )
    if not shared:
        raise VisCodexError(
            ErrorCode.bad_input,
            "No row of the vocabularies means the same token.",
            "Models with different tokenizers cannot share embeddings: use --embeddings vlm.",
        )
    return Rows(counts, _runs(shared))


def _runs(numbers: list[int]) -> Runs:
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number:
            runs[-1] = (runs[-1][0], number + 1)
        else:
            runs.append((number, number + 1))
    return tuple(runs)
