"""Keeps matplotlib's list of fonts between runs: making it anew costs a second or more.

Processes that run scripts have a private settings folder; this copies the list in and out.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

import platformdirs

_PATTERN = "fontlist-*.json"


def _cache() -> Path:
    return Path(platformdirs.user_cache_dir("viscodex", appauthor=False)) / "plot"


def seed_font_list(config: Path) -> None:
    """Copy kept lists into the settings folder `config`; nothing happens where there are none."""
    with contextlib.suppress(OSError):
        for file in _cache().glob(_PATTERN):
            shutil.copyfile(file, config / file.name)


def keep_font_list(config: Path) -> None:
    """Keep the lists of `config`, in which only our own process has worked so far."""
    with contextlib.suppress(OSError):
        cache = _cache()
        for file in config.glob(_PATTERN):
            if (cache / file.name).exists():
                continue
            cache.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=cache)
            os.close(handle)
            shutil.copyfile(file, name)
            os.replace(name, cache / file.name)
