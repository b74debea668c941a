"""A grammar of llama.cpp while an answer is written."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.grammar import unusable
from engine.llama.library import llama, log
from engine.llama.vocabulary import Vocabulary

# struct llama_token_data
ROW = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])
NOTHING_FITS = -1


class Candidates:
    """All tokens with their logits, as samplers take them."""

    def __init__(self, logits: NDArray[np.float32]) -> None:
        self._rows = np.zeros(len(logits), ROW)
        self._rows["id"] = np.arange(len(logits))
        self._rows["logit"] = logits
        self.native = llama.llama_token_data_array(
            self._rows.ctypes.data_as(llama.llama_token_data_p), len(logits), -1, False
        )

    def apply(self, sampler: Any) -> None:
        """Let a sampler change them, or choose."""
        llama.llama_sampler_apply(sampler, ctypes.byref(self.native))

    @property
    def empty(self) -> bool:
        """Whether none is left that may be chosen."""
        return not np.isfinite(self._rows["logit"]).any()

    @property
    def selected(self) -> int:
        """The token that was chosen."""
        return int(self.native.data[self.native.selected].id)


class Grammar:
    """Follows one answer. Free it with `close`."""

    def __init__(self, vocabulary: Vocabulary, text: str) -> None:
        """`text` is the grammar of the whole answer (see `engine.grammar`).

        Raises VisCodexError(bad_input).
        """
        log.lines.clear()
        data = text.encode("utf-8", errors="replace")
        self._native: Any = llama.llama_sampler_init_grammar(vocabulary.native, data, b"root")
        if not self._native:
            turning = any("left recursion" in line for line in log.lines)
            raise unusable("a rule begins with itself" if turning else "it does not parse")

    def allows(self, token: int) -> bool:
        """Whether the answer may go on with `token`."""
        data = llama.llama_token_data(token, 1.0, 0.0)
        array = llama.llama_token_data_array(ctypes.pointer(data), 1, -1, False)
        llama.llama_sampler_apply(self._native, ctypes.byref(array))
        return bool(np.isfinite(data.logit))

    def restrict(self, candidates: Candidates) -> None:
        """Take out what the answer may not go on with."""
        candidates.apply(self._native)

    def accept(self, token: int) -> None:
        """The answer went on with a token that is allowed; any other ends the process."""
        llama.llama_sampler_accept(self._native, token)

    def close(self) -> None:
        """Free it."""
        native, self._native = self._native, None
        if native is not None:
            llama.llama_sampler_free(native)
