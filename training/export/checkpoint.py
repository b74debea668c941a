"""Reads a Hugging Face checkpoint of the Qwen-VL families, a stretch of one tensor at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open

from engine.errors import ErrorCode, VisCodexError
from training.names import FAMILIES, OUTPUT, Tensor, expected_names, listed, match_tensors

INDEX = "model.safetensors.index.json"
Rows = Callable[[int, int], np.ndarray]


def broken(message: str, advice: str) -> VisCodexError:
    """The error for a checkpoint that cannot be exported."""
    return VisCodexError(ErrorCode.model_broken, message, advice)


@dataclass(frozen=True)
class Piece:
    """A tensor of a GGUF file: `rows(a, b)` reads rows a..b of axis 0 as float32."""

    name: str
    source: str
    shape: tuple[int, ...]
    rows: Rows


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint on disk: configuration and matched tensors; weights are read when asked for."""

    folder: Path
    family: str
    config: Mapping[str, Any]
    tensors: Mapping[str, Tensor]
    files: Mapping[str, Path]

    @property
    def text(self) -> Section:
        """Configuration of the language model; older files have it at the top level."""
        if "text_config" in self.config:
            return Section(self.config["text_config"], "text_config.")
        return Section(self.config, "")

    @property
    def vision(self) -> Section:
        """Configuration of the vision tower."""
        return Section(self.config.get("vision_config", {}), "vision_config.")

    def pieces(self, *modules: str) -> list[Piece]:
        """The tensors of some modules, cut and named as GGUF wants them."""
        return [
            piece
            for tensor in self.tensors.values()
            if tensor.module in modules
            for piece in self._cut(tensor)
        ]

    def _cut(self, tensor: Tensor) -> list[Piece]:
        path, source = self.files[tensor.source], tensor.source
        with _opened(path) as file:
            shape = tuple(file.get_slice(source).get_shape())

        def rows(start: int, stop: int) -> np.ndarray:
            with _opened(path) as file:
                values = file.get_slice(source)[start:stop].to(torch.float32).numpy()
            if not np.isfinite(values).all():
                raise broken(f"The tensor '{source}' holds NaN or infinity.", "Train it again.")
            return np.asarray(values)

        parts = len(tensor.gguf)
        if tensor.cut == "rows":
            if shape[0] % parts:
                raise broken(f"The tensor '{source}' has {shape[0]} rows, not thirds.", "Mend it.")
            step = shape[0] // parts
            return [
                Piece(name, source, (step, *shape[1:]), _moved(rows, number * step))
                for number, name in enumerate(tensor.gguf)
            ]
        if tensor.cut == "time":
            if len(shape) != 5 or shape[2] != parts:
                raise broken(
                    f"The tensor '{source}' has the shape {shape}, not {parts} time slices.",
                    "llama.cpp runs towers with temporal_patch_size 2 only.",
                )
            return [
                Piece(name, source, shape[:2] + shape[3:], _at_time(rows, number))
                for number, name in enumerate(tensor.gguf)
            ]
        return [Piece(tensor.gguf[0], source, shape, rows)]


def _moved(rows: Rows, by: int) -> Rows:
    return lambda start, stop: rows(start + by, stop + by)


def _at_time(rows: Rows, slice_number: int) -> Rows:
    return lambda start, stop: rows(start, stop)[:, :, slice_number]


def _opened(path: Path) -> Any:
    try:
        return safe_open(path, framework="pt")
    except FileNotFoundError:
        raise broken(
            f"The file '{path.name}' of the checkpoint is missing.", "Copy it whole."
        ) from None
    except SafetensorError as error:
        raise broken(
            f"The file '{path.name}' of the checkpoint is damaged ({error}).", "Copy it again."
        ) from None


@dataclass(frozen=True)
class Section:
    """A part of config.json; what is asked for and not there is an error that names it."""

    values: Mapping[str, Any]
    prefix: str

    def get(self, key: str, default: Any = None) -> Any:
        """A value, or the default where it is missing or null."""
        value = self.values.get(key)
        return default if value is None else value

    def integer(self, key: str) -> int:
        """A positive whole number."""
        value = self.values.get(key)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise broken(
                f"config.json has {value!r} for '{self.prefix}{key}', no positive number.",
                "Correct config.json.",
            )
        return value


def read_json(path: Path) -> Any:
    """The content of a JSON file of a checkpoint. Raises VisCodexError where there is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise VisCodexError(
            ErrorCode.bad_input,
            f"There is no {path.name} in '{path.parent}'.",
            "Give the folder of a checkpoint.",
        ) from None
    except (OSError, ValueError):
        raise broken(f"'{path.name}' cannot be read as JSON.", "Mend the checkpoint.") from None


def _weight_files(folder: Path) -> dict[str, Path]:
    if (folder / INDEX).exists():
        table = read_json(folder / INDEX)["weight_map"]
        return {name: folder / file for name, file in table.items()}
    files: dict[str, Path] = {}
    for path in sorted(folder.glob("*.safetensors")):
        with _opened(path) as file:
            names = list(file.keys())
        repeated = [name for name in names if name in files]
        if repeated:
            raise broken(
                f"{listed(repeated)} in more than one file.", "Keep one set of weights a folder."
            )
        files |= dict.fromkeys(names, path)
    if not files:
        raise VisCodexError(
            ErrorCode.bad_input,
            f"There are no safetensors files in '{folder}'.",
            "Give the folder of a checkpoint.",
        )
    return files


def open_checkpoint(folder: Path) -> Checkpoint:
    """Read configuration and tensor names.

    Raises VisCodexError: bad_input where this is no checkpoint, model_broken that names what is
    unknown, doubled or missing.
    """
    config = read_json(folder / "config.json")
    family = config.get("model_type", "")
    if family not in FAMILIES:
        raise broken(
            f"Models of the type '{family}' cannot be exported.", f"Known: {', '.join(FAMILIES)}."
        )
    if config.get("quantization_config"):
        raise broken(
            "The checkpoint is quantized already.", "Export the weights it was quantized from."
        )
    files = _weight_files(folder)
    tensors = match_tensors(files, family)
    checkpoint = Checkpoint(folder, family, config, tensors, files)
    tied = config.get("tie_word_embeddings")
    if tied is None:
        tied = checkpoint.text.get("tie_word_embeddings", False)
    if tied:  # as transformers does: a matrix that came along is not used
        tensors.pop(OUTPUT, None)
    expected = expected_names(
        family,
        checkpoint.text.integer("num_hidden_layers"),
        checkpoint.vision.integer("depth"),
        tied=bool(tied),
    )
    for problem, names in (
        ("missing in the checkpoint", expected - set(tensors)),
        ("of layers that config.json does not have", set(tensors) - expected),
    ):
        if names:
            sources = {tensors[name].source if name in tensors else name for name in names}
            raise broken(f"{listed(sources)}: {problem}.", "Give the whole checkpoint, unchanged.")
    return checkpoint
