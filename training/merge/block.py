"""A stretch of one tensor in the models that are merged, and the memory to work on it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor


class Room:
    """Memory for all steps on a block of `count` values, used again for the next block; for one
    thread at a time.

    Fresh memory is not in the processor's cache, and to fetch it there costs more than the
    arithmetic. For the same reason there is as little of it as will do. Arrays are tensors seen by
    numpy, whose plain arithmetic is the faster one.
    """

    def __init__(self, count: int, *, with_base: bool, dtype: torch.dtype = torch.float32) -> None:
        self.count, self.with_base = count, with_base
        compared = torch.empty(2, count, dtype=dtype)
        models = torch.empty(3, count, dtype=dtype) if with_base else compared
        self.vlm, self.coder = models[0], models[1]
        self.base = models[2] if with_base else None
        self.models = models.numpy()
        # Both task vectors, or the weights themselves where there is no base.
        self.first, self.second, self.compared = compared[0], compared[1], compared.numpy()
        self.result = torch.empty(count, dtype=dtype)
        self.aside = self.result.numpy().reshape(1, -1)  # the same memory, free where that is
        self.found = np.empty(count, np.bool_)
        self._stored: dict[torch.dtype, Tensor] = {}

    def stored(self, dtype: torch.dtype) -> Tensor:
        """Values as they are in a file, on their way from or to it."""
        if dtype not in self._stored:
            self._stored[dtype] = torch.empty(self.count, dtype=dtype)
        return self._stored[dtype]


@dataclass(frozen=True)
class Block:
    """Values start.. of the flattened tensor in each model, which lie in `room`; `number` counts
    the blocks."""

    number: int
    start: int
    room: Room

    @staticmethod
    def of(number: int, start: int, vlm: Tensor, coder: Tensor, base: Tensor | None) -> Block:
        """A block with a copy of the values, in a room of its own."""
        room = Room(len(vlm), with_base=base is not None, dtype=vlm.dtype)
        room.vlm.copy_(vlm)
        room.coder.copy_(coder)
        if room.base is not None and base is not None:
            room.base.copy_(base)
        return Block(number, start, room)

    @property
    def vlm(self) -> Tensor:
        return self.room.vlm

    @property
    def coder(self) -> Tensor:
        return self.room.coder

    @property
    def base(self) -> Tensor:
        """Of a method that cannot do without."""
        if self.room.base is None:
            raise ValueError("this method needs the base")
        return self.room.base

    @cached_property
    def deltas(self) -> tuple[Tensor, Tensor]:
        """Both task vectors; not to be changed."""
        room = self.room
        if room.base is None:
            raise ValueError("there are no task vectors without a base")
        with np.errstate(over="ignore", invalid="ignore"):
            np.subtract(room.models[:2], room.models[2], out=room.compared)
        return room.first, room.second

    @property
    def compared(self) -> np.ndarray:
        """Both task vectors (2, n), or the weights themselves where there is no base."""
        if self.room.with_base:
            _ = self.deltas
        return self.room.compared

    def double(self) -> Block:
        """The same in float64."""
        room = self.room
        base = None if room.base is None else room.base.double()
        return Block.of(self.number, self.start, room.vlm.double(), room.coder.double(), base)
