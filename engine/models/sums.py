"""SHA-256 of files too large to be read at once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

BLOCK = 1 << 20


def sha256_of(path: Path, watch: Callable[[int], None] = lambda done: None) -> str:
    """The sum of a file in hexadecimal; `watch` is told how many bytes are read. Raises OSError."""
    digest, done = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
            done += len(block)
            watch(done)
    return digest.hexdigest()
