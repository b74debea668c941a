"""What is needed of ggml, llama.cpp's tensor library, beyond what the bindings declare."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engine.llama.library import llama

_NAMES = ("libggml-base.so", "libggml-base.dylib", "ggml-base.dll", "libggml-base.dll")
_F32 = 0  # ggml_type


class _Tensor(ctypes.Structure):
    """struct ggml_tensor of the pinned version (ggml/include/ggml.h)."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("buffer", ctypes.c_void_p),
        ("ne", ctypes.c_int64 * 4),
        ("nb", ctypes.c_size_t * 4),
        ("op", ctypes.c_int),
        ("op_params", ctypes.c_int32 * 16),
        ("flags", ctypes.c_int32),
        ("src", ctypes.c_void_p * 10),
        ("view_src", ctypes.c_void_p),
        ("view_offs", ctypes.c_size_t),
        ("data", ctypes.c_void_p),
        ("name", ctypes.c_char * 64),
    )


@cache
def _base() -> ctypes.CDLL:
    folder = Path(llama.__file__).parent / "lib"
    return ctypes.CDLL(str(next(folder / name for name in _NAMES if (folder / name).exists())))


@cache
def _function(name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
    function = getattr(_base(), name)
    function.restype, function.argtypes = result, arguments
    return function


class Node:
    """A node of a graph that llama.cpp computes, as a callback is given it."""

    def __init__(self, address: int) -> None:
        self._address = address
        self._tensor = _Tensor.from_address(address)

    @property
    def name(self) -> str:
        """Its name; a prefix with the name of a device (CUDA0#...#0) is taken off."""
        name = bytes(self._tensor.name).decode("utf-8", errors="replace")
        return name.split("#")[1] if "#" in name else name

    @property
    def operation(self) -> str:
        """Such as MUL_MAT."""
        text = _function("ggml_op_desc", ctypes.c_char_p, ctypes.c_void_p)(self._address)
        return (text or b"").decode()

    def source(self, number: int) -> Node | None:
        """An operand."""
        address = self._tensor.src[number]
        return Node(address) if address else None

    @property
    def shape(self) -> tuple[int, ...]:
        """Slowest axis first, as numpy has it; always four."""
        return tuple(reversed(self._tensor.ne))

    @property
    def plain(self) -> bool:
        """Whether it is float32 without gaps, so that `values` can be read."""
        lengths = self._tensor.ne
        steps = [4, 4 * lengths[0], 4 * lengths[0] * lengths[1], 4 * math.prod(lengths[:3])]
        return bool(self._tensor.type == _F32) and list(self._tensor.nb) == steps

    def values(self) -> np.ndarray:
        """A copy (rows, width) of float32, wherever the tensor lies. ValueError if not `plain`."""
        if not self.plain:
            raise ValueError(f"{self.name} is not contiguous float32")
        width = self._tensor.ne[0]
        out = np.empty((math.prod(self._tensor.ne[1:]), width), np.float32)
        get = _function(
            "ggml_backend_tensor_get", None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t,
            ctypes.c_size_t,
        )  # fmt: skip
        get(self._address, out.ctypes.data, 0, out.nbytes)
        return out


def quantize_rows(values: torch.Tensor, kind: int) -> np.ndarray:
    """Rows (n, width) of float32 in a quantized type of ggml: bytes (n, bytes of a row)."""
    values = values.contiguous()
    rows, width = values.shape
    row_size = _function("ggml_row_size", ctypes.c_size_t, ctypes.c_int, ctypes.c_int64)
    out = np.empty((rows, row_size(kind, width)), np.uint8)
    quantize = _function(
        "ggml_quantize_chunk", ctypes.c_size_t, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p,
        ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p,
    )  # fmt: skip
    quantize(kind, values.data_ptr(), out.ctypes.data, 0, rows, width, None)
    return out
