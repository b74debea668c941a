"""Whether an exported model is the trained one: both are run, and what they compute is compared.

Pictures go through the tower of transformers and through the engine's encoder; then transformers
writes on, and at every token the engine is asked what it would have written after the same ones:
where all agree, both write the same by themselves. What is left is rounding, so a different choice
between logits that are all but equal is counted apart, as a near tie. A model that does not fit
into memory is compared as far as its tower goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from engine.cancel import CancelFlag
from engine.images import to_grid
from engine.llama.session import SessionOptions, VisionSession
from engine.llama.vision import Chunks, picture_key
from engine.models.header import read_header
from engine.models.store import ModelFiles, find_model
from engine.prompt import build_prompt
from training.export.reference import Reference, Run, Tower, open_reference
from training.export.tower import ExportedTower

TOKENS = 32
LEAST_COSINE = 0.99
LEAST_COSINE_16 = 0.999  # of a vision file in 16 or 32 bits
# general.file_type -> what the cosine of the logits must exceed; K-quants may differ by more.
LEAST_LOGITS_COSINE = {0: 0.999, 1: 0.99, 32: 0.99, 7: 0.98}
FLOATS = (0, 1, 32)  # general.file_type of F32, F16, BF16
# Logits closer than this share of their spread (standard deviation) may change places by rounding:
# flash attention computes in F16. Measured on random models: differences of up to 0.025.
NEAR_TIE = 0.03
ALL_F32 = 0  # general.file_type


@dataclass(frozen=True)
class PictureCheck:
    """One picture and its prompt, in transformers and in llama.cpp.

    `cosine` is over all embeddings of the picture, `lowest_cosine` over those of one token,
    `logits_cosine` after the prompt (None where the tower alone was compared). Of `tokens` greedy
    choices the first `equal_tokens` agree; `near_ties` of them all differ between logits closer
    than NEAR_TIE, `different` by more.
    `prompt_difference` is the first place where the tokenizers cut the prompt differently.
    """

    size: tuple[int, int]
    cosine: float
    lowest_cosine: float
    logits_cosine: float | None = None
    tokens: int = 0
    equal_tokens: int = 0
    near_ties: int = 0
    different: int = 0
    prompt_difference: int | None = None

    def problems(self, *, exact: bool, least: float, least_logits: float) -> list[str]:
        """What is wrong, in words; with `exact` tokens must agree but for near ties. `least` and
        `least_logits` are what the cosines must exceed."""
        found = []
        if self.prompt_difference is not None:
            found.append(f"the prompt is cut differently from token {self.prompt_difference} on")
        if not self.cosine > least:  # NaN is wrong too
            found.append(f"the picture's embeddings have a cosine of {self.cosine:.4f}")
        if self.logits_cosine is not None and not self.logits_cosine > least_logits:
            found.append(f"the logits after the prompt have a cosine of {self.logits_cosine:.4f}")
        if exact and self.different:
            found.append(f"{self.different} of {self.tokens} tokens are chosen differently")
        return found


@dataclass(frozen=True)
class VerifyReport:
    """All pictures. `exact`: the language model is F32, so that tokens are held to equality.
    `least` and `least_logits`: what cosines must exceed. `whole`: not the tower alone."""

    model: str
    mmproj: str
    exact: bool
    checks: tuple[PictureCheck, ...]
    least: float
    least_logits: float
    whole: bool

    @property
    def problems(self) -> list[str]:
        """What is wrong, a line each."""
        return [
            f"picture {number}: {problem}"
            for number, check in enumerate(self.checks, 1)
            for problem in check.problems(
                exact=self.exact, least=self.least, least_logits=self.least_logits
            )
        ]

    @property
    def passed(self) -> bool:
        """Whether the files can be shipped."""
        return bool(self.checks) and not self.problems

    def to_json(self) -> dict[str, Any]:
        """All figures."""
        return asdict(self) | {"passed": self.passed, "problems": self.problems}


def verify(
    checkpoint_dir: Path,
    gguf_dir: Path | ModelFiles,
    pictures: Sequence[Image.Image],
    prompts: Sequence[str],
    *,
    tokens: int = TOKENS,
    threads: int | None = None,
    lora: Path | None = None,
    whole: bool | None = None,
) -> VerifyReport:
    """Compare a checkpoint (with an adapter, where one was merged) with its GGUF files on pictures,
    each with the prompt text (hints and instruction) of the same place, writing `tokens` tokens.

    The checkpoint is loaded in float32, the `whole` of it or its tower alone (None: as memory
    allows). Raises VisCodexError where either does not load.
    """
    files = gguf_dir if isinstance(gguf_dir, ModelFiles) else find_model(gguf_dir)
    reference = open_reference(checkpoint_dir, lora, whole=whole)
    kind = read_header(files.model).keys.get("general.file_type")
    floats = read_header(files.mmproj).keys.get("general.file_type") in FLOATS
    seen = [to_grid(picture, files.card.image) for picture in pictures]
    if isinstance(reference, Reference):
        checks = _compare_all(reference, files, seen, prompts, tokens, threads)
    else:
        checks = _compare_towers(reference, files, seen)
    return VerifyReport(
        files.model.name,
        files.mmproj.name,
        kind == ALL_F32,
        tuple(checks),
        LEAST_COSINE_16 if floats else LEAST_COSINE,
        LEAST_LOGITS_COSINE.get(kind, 0.0) if isinstance(kind, int) else 0.0,
        isinstance(reference, Reference),
    )


def _compare_towers(
    reference: Tower, files: ModelFiles, pictures: Sequence[Image.Image]
) -> list[PictureCheck]:
    with ExportedTower(files.model, files.mmproj, files.card.image) as exported:
        return [
            PictureCheck(picture.size, *_alike(exported.encode(picture), reference.encode(picture)))
            for picture in pictures
        ]


def _compare_all(
    reference: Reference,
    files: ModelFiles,
    pictures: Sequence[Image.Image],
    prompts: Sequence[str],
    tokens: int,
    threads: int | None,
) -> list[PictureCheck]:
    flag = CancelFlag.private()
    options = SessionOptions(files.card.context, files.card.image, threads=threads)
    session = VisionSession(files.model, files.mmproj, options, flag, lambda _: None)
    try:
        return [
            _compare(reference, session, picture, prompt, tokens)
            for picture, prompt in zip(pictures, prompts, strict=True)
        ]
    finally:
        session.close()


def _alike(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float]:
    """Cosine of all embeddings, and the lowest of those of one token."""
    return _cosine(ours.ravel(), theirs.ravel()), min(map(_cosine, ours, theirs))


def _exported(session: VisionSession, chunks: Chunks, tokens: Sequence[int]) -> Run:
    """What the engine makes of a prompt, and of each of `tokens` as far as they are written."""
    (place,) = chunks.pictures
    item = chunks.items[place]
    assert not isinstance(item, int)
    embeddings = session.vision.encode(chunks.pictures[place], item, lambda _: None)
    session.prefill(chunks, lambda _: None)
    logits = [session.logits()]
    for token in tokens[:-1]:
        session.append(token)
        logits.append(session.logits())
    return Run(embeddings, [int(row.argmax()) for row in logits], np.stack(logits))


def _compare(
    reference: Reference, session: VisionSession, picture: Image.Image, prompt: str, length: int
) -> PictureCheck:
    parts = build_prompt("", prompt, "")
    with session.tokenize(parts, picture, picture_key(picture)) as chunks:
        ids: list[int] = []
        for item in chunks.items:
            ids += [item] if isinstance(item, int) else [reference.image_token] * item.cells
        theirs = reference.run(ids, picture, length)
        ours = _exported(session, chunks, theirs.tokens)
    # By how much transformers prefers its own choice.
    places = np.arange(len(theirs.tokens))
    gaps = theirs.logits[places, theirs.tokens] - theirs.logits[places, ours.tokens]
    gaps /= theirs.logits.std(axis=1)
    wanted = reference.cut(parts, ids.count(reference.image_token))
    cosine, lowest = _alike(ours.embeddings, theirs.embeddings)
    return PictureCheck(
        size=picture.size,
        cosine=cosine,
        lowest_cosine=lowest,
        logits_cosine=_cosine(ours.logits[0], theirs.logits[0]),
        tokens=len(theirs.tokens),
        equal_tokens=_common(ours.tokens, theirs.tokens),
        near_ties=int(((gaps > 0) & (gaps < NEAR_TIE)).sum()),
        different=int((~(gaps < NEAR_TIE)).sum()),  # NaN is different
        prompt_difference=None if wanted == ids else _common(wanted, ids),
    )


def _common(first: Sequence[int], second: Sequence[int]) -> int:
    """How many items both begin with."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(first), len(second)))


def _cosine(first: np.ndarray, second: np.ndarray) -> float:
    a, b = first.astype(np.float64), second.astype(np.float64)
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
