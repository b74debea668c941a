"""Smaller types than the export writes itself (K-quants), by llama.cpp's own quantizer."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import ErrorCode, VisCodexError
from engine.llama.library import llama, set_up
from engine.models.header import read_header

# Rows that the blocks of 256 of a K-quant do not divide fall back to other types by themselves.
TYPES: Mapping[str, int] = {
    "Q2_K": llama.LLAMA_FTYPE_MOSTLY_Q2_K,
    "Q3_K_M": llama.LLAMA_FTYPE_MOSTLY_Q3_K_M,
    "Q4_K_S": llama.LLAMA_FTYPE_MOSTLY_Q4_K_S,
    "Q4_K_M": llama.LLAMA_FTYPE_MOSTLY_Q4_K_M,
    "Q5_K_S": llama.LLAMA_FTYPE_MOSTLY_Q5_K_S,
    "Q5_K_M": llama.LLAMA_FTYPE_MOSTLY_Q5_K_M,
    "Q6_K": llama.LLAMA_FTYPE_MOSTLY_Q6_K,
    "IQ4_XS": llama.LLAMA_FTYPE_MOSTLY_IQ4_XS,
    "Q8_0": llama.LLAMA_FTYPE_MOSTLY_Q8_0,
    "F16": llama.LLAMA_FTYPE_MOSTLY_F16,
    "BF16": llama.LLAMA_FTYPE_MOSTLY_BF16,
}
BUFFER = 128 << 20  # bytes of rows that the quantizer holds at a time
Importance = Mapping[str, np.ndarray]  # tensor -> one number a column, float32


def quantize(
    source: Path,
    out: Path,
    kind: str,
    *,
    threads: int | None = None,
    importance: Importance | None = None,
) -> Path:
    """Quantize an exported file (F32, F16 or BF16, text or vision) to `kind`; returns `out`.

    `importance` tells how much each column of a matrix matters (see imatrix.py). Raises
    VisCodexError: bad_input for an unknown type, model_missing or model_broken for a file that
    cannot be read, internal where llama.cpp refuses. Nothing is left at `out` then.
    """
    if kind not in TYPES:
        raise VisCodexError(
            ErrorCode.bad_input,
            f"'{kind}' is no type to quantize to.",
            f"Choose {', '.join(TYPES)}.",
        )
    read_header(source)  # llama.cpp would end the process over some broken files
    set_up()
    params = llama.llama_model_quantize_default_params()
    params.nthread = threads or 0
    params.ftype = TYPES[kind]
    params.max_buf_size = BUFFER
    # Kept until the end of the call: the library reads them where they are.
    table, keep = _table(importance or {})
    if importance:
        params.imatrix = table
    part = out.with_name(out.name + ".part")
    try:
        result = llama.llama_model_quantize(bytes(source), bytes(part), ctypes.byref(params))
        if result:
            raise VisCodexError(
                ErrorCode.internal,
                f"llama.cpp could not quantize '{source.name}' to {kind} (code {result}).",
                "Export to F32, F16 or BF16 first.",
            )
        os.replace(part, out)
    finally:
        part.unlink(missing_ok=True)
        del keep
    return out


def _table(importance: Importance) -> tuple[Any, list[np.ndarray]]:
    """The rows that llama.cpp wants, the last one empty, and the arrays they point to."""
    table = (llama.llama_model_imatrix_data * (len(importance) + 1))()
    keep = []
    for row, (name, values) in zip(table, importance.items(), strict=False):
        flat = np.ascontiguousarray(values, np.float32).reshape(-1)
        keep.append(flat)
        row.name = name.encode()
        row.data = flat.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        row.size = flat.size
    return table, keep
