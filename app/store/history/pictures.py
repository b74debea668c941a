"""Pictures as files named by the SHA-256 of their content, each with a small one beside it.

A file is written beside its place and renamed: a name is never there without the whole content.
Which files are still needed only the database knows; callers hold its write lock while they put or
collect, so that no process collects what another is about to name.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from PIL import Image, features

from app.files import write_whole
from engine.images import load_picture

THUMBNAIL_SIDE = 256  # pixels
_NAME = re.compile(r"[0-9a-f]{64}")


class Pictures:
    """The two folders of pictures of one history."""

    def __init__(self, folder: Path) -> None:
        self._full = folder / "pictures"
        self._small = folder / "thumbnails"
        self._suffix, self._format = (
            (".webp", "WEBP") if features.check("webp") else (".png", "PNG")
        )

    def path(self, name: str) -> Path:
        """Where the picture of a hash lies; it may be missing."""
        return self._full / name[:2] / f"{name}.png"

    def thumbnail(self, name: str) -> Path:
        """Where its thumbnail lies, at most 256 pixels a side; the picture where it has none."""
        for suffix in (".webp", ".png"):
            path = self._small / name[:2] / f"{name}{suffix}"
            if path.is_file():
                return path
        return self.path(name)

    def put(self, png: bytes) -> tuple[str, bool]:
        """Keep a picture; its hash, and whether it is new.

        Raises OSError, and VisCodexError for what is no picture.
        """
        name = hashlib.sha256(png).hexdigest()
        if self.path(name).is_file():
            return name, False
        small = _shrink(png, self._format)
        try:
            for path, data in (
                (self._small / name[:2] / f"{name}{self._suffix}", small),
                (self.path(name), png),  # last: where it is, all is
            ):
                path.parent.mkdir(parents=True, exist_ok=True)
                write_whole(path, data)
                _sync_folder(path.parent)
        except BaseException:
            self.remove(name)
            raise
        return name, True

    def remove(self, name: str) -> None:
        """Remove picture and thumbnail, and what folders that leaves empty."""
        for path in (self.path(name), *(self._small / name[:2]).glob(f"{name}.*")):
            with contextlib.suppress(OSError):  # on Windows it may be open: the next sweep takes it
                path.unlink(missing_ok=True)
        for folder in (self._full / name[:2], self._small / name[:2]):
            with contextlib.suppress(OSError):
                folder.rmdir()

    def names(self) -> set[str]:
        """The hashes of all pictures and thumbnails that lie here."""
        return {path.stem for path in self._files() if _NAME.fullmatch(path.stem)}

    def collect(self, wanted: Iterable[str]) -> int:
        """Remove what is not wanted, and what a write that was broken off has left; how many."""
        unwanted = self.names() - set(wanted)
        for name in unwanted:
            self.remove(name)
        for path in self._files():
            if path.suffix == ".part":
                with contextlib.suppress(OSError):
                    path.unlink()
        return len(unwanted)

    def bytes(self) -> tuple[int, int]:
        """What pictures and thumbnails take on the disk."""
        return _size(self._full), _size(self._small)

    def _files(self) -> Iterator[Path]:
        for folder in (self._full, self._small):
            yield from folder.glob("*/*")


def _shrink(png: bytes, form: str) -> bytes:
    picture = load_picture(png)
    picture.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, form, quality=80)
    return buffer.getvalue()


def _size(folder: Path) -> int:
    total = 0
    for path in folder.glob("*/*"):
        with contextlib.suppress(OSError):
            total += path.stat().st_size
    return total


def _sync_folder(folder: Path) -> None:
    """Make the new name itself last through a power cut, where the system has a way to."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
