"""Sums of files by content, each file read once for as long as its size and time stay the same."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from engine.models.sums import sha256_of

GONE = ""  # the sum of what is not there
Known = dict[str, tuple[int, int, str]]  # path -> bytes, time of change (ns), sum


class Sums:
    """Sums of files and folders; `known` are those of earlier runs, and is added to."""

    def __init__(self, known: Known) -> None:
        self.known = known

    def of(self, path: Path) -> str:
        """The sum of a file by its content, of a folder by the names, sizes and times in it (it may
        hold a million pictures); GONE where there is neither."""
        try:
            facts = path.stat()
        except OSError:
            return GONE
        if path.is_dir():
            return sum_of_folder(path)
        place = str(path.absolute())
        size, time, found = self.known.get(place, (-1, -1, GONE))
        if (size, time) != (facts.st_size, facts.st_mtime_ns):
            found = sha256_of(path)
            self.known[place] = (facts.st_size, facts.st_mtime_ns, found)
        return found

    def all_of(self, files: Mapping[str, Path]) -> dict[str, str]:
        """The sums of several, by the names they go under."""
        return {name: self.of(path) for name, path in files.items()}

    def keep_only(self, places: Iterable[Path]) -> None:
        """Forget what nobody asks for any more."""
        wanted = {str(place.absolute()) for place in places}
        for place in [place for place in self.known if place not in wanted]:
            del self.known[place]


def sum_of_folder(folder: Path) -> str:
    """The sum of the names, sizes and times of all files in a folder and below."""
    digest = hashlib.sha256()
    for name, size, time in sorted(_entries(str(folder), "")):
        digest.update(f"{name}\0{size}\0{time}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _entries(folder: str, prefix: str) -> Iterable[tuple[str, int, int]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from _entries(entry.path, f"{prefix}{entry.name}/")
            else:
                facts = entry.stat()
                yield f"{prefix}{entry.name}", facts.st_size, facts.st_mtime_ns


def sum_of_settings(settings: Any) -> str:
    """The sum of plain JSON values."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
