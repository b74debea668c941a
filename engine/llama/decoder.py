"""One native context: a KV cache with its sequences, and the passes that fill it."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.errors import ErrorCode, VisCodexError
from engine.llama.apart import Apart
from engine.llama.library import llama
from engine.llama.sampling import Sampler


class Row(NamedTuple):
    """One token to decode: where in which sequence."""

    sequence: int
    position: int
    token: int


class Decoder:
    """Owns a context of a model. Not for several threads at once; several decoders of one model
    may run at the same time."""

    def __init__(self, model: Any, params: Any) -> None:
        """`params` as llama.cpp has them. Raises VisCodexError(out_of_memory)."""
        self.native: Any = llama.llama_init_from_model(model, params)
        if not self.native:
            raise VisCodexError(
                ErrorCode.out_of_memory,
                f"There is not enough memory for a context of {params.n_ctx} tokens.",
                "Close other programs, or choose a smaller model.",
            )
        self._memory = llama.llama_get_memory(self.native)
        self._batch: Any = llama.llama_batch_init(params.n_batch, 0, 1)
        self._vocabulary = int(llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(model)))
        self.cells = int(llama.llama_n_ctx(self.native))
        self.decoded = 0  # tokens run through the model
        self.compute = Apart()
        """Through this go all calls that compute in the context."""

    def close(self) -> None:
        """Free the context."""
        self.compute.close()
        batch, self._batch = self._batch, None
        if batch is not None:
            llama.llama_batch_free(batch)
        native, self.native = self.native, None
        if native is not None:
            llama.llama_free(native)

    def threads(self, one: int, several: int) -> None:
        """How many threads compute a pass of one row, and of several."""
        llama.llama_set_n_threads(self.native, one, several)

    def decode(self, rows: Sequence[Row], logits: Sequence[bool]) -> int:
        """Run one pass; the library's code, see `problem_of`."""
        batch = self._batch
        batch.n_tokens = len(rows)
        for index, (sequence, position, token) in enumerate(rows):
            batch.token[index] = token
            batch.pos[index] = position
            batch.n_seq_id[index] = 1
            batch.seq_id[index][0] = sequence
            batch.logits[index] = logits[index]
        result = self.compute(llama.llama_decode, self.native, batch)
        if result == 0:
            self.decoded += len(rows)
        return result

    def share(self, source: int, target: int) -> None:
        """Let `target` begin with all that lies in `source`. Takes no cells."""
        llama.llama_memory_seq_cp(self._memory, source, target, -1, -1)

    def remove(self, sequence: int, position: int) -> bool:
        """Take out what stands at `position` (-1: from the start) and behind it; whether that is
        possible."""
        return bool(llama.llama_memory_seq_rm(self._memory, sequence, position, -1))

    def clear(self) -> None:
        """Empty the cache."""
        llama.llama_memory_clear(self._memory, True)

    def copy_from(self, other: Decoder, sequence: int) -> bool:
        """Hold the same in a sequence as another decoder of the model, and nothing else; whether
        there was room."""
        self.clear()
        size = llama.llama_state_seq_get_size(other.native, sequence)
        state = (ctypes.c_uint8 * size)()
        llama.llama_state_seq_get_data(other.native, state, size, sequence)
        return bool(llama.llama_state_seq_set_data(self.native, state, size, sequence))

    def draw(self, sampler: Sampler, row: int = -1) -> int:
        """The next token after a row of the last pass (-1: its last); see Sampler.draw."""
        return sampler.draw(self.native, row)

    def logits(self, row: int = -1) -> NDArray[np.float32]:
        """Logits (vocabulary,) after a row of the last pass (-1: its last): a copy."""
        found = llama.llama_get_logits_ith(self.native, row)
        return np.ctypeslib.as_array(found, shape=(self._vocabulary,)).copy()


def problem_of(result: int, cells: int) -> VisCodexError | None:
    """What a return code of `decode` means; `cells` is the size of the context."""
    if result == 0:
        return None
    if result == 1:
        return VisCodexError(
            ErrorCode.context_full,
            f"The model's {cells} tokens are used up.",
            "Snip a smaller region.",
        )
    if result == 2:
        return VisCodexError(ErrorCode.cancelled, "Cancelled.")
    if result == -2:
        return VisCodexError(
            ErrorCode.out_of_memory,
            "There is not enough memory to go on.",
            "Close other programs, snip a smaller region, or choose a smaller model.",
        )
    return VisCodexError(
        ErrorCode.internal, f"llama.cpp could not go on (code {result}).", "Try again."
    )
