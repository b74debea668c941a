"""A checkpoint as a model folder: model-*.gguf, mmproj-*.gguf and viscodex.json."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.errors import VisCodexError
from engine.models.card import FILE_NAME, ModelCard
from engine.models.check import check_files
from training.checkpoint import open_checkpoint
from training.export.checkpoint import FAMILIES
from training.export.mmproj import write_mmproj
from training.export.text import write_text
from training.export.writing import check_type


@dataclass(frozen=True)
class ExportReport:
    """The files written, and how many tensors each GGUF file holds."""

    model: Path
    mmproj: Path
    card: Path
    text_tensors: int
    vision_tensors: int

    @property
    def size(self) -> int:
        """Bytes of both GGUF files."""
        return self.model.stat().st_size + self.mmproj.stat().st_size


def export_checkpoint(
    checkpoint_dir: Path,
    out: Path,
    *,
    card: ModelCard | Mapping[str, Any],
    text_type: str = "Q8_0",
    mmproj_type: str = "Q8_0",
    name: str | None = None,
) -> ExportReport:
    """Write both GGUF files and the card into the folder `out`, and nothing if that fails.

    Types are F32, F16, BF16 or Q8_0 (a vision file in F16 overflows on some GPUs: prefer the
    others). `name` stands in for the card's. Sums are put into the card; GGUF files that the card
    there before named are replaced. Raises VisCodexError: bad_input where there is no checkpoint,
    model_broken for one that is incomplete or that llama.cpp could not run.
    """
    for wanted in (text_type, mmproj_type):
        check_type(wanted)
    if not isinstance(card, ModelCard):
        card = ModelCard.from_json({"name": name, **card})
    card = replace(card, name=name or card.name)
    source = open_checkpoint(checkpoint_dir, FAMILIES)
    out.mkdir(parents=True, exist_ok=True)
    model, mmproj = out / f"model-{text_type}.gguf", out / f"mmproj-{mmproj_type}.gguf"
    places = (model, mmproj, out / FILE_NAME)
    # Whatever the type: what a killed export left is written over by the next one.
    parts = [out / f"{kind}.part" for kind in ("model", "mmproj", "card")]
    try:
        tensors = (
            write_text(source, parts[0], text_type, card.name),
            write_mmproj(source, parts[1], mmproj_type, card.name),
        )
        check_files(parts[0], parts[1])
        sums = {path.name: sha256_of(part) for path, part in zip(places[:2], parts, strict=False)}
        card = replace(card, sha256=sums)
        parts[2].write_text(json.dumps(card.to_json(), indent=2) + "\n", encoding="utf-8")
        old = _files_of_card(out) - set(sums)
        for part, place in zip(parts, places, strict=True):
            os.replace(part, place)
    except BaseException:
        for part in parts:
            part.unlink(missing_ok=True)
        raise
    for file in old:
        (out / file).unlink(missing_ok=True)
    return ExportReport(*places, *tensors)


def _files_of_card(folder: Path) -> set[str]:
    """GGUF files in a folder that the card in it names."""
    with suppress(VisCodexError):
        named = ModelCard.read(folder / FILE_NAME).sha256
        return {path.name for path in folder.glob("*.gguf")} & set(named)
    return set()


def sha256_of(path: Path) -> str:
    """Hexadecimal sum of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
