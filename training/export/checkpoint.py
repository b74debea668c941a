"""The tensors of a checkpoint, cut and named as GGUF wants them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from training.checkpoint import Checkpoint
from training.names import Tensor
from training.tensors import Reader, broken

FAMILIES = ("qwen2_5_vl", "qwen2_vl")  # what can be exported
Rows = Callable[[int, int], np.ndarray]


@dataclass(frozen=True)
class Piece:
    """A tensor of a GGUF file: `rows(a, b)` reads rows a..b of axis 0 as float32."""

    name: str
    source: str
    shape: tuple[int, ...]
    rows: Rows


def pieces_of(checkpoint: Checkpoint, *modules: str) -> list[Piece]:
    """The tensors of some modules, in the order of the table of names."""
    return [
        piece
        for tensor in checkpoint.tensors.values()
        if tensor.module in modules
        for piece in _cut(checkpoint, tensor)
    ]


def _cut(checkpoint: Checkpoint, tensor: Tensor) -> list[Piece]:
    source = tensor.source
    stored = checkpoint.stored[source]
    shape = stored.shape

    def rows(start: int, stop: int) -> np.ndarray:
        width = stored.count // shape[0]
        with Reader() as reader:
            flat = reader.read(stored, start * width, stop * width)
        values = flat.to(torch.float32).numpy().reshape(stop - start, *shape[1:])
        if not np.isfinite(values).all():
            raise broken(f"The tensor '{source}' holds NaN or infinity.", "Train it again.")
        return np.asarray(values)

    parts = len(tensor.gguf)
    if tensor.cut == "rows":
        if shape[0] % parts:
            raise broken(f"The tensor '{source}' has {shape[0]} rows, not thirds.", "Mend it.")
        step = shape[0] // parts
        return [
            Piece(name, source, (step, *shape[1:]), _moved(rows, number * step))
            for number, name in enumerate(tensor.gguf)
        ]
    if tensor.cut == "time":
        if len(shape) != 5 or shape[2] != parts:
            raise broken(
                f"The tensor '{source}' has the shape {shape}, not {parts} time slices.",
                "llama.cpp runs towers with temporal_patch_size 2 only.",
            )
        return [
            Piece(name, source, shape[:2] + shape[3:], _at_time(rows, number))
            for number, name in enumerate(tensor.gguf)
        ]
    return [Piece(tensor.gguf[0], source, shape, rows)]


def _moved(rows: Rows, by: int) -> Rows:
    return lambda start, stop: rows(start + by, stop + by)


def _at_time(rows: Rows, slice_number: int) -> Rows:
    return lambda start, stop: rows(start, stop)[:, :, slice_number]
