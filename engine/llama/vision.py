"""Pictures and prompts for the language model: the vision encoder and its tokenizer (mtmd)."""

from __future__ import annotations

import ctypes
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.cancel import CancelFlag
from engine.errors import ErrorCode, VisCodexError
from engine.images import ImageLimits
from engine.llama.ledger import ImageItem, Item
from engine.llama.library import FLASH_ATTENTION_AUTO, keeping, llama, log, mtmd, tensor_name
from engine.prompt import PromptPart

# mtmd could not bring a picture to its own form. Ours need no change: what is missing is memory.
NOT_PREPARED = 2
Progress = Callable[[float], None]


def picture_key(picture: Image.Image) -> str:
    """A name for the pixels and the size of an RGB picture."""
    digest = hashlib.sha256(f"{picture.width}x{picture.height}:".encode())
    digest.update(picture.tobytes())
    return digest.hexdigest()


class Chunks:
    """A tokenized prompt: `items` for the ledger, and the native chunks behind its pictures.

    A context manager; the chunks are freed at its end.
    """

    def __init__(self, native: Any) -> None:
        self._native = native
        self.items: list[Item] = []
        self.pictures: dict[int, Any] = {}  # index in items -> native chunk
        for index in range(mtmd.mtmd_input_chunks_size(native)):
            self._take(mtmd.mtmd_input_chunks_get(native, index))

    def _take(self, chunk: Any) -> None:
        kind = mtmd.mtmd_input_chunk_get_type(chunk)
        if kind == mtmd.MTMD_INPUT_CHUNK_TYPE_TEXT:
            count = ctypes.c_size_t()
            tokens = mtmd.mtmd_input_chunk_get_tokens_text(chunk, ctypes.byref(count))
            self.items.extend(tokens[: count.value] if tokens else ())
            return
        key = (mtmd.mtmd_input_chunk_get_id(chunk) or b"").decode()
        if self.pictures:  # a further tile of the picture, which the library calls by its name too
            key += f"#{len(self.pictures)}"
        self.pictures[len(self.items)] = chunk
        self.items.append(
            ImageItem(
                key,
                int(mtmd.mtmd_input_chunk_get_n_tokens(chunk)),
                int(mtmd.mtmd_input_chunk_get_n_pos(chunk)),
            )
        )

    def __enter__(self) -> Chunks:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        native, self._native = self._native, None
        self.pictures.clear()
        if native is not None:
            mtmd.mtmd_input_chunks_free(native)


