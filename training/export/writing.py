"""Writes a GGUF file: the header from shapes alone, then tensors, a stretch of rows at a time."""

from __future__ import annotations

import hashlib
import math
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Type

from engine.errors import ErrorCode, VisCodexError
from engine.llama.library import physical_cores
from training.export.checkpoint import Piece
from training.export.native import quantize_rows
from training.tensors import broken

TYPES = {"F32": Type.F32, "F16": Type.F16, "BF16": Type.BF16, "Q8_0": Type.Q8_0}
FILE_TYPES = {
    "F32": gguf.LlamaFileType.ALL_F32,
    "F16": gguf.LlamaFileType.MOSTLY_F16,
    "BF16": gguf.LlamaFileType.MOSTLY_BF16,
    "Q8_0": gguf.LlamaFileType.MOSTLY_Q8_0,
}
_PLAIN = {Type.F32: torch.float32, Type.F16: torch.float16, Type.BF16: torch.bfloat16}
LARGEST_F16 = 65504.0
# Values held at a time, by each thread. The system takes back larger pieces of memory when they are
# let go, and clears them before it gives them again: at 16 MB, three times the processor time.
STRETCH = 1_000_000
Check = Callable[[Piece, int, torch.Tensor], None]


class F16Overflow(VisCodexError):
    """Values that F16 cannot hold."""


@dataclass(frozen=True)
class Written:
    """How many tensors a file has, the largest magnitude in those that are no vectors, and the
    file's sum."""

    tensors: int
    largest: float
    largest_in: str
    sha256: str


def check_type(wanted: str) -> None:
    """Refuse types that are not written here."""
    if wanted not in TYPES:
        raise VisCodexError(
            ErrorCode.bad_input,
            f"'{wanted}' is no type that can be exported to.",
            f"Choose {', '.join(TYPES)}; K-quants are made from an exported file.",
        )


def tensor_type(name: str, shape: Sequence[int], wanted: str, spare: str = "F16") -> Type:
    """The type of a tensor in a file of the type `wanted`, by the rules of llama.cpp's converter.

    Vectors (norms, biases) and learned positions stay F32, the patch embedding too, but for an F16
    file; rows that the blocks of a quantized type do not divide become `spare`.
    """
    if len(shape) < 2 or "position_embd" in name:
        return Type.F32
    if "patch_embd" in name:
        return Type.F16 if wanted == "F16" else Type.F32
    kind = TYPES[wanted]
    block, _ = gguf.GGML_QUANT_SIZES[kind]
    return TYPES[spare] if shape[-1] % block else kind


def write_gguf(
    path: Path,
    architecture: str,
    keys: Callable[[gguf.GGUFWriter], None],
    pieces: Sequence[Piece],
    wanted: str,
    check: Check | None = None,
    spare: str = "F16",
) -> Written:
    """Write `path`. The caller renames it into place.

    `check` sees every stretch: piece, number of its first row, values. Raises VisCodexError:
    model_broken for NaN and infinity, F16Overflow.
    """
    writer = gguf.GGUFWriter(path, architecture)
    largest, largest_in = 0.0, ""
    try:
        keys(writer)
        writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
        writer.add_file_type(int(FILE_TYPES[wanted]))
        kinds = [tensor_type(piece.name, piece.shape, wanted, spare) for piece in pieces]
        for piece, kind in zip(pieces, kinds, strict=True):
            stored = gguf.quant_shape_to_byte_shape(piece.shape, kind)
            size = math.prod(stored)
            # Shapes in bytes: the library turns them back with the type.
            writer.add_tensor_info(piece.name, stored, np.dtype(np.uint8), size, raw_dtype=kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        assert writer.fout is not None
        (file,) = writer.fout
        writer.write_padding(file, file.tell())
        file.flush()
        # Summed on the way: to read so much again would cost more than to write it.
        digest = hashlib.sha256(path.read_bytes())
        size = 0
        for piece, last, values, most in _encoded_stretches(pieces, kinds, check):
            if most > largest and len(piece.shape) > 1:
                largest, largest_in = most, piece.source
            size += file.write(values)
            digest.update(values)
            if last:
                padding = bytes(-size % writer.data_alignment)
                file.write(padding)
                digest.update(padding)
                size = 0
        file.flush()
        os.fsync(file.fileno())
    finally:
        writer.close()
    return Written(len(pieces), largest, largest_in, digest.hexdigest())


def _encoded_stretches(
    pieces: Sequence[Piece], kinds: Sequence[Type], check: Check | None
) -> Iterator[tuple[Piece, bool, memoryview, float]]:
    """Stretches in order, read and encoded by several threads a few at a time; whether each is the
    last of its tensor, and its largest magnitude."""

    def work(piece: Piece, kind: Type, start: int, stop: int) -> tuple[memoryview, float]:
        values = piece.rows(start, stop)
        most = _largest(piece, values)
        if check is not None:
            check(piece, start, values)
        return _encoded(piece, values, kind, most), most

    threads = physical_cores()
    pending: deque[tuple[Piece, bool, Future[tuple[memoryview, float]]]] = deque()
    pool = ThreadPoolExecutor(threads)
    try:
        for piece, kind in zip(pieces, kinds, strict=True):
            step = max(1, STRETCH // math.prod(piece.shape[1:]))
            for start in range(0, piece.shape[0], step):
                stop = min(start + step, piece.shape[0])
                pending.append(
                    (piece, stop == piece.shape[0], pool.submit(work, piece, kind, start, stop))
                )
                if len(pending) > threads:
                    piece_done, last, future = pending.popleft()
                    yield piece_done, last, *future.result()
        while pending:
            piece_done, last, future = pending.popleft()
            yield piece_done, last, *future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _largest(piece: Piece, values: torch.Tensor) -> float:
    low, high = torch.aminmax(values)  # NaN passes through
    most = max(-float(low), float(high))
    if not math.isfinite(float(low) + float(high)):
        raise broken(f"The tensor '{piece.source}' holds NaN or infinity.", "Train it again.")
    return most


def _encoded(piece: Piece, values: torch.Tensor, kind: Type, most: float) -> memoryview:
    if kind == Type.F16 and most > LARGEST_F16:
        raise F16Overflow(
            ErrorCode.model_broken,
            f"The tensor '{piece.source}' holds values that F16 cannot.",
            "Export to BF16 or F32.",
        )
    if kind in _PLAIN:
        plain = values.to(_PLAIN[kind]).contiguous()
        return _bytes(plain.view(torch.uint8).numpy())
    rows = values.float().reshape(-1, values.shape[-1])
    return _bytes(quantize_rows(rows, int(kind)))


def _bytes(values: np.ndarray) -> memoryview:
    return values.reshape(-1).data
