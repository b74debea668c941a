"""Safetensors files that are read in stretches, from threads; `training.shards` writes them.

The safetensors library checks the files that are read, but maps them into memory whole. Here a
stretch of one tensor is held at a time, and never a mapping: the memory of a process is what it has
asked for.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from engine.errors import ErrorCode, VisCodexError
from training.names import listed

INDEX = "model.safetensors.index.json"
DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}
_SAMPLES, _SAMPLE = 256, 4096


def broken(message: str, advice: str) -> VisCodexError:
    """The error for a checkpoint that cannot be used as it is."""
    return VisCodexError(ErrorCode.model_broken, message, advice)


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
        raise broken(f"'{path}' cannot be read as JSON.", "Mend the checkpoint.") from None


def write_beside(path: Path, content: str | bytes, aside: Path | None = None) -> None:
    """Write a small file, beside its place or in the folder `aside`, and rename it into place."""
    part = (aside or path.parent) / f"{path.name}.{os.getpid()}.part"
    data = content.encode() if isinstance(content, str) else content
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)


@dataclass(frozen=True)
class Stored:
    """A tensor in a file, whose values begin at the byte `offset`."""

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]
    path: Path
    offset: int

    @property
    def count(self) -> int:
        """How many values."""
        return math.prod(self.shape)

    @property
    def size(self) -> int:
        """Bytes of the values."""
        return self.count * self.dtype.itemsize


def read_header(path: Path) -> dict[str, Stored]:
    """The tensors of a file. Raises VisCodexError for a missing or damaged file, and for tensors
    that are no plain floating-point numbers."""
    try:
        with safe_open(path, framework="pt"):  # checks lengths, offsets and overlaps
            pass
    except FileNotFoundError:
        raise broken(
            f"The file '{path.name}' of the checkpoint is missing.", "Copy it whole."
        ) from None
    except SafetensorError as error:
        raise broken(
            f"The file '{path.name}' of the checkpoint is damaged ({error}).", "Copy it again."
        ) from None
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    strange = {entry["dtype"] for entry in header.values()} - set(DTYPES)
    if strange:
        names = [name for name, entry in header.items() if entry["dtype"] in strange]
        raise broken(
            f"{listed(names)}: stored as {', '.join(sorted(strange))}, no plain numbers.",
            "Use the weights that the checkpoint was quantized from.",
        )
    return {
        name: Stored(
            name,
            DTYPES[entry["dtype"]],
            tuple(entry["shape"]),
            path,
            8 + length + entry["data_offsets"][0],
        )
        for name, entry in header.items()
    }


def stored_tensors(folder: Path) -> dict[str, Stored]:
    """All tensors of a checkpoint, in one file or in shards with or without an index.

    Raises VisCodexError: bad_input where there are none, model_broken for missing or damaged files,
    for tensors there twice and for an index that does not fit its files.
    """
    index = None
    paths = sorted(folder.glob("*.safetensors"))
    if (folder / INDEX).exists():
        try:
            index = {
                name: str(file) for name, file in read_json(folder / INDEX)["weight_map"].items()
            }
        except (KeyError, TypeError, AttributeError):
            raise broken(f"'{INDEX}' holds no weight_map.", "Mend the checkpoint.") from None
        paths = [folder / name for name in sorted(set(index.values()))]
    found: dict[str, Stored] = {}
    for path in paths:
        header = read_header(path)
        repeated = [name for name in header if name in found]
        if repeated:
            raise broken(
                f"{listed(repeated)} in more than one file.", "Keep one set of weights a folder."
            )
        found |= header
    if index is not None:
        wrong = {name for name, file in index.items() if _file_of(found, name) != file}
        wrong |= set(found) - set(index)
        if wrong:
            raise broken(
                f"{listed(wrong)}: not where '{INDEX}' says.", "Copy the checkpoint again, whole."
            )
    if not found:
        raise VisCodexError(
            ErrorCode.bad_input,
            f"There are no safetensors files in '{folder}'.",
            "Give the folder of a checkpoint.",
        )
    return found


def _file_of(tensors: Mapping[str, Stored], name: str) -> str | None:
    return tensors[name].path.name if name in tensors else None


def fingerprint(path: Path) -> str:
    """SHA-256 of a weights file's size, its header and 256 stretches of 4 KiB, evenly spaced.

    Another training step changes nearly every value, so this tells checkpoints apart without
    reading them.
    """
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        start = file.read(8)
        length = int.from_bytes(start, "little")
        digest.update(start + file.read(length))
        step = max(_SAMPLE, (size - 8 - length) // _SAMPLES)
        for place in range(8 + length, size, step):
            file.seek(place)
            digest.update(file.read(_SAMPLE))
    return digest.hexdigest()


class Handles:
    """Unbuffered files, one a thread and path: threads then need no lock to seek."""

    def __init__(self, mode: str) -> None:
        self._mode = mode
        self._local = threading.local()
        self._every: list[FileIO] = []

    def get(self, path: Path) -> FileIO:
        mine: dict[Path, FileIO] = self._local.__dict__.setdefault("files", {})
        if path not in mine:
            mine[path] = FileIO(path, self._mode)
            self._every.append(mine[path])
        return mine[path]

    def close(self) -> None:
        for file in self._every:
            file.close()


def bytes_of(values: torch.Tensor) -> memoryview:
    """The memory of values that lie one after the other."""
    return memoryview(values.view(torch.uint8).numpy())


class Reader:
    """Reads stretches of stored tensors; may be used from several threads at once."""

    def __init__(self) -> None:
        self._handles = Handles("r")

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *ignored: object) -> None:
        self._handles.close()

    def read(
        self, tensor: Stored, start: int, stop: int, out: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Values start..stop of the flattened tensor, in its own dtype; into `out` if given, which
        has that dtype and length."""
        values = torch.empty(stop - start, dtype=tensor.dtype) if out is None else out
        view = bytes_of(values)
        file = self._handles.get(tensor.path)
        file.seek(tensor.offset + start * tensor.dtype.itemsize)
        while view:
            got = file.readinto(view)
            if not got:
                raise broken(f"The file '{tensor.path.name}' was cut short.", "Copy it again.")
            view = view[got:]
        return values

    def ahead(self, tensor: Stored, start: int, stop: int) -> None:
        """Values start..stop, as far as there are any, will be read soon: the system may fetch
        them from the disk by then."""
        advise = getattr(os, "posix_fadvise", None)
        stop = min(stop, tensor.count)
        if advise is not None and start < stop:
            width, file = tensor.dtype.itemsize, self._handles.get(tensor.path)
            place = tensor.offset + start * width
            advise(file.fileno(), place, (stop - start) * width, os.POSIX_FADV_WILLNEED)
