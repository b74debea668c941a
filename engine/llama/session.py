"""A loaded model with one conversation in its KV cache: prompt in, tokens out.

Positions are always given, never left to the library. Every decode is followed by its entry in the
ledger, and whatever stopped half-way is removed again, so that the ledger tells the truth.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.cancel import CancelFlag
from engine.errors import ErrorCode, VisCodexError
from engine.images import ImageLimits
from engine.llama.decoder import Decoder, Row, problem_of
from engine.llama.ledger import ImageItem, Ledger, cells_of, common_length
from engine.llama.library import (
    FLASH_ATTENTION_AUTO,
    keeping,
    llama,
    log,
    model_params,
    mtmd,
    physical_cores,
    set_up,
)
from engine.llama.sampling import Sampler, Sampling
from engine.llama.vision import Chunks, Progress, VisionEncoder, load_failed
from engine.llama.vocabulary import Vocabulary
from engine.prompt import PromptPart

MOST_BRANCHES = 8  # answers to one prompt at the same time
BATCH = 512  # tokens a call: also how long a GPU cannot be stopped
# Bytes of weights under which one thread writes faster than several, since waiting for each other
# takes longer than the work: measured 1.3 to 10 times faster at 6 MB on two cores with other load.
SMALL_MODEL = 64_000_000
KV_TYPES = {"f16": llama.GGML_TYPE_F16, "q8_0": llama.GGML_TYPE_Q8_0}
LANGUAGE_SHARE = 0.8  # of the loading bar


@dataclass(frozen=True)
class SessionOptions:
    """How a model is loaded. `context` in cells; None for threads: all physical cores.

    `gpu_layers` counts the output as one more layer; `main_gpu` is the number of the graphics
    device. `kv_type` is a key of KV_TYPES. `vision_layers` makes progress of the first picture
    visible; 0 where it is not known. `remembered` bytes of encoded pictures are kept.
    """

    context: int = 8192
    limits: ImageLimits = field(default_factory=ImageLimits)
    threads: int | None = None
    gpu_layers: int = 0
    main_gpu: int = -1
    vision_on_gpu: bool = False
    kv_type: str = "f16"
    vision_layers: int = 0
    remembered: int = 256_000_000


@dataclass(frozen=True)
class Prefilled:
    """What a prompt took: its cells, and how many of them were there already."""

    cells: int
    reused: int


def _step(progress: Progress, start: float, length: float, part: float) -> None:
    """Tell `part` of a stretch of the whole."""
    progress(min(1.0, start + length * part))


def _cancelled() -> VisCodexError:
    return VisCodexError(ErrorCode.cancelled, "Cancelled.")


class VisionSession:
    """Owns model, context and vision encoder. Not for several threads at once."""

    _model: Any = None
    main: Decoder  # holds the prompt, in sequence 0

    def __init__(
        self,
        model: Path,
        mmproj: Path,
        options: SessionOptions,
        flag: CancelFlag,
        progress: Progress,
    ) -> None:
        """Load both files; `progress` hears 0..1.

        Raises VisCodexError: model_broken, out_of_memory, cancelled.
        """
        set_up()
        self._flag = flag
        self.threads = options.threads or physical_cores()
        self.gpu_layers = options.gpu_layers
        self._more: list[Decoder] = []
        try:
            self._load_model(model, options, progress)
            self._make_context(options)
            self.vocabulary = Vocabulary(self._model)
            self.vision = VisionEncoder(
                mmproj,
                self._model,
                threads=self.threads,
                limits=options.limits,
                layers=options.vision_layers,
                use_gpu=options.vision_on_gpu,
                remembered=options.remembered,
                flag=flag,
                progress=lambda part: progress(LANGUAGE_SHARE + part * (1 - LANGUAGE_SHARE)),
            )
        except BaseException:
            self.close()
            raise
        self.ledger = Ledger()
        progress(1.0)

    def _load_model(self, path: Path, options: SessionOptions, progress: Progress) -> None:
        def on_load(fraction: float, _data: Any) -> bool:
            progress(fraction * LANGUAGE_SHARE)
            return not self._flag.is_set()

        raised: list[BaseException] = []
        # Kept: the library calls it.
        self._on_load = llama.llama_progress_callback(keeping(on_load, raised))
        params = model_params()
        params.n_gpu_layers = options.gpu_layers
        if options.main_gpu >= 0:  # one device alone: what a plan was made for
            params.main_gpu = options.main_gpu
            params.split_mode = llama.LLAMA_SPLIT_MODE_NONE
        params.progress_callback = self._on_load
        log.lines.clear()
        self._model = llama.llama_model_load_from_file(bytes(path), params)
        if raised:
            raise raised[0]
        if not self._model:
            raise _cancelled() if self._flag.is_set() else load_failed(path)

    def _make_context(self, options: SessionOptions) -> None:
        trained = int(llama.llama_model_n_ctx_train(self._model))
        params = llama.llama_context_default_params()
        params.n_ctx = min(options.context, trained) if trained > 0 else options.context
        params.n_batch = params.n_ubatch = BATCH
        # One pool of cells for all sequences: what they share is stored once.
        params.n_seq_max = MOST_BRANCHES
        params.kv_unified = True
        self.small = int(llama.llama_model_size(self._model)) < SMALL_MODEL
        self._writing_threads = params.n_threads = 1 if self.small else self.threads
        params.n_threads_batch = self.threads
        params.flash_attn_type = FLASH_ATTENTION_AUTO
        params.offload_kqv = params.op_offload = options.gpu_layers > 0
        params.type_k = params.type_v = KV_TYPES[options.kv_type]
        self._flag_bytes = self._flag.buffer()
        strlen = _strlen()
        if strlen is not None:
            params.abort_callback = ctypes.cast(strlen, llama.ggml_abort_callback)
            params.abort_callback_data = ctypes.addressof(self._flag_bytes)
        self._params = params
        self.main = Decoder(self._model, params)
        # A recurrent state cannot go back by a few tokens.
        self.can_rewind = not (
            llama.llama_model_is_recurrent(self._model) or llama.llama_model_is_hybrid(self._model)
        )

    def close(self) -> None:
        """Free everything."""
        vision = getattr(self, "vision", None)
        if vision is not None:
            vision.close()
        for decoder in (*self._more, getattr(self, "main", None)):
            if decoder is not None:
                decoder.close()
        model, self._model = self._model, None
        if model is not None:
            llama.llama_model_free(model)

    @property
    def context_cells(self) -> int:
        """Cells of the context."""
        return self.main.cells

    @property
    def decoded(self) -> int:
        """Tokens run through the model so far, prompts included."""
        return sum(decoder.decoded for decoder in (self.main, *self._more))

    @property
    def free_cells(self) -> int:
        """Cells that are left for the answer."""
        return self.context_cells - self.ledger.cells

    def tokenize(self, parts: Sequence[PromptPart], picture: Image.Image, key: str) -> Chunks:
        """Tokens of a prompt; see VisionEncoder.tokenize."""
        return self.vision.tokenize(parts, picture, key)

    # Evaluation -------------------------------------------------------------------------------

    def prefill(self, chunks: Chunks, progress: Progress, *, ahead: bool = False) -> Prefilled:
        """Bring the cache to exactly this prompt, with logits for its last token.

        What the cache already begins with is kept; a picture seen before is not encoded again.
        With `ahead` this is only the start of a prompt: what follows it may stay for now.
        `progress` hears which share of the new cells is done, 0..1. Raises VisCodexError:
        context_full, cancelled, out_of_memory.
        """
        items = chunks.items
        cells = cells_of(items)
        if cells >= self.context_cells:
            raise VisCodexError(
                ErrorCode.context_full,
                f"The prompt has {cells} tokens, the model takes {self.context_cells}.",
                "Snip a smaller region, or refine shorter code.",
            )
        common = common_length(self.ledger.items, items)
        if ahead and common == len(items):
            return Prefilled(cells, cells)
        keep = min(common, len(items) - 1)
        self._trim(keep)
        at, reused = len(self.ledger.items), self.ledger.cells  # all is gone where nothing rewinds
        missing = cells - reused
        while at < len(items):
            item = items[at]
            if isinstance(item, ImageItem):
                done = self.ledger.cells - reused
                step = partial(_step, progress, done / missing, item.cells / missing)
                self._decode_picture(chunks.pictures[at], item, step)
                at += 1
                continue
            end = at
            while end < len(items) and end - at < BATCH and not isinstance(items[end], ImageItem):
                end += 1
            self._decode_tokens([t for t in items[at:end] if isinstance(t, int)])
            if self._flag.is_set():  # graphics devices are not stopped within a batch
                raise _cancelled()
            progress((self.ledger.cells - reused) / missing)
            at = end
        return Prefilled(cells, reused)

    def append(self, token: int) -> None:
        """Decode one more token. Raises VisCodexError: context_full, cancelled."""
        self._decode_tokens([token])

    def lanes(self, answers: int) -> list[Decoder]:
        """Decoders that write so many answers best, each with the prompt in sequence 0; `main` is
        the first.

        A large model serves all answers in one pass over its weights. For a small one a row more
        costs as much as a pass more, so there every core takes some of the answers, in a context
        of its own: on two cores four rows took 1.2 ms, two 0.7 ms, one 0.45 ms.
        """
        count = min(answers, self.threads) if self.small and not self.gpu_layers else 1
        while len(self._more) < count - 1:
            params = type(self._params).from_buffer_copy(self._params)
            params.n_threads = params.n_threads_batch = 1
            try:
                self._more.append(Decoder(self._model, params))
            except VisCodexError:  # less memory, fewer lanes
                break
        more = [one for one in self._more[: count - 1] if one.copy_from(self.main, 0)]
        return [self.main, *more]

    def writing(self, on: bool) -> None:
        """Use the threads that suit short passes, or again those for prompts.

        For a small model one thread is enough: two that sleep while they wait for each other took
        5.3 ms for a pass of four rows, one takes 2.3 ms.
        """
        self.main.threads(self._writing_threads, self._writing_threads if on else self.threads)

    def sampler(self, sampling: Sampling) -> Sampler:
        """A new sampler; the caller closes it. Raises VisCodexError(bad_input): its grammar."""
        return Sampler(sampling, self.vocabulary)

    def logits(self) -> NDArray[np.float32]:
        """Logits (vocabulary,) after the prompt: a copy."""
        return self.main.logits()

    def _decode_tokens(self, tokens: Sequence[int]) -> None:
        start = self.ledger.position
        rows = [Row(0, start + index, token) for index, token in enumerate(tokens)]
        self._checked(self.main.decode(rows, [False] * (len(rows) - 1) + [True]))
        for token in tokens:
            self.ledger.append(token)

    def _decode_picture(self, chunk: Any, item: ImageItem, progress: Progress) -> None:
        whole = mtmd.mtmd_decode_use_non_causal(self.vision.native, chunk)
        if whole and item.cells > BATCH:  # its tokens look at each other: they go in one pass
            raise VisCodexError(
                ErrorCode.image_too_large,
                f"The picture takes {item.cells} tokens, this model sees {BATCH} at once.",
                "Snip a smaller region, or choose another model.",
            )
        embeddings = self.vision.encode(chunk, item, lambda part: progress(part * LANGUAGE_SHARE))

        def on_batch(_batch: Any, _data: Any) -> int:
            return 1 if self._flag.is_set() else 0

        callback = mtmd.mtmd_helper_post_decode_callback(on_batch)
        moved = llama.llama_pos(self.ledger.position)
        result = self.main.compute(
            mtmd.mtmd_helper_decode_image_chunk,
            self.vision.native,
            self.main.native,
            chunk,
            embeddings.ctypes.data_as(ctypes.POINTER(ctypes.c_float)),
            self.ledger.position,
            0,
            BATCH,
            ctypes.byref(moved),
            callback,
            None,
        )
        if result and self._flag.is_set():
            result = 2
        self._checked(result)
        self.main.decoded += item.cells
        self.ledger.append(item)
        if self.ledger.position != moved.value:
            self.forget()
            raise VisCodexError(
                ErrorCode.internal, "The picture's positions disagree.", "Report it."
            )
        progress(1.0)

    def _checked(self, result: int) -> None:
        """Turn a return code of decode into an error, with the cache as the ledger says."""
        problem = problem_of(result, self.context_cells)
        if problem is not None:
            self._trim(len(self.ledger.items))
            raise problem

    def _trim(self, length: int) -> None:
        if not self.main.remove(0, self.ledger.trim(length)):
            # Models with a recurrent state cannot go back a part of the way.
            self.forget()

    def forget(self) -> None:
        """Empty the cache."""
        self.main.clear()
        self.ledger = Ledger()


def _strlen() -> Any:
    """libc's strlen, or None where it cannot be had: then decoding stops between batches only."""
    try:
        library = ctypes.CDLL(None) if os.name == "posix" else ctypes.CDLL("ucrtbase")
        return library.strlen
    except (AttributeError, OSError):
        return None
