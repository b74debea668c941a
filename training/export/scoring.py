"""A text GGUF in llama.cpp: how surprised it is by texts (perplexity), and how fast it writes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from engine.errors import ErrorCode, VisCodexError
from engine.llama.decoder import Decoder, Row
from engine.llama.library import (
    FLASH_ATTENTION_AUTO,
    keeping,
    llama,
    log,
    model_params,
    physical_cores,
    set_up,
)
from engine.llama.session import SMALL_MODEL
from engine.llama.vision import load_failed
from engine.llama.vocabulary import Vocabulary
from engine.models.header import read_header
from training.export.texts import Answer

CONTEXT = 512  # tokens of a text that are read at once, as llama.cpp's own tools have it
WRITTEN = 32  # tokens that speed is measured over
Watch = Callable[[int, bool], bool]


@dataclass(frozen=True)
class Score:
    """A file, measured: bits a weight over all its tensors, perplexity over `tokens` tokens of
    answers, tokens a second one by one on this machine."""

    type: str
    size: int
    bits_per_weight: float
    perplexity: float
    tokens: int
    tokens_per_second: float


class TextModel:
    """A loaded text file with one context. A context manager."""

    def __init__(self, path: Path, *, watch: Watch | None = None) -> None:
        """`watch` is llama.cpp's callback of every node. Raises VisCodexError where it does not
        load."""
        read_header(path)
        set_up()
        self._raised: list[BaseException] = []
        log.lines.clear()
        params = model_params()
        params.n_gpu_layers = 0
        self._model = llama.llama_model_load_from_file(bytes(path), params)
        if not self._model:
            raise load_failed(path)
        options = llama.llama_context_default_params()
        trained = int(llama.llama_model_n_ctx_train(self._model))
        self.context = options.n_ctx = min(CONTEXT, trained) if trained > 0 else CONTEXT
        options.n_batch = options.n_ubatch = options.n_ctx
        # As in the engine, where one thread writes faster than several for a small model.
        small = int(llama.llama_model_size(self._model)) < SMALL_MODEL
        options.n_threads = 1 if small else physical_cores()
        options.n_threads_batch = physical_cores()
        options.flash_attn_type = FLASH_ATTENTION_AUTO
        if watch is not None:  # kept: the library calls it
            kept = keeping(lambda tensor, ask, _: watch(tensor, ask), self._raised)
            self._watch: Any = llama.ggml_backend_sched_eval_callback(kept)
            options.cb_eval = self._watch
        try:
            self._decoder = Decoder(self._model, options)
        except BaseException:
            llama.llama_model_free(self._model)
            raise
        self.vocabulary = Vocabulary(self._model)

    def __enter__(self) -> TextModel:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._decoder.close()
        llama.llama_model_free(self._model)

    def logits(self, tokens: Sequence[int]) -> np.ndarray:
        """Logits (tokens, vocabulary) after each token of a text that begins here."""
        self._decoder.clear()
        self._decode(0, tokens)
        rows = [llama.llama_get_logits_ith(self._decoder.native, at) for at in range(len(tokens))]
        size = (self.vocabulary.size,)
        return np.stack([np.ctypeslib.as_array(row, shape=size).copy() for row in rows])

    def _decode(self, start: int, tokens: Sequence[int]) -> None:
        rows = [Row(0, start + number, token) for number, token in enumerate(tokens)]
        result = self._decoder.decode(rows, [True] * len(rows))
        if self._raised:
            raise self._raised[0]
        if result:
            raise VisCodexError(
                ErrorCode.internal,
                f"llama.cpp could not read a text (code {result}).",
                "Close other programs.",
            )

    def surprise(self, texts: Iterable[tuple[Sequence[int], int]]) -> tuple[float, int]:
        """Summed -log p of the tokens of each text from its place `first` on, and how many."""
        total, count = 0.0, 0
        for tokens, first in texts:
            kept = list(tokens)[: self.context]
            if first >= len(kept):
                continue
            begin = max(first, 1)
            logits = self.logits(kept)[begin - 1 : -1].astype(np.float64)
            logits -= logits.max(axis=1, keepdims=True)
            chosen = logits[np.arange(len(logits)), kept[begin:]]
            total += float((np.log(np.exp(logits).sum(axis=1)) - chosen).sum())
            count += len(logits)
        return total, count

    def answer_tokens(self, answer: Answer) -> tuple[list[int], int]:
        """A conversation of one turn, and where its answer begins."""
        asked = (
            self.vocabulary.tokenize("<|im_start|>user\n", special=True)
            + self.vocabulary.tokenize(answer.prompt, special=False)
            + self.vocabulary.tokenize("<|im_end|>\n<|im_start|>assistant\n", special=True)
        )
        return asked + self.vocabulary.tokenize(answer.text, special=False), len(asked)

    def speed(self, prompt: Sequence[int]) -> float:
        """Tokens a second, each by itself after a prompt, as an answer is written."""
        prompt = list(prompt)[: self.context - WRITTEN - 1]
        self.logits(prompt)
        start = time.perf_counter()
        for number in range(WRITTEN):
            self._decode(len(prompt) + number, prompt[-1:])
        return WRITTEN / (time.perf_counter() - start)


def score(path: Path, kind: str, answers: Sequence[Answer]) -> Score:
    """Measure a text file on answers. Raises VisCodexError where it does not load."""
    header = read_header(path)
    weights = sum(math.prod(tensor.dims) for tensor in header.tensors.values())
    with TextModel(path) as model:
        texts = [model.answer_tokens(answer) for answer in answers]
        total, count = model.surprise(texts)
        speed = model.speed(texts[0][0])
    size = path.stat().st_size
    perplexity = math.exp(min(total / count, 700.0)) if count else math.nan
    bits = 8 * _bytes_of_tensors(path) / weights
    return Score(kind, size, bits, perplexity, count, speed)


def _bytes_of_tensors(path: Path) -> int:
    import gguf

    return sum(int(tensor.n_bytes) for tensor in gguf.GGUFReader(path).tensors)


def table(scores: Sequence[Score]) -> str:
    """Lines for people."""
    lines = [f"{'type':10}{'MB':>10}{'bits/weight':>13}{'perplexity':>12}{'tokens/s':>10}"]
    lines += [
        f"{one.type:10}{one.size / 1e6:10.1f}{one.bits_per_weight:13.2f}{one.perplexity:12.3f}"
        f"{one.tokens_per_second:10.1f}"
        for one in scores
    ]
    return "\n".join(lines)
