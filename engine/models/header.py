"""The header of a GGUF file, read in pure Python and checked before native code sees the file.

Every count, length and offset is held against a bound and against the size of the file, since a
hostile file must end in one clear line, not in the parser of the runtime. Layout:
https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import math
import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import ErrorCode, VisCodexError

MAGIC = b"GGUF"
VERSIONS = (2, 3)
MAX_KEYS = 16_384
MAX_TENSORS = 65_536
MAX_NAME = 256
MAX_STRING = 4_000_000
MAX_ARRAY = 8_000_000
MAX_DIMENSIONS = 4
MAX_ALIGNMENT = 4096
KEPT_ARRAY = 64  # longer arrays (the vocabulary) are walked over, not kept

STRING, ARRAY, BOOL = 8, 9, 7
SCALARS: Mapping[int, str] = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<B", 10: "<Q", 11: "<q",
    12: "<d",
}  # fmt: skip

# ggml type -> (values in a block, bytes of a block)
BLOCKS: Mapping[int, tuple[int, int]] = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34),
    9: (32, 40), 10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210),
    15: (256, 292), 16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18),
    21: (256, 110), 22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8),
    28: (1, 8), 29: (256, 56), 30: (1, 2), 34: (256, 54), 35: (256, 66), 39: (32, 17),
    40: (64, 36), 41: (128, 18),
}  # fmt: skip


@dataclass(frozen=True)
class ArrayShape:
    """An array too long to keep: the type of its elements (GGUF number) and how many there are."""

    kind: int
    count: int


@dataclass(frozen=True)
class Tensor:
    """A tensor as the header tells it; `dims` fastest first, `offset` from the start of data."""

    dims: tuple[int, ...]
    kind: int
    offset: int
    size: int


@dataclass(frozen=True)
class Header:
    """All keys and tensors of a GGUF file, and how many bytes the file has."""

    path: Path
    version: int
    keys: Mapping[str, Any]
    tensors: Mapping[str, Tensor]
    data_start: int
    file_size: int

    @property
    def architecture(self) -> str:
        """`general.architecture`, or ""."""
        value = self.keys.get("general.architecture")
        return value if isinstance(value, str) else ""


def broken(path: Path, what: str) -> VisCodexError:
    """The error for a file that cannot be used."""
    return VisCodexError(
        ErrorCode.model_broken, f"'{path.name}' {what}.", "Download or export the file again."
    )


def read_header(path: Path) -> Header:
    """Read and check the header of a GGUF file.

    Raises VisCodexError: model_missing where there is no such file, model_broken otherwise.
    """
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            if size < 24:
                raise broken(path, f"is no GGUF file: it has {size} bytes")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
                return _Reader(path, view, size).header()
    except FileNotFoundError:
        raise VisCodexError(
            ErrorCode.model_missing, f"There is no file '{path}'.", "Check the path."
        ) from None
    except (OSError, ValueError) as error:
        raise broken(path, f"cannot be read ({type(error).__name__})") from error


class _Reader:
    """A cursor over the file; every step checks that it stays inside."""

    def __init__(self, path: Path, view: mmap.mmap, size: int) -> None:
        self.path = path
        self.view = view
        self.size = size
        self.at = 0

    def fail(self, what: str) -> VisCodexError:
        return broken(self.path, what)

    def number(self, form: str) -> Any:
        step = struct.calcsize(form)
        if self.at + step > self.size:
            raise self.fail("is cut off in its header")
        (value,) = struct.unpack_from(form, self.view, self.at)
        self.at += step
        return value

    def skip(self, count: int) -> None:
        if count > self.size - self.at:
            raise self.fail("is cut off in its header")
        self.at += count

    def string(self, limit: int, what: str) -> str:
        length = self.number("<Q")
        if length > limit:
            raise self.fail(f"has a {what} of {length} bytes")
        start = self.at
        self.skip(length)
        try:
            return self.view[start : self.at].decode("utf-8")
        except UnicodeDecodeError:
            raise self.fail(f"has a {what} that is no UTF-8") from None

    def header(self) -> Header:
        if self.view[:4] != MAGIC:
            raise self.fail("is no GGUF file")
        self.at = 4
        version = self.number("<I")
        if version not in VERSIONS:
            turned = int.from_bytes(struct.pack("<I", version), "big")
            what = "for big-endian machines" if turned in VERSIONS else f"of GGUF version {version}"
            raise self.fail(f"is {what}, which is not supported")
        tensor_count, key_count = self.number("<Q"), self.number("<Q")
        if tensor_count > MAX_TENSORS or key_count > MAX_KEYS:
            raise self.fail(f"claims {tensor_count} tensors and {key_count} keys")
        keys = self.key_values(key_count)
        alignment = keys.get("general.alignment", 32)
        if (
            not isinstance(alignment, int)
            or not 0 < alignment <= MAX_ALIGNMENT
            or alignment & (alignment - 1)
            or alignment % 8
        ):
            raise self.fail(f"has an alignment of {alignment}")
        tensors = [self.tensor() for _ in range(tensor_count)]
        data_start = -(-self.at // alignment) * alignment
        self.check_places(tensors, data_start, alignment)
        named = dict(tensors)
        if len(named) != len(tensors):
            raise self.fail("names a tensor twice")
        return Header(self.path, version, keys, named, data_start, self.size)

    def key_values(self, count: int) -> dict[str, Any]:
        keys: dict[str, Any] = {}
        for _ in range(count):
            name = self.string(MAX_NAME, "key name")
            if not name or name in keys:
                raise self.fail(f"has the key '{name[:60]}' twice or without a name")
            keys[name] = self.value(self.number("<I"), name)
        return keys

    def value(self, kind: int, name: str) -> Any:
        if kind == STRING:
            return self.string(MAX_STRING, f"text in '{name}'")
        if kind == ARRAY:
            return self.array(name)
        form = SCALARS.get(kind)
        if form is None:
            raise self.fail(f"has the unknown type {kind} in '{name}'")
        value = self.number(form)
        if kind == BOOL:
            if value > 1:
                raise self.fail(f"has {value} where '{name}' is yes or no")
            return bool(value)
        return value

    def array(self, name: str) -> ArrayShape | tuple[Any, ...]:
        kind, count = self.number("<I"), self.number("<Q")
        if count > MAX_ARRAY:
            raise self.fail(f"has {count} elements in '{name}'")
        if kind != STRING and kind not in SCALARS:
            raise self.fail(f"has an array of the unknown type {kind} in '{name}'")
        if count <= KEPT_ARRAY:
            return tuple(self.value(kind, name) for _ in range(count))
        if kind != STRING:
            self.skip(count * struct.calcsize(SCALARS[kind]))
            return ArrayShape(kind, count)
        # The vocabulary: hundreds of thousands of strings, so no method call for each.
        view, at, size = self.view, self.at, self.size
        length_of = struct.Struct("<Q").unpack_from
        for _ in range(count):
            if at + 8 > size:
                raise self.fail("is cut off in its header")
            (length,) = length_of(view, at)
            at += 8 + length
            if length > MAX_STRING or at > size:
                raise self.fail(f"has a text of {length} bytes in '{name}'")
        self.at = at
        return ArrayShape(kind, count)

    def tensor(self) -> tuple[str, Tensor]:
        name = self.string(MAX_NAME, "tensor name")
        rank = self.number("<I")
        if not 0 < rank <= MAX_DIMENSIONS:
            raise self.fail(f"has a tensor of {rank} dimensions, '{name}'")
        dims = tuple(self.number("<Q") for _ in range(rank))
        kind, offset = self.number("<I"), self.number("<Q")
        if any(not 0 < side < 2**40 for side in dims):
            raise self.fail(f"has a tensor of impossible size, '{name}'")
        if kind not in BLOCKS:
            raise self.fail(f"has a tensor of the unknown type {kind}, '{name}'")
        values, size = BLOCKS[kind]
        if dims[0] % values:
            raise self.fail(f"has a tensor with broken rows, '{name}'")
        return name, Tensor(dims, kind, offset, math.prod(dims) // values * size)

    def check_places(
        self, tensors: list[tuple[str, Tensor]], data_start: int, alignment: int
    ) -> None:
        room = self.size - data_start
        end = 0
        for name, tensor in sorted(tensors, key=lambda item: item[1].offset):
            if tensor.offset % alignment:
                raise self.fail(f"has a tensor off its alignment, '{name}'")
            if tensor.offset < end:
                raise self.fail(f"has overlapping tensors, '{name}'")
            end = tensor.offset + tensor.size
            if end > room:
                missing = end - room
                raise self.fail(f"is cut off: {missing} bytes are missing at '{name}'")
