"""Whether two GGUF files are a model that this engine runs: kinds, shapes, and how they fit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import ErrorCode, VisCodexError
from engine.models.families import FAMILIES, PROJECTORS, Projector
from engine.models.header import ArrayShape, Header, broken, read_header

MAX_LAYERS = 512
MAX_WIDTH = 65_536
MAX_IMAGE = 8192  # pixels a side: llama.cpp's own bound
MAX_VOCABULARY = 1_000_000

TOKEN_KEYS = ("bos", "eos", "padding", "unknown")


@dataclass(frozen=True)
class ModelFacts:
    """What the headers tell; `context` in positions.

    `token_side` in pixels of the picture, `longest` as in `Projector` (0: pictures on the grid),
    `template` is the file's own chat template or "".
    """

    name: str
    architecture: str
    projector: str
    context: int
    width: int
    vocabulary: int
    token_side: int
    vision_layers: int
    longest: int = 0
    template: str = ""


def check_files(model: Path, mmproj: Path) -> ModelFacts:
    """Check both files and that they belong together.

    Raises VisCodexError: model_missing, or what `check_headers` raises.
    """
    return check_headers(read_header(model), read_header(mmproj))


def check_headers(text: Header, vision: Header) -> ModelFacts:
    """The same for headers that have been read: walking a large vocabulary takes a while.

    Raises VisCodexError: model_broken, model_unsupported, or model_mismatch (with the numbers).
    """
    _check_text(text)
    _check_vision(vision)
    arch, kind = text.architecture, _projector(vision)
    width = _integer(text, f"{arch}.embedding_length", 1, MAX_WIDTH)
    if kind not in FAMILIES[arch]:
        raise _mismatch(text, vision, f"one is {arch}, the other {kind}")
    projector = PROJECTORS[kind]
    projected = _integer(vision, "clip.vision.projection_dim", 1, MAX_WIDTH)
    if projector.width_key and projected != width:
        raise _mismatch(text, vision, f"the model is {width} wide, the vision file {projected}")
    last = vision.tensors[projector.output].dims
    if len(last) != 2 or last[projector.axis] != width:
        found = last[min(projector.axis, len(last) - 1)]
        raise _mismatch(text, vision, f"the model is {width} wide, the projector {found}")
    name = text.keys.get("general.name")
    template = text.keys.get("tokenizer.chat_template")
    tokens = text.keys["tokenizer.ggml.tokens"]
    return ModelFacts(
        name=name if isinstance(name, str) and name else text.path.stem,
        architecture=arch,
        projector=kind,
        context=_integer(text, f"{arch}.context_length", 1, 2**31 - 1),
        width=width,
        vocabulary=tokens.count if isinstance(tokens, ArrayShape) else len(tokens),
        token_side=_merge(vision, projector) * _integer(vision, "clip.vision.patch_size", 1, 64),
        vision_layers=_integer(vision, "clip.vision.block_count", 1, MAX_LAYERS),
        longest=projector.longest,
        template=template if isinstance(template, str) else "",
    )


def _merge(vision: Header, projector: Projector) -> int:
    """Patches on a side of one picture token, for pictures on the grid."""
    key = "clip.vision.spatial_merge_size"
    if projector.merge > 1 or key not in vision.keys:
        return projector.merge
    return _integer(vision, key, 1, 8)


def _mismatch(text: Header, vision: Header, why: str) -> VisCodexError:
    return VisCodexError(
        ErrorCode.model_mismatch,
        f"'{vision.path.name}' does not belong to '{text.path.name}': {why}.",
        "Give the mmproj file that was exported with the model.",
    )


def _unsupported(header: Header, what: str) -> VisCodexError:
    return VisCodexError(
        ErrorCode.model_unsupported,
        f"'{header.path.name}' {what}.",
        "Choose another model, or a newer version of this program.",
    )


def _projector(vision: Header) -> str:
    for key in ("clip.projector_type", "clip.vision.projector_type"):
        value = vision.keys.get(key)
        if isinstance(value, str):
            return value
    return ""


def _integer(header: Header, key: str, low: int, high: int) -> int:
    value: Any = header.keys.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        shown = "nothing" if value is None else str(value)[:40]
        raise broken(header.path, f"has {shown} for '{key}'")
    return value


def _check_text(header: Header) -> None:
    arch = header.architecture
    if arch == "clip":
        raise broken(header.path, "is a vision file (mmproj), not a language model")
    if arch not in FAMILIES:
        known = ", ".join(sorted(FAMILIES))
        raise _unsupported(header, f"is of the kind '{arch[:40]}'; this version runs {known}")
    layers = _integer(header, f"{arch}.block_count", 1, MAX_LAYERS)
    width = _integer(header, f"{arch}.embedding_length", 1, MAX_WIDTH)
    heads = _integer(header, f"{arch}.attention.head_count", 1, MAX_WIDTH)
    groups = header.keys.get(f"{arch}.attention.head_count_kv", heads)
    if isinstance(groups, int) and (groups < 1 or heads % groups):
        raise broken(header.path, f"has {heads} heads in {groups} groups")
    _integer(header, f"{arch}.context_length", 1, 2**31 - 1)
    deep = f"{arch}.n_deepstack_layers"
    if deep in header.keys:  # llama.cpp aborts where the last layer takes from the tower too
        _integer(header, deep, 0, layers - 1)
    sections = header.keys.get(f"{arch}.rope.dimension_sections")
    usable = isinstance(sections, tuple) and len(sections) in (3, 4) and min(sections) >= 0
    if not usable and any(PROJECTORS[kind].mrope for kind in FAMILIES[arch]):
        raise broken(header.path, "has no usable 'rope.dimension_sections'")
    tokens = header.keys.get("tokenizer.ggml.tokens")
    count = tokens.count if isinstance(tokens, ArrayShape) else len(tokens or ())
    if not 0 < count <= MAX_VOCABULARY:
        raise broken(header.path, f"has {count} tokens in its vocabulary")
    for name in TOKEN_KEYS:
        key = f"tokenizer.ggml.{name}_token_id"
        if key in header.keys:
            _integer(header, key, 0, count - 1)
    table = header.tensors.get("token_embd.weight")
    if table is None or table.dims != (width, count):
        shape = "none" if table is None else " x ".join(map(str, table.dims))
        raise broken(header.path, f"has a token table of {shape}, not {width} x {count}")
    for layer in range(layers):
        if f"blk.{layer}.attn_norm.weight" not in header.tensors:
            raise broken(header.path, f"lacks layer {layer} of its {layers}")


def _check_vision(header: Header) -> None:
    if header.architecture != "clip":
        raise broken(header.path, f"is no vision file (mmproj) but '{header.architecture[:40]}'")
    if header.keys.get("clip.has_vision_encoder") is not True:
        raise broken(header.path, "holds no vision encoder")
    kind = _projector(header)
    projector = PROJECTORS.get(kind)
    if projector is None:
        raise _unsupported(header, f"has the projector '{kind[:40]}', which is not supported")
    prefix = "clip.vision."
    width = _integer(header, f"{prefix}embedding_length", 4, MAX_WIDTH)
    heads = _integer(header, f"{prefix}attention.head_count", 1, MAX_WIDTH)
    if width % heads or (projector.mrope and (width // heads) % 4):
        raise broken(header.path, f"has {heads} heads for a width of {width}")
    _integer(header, f"{prefix}feed_forward_length", 1, 16 * MAX_WIDTH)
    patch = _integer(header, f"{prefix}patch_size", 1, 64)
    side = _integer(header, f"{prefix}image_size", 1, MAX_IMAGE) // patch
    _integer(header, f"{prefix}projection_dim", 1, MAX_WIDTH)
    # With full attention in every block (a pattern of 1) llama.cpp's encoder aborts.
    for key, least in (("n_wa_pattern", 2), ("spatial_merge_size", 1)):
        if prefix + key in header.keys:
            _integer(header, prefix + key, least, MAX_LAYERS)
    layers = _integer(header, f"{prefix}block_count", 1, MAX_LAYERS)
    wanted = ["v.patch_embd.weight", projector.output, *projector.needs]
    wanted += [f"v.blk.{layer}.ln1.weight" for layer in range(layers)]
    for name in wanted:
        if name not in header.tensors:
            raise broken(header.path, f"lacks the tensor '{name}'")
    # llama.cpp aborts over a table that does not fit; a class token is one row more.
    positions = header.tensors.get("v.position_embd.weight")
    if projector.square and (
        positions is None
        or positions.dims[0] != width
        or math.prod(positions.dims[1:]) not in (side * side, side * side + 1)
    ):
        raise broken(header.path, f"has no positions for {side} x {side} patches")
    factor = f"{prefix}projector.scale_factor"
    if factor in header.keys and side % _integer(header, factor, 1, MAX_LAYERS):
        raise broken(header.path, f"cannot merge {side} patches a side")
