"""The models that can be had, as data (assets/models.json), and which of them suit a machine.

    for entry in load_catalogue():
        fit = fit_of(entry, devices, memory)     # Fit.verdict: "graphics", "partly", ...
    files = pull(find_entry("qwen3-vl-4b"), ...)  # engine.models.pull

Sizes here are good enough to choose by. File names are patterns, since repositories rename their
files; names, exact sizes and sums are asked of the Hub when a model is downloaded.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from engine.devices import Device
from engine.errors import ErrorCode, VisCodexError
from engine.fit import GIB, ModelSizes, Plan, plans
from engine.images import ImageLimits

FILE_NAME = "models.json"
CONTEXT = 8192  # cells that a model here is loaded with, however many it could have
IMAGE_TOKENS = ImageLimits(factor=28, min_tokens=256, max_tokens=1536).max_tokens
EMBEDDING_BYTES = 0.82  # of one value, Q6_K: what Q4_K_M files store embeddings and output in


@dataclass(frozen=True)
class Shape:
    """What memory is reckoned with; `tied` where output and embeddings are one table."""

    layers: int
    width: int
    kv_heads: int
    head_size: int
    vocabulary: int
    tied: bool
    vision_width: int


@dataclass(frozen=True)
class CatalogueEntry:
    """A model that can be had. `model` and `mmproj` are patterns of file names in `repo`, the
    best first; sizes in bytes, about; `context` in tokens, as trained."""

    name: str
    title: str
    repo: str
    family: str
    licence: str
    licence_url: str
    model: tuple[str, ...]
    mmproj: tuple[str, ...]
    model_bytes: int
    mmproj_bytes: int
    context: int
    quality: str
    shape: Shape

    @property
    def bytes(self) -> int:
        """Both files."""
        return self.model_bytes + self.mmproj_bytes

    @property
    def sizes(self) -> ModelSizes:
        """The same as `engine.fit` reads off the headers of files that are here."""
        shape = self.shape
        table = round(shape.vocabulary * shape.width * EMBEDDING_BYTES)
        rest = table if shape.tied else 2 * table
        layer = (self.model_bytes - rest) // shape.layers
        return ModelSizes(
            layers=(layer,) * shape.layers,
            rest=self.model_bytes - layer * shape.layers,
            cell_values=2 * shape.kv_heads * shape.head_size,
            width=shape.width,
            vocabulary=shape.vocabulary,
            vision=self.mmproj_bytes,
            vision_width=shape.vision_width,
        )

    @property
    def memory(self) -> int:
        """Bytes it takes with a context of 8192 and large pictures, on the processor."""
        return plans(self.sizes, [], 1 << 60, CONTEXT, IMAGE_TOKENS)[-1].needed


@dataclass(frozen=True)
class Fit:
    """How a model would run here: `verdict` is "graphics" (all of it on a graphics card),
    "partly", "processor" or "too big"; `words` say so, with the memory; `plan` is the best."""

    verdict: str
    words: str
    plan: Plan

    @property
    def runs(self) -> bool:
        """Whether it can be loaded at all."""
        return self.verdict != "too big"


def fit_of(entry: CatalogueEntry, devices: Sequence[Device], memory: int | None = None) -> Fit:
    """How a model would run with these devices and so many bytes of free main memory (those of
    now by default), by the arithmetic that loading it uses."""
    free = psutil.virtual_memory().available if memory is None else memory
    best, *_ = found = plans(entry.sizes, devices, free, CONTEXT, IMAGE_TOKENS)
    if best.gpu_layers > entry.shape.layers:
        return Fit("graphics", f"fits: {best.reason}", best)
    last = found[-1]
    # What is not on the card has to be in main memory all the same.
    if entry.sizes.text > free or (best is last and last.needed > free):
        have, need = free / GIB, last.needed / GIB
        return Fit("too big", f"too big: needs {need:.1f} GiB, {have:.1f} GiB are free", last)
    if best.gpu_layers > 0:
        return Fit("partly", f"slower: {best.reason}", best)
    return Fit("processor", f"slow: on the processor, {last.needed / GIB:.1f} GiB", best)


def catalogue_path() -> Path:
    """assets/models.json: in a checkout beside the packages, in a wheel inside the engine."""
    package = Path(__file__).resolve().parents[1]
    places = (package / "assets" / FILE_NAME, package.parent / "assets" / FILE_NAME)
    return next((place for place in places if place.is_file()), places[-1])


def load_catalogue(path: Path | None = None) -> tuple[CatalogueEntry, ...]:
    """The catalogue that came with this version, smallest first.

    Raises VisCodexError(internal) where the file is missing or damaged.
    """
    place = path or catalogue_path()
    try:
        rows = json.loads(place.read_text(encoding="utf-8"))["models"]
        return tuple(sorted((_entry(row) for row in rows), key=lambda entry: entry.bytes))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise VisCodexError(
            ErrorCode.internal,
            f"The catalogue of models ({FILE_NAME}) cannot be read ({type(error).__name__}).",
            "Install VisCodex again.",
        ) from error


def find_entry(name: str) -> CatalogueEntry:
    """The model of a name, upper or lower case. Raises VisCodexError(model_missing)."""
    entries = load_catalogue()
    for entry in entries:
        if entry.name == name.lower():
            return entry
    names = ", ".join(entry.name for entry in entries)
    raise VisCodexError(
        ErrorCode.model_missing,
        f"The catalogue has no model '{name[:60]}'.",
        f"It has {names}; files of your own are taken by `viscodex models add`.",
    )


def _entry(row: dict[str, Any]) -> CatalogueEntry:
    values = {**row, "shape": Shape(**row["shape"])}
    return CatalogueEntry(**{**values, **{key: tuple(row[key]) for key in ("model", "mmproj")}})
