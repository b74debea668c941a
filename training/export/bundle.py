"""A checkpoint as a model folder: model-*.gguf, mmproj-*.gguf, viscodex.json, export.json."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from engine.errors import ErrorCode, VisCodexError
from engine.images import ImageLimits
from engine.models.card import FILE_NAME, ModelCard
from engine.models.check import check_files
from engine.models.sums import sha256_of
from training.checkpoint import Checkpoint, open_checkpoint
from training.export import quantize as quantizer
from training.export.checkpoint import FAMILIES
from training.export.lora import Adapter, read_adapter
from training.export.mmproj import write_mmproj
from training.export.quantize import Importance
from training.export.text import write_text
from training.export.tower import drawn_pictures, largest_activation
from training.export.writing import (
    LARGEST_F16,
    TYPES,
    F16Overflow,
    Written,
    check_type,
    tensor_type,
)
from training.space import check_room
from training.tensors import NAMES

Weigh = Callable[[Path], Importance | None]
Report = Callable[[str], None]
RECORD = "export.json"
BITS = {"F32": 32.0, "F16": 16.0, "BF16": 16.0, "Q8_0": 8.5}
LARGEST_K = 6.6  # bits of a weight in Q6_K
IGNORE_IMPORTANCE = tuple(TYPES)  # types that an importance matrix does not change


@dataclass(frozen=True)
class ExportReport:
    """The files written (`models` in the order asked for, `model` the first of them), how many
    tensors each kind holds, and what was decided otherwise than asked for."""

    models: tuple[Path, ...]
    mmproj: Path
    card: Path
    text_tensors: int
    vision_tensors: int
    notes: tuple[str, ...] = ()

    @property
    def model(self) -> Path:
        """The text file that the folder stands for."""
        return self.models[0]

    @property
    def size(self) -> int:
        """Bytes of all GGUF files."""
        return sum(path.stat().st_size for path in (*self.models, self.mmproj))


@dataclass(frozen=True)
class Made:
    """Files that are written but not in their places yet: text files by type, and the vision file.
    `places` has their names to be, "mmproj" beside the types."""

    checkpoint: Checkpoint
    texts: Mapping[str, Path]
    mmproj: Path
    places: Mapping[str, str]
    card: ModelCard
    notes: Sequence[str]

    def files(self) -> list[dict[str, Any]]:
        """Name, bytes and sum of each."""
        return [
            {"name": name, "size": path.stat().st_size, "sha256": self.card.sha256[name]}
            for kind, path in {**self.texts, "mmproj": self.mmproj}.items()
            for name in (self.places[kind],)
        ]


Inspect = Callable[[Made], Mapping[str, Any]]


@dataclass
class _Work:
    """An export on its way: what goes where, and what was said."""

    source: Checkpoint
    out: Path
    name: str
    adapter: Adapter | None
    report: Report
    notes: list[str] = field(default_factory=list)

    def part(self, kind: str) -> Path:
        """A file beside its place. Whatever the type of the text: named so that what a killed
        export left is written over, or removed, by the next one."""
        return self.out / f"{kind}.part"

    def note(self, text: str) -> None:
        self.notes.append(text)
        self.report(text)


def export_checkpoint(
    checkpoint_dir: Path,
    out: Path,
    *,
    card: ModelCard | Mapping[str, Any] | None = None,
    text_type: str | Sequence[str] = "Q8_0",
    mmproj_type: str = "Q8_0",
    name: str | None = None,
    lora: Path | None = None,
    weigh: Weigh | None = None,
    inspect: Inspect | None = None,
    report: Report = lambda _: None,
) -> ExportReport:
    """Write the GGUF files and the card into the folder `out`, and nothing if that fails.

    `text_type` is one type or several (F32, F16, BF16, Q8_0, or a K-quant): several are made from
    one file in between, which `weigh` may look at to say what matters to K-quants. The vision file
    is F32, F16, BF16 or Q8_0; where F16 cannot hold its numbers it becomes BF16, and the report
    says so. `lora` is the folder of an adapter to be merged. Without a card one is made for a
    general model; `name` stands in for the card's. `inspect` looks at the files before they take
    their places; what it returns becomes export.json, what it raises ends the export. Sums are put
    into the card; GGUF files that the card there before named are replaced.

    Raises VisCodexError: bad_input where there is no checkpoint or type, model_broken for one that
    is incomplete or that llama.cpp could not run.
    """
    kinds = (text_type,) if isinstance(text_type, str) else tuple(dict.fromkeys(text_type))
    check_type(mmproj_type)
    check_kinds(kinds, weighed=weigh is not None)
    if card is not None:
        if not isinstance(card, ModelCard):
            card = ModelCard.from_json({"name": name, **card})
        card = replace(card, name=name or card.name)
    source = open_checkpoint(checkpoint_dir, FAMILIES)
    adapter = None if lora is None else read_adapter(lora, source.tensors, source.family)
    title = name or (card.name if card else checkpoint_dir.resolve().name)
    work = _Work(source, out, title, adapter, report)
    check_room(_needed(source, kinds, mmproj_type), out)
    out.mkdir(parents=True, exist_ok=True)
    with _parts(out):
        text, texts = _write_texts(work, kinds, weigh)
        image = card.image if card is not None else _limits(source)
        vision, vision_type = _write_vision(work, mmproj_type, next(iter(texts.values())), image)
        mmproj = out / f"mmproj-{vision_type}.gguf"
        for part in texts.values():
            facts = check_files(part, work.part("mmproj"))
        if card is None:
            card = replace(ModelCard.of_facts(facts), name=title, family=source.family)
        names = {kind: f"model-{kind}.gguf" for kind in texts} | {"mmproj": mmproj.name}
        made = {**texts, "mmproj": work.part("mmproj")}
        known = {work.part("model"): text.sha256, work.part("mmproj"): vision.sha256}
        sums = {names[kind]: known.get(part) or sha256_of(part) for kind, part in made.items()}
        card = replace(card, sha256=sums)
        places = {part: out / names[kind] for kind, part in made.items()}
        if inspect is not None:
            found = inspect(Made(source, texts, made["mmproj"], names, card, work.notes))
            places[_write_json(work.part("card-export"), found)] = out / RECORD
        places[_write_json(work.part("card"), card.to_json())] = out / FILE_NAME
        old = _files_of_card(out) - set(sums)
        for part, place in places.items():
            os.replace(part, place)
    for file in old:
        (out / file).unlink(missing_ok=True)
    models = tuple(out / f"model-{kind}.gguf" for kind in kinds)
    return ExportReport(
        models, mmproj, out / FILE_NAME, text.tensors, vision.tensors, tuple(work.notes)
    )


def _write_json(path: Path, content: Mapping[str, Any]) -> Path:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return path


def check_kinds(kinds: Sequence[str], *, weighed: bool) -> None:
    """Refuse types that are not made here, and an importance matrix (`weighed`) for types that it
    does not change. Raises VisCodexError(bad_input)."""
    known = dict.fromkeys((*TYPES, *quantizer.TYPES))
    unknown = [kind for kind in kinds if kind not in known]
    if unknown or not kinds:
        raise VisCodexError(
            ErrorCode.bad_input,
            f"'{', '.join(unknown)}' is no type that can be exported to.",
            f"Choose of {', '.join(known)}.",
        )
    if weighed and set(kinds) <= set(IGNORE_IMPORTANCE):
        raise VisCodexError(
            ErrorCode.bad_input,
            f"An importance matrix changes nothing in {', '.join(kinds)}.",
            "Ask for a K-quant such as Q4_K_M as well.",
        )


@contextmanager
def _parts(out: Path) -> Iterator[None]:
    """Take away what another export left, and what this one leaves if it fails."""

    def clear() -> None:
        for path in out.glob("*.part"):
            if path.name.startswith(("model", "mmproj", "card")):
                path.unlink(missing_ok=True)

    clear()
    try:
        yield
    except BaseException:
        clear()
        raise
    clear()


def own_type(checkpoint: Checkpoint) -> str:
    """The widest type that the language model is stored in."""
    kinds = {NAMES[checkpoint.values(name).dtype] for name in checkpoint.tensors
             if name.startswith("language.")}  # fmt: skip
    return "BF16" if kinds == {"BF16"} else "F16" if kinds == {"F16"} else "F32"


def _needed(source: Checkpoint, kinds: Sequence[str], mmproj_type: str) -> float:
    """Bytes of all files, the one in between counted in; K-quants at the most that they take."""
    count = {"language": 0, "vision": 0, "projector": 0}
    for name, tensor in source.tensors.items():
        count[tensor.module] += source.values(name).count
    alone = len(kinds) == 1 and kinds[0] in TYPES
    stored = () if alone else ("F32",) if "F32" in kinds else (own_type(source),)
    text = sum(BITS.get(kind, LARGEST_K) for kind in {*kinds, *stored})
    tower = BITS[mmproj_type] * (count["vision"] + count["projector"])
    return (text * count["language"] + tower) / 8


def _write_texts(
    work: _Work, kinds: Sequence[str], weigh: Weigh | None
) -> tuple[Written, dict[str, Path]]:
    """All text files, by type, in the order asked for."""
    base = work.part("model")
    alone = len(kinds) == 1 and kinds[0] in TYPES
    stored = kinds[0] if alone else "F32" if "F32" in kinds else own_type(work.source)
    written = write_text(work.source, base, stored, work.name, work.adapter)
    work.report(f"text: {written.tensors} tensors as {stored}")
    if "F16" in kinds and written.largest > LARGEST_F16:
        raise F16Overflow(
            ErrorCode.model_broken,
            f"The tensor '{written.largest_in}' holds values that F16 cannot.",
            "Export to BF16 or F32.",
        )
    importance = None if weigh is None else weigh(base)
    made = {}
    for kind in kinds:
        made[kind] = base
        if kind != stored:
            made[kind] = quantizer.quantize(
                base, work.part(f"model-{kind}"), kind, importance=importance
            )
            work.report(f"text: {kind} made")
    if stored not in kinds:
        base.unlink()
    return written, made


def _write_vision(
    work: _Work, wanted: str, model: Path, limits: ImageLimits
) -> tuple[Written, str]:
    """The vision file, in the type wanted or in one that holds its numbers; which it is.

    In F16 the products of matrices are computed in F16 as well on graphics cards (and their
    operands rounded to it on processors), so the numbers of two pictures count like the weights.
    """
    part = work.part("mmproj")

    def write(kind: str, spare: str) -> Written:
        return write_mmproj(work.source, part, kind, work.name, work.adapter, spare)

    try:
        written = write(wanted, "F16")
    except F16Overflow as error:
        return _without_f16(work, wanted, error.message, write)
    if not _has_f16(work.source, wanted):
        return written, wanted
    most = largest_activation(model, part, limits, drawn_pictures())
    if most <= LARGEST_F16:
        return written, wanted
    said = f"Numbers in the tower reach {most:.3g}, which F16 cannot hold."
    return _without_f16(work, wanted, said, write)


def _without_f16(
    work: _Work, wanted: str, why: str, write: Callable[[str, str], Written]
) -> tuple[Written, str]:
    kind = "BF16" if wanted == "F16" else wanted
    what = "The vision file is" if wanted == "F16" else "Matrices that Q8_0 does not fit are"
    work.note(f"{why} {what} written as BF16.")
    return write(kind, "BF16"), kind


def _has_f16(source: Checkpoint, wanted: str) -> bool:
    """Whether a vision file of a type has matrices in F16."""
    return any(
        tensor_type(tensor.gguf[0], source.values(name).shape, wanted).name == "F16"
        for name, tensor in source.tensors.items()
        if tensor.module != "language"
    )


def _limits(source: Checkpoint) -> ImageLimits:
    """Of the test pictures, where no card says: tokens of this family."""
    vision = source.vision
    factor = vision.get("patch_size", 14) * vision.get("spatial_merge_size", 2)
    return ImageLimits(factor=factor)


def _files_of_card(folder: Path) -> set[str]:
    """GGUF files in a folder that the card in it names."""
    with suppress(VisCodexError):
        named = ModelCard.read(folder / FILE_NAME).sha256
        return {path.name for path in folder.glob("*.gguf")} & set(named)
    return set()
