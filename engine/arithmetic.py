"""Small matrix products with a known result: whether llama.cpp computes on this processor.

Loading the library alone executes none of the vector code that a foreign processor lacks, or that
a compiler got wrong.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator

from engine.ggml import Ggml, function

F32, Q8_0 = 0, 8  # enum ggml_type
CPU = 0  # enum ggml_backend_dev_type
LENGTH, ROWS, COLUMNS = 256, 64, 4
PRODUCT = LENGTH * 2.0  # of a row of ones and a column of twos
MEMORY = 16 << 20
_POINTER, _LONG = ctypes.c_void_p, ctypes.c_int64


class _Parameters(ctypes.Structure):
    _fields_ = (  # struct ggml_init_params
        ("mem_size", ctypes.c_size_t),
        ("mem_buffer", ctypes.c_void_p),
        ("no_alloc", ctypes.c_bool),
    )


class Arithmetic:
    """Products of ones (64 x 256) and twos (256 x 4), computed in several ways."""

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

    def plain(self) -> list[float]:
        """The last number of the product with weights in F32 and in Q8_0; both must be PRODUCT."""
        context = self._new(_Parameters(MEMORY, None, False))
        ones, twos = self._operands(context)
        weights = (ones, self._quantized(context, ones))
        found = [self._last(context, self._multiply(context, left, twos)) for left in weights]
        self._free(context)
        return found

    def rearranged(self) -> list[float]:
        """The same for weights in each buffer type in which the processor's backend rearranges
        them (for matrix units such as AMX); empty where it has none that takes Q8_0."""
        return [number for kind in self._extra_buffers() for number in self._in_buffer(kind)]

    def _operands(self, context: int) -> tuple[int, int]:
        ones = self._tensor(context, F32, LENGTH, ROWS)
        twos = self._tensor(context, F32, LENGTH, COLUMNS)
        self._fill(ones, 1.0)
        self._fill(twos, 2.0)
        return ones, twos

    def _quantized(self, context: int, values: int) -> int:
        small: int = self._tensor(context, Q8_0, LENGTH, ROWS)
        self._quantize(Q8_0, self._data(values), self._data(small), 0, ROWS, LENGTH, None)
        return small

    def _last(self, context: int, product: int) -> float:
        graph = self._graph(context)
        self._expand(graph, product)
        backend = self._start(self._processor, None)
        self._compute(backend, graph)
        self._stop(backend)
        numbers = ctypes.cast(self._data(product), ctypes.POINTER(ctypes.c_float))
        return float(numbers[ROWS * COLUMNS - 1])

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

    def _in_buffer(self, kind: int) -> list[float]:
        base = self._ggml.base
        allocate = function(
            base, "ggml_backend_alloc_ctx_tensors_from_buft", _POINTER, _POINTER, _POINTER
        )
        put = function(
            base, "ggml_backend_tensor_set", None, _POINTER, _POINTER,
            ctypes.c_size_t, ctypes.c_size_t,
        )  # fmt: skip
        size = function(base, "ggml_nbytes", ctypes.c_size_t, _POINTER)
        supported = function(
            base, "ggml_backend_dev_supports_op", ctypes.c_bool, _POINTER, _POINTER
        )
        release = function(base, "ggml_backend_buffer_free", None, _POINTER)
        context = self._new(_Parameters(MEMORY, None, False))
        ones, twos = self._operands(context)
        plain = self._quantized(context, ones)
        beside = self._new(_Parameters(MEMORY, None, True))
        special = self._tensor(beside, Q8_0, LENGTH, ROWS)
        buffer = allocate(beside, kind)
        try:
            product = self._multiply(context, special, twos)
            if not buffer or not supported(self._processor, product):
                return []
            put(special, self._data(plain), 0, size(plain))
            return [self._last(context, product)]
        finally:
            if buffer:
                release(buffer)
            self._free(beside)
            self._free(context)
