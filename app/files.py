"""Writing files so that nobody ever sees half of one."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """Write beside the place and rename; an old file stays as it was if anything fails.

    Raises:
        OSError: the folder is missing or cannot be written.
    """
    path = path.absolute()
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        if os.name == "posix":
            # mkstemp keeps others out; a file the user asked for follows the user's own mask.
            mask = os.umask(0)
            os.umask(mask)
            os.chmod(name, 0o666 & ~mask)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def check_writable(path: Path, *, folder_will_do: bool = False) -> None:
    """Find out before the work whether the file `path`, or one in it, can be written after it.

    Raises:
        OSError: with the reason.
    """
    if path.is_dir() and not folder_will_do:
        raise IsADirectoryError(f"{path} is a folder: name a file")
    folder = path if path.is_dir() else path.absolute().parent
    if not folder.is_dir():
        raise FileNotFoundError(f"the folder {folder} does not exist")
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"the folder {folder} cannot be written")
