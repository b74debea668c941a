"""Writes a GGUF file: the header from shapes alone, then tensors, a stretch of rows at a time."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

from engine.errors import ErrorCode, VisCodexError
from training.export.checkpoint import Piece
from training.tensors import broken

TYPES = {"F32": Type.F32, "F16": Type.F16, "BF16": Type.BF16, "Q8_0": Type.Q8_0}
FILE_TYPES = {
    "F32": gguf.LlamaFileType.ALL_F32,
    "F16": gguf.LlamaFileType.MOSTLY_F16,
    "BF16": gguf.LlamaFileType.MOSTLY_BF16,
    "Q8_0": gguf.LlamaFileType.MOSTLY_Q8_0,
}
STRETCH = 8_000_000  # values held at a time
Check = Callable[[Piece, int, np.ndarray], None]


def check_type(wanted: str) -> None:
    """Refuse types that are not written here."""
    if wanted not in TYPES:
        raise VisCodexError(
            ErrorCode.bad_input,
            f"'{wanted}' is no type that can be exported to.",
            f"Choose {', '.join(TYPES)}; K-quants are made from an exported file.",
        )


def tensor_type(name: str, shape: Sequence[int], wanted: str) -> Type:
    """The type of a tensor in a file of the type `wanted`.

    Vectors (norms, biases) and the patch embedding stay F32; rows that the blocks of a quantized
    type do not divide become F16, as llama.cpp's converter has it.
    """
    if len(shape) < 2 or "patch_embd" in name:
        return Type.F32
    kind = TYPES[wanted]
    block, _ = gguf.GGML_QUANT_SIZES[kind]
    return Type.F16 if shape[-1] % block else kind


def write_gguf(
    path: Path,
    architecture: str,
    keys: Callable[[gguf.GGUFWriter], None],
    pieces: Sequence[Piece],
    wanted: str,
    check: Check | None = None,
) -> int:
    """Write `path`; returns the number of tensors. The caller renames it into place.

    `check` sees every stretch: piece, number of its first row, values as float32.
    """
    writer = gguf.GGUFWriter(path, architecture)
    try:
        keys(writer)
        writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
        writer.add_file_type(int(FILE_TYPES[wanted]))
        kinds = [tensor_type(piece.name, piece.shape, wanted) for piece in pieces]
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
        for piece, kind in zip(pieces, kinds, strict=True):
            size = 0
            step = max(1, STRETCH // math.prod(piece.shape[1:]))
            for start in range(0, piece.shape[0], step):
                values = piece.rows(start, min(start + step, piece.shape[0]))
                if check is not None:
                    check(piece, start, values)
                size += file.write(_encoded(piece, values, kind))
            writer.write_padding(file, size)
        file.flush()
        os.fsync(file.fileno())
    finally:
        writer.close()
    return len(pieces)


def _encoded(piece: Piece, values: np.ndarray, kind: Type) -> bytes:
    if kind == Type.F16 and np.abs(values).max(initial=0.0) > np.finfo(np.float16).max:
        raise broken(
            f"The tensor '{piece.source}' holds values that F16 cannot.", "Export to BF16 or F32."
        )
    return gguf.quants.quantize(np.ascontiguousarray(values), kind).tobytes()
