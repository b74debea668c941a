"""An export beside its checkpoint on pictures that nothing was trained on, hints and all."""

from __future__ import annotations

from pathlib import Path

from engine.hints import format_hints
from engine.images import grid_size
from engine.models.store import ModelFiles
from engine.tasks import AUTO_INSTRUCTION, AUTO_INSTRUCTION_SHORT
from training.export.verify import TOKENS, VerifyReport, verify
from training.nano.records import Sample


def verify_samples(
    checkpoint: Path, files: ModelFiles, samples: list[Sample], tokens: int = TOKENS
) -> VerifyReport:
    """Compare on samples, as `verify` does, with the true lines of text as hints."""
    short = files.card.prompt == "short"
    prompts = []
    for sample in samples:
        width, height = sample.size
        across, down = grid_size(width, height, files.card.image)
        hints = format_hints(sample.lines, (across / width, down / height))
        prompts.append(hints + (AUTO_INSTRUCTION_SHORT if short else AUTO_INSTRUCTION))
    pictures = [sample.picture() for sample in samples]
    return verify(checkpoint, files, pictures, prompts, tokens=tokens)
