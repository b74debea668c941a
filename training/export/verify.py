"""Whether an exported model is the trained one: both are run, and what they compute is compared.

Pictures go through the tower of transformers and through the engine's encoder; then transformers
writes on, and at every token the engine is asked what it would have written after the same ones:
where all agree, both write the same by themselves. This llama.cpp takes 0 for the epsilon of the
language model's norms, so transformers is given 0 as well. What is left is rounding, so a different
choice between logits that are all but equal is counted apart, as a near tie.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoTokenizer
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from engine.cancel import CancelFlag
from engine.images import to_grid
from engine.llama.session import SessionOptions, VisionSession
from engine.llama.vision import Chunks, picture_key
from engine.models.header import read_header
from engine.models.store import ModelFiles, find_model
from engine.prompt import PromptPart, build_prompt
from training.export.mmproj import picture_scale

TOKENS = 32
LEAST_COSINE = 0.99
LEAST_LOGITS_COSINE = 0.999  # of an exact export
# Logits closer than this may change places by rounding: flash attention computes in F16.
NEAR_TIE = 0.02
ALL_F32 = 0  # general.file_type


@dataclass(frozen=True)
class PictureCheck:
    """One picture and its prompt, in transformers and in llama.cpp.

    `cosine` is over all embeddings of the picture, `lowest_cosine` over those of one token,
    `logits_cosine` after the prompt. Of `tokens` greedy choices the first `equal_tokens` agree;
    `near_ties` of them all differ between logits closer than NEAR_TIE, `different` by more.
    `prompt_difference` is the first place where the tokenizers cut the prompt differently.
    """

    size: tuple[int, int]
    cosine: float
    lowest_cosine: float
    logits_cosine: float
    tokens: int
    equal_tokens: int
    near_ties: int
    different: int
    prompt_difference: int | None

    def problems(self, *, exact: bool) -> list[str]:
        """What is wrong, in words; with `exact` tokens must agree but for near ties."""
        found = []
        if self.prompt_difference is not None:
            found.append(f"the prompt is cut differently from token {self.prompt_difference} on")
        if not self.cosine > LEAST_COSINE:  # NaN is wrong too
            found.append(f"the picture's embeddings have a cosine of {self.cosine:.4f}")
        if not self.logits_cosine > (LEAST_LOGITS_COSINE if exact else 0.0):
            found.append(f"the logits after the prompt have a cosine of {self.logits_cosine:.4f}")
        if exact and self.different:
            found.append(f"{self.different} of {self.tokens} tokens are chosen differently")
        return found


@dataclass(frozen=True)
class VerifyReport:
    """All pictures. `exact`: the language model is F32, so that tokens are held to equality."""

    model: str
    mmproj: str
    exact: bool
    checks: tuple[PictureCheck, ...]

    @property
    def problems(self) -> list[str]:
        """What is wrong, a line each."""
        return [
            f"picture {number}: {problem}"
            for number, check in enumerate(self.checks, 1)
            for problem in check.problems(exact=self.exact)
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
) -> VerifyReport:
    """Compare a checkpoint with its GGUF files on pictures, each with the prompt text (hints and
    instruction) of the same place, writing `tokens` tokens.

    The checkpoint is loaded in float32. Raises VisCodexError where either does not load.
    """
    files = gguf_dir if isinstance(gguf_dir, ModelFiles) else find_model(gguf_dir)
    reference = _Reference(checkpoint_dir)
    exact = read_header(files.model).keys.get("general.file_type") == ALL_F32
    flag = CancelFlag.private()
    options = SessionOptions(files.card.context, files.card.image, threads=threads)
    session = VisionSession(files.model, files.mmproj, options, flag, lambda _: None)
    try:
        checks = [
            _compare(reference, session, to_grid(picture, files.card.image), prompt, tokens)
            for picture, prompt in zip(pictures, prompts, strict=True)
        ]
    finally:
        session.close()
    return VerifyReport(files.model.name, files.mmproj.name, exact, tuple(checks))


@dataclass(frozen=True)
class _Run:
    """Embeddings (picture tokens, width), tokens written, and the logits (tokens, vocabulary)
    that each was chosen by."""

    embeddings: np.ndarray
    tokens: list[int]
    logits: np.ndarray


class _Reference:
    """The checkpoint in transformers."""

    def __init__(self, folder: Path) -> None:
        self.model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
        for module in self.model.model.language_model.modules():
            if hasattr(module, "variance_epsilon"):
                module.variance_epsilon = 0.0
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        mean, std = picture_scale(folder)
        # Any size passes: pictures lie on the grid already.
        self.processor = Qwen2VLImageProcessorPil(
            min_pixels=28 * 28, max_pixels=28 * 28 * 16_384, image_mean=mean, image_std=std
        )
        self.image_token: int = self.model.config.image_token_id

    def cut(self, parts: Sequence[PromptPart], picture_tokens: int) -> list[int]:
        """Token numbers of a prompt, the way the engine has them cut."""
        picture = "<|vision_start|>" + "<|image_pad|>" * picture_tokens + "<|vision_end|>"
        ids: list[int] = []
        for part in parts:
            ids += self.tokenizer.encode(
                picture if part.kind == "image" else part.text,
                add_special_tokens=False,
                split_special_tokens=part.kind == "data",
            )
        return ids

    @torch.no_grad()
    def run(self, ids: list[int], picture: Image.Image, length: int) -> _Run:
        """What the model makes of a prompt, up to the end of its turn."""
        seen = self.processor(picture, return_tensors="pt")
        pixels, grid = seen["pixel_values"], seen["image_grid_thw"]
        embeddings = self.model.model.visual(pixels, grid_thw=grid).pooler_output
        batch = torch.tensor([ids])
        output = self.model.generate(
            input_ids=batch,
            attention_mask=torch.ones_like(batch),
            pixel_values=pixels,
            image_grid_thw=grid,
            # Without these the positions would silently count on as in text.
            mm_token_type_ids=(batch == self.image_token).int(),
            do_sample=False,
            max_new_tokens=length,
            eos_token_id=self.tokenizer.convert_tokens_to_ids("<|im_end|>"),
            pad_token_id=self.tokenizer.convert_tokens_to_ids("<|endoftext|>"),
            return_dict_in_generate=True,
            output_logits=True,
        )
        return _Run(
            embeddings.numpy(),
            output.sequences[0, len(ids) :].tolist(),
            torch.cat(output.logits).numpy(),
        )


def _exported(session: VisionSession, chunks: Chunks, tokens: Sequence[int]) -> _Run:
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
    return _Run(embeddings, [int(row.argmax()) for row in logits], np.stack(logits))


def _compare(
    reference: _Reference, session: VisionSession, picture: Image.Image, prompt: str, length: int
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
    wanted = reference.cut(parts, ids.count(reference.image_token))
    return PictureCheck(
        size=picture.size,
        cosine=_cosine(ours.embeddings.ravel(), theirs.embeddings.ravel()),
        lowest_cosine=min(map(_cosine, ours.embeddings, theirs.embeddings)),
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