class VisionEncoder:
    """The vision file of a model. Not for several threads at once."""

    def __init__(
        self,
        path: Path,
        model: Any,
        *,
        threads: int,
        limits: ImageLimits,
        layers: int,
        use_gpu: bool,
        remembered: int,
        flag: CancelFlag,
        progress: Progress,
    ) -> None:
        self._flag = flag
        self._progress: Progress = progress
        self._layers_seen = 0
        self.layers = layers
        self.encoded = 0  # pictures run through the encoder, not taken from the cache
        self._cache: OrderedDict[str, NDArray[np.float32]] = OrderedDict()
        self._remembered = remembered  # bytes that the cache may take
        self._width = int(llama.llama_model_n_embd_inp(model))
        self._raised: list[BaseException] = []  # by callbacks
        # References: the library keeps the addresses.
        self._loading = mtmd.mtmd_progress_callback(keeping(self._on_load, self._raised))
        self._watch = llama.ggml_backend_sched_eval_callback(keeping(self._on_node, self._raised))
        params = mtmd.mtmd_context_params_default()
        params.use_gpu = use_gpu
        params.print_timings = False
        params.n_threads = threads
        params.flash_attn_type = FLASH_ATTENTION_AUTO
        # Buffers are made for the first real picture; a warm-up at 1288 x 1288 costs more than
        # most pictures do.
        params.warmup = False
        if not limits.longest:
            # We bring pictures to the grid ourselves, within the same limits: nothing is resampled.
            params.image_min_tokens = limits.min_tokens
            params.image_max_tokens = limits.max_tokens
        params.cb_eval = self._watch
        params.progress_callback = self._loading
        self._context = mtmd.mtmd_init_from_file(bytes(path), model, params)
        if not self._context:
            self._check_callbacks()
            if flag.is_set():
                raise VisCodexError(ErrorCode.cancelled, "Cancelled.")
            raise load_failed(path)
        if not mtmd.mtmd_support_vision(self._context):
            self.close()
            raise VisCodexError(
                ErrorCode.model_broken, f"'{path.name}' sees no pictures.", "Give another mmproj."
            )

    def close(self) -> None:
        """Free the encoder."""
        context, self._context = self._context, None
        self._cache.clear()
        if context is not None:
            mtmd.mtmd_free(context)

    @property
    def native(self) -> Any:
        """The mtmd context."""
        return self._context

    def tokenize(self, parts: Sequence[PromptPart], picture: Image.Image, key: str) -> Chunks:
        """Tokens of a prompt with one picture.

        Each part by itself: special tokens are seen in template parts only, so that text of users
        and pictures stays text.
        """
        keep: list[Any] = []
        bitmap: Any = None
        array = (ctypes.POINTER(mtmd.mtmd_input_part) * len(parts))()
        try:
            for index, part in enumerate(parts):
                native = mtmd.mtmd_input_part()
                if part.kind == "image":
                    bitmap = bitmap or _bitmap(picture, key)
                    native.bitmap = bitmap
                else:
                    data = part.text.encode("utf-8")
                    text = mtmd.mtmd_input_text(data, len(data), False, part.kind == "template")
                    native.text = ctypes.pointer(text)
                    keep.append(data)
                keep.append(native)
                array[index] = ctypes.pointer(native)
            chunks = mtmd.mtmd_input_chunks_init()
            failed = mtmd.mtmd_tokenize_from_parts(self._context, chunks, array, len(parts), False)
            if failed:
                mtmd.mtmd_input_chunks_free(chunks)
                if failed == NOT_PREPARED:
                    raise _no_room_for_picture()
                raise VisCodexError(
                    ErrorCode.internal,
                    f"The prompt could not be tokenized ({failed}).",
                    "Report it.",
                )
            return Chunks(chunks)
        finally:
            if bitmap:
                mtmd.mtmd_bitmap_free(bitmap)

    def encode(self, chunk: Any, item: ImageItem, progress: Progress) -> NDArray[np.float32]:
        """Embeddings (cells, width) of a picture, from the cache where it was seen before.

        Raises VisCodexError: cancelled, out_of_memory.
        """
        known = self._cache.get(item.key)
        if known is not None:
            self._cache.move_to_end(item.key)
            return known
        self._progress, self._layers_seen = progress, 0
        failed = mtmd.mtmd_encode_chunk(self._context, chunk)
        self._check_callbacks()
        if self._flag.is_set():
            # Stopped between two layers it still reports success, with unfinished numbers.
            raise VisCodexError(ErrorCode.cancelled, "Cancelled.")
        output = None if failed else mtmd.mtmd_get_output_embd(self._context)
        if not output:
            raise _no_room_for_picture()
        flat = np.ctypeslib.as_array(output, shape=(item.cells * self._width,))
        embeddings = flat.reshape(item.cells, self._width).astype(np.float32, copy=True)
        self.encoded += 1
        self.layers = max(self.layers, self._layers_seen)
        self._remember(item.key, embeddings)
        return embeddings

    def _remember(self, key: str, embeddings: NDArray[np.float32]) -> None:
        """Keep it, in place of those not asked for the longest; too large a one not at all."""
        if embeddings.nbytes > self._remembered:
            return
        self._cache[key] = embeddings
        while self.cached_bytes > self._remembered:
            self._cache.popitem(last=False)

    @property
    def cached_bytes(self) -> int:
        """What the remembered pictures take."""
        return sum(embeddings.nbytes for embeddings in self._cache.values())

    def _check_callbacks(self) -> None:
        if self._raised:
            error = self._raised[0]
            self._raised.clear()
            raise error

    def _on_load(self, fraction: float, _data: Any) -> bool:
        self._progress(fraction)
        return not self._flag.is_set()

    def _on_node(self, tensor: int, ask: bool, _data: Any) -> bool:
        """Called for every node of the graph (ask), and after the ones wanted: one a layer."""
        if ask:
            return tensor_name(tensor).startswith(b"layer_out")
        self._layers_seen += 1
        if self.layers:
            self._progress(min(1.0, self._layers_seen / self.layers))
        return not self._flag.is_set()


def _bitmap(picture: Image.Image, key: str) -> Any:
    data = picture.tobytes()
    array = (ctypes.c_uint8 * len(data)).from_buffer_copy(data)
    bitmap = mtmd.mtmd_bitmap_init(picture.width, picture.height, array)
    mtmd.mtmd_bitmap_set_id(bitmap, key.encode())
    return bitmap


def _no_room_for_picture() -> VisCodexError:
    return VisCodexError(
        ErrorCode.out_of_memory,
        "The picture could not be encoded; memory may be short.",
        "Snip a smaller region, or close other programs.",
    )


def load_failed(path: Path) -> VisCodexError:
    """Why a file that passed our own checks did not load."""
    if log.tells_of_memory():
        return VisCodexError(
            ErrorCode.out_of_memory,
            f"There is not enough memory for '{path.name}'.",
            "Close other programs, or choose a smaller model.",
        )
    return VisCodexError(
        ErrorCode.model_broken,
        f"llama.cpp cannot load '{path.name}'.",
        "Download or export the file again.",
    )
