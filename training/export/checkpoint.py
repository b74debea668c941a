"""The tensors of a checkpoint, cut and named as GGUF wants them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import torch

from training.checkpoint import Checkpoint
from training.export.lora import Adapter
from training.names import Tensor
from training.tensors import Reader, broken

FAMILIES = ("qwen2_5_vl", "qwen2_vl", "qwen3_vl")  # what can be exported
Rows = Callable[[int, int], torch.Tensor]
_DEEPSTACK = re.compile(r"^v\.deepstack\.(\d+)\.")


@dataclass(frozen=True)
class Piece:
    """A tensor of a GGUF file: `rows(a, b)` reads rows a..b of axis 0, in the dtype of the
    checkpoint, or as float32 where an adapter is merged into them."""

    name: str
    source: str
    shape: tuple[int, ...]
    rows: Rows


def pieces_of(checkpoint: Checkpoint, *modules: str, adapter: Adapter | None = None) -> list[Piece]:
    """The tensors of some modules, in the order of the table of names."""
    return [
        piece
        for tensor in checkpoint.tensors.values()
        if tensor.module in modules
        for piece in _cut(checkpoint, tensor, adapter)
    ]


def _cut(checkpoint: Checkpoint, tensor: Tensor, adapter: Adapter | None) -> list[Piece]:
    source = tensor.source
    shape = checkpoint.stored[source].shape
    rows = rows_of(checkpoint, tensor, adapter)
    names = tuple(_block_name(checkpoint, name) for name in tensor.gguf)
    parts = len(names)
    if tensor.cut == "rows":
        if shape[0] % parts:
            raise broken(f"The tensor '{source}' has {shape[0]} rows, not thirds.", "Mend it.")
        step = shape[0] // parts
        return [
            Piece(name, source, (step, *shape[1:]), _moved(rows, number * step))
            for number, name in enumerate(names)
        ]
    if tensor.cut == "time":
        if len(shape) != 5 or shape[2] != parts:
            raise broken(
                f"The tensor '{source}' has the shape {shape}, not {parts} time slices.",
                "llama.cpp runs towers with temporal_patch_size 2 only.",
            )
        return [
            Piece(name, source, shape[:2] + shape[3:], _at_time(rows, number))
            for number, name in enumerate(names)
        ]
    return [Piece(names[0], source, shape, rows)]


def rows_of(checkpoint: Checkpoint, tensor: Tensor, adapter: Adapter | None = None) -> Rows:
    """What reads rows of a tensor, an adapter's part added to them."""
    stored = checkpoint.stored[tensor.source]
    width = stored.count // stored.shape[0]
    change = adapter.change(tensor.canonical, stored.shape) if adapter is not None else None

    def rows(start: int, stop: int) -> torch.Tensor:
        with Reader() as reader:
            values = reader.read(stored, start * width, stop * width)
        values = values.reshape(stop - start, *stored.shape[1:])
        return values if change is None else change(values, start, stop)

    return rows


def _block_name(checkpoint: Checkpoint, name: str) -> str:
    """Mergers beside the last one are called by the block they read from, not by their number."""
    found = _DEEPSTACK.match(name)
    if found is None:
        return name
    block = checkpoint.vision.get("deepstack_visual_indexes", ())[int(found.group(1))]
    return f"v.deepstack.{block}.{name[found.end() :]}"


def _moved(rows: Rows, by: int) -> Rows:
    return lambda start, stop: rows(start + by, stop + by)


def _at_time(rows: Rows, slice_number: int) -> Rows:
    return lambda start, stop: rows(start, stop)[:, :, slice_number]
