"""From a record to token numbers, cut exactly as the engine cuts a prompt: part by part.

What comes from data can then never be read as a special token, and the length of a sample is known
before its picture is decoded.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from transformers import AutoTokenizer

from engine.errors import VisCodexError
from engine.hints import TextLine, format_hints
from engine.images import ImageLimits, grid_size
from engine.prompt import HINTS_EXPLAINED, PromptPart, build_prompt
from training.nano.batches import PromptEncoder
from training.nano.reader_noise import ReaderNoise
from training.sft.recipe import PromptPlan
from training.sft.records import Record, RecordError, load_image

READ_SHARE = 0.6  # of the records with lines that the reader saw, show those
GENERAL_SHARE = 0.3  # of the instructions leave the choice of the target to the model


@dataclass(frozen=True)
class Encoded:
    """Token numbers of a prompt, its picture tokens among them, and of its answer with its end."""

    prompt: list[int]
    completion: list[int]

    @property
    def length(self) -> int:
        """Tokens in all."""
        return len(self.prompt) + len(self.completion)


class RecordEncoder:
    """Encodes records of one folder after another with the tokenizer of a checkpoint."""

    def __init__(self, checkpoint: Path, plan: PromptPlan, limits: ImageLimits, seed: int) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(checkpoint)
        self._encoder = PromptEncoder(self.tokenizer)
        self._plan, self._limits, self._seed = plan, limits, seed
        self._noise = ReaderNoise()

    @property
    def picture_token(self) -> int:
        """The number that stands for a stretch of picture."""
        return self._encoder.pad

    @property
    def stop(self) -> int:
        """The number that ends an answer."""
        return self._encoder.stop

    def shown(self, record: Record) -> tuple[str, ...]:
        """The pictures of a record that go into its prompt."""
        return record.images if self._plan.pictures else ()

    def encode(self, record: Record, folder: Path) -> Encoded:
        """Raises RecordError where a picture cannot be used."""
        rng = random.Random(f"{self._seed} {record.id}")
        sizes = [self._size(folder, image) for image in record.images]
        hints = self._hints(record, sizes, rng)
        instruction = record.instruction
        if record.general and rng.random() < GENERAL_SHARE:
            instruction = record.general
        if hints and self._plan.instruction == "full":  # as the engine does
            instruction = HINTS_EXPLAINED + instruction
        parts = build_prompt(hints, instruction, "", self._plan.system)
        completion = self._encoder.text(record.completion, special=False)
        return Encoded(
            self._prompt(parts, sizes if self._plan.pictures else ()),
            [*completion, self._encoder.stop],
        )

    def _size(self, folder: Path, image: str) -> tuple[int, int]:
        try:
            return load_size(folder, image)
        except FileNotFoundError:
            raise RecordError("picture missing") from None
        except (VisCodexError, OSError) as error:
            missing = isinstance(error, VisCodexError) and "There is no file" in error.message
            raise RecordError("picture missing" if missing else "picture unreadable") from None

    def _hints(self, record: Record, sizes: Sequence[tuple[int, int]], rng: random.Random) -> str:
        if len(sizes) != 1:
            return ""
        lines = self._lines(record, rng) if record.hints is None else record.hints
        if not lines:
            return ""
        across, down = grid_size(*sizes[0], self._limits)
        return format_hints(lines, (across / sizes[0][0], down / sizes[0][1]))

    def _lines(self, record: Record, rng: random.Random) -> Sequence[TextLine]:
        if not record.lines or rng.random() >= self._plan.hints:
            return ()
        if record.read_lines is not None and rng.random() < READ_SHARE:
            return record.read_lines
        return self._noise.apply(record.lines, rng)

    def _prompt(self, parts: Sequence[PromptPart], sizes: Sequence[tuple[int, int]]) -> list[int]:
        ids: list[int] = []
        for part in parts:
            if part.kind != "image":
                ids += self._encoder.prompt([part], 0)
                continue
            for size in sizes:
                across, down = grid_size(*size, self._limits)
                count = (across // self._limits.factor) * (down // self._limits.factor)
                ids += self._encoder.prompt([part], count)
        return ids


def load_size(folder: Path, reference: str) -> tuple[int, int]:
    """Width and height of a picture, which is decoded for it: what is damaged shows up here."""
    picture: Image.Image = load_image(folder, reference)
    return picture.size
