"""An exported vision file alone in llama.cpp: embeddings of pictures, and how large numbers get.

The language model is opened without its weights (`no_alloc`): mtmd wants its vocabulary and its
width, not its values. So a tower is tried in its own memory, whatever the size of the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from engine.cancel import CancelFlag
from engine.images import ImageLimits, to_grid
from engine.llama.library import llama, model_params, physical_cores, set_up
from engine.llama.vision import VisionEncoder, load_failed, picture_key
from engine.prompt import build_prompt
from training.export.native import Node

PROMPT = "Write the code."


class _Watched(VisionEncoder):
    """An encoder that looks at every product of matrices."""

    largest = 0.0

    def _on_node(self, tensor: int, ask: bool, _data: Any) -> bool:
        node = Node(tensor)
        if node.operation != "MUL_MAT":
            return not ask
        if ask:
            return True
        for one in (node, node.source(1)):
            if one is not None and one.plain:
                most = np.abs(one.values()).max(initial=0.0)
                self.largest = max(self.largest, float(np.nan_to_num(most, nan=np.inf)))
        return not self._flag.is_set()


class ExportedTower:
    """The tower of a pair of files. A context manager."""

    def __init__(self, model: Path, mmproj: Path, limits: ImageLimits) -> None:
        """Raises VisCodexError(model_broken) where llama.cpp does not load them."""
        set_up()
        self.limits = limits
        params = model_params()
        params.no_alloc = True
        params.load_mode = llama.LLAMA_LOAD_MODE_NONE  # a mapping and no_alloc exclude each other
        self._flag = CancelFlag.private()
        self._model = llama.llama_model_load_from_file(bytes(model), params)
        if not self._model:
            raise load_failed(model)
        try:
            self._vision = _Watched(
                mmproj,
                self._model,
                threads=physical_cores(),
                limits=limits,
                layers=0,
                use_gpu=False,
                remembered=0,
                flag=self._flag,
                progress=lambda _: None,
            )
        except BaseException:
            llama.llama_model_free(self._model)
            raise

    def __enter__(self) -> ExportedTower:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._vision.close()
        llama.llama_model_free(self._model)

    @property
    def largest(self) -> float:
        """Largest magnitude that went into or came out of a product of matrices so far; infinity
        where one was no number."""
        return self._vision.largest

    def encode(self, picture: Image.Image) -> np.ndarray:
        """Embeddings (tokens, width) of a picture on the grid."""
        parts = build_prompt("", PROMPT, "")
        with self._vision.tokenize(parts, picture, picture_key(picture)) as chunks:
            (place,) = chunks.pictures
            item = chunks.items[place]
            assert not isinstance(item, int)
            return self._vision.encode(chunks.pictures[place], item, lambda _: None)


def largest_activation(
    model: Path, mmproj: Path, limits: ImageLimits, pictures: Sequence[Image.Image]
) -> float:
    """The largest magnitude in a tower while it sees some pictures (infinity for NaN)."""
    with ExportedTower(model, mmproj, limits) as tower:
        for picture in pictures:
            tower.encode(to_grid(picture, limits))
        return tower.largest


def drawn_pictures() -> list[Image.Image]:
    """Two drawn pictures, off the grid: a form in a page, and bars in many colours."""
    page = Image.new("RGB", (400, 300), "#f4f6f8")
    draw = ImageDraw.Draw(page)
    draw.rounded_rectangle((60, 40, 340, 260), 12, fill="#ffffff", outline="#c8ced6")
    draw.text((90, 60), "Sign in to your account", fill="#1d2733")
    for top, text in ((100, "name@example.com"), (150, "password")):
        draw.rectangle((90, top, 310, top + 32), outline="#8d99a6")
        draw.text((98, top + 10), text, fill="#77828f")
    draw.rounded_rectangle((90, 204, 310, 240), 6, fill="#1a66d9")
    draw.text((180, 216), "Sign in", fill="#ffffff")
    chart = Image.new("RGB", (330, 250), "#ffffff")
    draw = ImageDraw.Draw(chart)
    draw.line((40, 20, 40, 220, 310, 220), fill="#000000", width=2)
    for number, colour in enumerate(("#d62728", "#2ca02c", "#1f77b4", "#ff7f0e", "#9467bd")):
        left, high = 60 + 50 * number, 60 + 37 * (number * 3 % 5)
        draw.rectangle((left, 220 - high, left + 32, 219), fill=colour)
        draw.text((left + 6, 226), f"Q{number}", fill="#333333")
    return [page, chart]
