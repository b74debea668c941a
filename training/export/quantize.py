"""Smaller types than the export writes itself (K-quants), by llama.cpp's own quantizer."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping
from pathlib import Path

from engine.errors import ErrorCode, VisCodexError
from engine.llama.library import llama, set_up
from engine.models.header import read_header

# Rows that the blocks of 256 of a K-quant do not divide fall back to other types by themselves.
TYPES: Mapping[str, int] = {
    "Q4_K_M": llama.LLAMA_FTYPE_MOSTLY_Q4_K_M,
    "Q5_K_M": llama.LLAMA_FTYPE_MOSTLY_Q5_K_M,
    "Q6_K": llama.LLAMA_FTYPE_MOSTLY_Q6_K,
    "Q8_0": llama.LLAMA_FTYPE_MOSTLY_Q8_0,
}


def quantize(source: Path, out: Path, kind: str, *, threads: int | None = None) -> Path:
    """Quantize an exported file (F32, F16 or BF16, text or vision) to `kind`; returns `out`.

    Raises VisCodexError: bad_input for an unknown type, model_missing or model_broken for a file
    that cannot be read, internal where llama.cpp refuses. Nothing is left at `out` then.
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
    return out
