"""One entry of the history as a zip file, for somebody else."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from app.files import write_whole
from app.store.history.entries import Entry, Version
from engine.tasks import TASKS


def pack(out: Path, entry: Entry, versions: Sequence[Version], words: str, picture: Path) -> None:
    """Write `out`: picture.png, the code on top, versions/, words.txt and entry.json.

    Raises OSError.
    """
    suffix = TASKS[entry.kind].suffix if entry.kind in TASKS else ".txt"
    facts = asdict(entry)
    facts["versions"] = [
        {key: value for key, value in asdict(version).items() if key not in ("code", "conversion")}
        for version in versions
    ]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        if picture.is_file():
            archive.write(picture, "picture.png")
        for version in versions:
            archive.writestr(f"versions/{version.id}{suffix}", version.code)
            if version.id == entry.head:
                archive.writestr(f"code{suffix}", version.code)
        if words:
            archive.writestr("words.txt", words)
        archive.writestr("entry.json", json.dumps(facts, ensure_ascii=False, indent=2))
    write_whole(out, buffer.getvalue())
