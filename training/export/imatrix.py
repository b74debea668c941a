"""Importance matrices: how much each column of each matrix of a language model matters.

Collected as llama.cpp's imatrix tool does: a text is read, and for every product with a weight of
a layer the squares of what goes into each column are summed over the tokens. K-quants then place
their errors where little comes in. The file is llama.cpp's own (GGUF, `general.type` imatrix), so
that those of others can be used here, and ours there.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np

from engine.errors import ErrorCode, VisCodexError
from engine.models.header import read_header
from training.export.native import Node
from training.export.quantize import Importance
from training.export.scoring import CONTEXT, TextModel
from training.export.texts import read_texts

FILE_NAME = "imatrix.gguf"
SUMS, COUNTS = ".in_sum2", ".counts"
MIN_TOKENS = 16  # shorter passes are left out, as by llama.cpp's tool


@dataclass(frozen=True)
class Matrix:
    """Sums of squares (width,) by tensor, and how many tokens they are over."""

    sums: dict[str, np.ndarray]
    counts: dict[str, int]
    chunks: int
    source: str

    def importance(self) -> Importance:
        """Mean squares, as the quantizer wants them."""
        return {
            name: (sums / max(1, self.counts[name])).astype(np.float32)
            for name, sums in self.sums.items()
        }


def collect(model: Path, data: Path, *, chunks: int | None = None) -> Matrix:
    """Run a text file over calibration texts, at most `chunks` stretches of CONTEXT tokens.

    Raises VisCodexError: bad_input for data without text, or with less than one stretch.
    """
    texts = read_texts(data)
    sums: dict[str, np.ndarray] = {}
    counts: dict[str, int] = {}

    def watch(tensor: int, ask: bool) -> bool:
        node = Node(tensor)
        if node.operation != "MUL_MAT":
            return not ask
        weight, values = node.source(0), node.source(1)
        wanted = weight is not None and values is not None and weight.name.startswith("blk.")
        if ask or not wanted:
            return wanted
        assert weight is not None and values is not None
        rows = values.values().astype(np.float64)
        if len(rows) >= MIN_TOKENS:
            sums[weight.name] = sums.get(weight.name, 0.0) + np.square(rows).sum(axis=0)
            counts[weight.name] = counts.get(weight.name, 0) + len(rows)
        return True

    with TextModel(model, watch=watch) as loaded:
        tokens = [
            token for text in texts for token in loaded.vocabulary.tokenize(text, special=True)
        ]
        size = loaded.context
        starts = range(0, len(tokens) - MIN_TOKENS + 1, size)[:chunks]
        if not starts:
            raise VisCodexError(
                ErrorCode.bad_input,
                f"'{data}' has {len(tokens)} tokens, which is too few to calibrate with.",
                f"Give some thousands; a stretch has {size}.",
            )
        for start in starts:
            loaded.logits(tokens[start : start + size])
    for name, values in sums.items():
        if not np.isfinite(values).all():
            raise VisCodexError(
                ErrorCode.model_broken, f"What goes into '{name}' is not finite.", "Train it again."
            )
    # As they are written, so that a matrix that was read gives the same file.
    kept = {name: values.astype(np.float32) for name, values in sums.items()}
    return Matrix(kept, counts, len(starts), data.name)


def write(matrix: Matrix, path: Path) -> None:
    """Write a matrix as llama.cpp does, beside its place first."""
    part = path.with_name(path.name + ".part")
    writer = gguf.GGUFWriter(part, "imatrix")
    writer.add_type("imatrix")
    writer.add_array("imatrix.datasets", [matrix.source])
    writer.add_uint32("imatrix.chunk_count", matrix.chunks)
    writer.add_uint32("imatrix.chunk_size", CONTEXT)
    for name in sorted(matrix.sums):
        writer.add_tensor(name + SUMS, matrix.sums[name][None])
        writer.add_tensor(name + COUNTS, np.array([[matrix.counts[name]]], np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    os.replace(part, path)


def read(path: Path) -> Matrix:
    """Read a matrix. Raises VisCodexError: model_missing, bad_input for another kind of file."""
    if path.is_file() and path.open("rb").read(4) != b"GGUF":
        raise _wrong(path, "is no GGUF file; files of the old kind (.dat) are not read")
    if read_header(path).keys.get("general.type") != "imatrix":
        raise _wrong(path, "holds no importance matrix")
    reader = gguf.GGUFReader(path)
    found = {tensor.name: np.array(tensor.data) for tensor in reader.tensors}
    names = [name.removesuffix(SUMS) for name in found if name.endswith(SUMS)]
    lacking = [name for name in names if name + COUNTS not in found]
    if lacking or not names:
        raise _wrong(path, "lacks counts or sums")
    chunks = reader.get_field("imatrix.chunk_count")
    return Matrix(
        {name: found[name + SUMS].reshape(-1) for name in names},
        {name: int(found[name + COUNTS].max()) for name in names},
        int(chunks.contents()) if chunks else 0,
        path.name,
    )


def importance_for(matrix: Matrix, model: Path) -> Importance:
    """What a matrix says of the tensors of a text file. Raises VisCodexError(bad_input) where it
    is another model's."""
    tensors = read_header(model).tensors
    layers = [name for name in tensors if name.startswith("blk.") and len(tensors[name].dims) == 2]
    lacking = sorted(set(layers) - set(matrix.sums))
    wrong = sorted(
        name for name in layers
        if name in matrix.sums and matrix.sums[name].size != tensors[name].dims[0]
    )  # fmt: skip
    if lacking or wrong:
        raise VisCodexError(
            ErrorCode.bad_input,
            f"The importance matrix does not fit the model: {(wrong or lacking)[0]}.",
            "Give the one that was collected on this model, or --calibrate DATA.",
        )
    known: Sequence[str] = [name for name in matrix.sums if name in tensors]
    every = matrix.importance()
    return {name: every[name] for name in known}


def _wrong(path: Path, why: str) -> VisCodexError:
    return VisCodexError(
        ErrorCode.bad_input, f"'{path}' {why}.", "Give the file of `llama-imatrix` or of an export."
    )
