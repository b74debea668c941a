"""From samples to tensors: patches, prompts, hints with the reader's kinds of error."""

from __future__ import annotations

import random
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from engine.hints import TextLine, format_hints
from engine.images import ImageLimits, grid_size, to_grid
from engine.prompt import PromptPart, build_prompt
from engine.tasks import AUTO_INSTRUCTION_SHORT, TASKS
from training.nano.forward import Grid, PatchPlan, patch_layout, plan_patches
from training.nano.labels import PatchLabels, patch_labels
from training.nano.reader_noise import ReaderNoise
from training.nano.records import Sample

# CLIP's, as the image processor of Qwen2.5-VL and the mmproj file have them.
MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)
PATCH = 14
COPY_INSTRUCTION = "Write the text."
TASK_OF_KIND = {"html": "html", "chart": "matplotlib"}


def patches_of(picture: Image.Image) -> tuple[np.ndarray, Grid]:
    """Patches (n, 1176) float32 in the tower's order (2 x 2 blocks together), and the grid."""
    grid = (picture.height // PATCH, picture.width // PATCH)
    pixels = (np.asarray(picture, np.float32) / 255 - MEAN) / STD
    cut = pixels.reshape(grid[0] // 2, 2, PATCH, grid[1] // 2, 2, PATCH, 3)
    cut = cut.transpose(0, 3, 1, 4, 6, 2, 5).reshape(-1, 3, 1, PATCH * PATCH)
    # A still picture fills both time slices of the patch embedding.
    return np.repeat(cut, 2, axis=2).reshape(len(cut), -1), grid


@dataclass(frozen=True)
class VisionBatch:
    """Pictures and their patch labels, patches in storage order."""

    patches: Tensor
    plan: PatchPlan
    labels: PatchLabels


def vision_batch(samples: Sequence[Sample], limits: ImageLimits) -> VisionBatch:
    """Patches and labels of some samples."""
    patches, grids, labels = [], [], []
    for sample in samples:
        picture = sample.picture()
        fitted = to_grid(picture, limits)
        scale = (fitted.width / picture.width, fitted.height / picture.height)
        cut, grid = patches_of(fitted)
        label = patch_labels(fitted, sample.regions, sample.lines, scale)
        places, _ = patch_layout(grid)
        order = places[:, 0] * grid[1] + places[:, 1]
        patches.append(cut)
        grids.append(grid)
        labels.append({name: value[order] for name, value in vars(label).items()})
    joined = {name: np.concatenate([label[name] for label in labels]) for name in labels[0]}
    return VisionBatch(
        torch.from_numpy(np.concatenate(patches)), plan_patches(grids), PatchLabels(**joined)
    )


class PromptEncoder:
    """Turns prompt parts into token ids exactly as the engine does: part by part."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self.tokenizer = tokenizer
        self._answers: dict[str, array[int]] = {}
        ids = {str(t): i for i, t in tokenizer.added_tokens_decoder.items()}
        self.start, self.end = ids["<|vision_start|>"], ids["<|vision_end|>"]
        self.pad, self.stop = ids["<|image_pad|>"], ids["<|im_end|>"]

    def text(self, text: str, *, special: bool) -> list[int]:
        """Token ids of `text`; special tokens are read as such only where `special`."""
        return list(
            self.tokenizer.encode(text, add_special_tokens=False, split_special_tokens=not special)
        )

    def answer(self, text: str) -> list[int]:
        """Token ids of an answer; kept, since samples are shown many times."""
        ids = self._answers.get(text)
        if ids is None:
            ids = self._answers[text] = array("H", self.text(text, special=False))
        return list(ids)

    def prompt(self, parts: Sequence[PromptPart], picture_tokens: int) -> list[int]:
        """Ids of a prompt; the image part stands for `picture_tokens` tokens (0: left out)."""
        ids: list[int] = []
        for part in parts:
            if part.kind == "image":
                if picture_tokens:
                    ids += [self.start] + [self.pad] * picture_tokens + [self.end]
            else:
                ids += self.text(part.text, special=part.kind == "template")
        return ids


@dataclass(frozen=True)
class Example:
    """Token ids of one prompt with its answer; the answer starts at `answer_start`."""

    ids: list[int]
    answer_start: int
    merged: Grid | None  # rows and columns of picture tokens
    sample: Sample | None  # where the picture is taken from, decoded only for a batch


def choose_lines(sample: Sample, noise: ReaderNoise | None, rng: random.Random) -> list[TextLine]:
    """The hints of one showing: a tenth none, the reader's where there are any, else noisy ones."""
    if noise is None:
        return sample.read_lines if sample.read_lines is not None else sample.lines
    if rng.random() < 0.07:
        return []
    if sample.read_lines is not None and rng.random() < 0.6:
        return sample.read_lines
    return noise.apply(sample.lines, rng)


def make_example(
    sample: Sample,
    encoder: PromptEncoder,
    limits: ImageLimits,
    rng: random.Random,
    noise: ReaderNoise | None,
    *,
    with_picture: bool,
    copy: bool = False,
) -> Example:
    """Prompt and answer of `sample`. Without a picture the hints still use the fitted pixels.

    With `copy` the answer is the bare texts of the hints: an exercise in copying, which is learnt
    several times faster from it than from code, where few tokens are copied ones.
    """
    width, height = sample.size
    across, down = grid_size(width, height, limits)
    scale = (across / width, down / height)
    lines = choose_lines(sample, noise, rng)
    if copy and lines:
        hints = format_hints(rng.sample(lines, len(lines)), scale)
        texts = [row[row.index(">") :] for row in hints.split("\n")[:-1]]
        if rng.random() < 0.5:  # without boxes and colours: shorter still
            hints = "".join(text + "\n" for text in texts)
        parts = build_prompt(hints, COPY_INSTRUCTION, "")
        answer = encoder.text("\n".join(texts), special=False)
        prompt = encoder.prompt(parts, 0)
        return Example(prompt + answer + [encoder.stop], len(prompt), None, None)
    task = TASKS[TASK_OF_KIND[sample.kind]]
    instruction = AUTO_INSTRUCTION_SHORT if rng.random() < 0.3 else task.short_instruction
    parts = build_prompt(format_hints(lines, scale), instruction, "")
    merged = (down // limits.factor, across // limits.factor)
    prompt = encoder.prompt(parts, merged[0] * merged[1] if with_picture else 0)
    answer = encoder.answer(f"```{task.fence}\n{sample.code}\n```")
    return Example(
        prompt + answer + [encoder.stop],
        len(prompt),
        merged if with_picture else None,
        sample if with_picture else None,
    )


def positions_of(example: Example, pad: int) -> np.ndarray:
    """M-RoPE positions (3, length): text counts on, picture tokens take row and column."""
    ids = np.asarray(example.ids)
    if example.merged is None:
        return np.broadcast_to(np.arange(len(ids)), (3, len(ids)))
    rows, columns = example.merged
    first = int(np.argmax(ids == pad))
    count = rows * columns
    down, across = np.divmod(np.arange(count), columns)
    picture = np.stack([np.zeros(count, np.int64), down, across]) + first
    after = first + max(rows, columns) + np.arange(len(ids) - first - count)
    text = np.arange(first)
    return np.concatenate(
        [np.broadcast_to(text, (3, first)), picture, np.broadcast_to(after, (3, len(after)))], 1
    )


@dataclass(frozen=True)
class LanguageBatch:
    """Right-padded token ids, labels (-100 outside the answers), positions, and the pictures."""

    ids: Tensor
    labels: Tensor
    positions: Tensor
    patches: Tensor | None
    plan: PatchPlan | None


def language_batch(
    examples: Sequence[Example], encoder: PromptEncoder, limits: ImageLimits
) -> LanguageBatch:
    """Pad examples to one length."""
    longest = max(len(e.ids) for e in examples)
    ids = np.full((len(examples), longest), encoder.stop, np.int64)
    labels = np.full((len(examples), longest), -100, np.int64)
    positions = np.zeros((3, len(examples), longest), np.int64)
    patches, grids = [], []
    for row, example in enumerate(examples):
        length = len(example.ids)
        ids[row, :length] = example.ids
        labels[row, example.answer_start : length] = example.ids[example.answer_start :]
        positions[:, row, :length] = positions_of(example, encoder.pad)
        if example.sample is not None:
            cut, grid = patches_of(to_grid(example.sample.picture(), limits))
            patches.append(cut)
            grids.append(grid)
    return LanguageBatch(
        torch.from_numpy(ids),
        torch.from_numpy(labels),
        torch.from_numpy(positions),
        torch.from_numpy(np.concatenate(patches)) if patches else None,
        plan_patches(grids) if grids else None,
    )
