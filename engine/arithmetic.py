"""Small matrix products with a known result: whether llama.cpp computes on this processor.

Loading the library alone executes none of the vector code that a foreign processor lacks, or that
a compiler got wrong.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator

from engine.ggml import Ggml, function

F32 = 0  # enum ggml_type
# The types that weights are stored in, by enum ggml_type; each has vector code of its own.
STORED = {
    "F16": 1, "BF16": 30, "Q4_0": 2, "Q4_1": 3, "Q5_0": 6, "Q5_1": 7, "Q8_0": 8,
    "Q2_K": 10, "Q3_K": 11, "Q4_K": 12, "Q5_K": 13, "Q6_K": 14, "IQ4_NL": 20, "IQ4_XS": 23,
}  # fmt: skip
CPU = 0  # enum ggml_backend_dev_type
LENGTH, ROWS = 256, 64
COLUMNS = (1, 4)  # a token, and several: other code
PRODUCT = LENGTH * 2.0  # of a row of ones and a column of twos
MEMORY = 32 << 20  # bytes for all tensors of one way
_POINTER, _LONG = ctypes.c_void_p, ctypes.c_int64


class _Parameters(ctypes.Structure):
    _fields_ = (  # struct ggml_init_params
        ("mem_size", ctypes.c_size_t),
        ("mem_buffer", ctypes.c_void_p),
        ("no_alloc", ctypes.c_bool),
    )


class Arithmetic:
    """Products of ones (64 x 256) and twos (256 x 1 and 256 x 4), computed in several ways."""

    def __init__(self, ggml: Ggml) -> None:
        self._ggml = ggml
        base, integer = ggml.base, ctypes.c_int
        self._new = function(base, "ggml_init", _POINTER, _Parameters)
        self._free = function(base, "ggml_free", None, _POINTER)
        self._graph = function(base, "ggml_new_graph", _POINTER, _POINTER)
        self._tensor = function(
            base, "ggml_new_tensor_2d", _POINTER, _POINTER, integer, _LONG, _LONG
        )
        self._data = function(base, "ggml_get_data", _POINTER, _POINTER)
        self._fill = function(ggml.cpu, "ggml_set_f32", _POINTER, _POINTER, ctypes.c_float)
        self._multiply = function(base, "ggml_mul_mat", _POINTER, _POINTER, _POINTER, _POINTER)
        self._expand = function(base, "ggml_build_forward_expand", None, _POINTER, _POINTER)
        find = function(ggml.registry, "ggml_backend_dev_by_type", _POINTER, integer)
        self._processor = find(CPU)
        self._start = function(base, "ggml_backend_dev_init", _POINTER, _POINTER, ctypes.c_char_p)
        self._stop = function(base, "ggml_backend_free", None, _POINTER)
        self._compute = function(base, "ggml_backend_graph_compute", integer, _POINTER, _POINTER)
        self._quantize = function(
            base, "ggml_quantize_chunk", ctypes.c_size_t, integer, _POINTER, _POINTER,
            _LONG, _LONG, _LONG, _POINTER,
        )  # fmt: skip
        self._allocate = function(
            base, "ggml_backend_alloc_ctx_tensors_from_buft", _POINTER, _POINTER, _POINTER
        )
        self._put = function(
            base, "ggml_backend_tensor_set", None, _POINTER, _POINTER,
            ctypes.c_size_t, ctypes.c_size_t,
        )  # fmt: skip
        self._size = function(base, "ggml_nbytes", ctypes.c_size_t, _POINTER)
        self._supported = function(
            base, "ggml_backend_dev_supports_op", ctypes.c_bool, _POINTER, _POINTER
        )
        self._release = function(base, "ggml_backend_buffer_free", None, _POINTER)

    def plain(self) -> dict[str, float]:
        """The last number of the products with weights of every type; all must be PRODUCT."""
        context = self._new(_Parameters(MEMORY, None, False))
        ones = self._filled(context, ROWS, 1.0)
        found = self._products(context, "F32", ones)
        for name in STORED:
            found |= self._products(context, name, self._stored(context, name, ones))
        self._free(context)
        return found

    def rearranged(self) -> dict[str, float]:
        """The same for weights in each buffer type in which the processor's backend rearranges
        them (for matrix units such as AMX); only the types that it takes."""
        found: dict[str, float] = {}
        for number, kind in enumerate(self._extra_buffers()):
            for name in STORED:
                products = self._in_buffer(kind, name)
                found |= {f"{name} in buffer {number}": value for name, value in products.items()}
        return found

    def _filled(self, context: int, rows: int, value: float) -> int:
        tensor: int = self._tensor(context, F32, LENGTH, rows)
        self._fill(tensor, value)
        return tensor

    def _stored(self, context: int, name: str, values: int) -> int:
        small: int = self._tensor(context, STORED[name], LENGTH, ROWS)
        self._quantize(STORED[name], self._data(values), self._data(small), 0, ROWS, LENGTH, None)
        return small

    def _products(self, context: int, name: str, weights: int) -> dict[str, float]:
        found = {}
        for columns in COLUMNS:
            product = self._multiply(context, weights, self._filled(context, columns, 2.0))
            if self._supported(self._processor, product):
                found[f"{name} x {columns}"] = self._last(context, product, columns)
        return found

    def _last(self, context: int, product: int, columns: int) -> float:
        graph = self._graph(context)
        self._expand(graph, product)
        backend = self._start(self._processor, None)
        self._compute(backend, graph)
        self._stop(backend)
        numbers = ctypes.cast(self._data(product), ctypes.POINTER(ctypes.c_float))
        return float(numbers[ROWS * columns - 1])

    def _extra_buffers(self) -> Iterator[int]:
        base, processor = self._ggml.base, self._processor
        registry = function(base, "ggml_backend_dev_backend_reg", _POINTER, _POINTER)(processor)
        find = function(
            base, "ggml_backend_reg_get_proc_address", _POINTER, _POINTER, ctypes.c_char_p
        )
        address = find(registry, b"ggml_backend_dev_get_extra_bufts")
        if not address:
            return
        listed = ctypes.CFUNCTYPE(ctypes.POINTER(_POINTER), _POINTER)(address)(processor)
        index = 0
        while listed and listed[index]:
            yield listed[index]
            index += 1

    def _in_buffer(self, kind: int, name: str) -> dict[str, float]:
        context = self._new(_Parameters(MEMORY, None, False))
        beside = self._new(_Parameters(MEMORY, None, True))
        plain = self._stored(context, name, self._filled(context, ROWS, 1.0))
        special = self._tensor(beside, STORED[name], LENGTH, ROWS)
        buffer = self._allocate(beside, kind)
        try:
            probe = self._multiply(context, special, self._filled(context, 1, 2.0))
            # Data of a type that the buffer does not take must not be put into it.
            if not buffer or not self._supported(self._processor, probe):
                return {}
            self._put(special, self._data(plain), 0, self._size(plain))
            return self._products(context, name, special)
        finally:
            if buffer:
                self._release(buffer)
            self._free(beside)
            self._free(context)
