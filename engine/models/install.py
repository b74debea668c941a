"""Bringing a model into the user's folder and taking it out again: whole, or not at all.

.incoming/NAME/     where files arrive; no model is ever looked for there
NAME/               model, mmproj and card, moved in as one
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from json import dumps
from pathlib import Path

from engine.errors import ErrorCode, VisCodexError
from engine.models.card import FILE_NAME, ModelCard
from engine.models.check import check_files
from engine.models.store import BUNDLED, ModelFiles, beside, find_model, user_folder
from engine.models.transfer import FULL, disk_full

INCOMING = ".incoming"
BLOCK = 1 << 20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

Watch = Callable[[str, int, int], None]
"""Called with a file's name, the bytes of it that are done, and how many it has."""


def check_name(name: str) -> str:
    """A name that can be a folder's. Raises VisCodexError(bad_input)."""
    if not _NAME.fullmatch(name) or name.lower() == BUNDLED or name.endswith("."):
        raise VisCodexError(
            ErrorCode.bad_input,
            f"'{name[:64]}' cannot be the name of a model here.",
            "Use up to 64 letters, digits, dots and dashes, and not the bundled model's name.",
        )
    return name


def incoming(name: str) -> Path:
    """The hidden folder in which a model arrives; made if it is not there."""
    folder = user_folder() / INCOMING / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def move_in(
    name: str, model: Path, mmproj: Path, sums: Mapping[str, str], *, licence: str = "",
    source: Mapping[str, str] | None = None,
) -> ModelFiles:  # fmt: skip
    """Check two files that have arrived in one folder, add the card, and make them a model.

    Raises VisCodexError: model_broken, model_mismatch; bad_input where the name is taken.
    """
    facts = check_files(model, mmproj)
    card = replace(
        ModelCard.of_facts(facts),
        name=name,
        licence=licence,
        sha256=dict(sums),
        training={} if source is None else {"source": dict(source)},
    )
    folder, place = model.parent, user_folder() / name
    refuse_taken(name)
    text = dumps(card.to_json(), ensure_ascii=False, indent=2) + "\n"
    (folder / FILE_NAME).write_text(text, encoding="utf-8")
    os.replace(folder, place)
    _remove_if_empty(user_folder() / INCOMING)
    return find_model(place)


def refuse_taken(name: str) -> None:
    """Raises VisCodexError(bad_input) where a model of this name is here."""
    if (user_folder() / name).exists():
        raise VisCodexError(
            ErrorCode.bad_input,
            f"There is a model '{name}' already.",
            f"Give another --name, or remove it: viscodex models remove {name}",
        )


def add_local(
    model: Path, mmproj: Path | None, name: str, watch: Watch = lambda *told: None
) -> ModelFiles:
    """Take over two GGUF files; the originals stay. On the same disk they are linked, not copied.

    Raises VisCodexError: model_missing, model_broken, model_mismatch, bad_input, disk_full.
    """
    if not model.is_file():
        raise VisCodexError(
            ErrorCode.model_missing, f"There is no file '{model}'.", "Check the path of the model."
        )
    vision = beside(model) if mmproj is None else mmproj
    check_files(model, vision)
    check_name(name)
    refuse_taken(name)
    folder = incoming(name)
    try:
        text, seeing = folder / _role_name(model, "model"), folder / _role_name(vision, "mmproj")
        sums = {text.name: _take(model, text, watch), seeing.name: _take(vision, seeing, watch)}
        return move_in(name, text, seeing, sums)
    except OSError as error:
        if error.errno in FULL:
            needed = model.stat().st_size + vision.stat().st_size
            raise disk_full(needed, shutil.disk_usage(user_folder()).free) from error
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _remove_if_empty(user_folder() / INCOMING)


def remove(name: str) -> Path:
    """Remove a model of the user's own folder, and what has arrived of it; where it was.

    Raises VisCodexError: model_missing, bad_input for the bundled one.
    """
    check_name(name)
    root = user_folder()
    place, arriving = root / name, root / INCOMING / name
    if not place.is_dir() and not arriving.is_dir():
        raise VisCodexError(
            ErrorCode.model_missing,
            f"There is no model '{name}' in {root}.",
            "`viscodex models list` names those that are here.",
        )
    if place.is_dir():
        # Renamed first: a removal that is broken off leaves no half model in sight.
        aside = incoming(f"{name}.removed")
        shutil.rmtree(aside, ignore_errors=True)
        os.replace(place, aside)
        shutil.rmtree(aside)
    shutil.rmtree(arriving, ignore_errors=True)
    _remove_if_empty(root / INCOMING)
    return place


def _role_name(path: Path, role: str) -> str:
    """A name by which the store tells the two apart."""
    marked = "mmproj" in path.name.lower()
    plain = re.sub("mmproj", "file", path.name, flags=re.IGNORECASE)
    return path.name if marked == (role == "mmproj") else f"{role}-{plain}"


def _take(path: Path, place: Path, watch: Watch) -> str:
    """Link or copy a file; its SHA-256 in hexadecimal."""
    total, done, digest = path.stat().st_size, 0, hashlib.sha256()
    try:
        os.link(path.resolve(), place)
        linked = True
    except OSError:
        linked = False
        if total > shutil.disk_usage(place.parent).free:
            raise disk_full(total, shutil.disk_usage(place.parent).free) from None
    with path.open("rb") as file, open(os.devnull if linked else place, "wb") as copy:
        while block := file.read(BLOCK):
            digest.update(block)
            copy.write(block)
            done += len(block)
            watch(path.name, done, total)
    return digest.hexdigest()


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()
