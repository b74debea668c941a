"""Safetensors files that are planned first, then written in stretches and resumed after a kill.

The safetensors library writes whole files only; here any stretch of any tensor is put into its
place as it comes, from threads and processes.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from training.names import listed
from training.tensors import NAMES, Handles, bytes_of, write_beside

SYNC = 256_000_000  # bytes written between two points that a killed run can go on from


@dataclass(frozen=True)
class Planned:
    """A tensor to be written."""

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Bytes of the values."""
        return math.prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True)
class Shard:
    """One file of a planned checkpoint."""

    file: str
    tensors: tuple[Planned, ...]

    @property
    def size(self) -> int:
        """Bytes of all values."""
        return sum(tensor.size for tensor in self.tensors)

    def header(self) -> tuple[bytes, dict[str, int]]:
        """The start of the file, and the byte at which the values of each tensor begin."""
        entries: dict[str, Any] = {"__metadata__": {"format": "pt"}}
        place = 0
        for tensor in self.tensors:
            entries[tensor.name] = {
                "dtype": NAMES[tensor.dtype],
                "shape": tensor.shape,
                "data_offsets": [place, place + tensor.size],
            }
            place += tensor.size
        text = json.dumps(entries, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        begin = 8 + len(text)
        offsets = {t.name: begin + entries[t.name]["data_offsets"][0] for t in self.tensors}
        return len(text).to_bytes(8, "little") + text, offsets


def plan_shards(tensors: Sequence[Planned], most: int) -> list[Shard]:
    """Cut a list of tensors into files of at most `most` bytes (a larger tensor has its own)."""
    groups: list[list[Planned]] = [[]]
    room = most
    for tensor in tensors:
        if groups[-1] and tensor.size > room:
            groups.append([])
            room = most
        groups[-1].append(tensor)
        room -= tensor.size
    return [
        Shard(f"model-{number:05}-of-{len(groups):05}.safetensors", tuple(group))
        for number, group in enumerate(groups, 1)
    ]


def index_of(shards: Iterable[Shard]) -> str:
    """The text of the index file."""
    shards = list(shards)
    table = {
        "metadata": {"total_size": sum(shard.size for shard in shards)},
        "weight_map": {t.name: shard.file for shard in shards for t in shard.tensors},
    }
    return json.dumps(table, indent=2) + "\n"


class ShardFile:
    """A file of planned tensors that is being written, from any thread, and in any process that it
    is sent to."""

    def __init__(self, path: Path, offsets: Mapping[str, int]) -> None:
        """`offsets`: the byte at which the values of each tensor begin."""
        self.path, self._offsets = path, offsets
        self._handles = Handles("r+")

    def __reduce__(self) -> tuple[Any, ...]:
        return ShardFile, (self.path, self._offsets)

    def __enter__(self) -> ShardFile:
        return self

    def __exit__(self, *ignored: object) -> None:
        self.close()

    def close(self) -> None:
        """Close what this process has opened."""
        self._handles.close()

    def write(self, tensor: Planned, start: int, values: torch.Tensor) -> None:
        """Put flat values into a tensor from its value `start` on."""
        file = self._handles.get(self.path)
        file.seek(self._offsets[tensor.name] + start * tensor.dtype.itemsize)
        view = bytes_of(values.contiguous())
        while view:
            view = view[file.write(view) :]


class ShardWriter:
    """Writes one shard beside its place and renames it when every tensor is there.

    `notes` holds what was noted of each tensor that is safely on the disk; it outlives the process
    in a journal in `state`. A tensor is noted only after its bytes were synced, so whatever moment
    a run is killed at, the next one writes what is lacking and the file comes out the same.
    Two processes that write the same shard write the same bytes, and do no harm.
    """

    def __init__(self, folder: Path, state: Path, shard: Shard) -> None:
        self.shard = shard
        self._place = folder / shard.file
        self._part_path = folder / f"{shard.file}.part"
        self._journal = state / f"{shard.file}.jsonl"
        self.notes = read_notes(self._journal)
        self._unsynced, self._pending = 0, dict[str, Any]()
        self._syncing: Future[None] | None = None
        if self.finished:
            return
        if not self._part_path.exists():
            self.notes = {}
        header, offsets = shard.header()
        descriptor = os.open(
            self._part_path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666
        )
        self._file = os.fdopen(descriptor, "r+b", buffering=0)
        self._file.write(header)
        self._file.truncate(len(header) + shard.size)
        lines = "".join(_line(name, note) for name, note in self.notes.items())
        write_beside(self._journal, lines)  # without a last line that was cut
        self.part = ShardFile(self._part_path, offsets)
        self._syncer = ThreadPoolExecutor(1)

    @property
    def finished(self) -> bool:
        """Whether the shard is in its place."""
        return self._place.exists()

    def write(self, tensor: Planned, start: int, values: torch.Tensor) -> None:
        """Put flat values into a tensor from its value `start` on; from any thread."""
        self.part.write(tensor, start, values)

    def note(self, tensor: Planned, note: Any) -> None:
        """All of a tensor is written; `note` is kept with that fact."""
        self._pending[tensor.name] = note
        self._unsynced += tensor.size
        if self._unsynced >= SYNC:
            self._sync()

    def _sync(self) -> None:
        if self._syncing is not None:
            self._syncing.result()
        notes, self._pending, self._unsynced = self._pending, {}, 0
        self.notes |= notes
        self._syncing = self._syncer.submit(self._keep, notes)

    def _keep(self, notes: Mapping[str, Any]) -> None:
        os.fsync(self._file.fileno())
        with self._journal.open("a", encoding="utf-8") as journal:
            journal.write("".join(_line(name, note) for name, note in notes.items()))
            journal.flush()
            os.fsync(journal.fileno())

    def finish(self) -> None:
        """Sync the file and put it into its place."""
        missing = {tensor.name for tensor in self.shard.tensors} - set(self.notes | self._pending)
        if missing:
            raise ValueError(f"not written: {listed(missing)}")
        self._sync()
        self.close()
        with suppress(FileNotFoundError):  # another process was first
            os.replace(self._part_path, self._place)

    def close(self) -> None:
        """Wait for the disk and close the files."""
        if self.finished:
            return
        self._syncer.shutdown()
        self.part.close()
        self._file.close()
        if self._syncing is not None:
            self._syncing.result()


def read_notes(journal: Path) -> dict[str, Any]:
    """The notes in a journal; a last line that was cut short is left out."""
    notes: dict[str, Any] = {}
    with suppress(FileNotFoundError, ValueError, KeyError):
        for line in journal.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            notes[entry["tensor"]] = entry["note"]
    return notes


def _line(name: str, note: Any) -> str:
    return json.dumps({"tensor": name, "note": note}) + "\n"
