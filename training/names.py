"""One table of tensor names: canonical <-> Hugging Face (published and current) <-> GGUF.

A canonical name starts with the module it belongs to: `language`, `vision`, `projector`. `{}`
stands for the number of a layer. Models that share the rows of the language model can be merged;
`FAMILIES` says which rows a family has (Qwen2.5 is of the family qwen2).

Checkpoints come in two spellings. The published one (`model.layers.*`, `visual.*`) is what
transformers writes for Qwen2-VL and Qwen2.5-VL; its own modules are called otherwise since 4.52
(`model.language_model.*`, `model.visual.*`), and many tools write those names; Qwen3-VL has no
others. Both are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Literal

from engine.errors import ErrorCode, VisCodexError

Cut = Literal["", "rows", "time"]
Spelling = Literal["published", "current"]


@dataclass(frozen=True)
class Row:
    """The names of a tensor, or of one a layer.

    `gguf` holds several names where the tensor is cut: fused q, k, v along rows (`cut` "rows"),
    the patch embedding into its two time slices, axis 2 (`cut` "time").
    """

    canonical: str
    published: str
    gguf: tuple[str, ...]
    cut: Cut = ""


_W, _WB = ("weight",), ("weight", "bias")
_Stem = tuple[str, str, str, tuple[str, ...]]  # canonical, published, GGUF, suffixes


def _language(*attention: _Stem) -> tuple[_Stem, ...]:
    return (
        ("language.embed_tokens", "model.embed_tokens", "token_embd", _W),
        ("language.norm", "model.norm", "output_norm", _W),
        ("language.lm_head", "lm_head", "output", _W),
        ("language.layers.{}.input_layernorm", "model.layers.{}.input_layernorm",
         "blk.{}.attn_norm", _W),
        *attention,
        ("language.layers.{}.self_attn.o_proj", "model.layers.{}.self_attn.o_proj",
         "blk.{}.attn_output", _W),
        ("language.layers.{}.post_attention_layernorm",
         "model.layers.{}.post_attention_layernorm", "blk.{}.ffn_norm", _W),
        ("language.layers.{}.mlp.gate_proj", "model.layers.{}.mlp.gate_proj",
         "blk.{}.ffn_gate", _W),
        ("language.layers.{}.mlp.up_proj", "model.layers.{}.mlp.up_proj", "blk.{}.ffn_up", _W),
        ("language.layers.{}.mlp.down_proj", "model.layers.{}.mlp.down_proj",
         "blk.{}.ffn_down", _W),
    )  # fmt: skip


def _attention(name: str, gguf: str, suffixes: tuple[str, ...]) -> _Stem:
    stem = f"layers.{{}}.self_attn.{name}"
    return (f"language.{stem}", f"model.{stem}", f"blk.{{}}.attn_{gguf}", suffixes)


# Biases in Qwen2; in their place a norm of each head of q and k in Qwen3.
_LANGUAGE_2 = _language(*(_attention(f"{part}_proj", part, _WB) for part in "qkv"))
_LANGUAGE_3 = _language(
    *(_attention(f"{part}_proj", part, _W) for part in "qkv"),
    *(_attention(f"{part}_norm", f"{part}_norm", _W) for part in "qk"),
)

_VISION: tuple[_Stem, ...] = (
    ("vision.blocks.{}.attn.proj", "visual.blocks.{}.attn.proj", "v.blk.{}.attn_out", _WB),
    ("projector.mlp.0", "visual.merger.mlp.0", "mm.0", _WB),
    ("projector.mlp.2", "visual.merger.mlp.2", "mm.2", _WB),
)
_VISION_CUT = (
    Row(
        "vision.patch_embed.proj.weight",
        "visual.patch_embed.proj.weight",
        ("v.patch_embd.weight", "v.patch_embd.weight.1"),
        "time",
    ),
    *(
        Row(
            f"vision.blocks.{{}}.attn.qkv.{suffix}",
            f"visual.blocks.{{}}.attn.qkv.{suffix}",
            tuple(f"v.blk.{{}}.attn_{part}.{suffix}" for part in "qkv"),
            "rows",
        )
        for suffix in _WB
    ),
)
# RMS norms and a gated feed-forward in Qwen2.5-VL; layer norms and a plain one in Qwen2-VL.
_VISION_2_5: tuple[_Stem, ...] = (
    ("vision.blocks.{}.norm1", "visual.blocks.{}.norm1", "v.blk.{}.ln1", _W),
    ("vision.blocks.{}.norm2", "visual.blocks.{}.norm2", "v.blk.{}.ln2", _W),
    ("vision.blocks.{}.mlp.gate_proj", "visual.blocks.{}.mlp.gate_proj", "v.blk.{}.ffn_gate", _WB),
    ("vision.blocks.{}.mlp.up_proj", "visual.blocks.{}.mlp.up_proj", "v.blk.{}.ffn_up", _WB),
    ("vision.blocks.{}.mlp.down_proj", "visual.blocks.{}.mlp.down_proj", "v.blk.{}.ffn_down", _WB),
    ("projector.ln_q", "visual.merger.ln_q", "v.post_ln", _W),
)
_VISION_2: tuple[_Stem, ...] = (
    ("vision.blocks.{}.norm1", "visual.blocks.{}.norm1", "v.blk.{}.ln1", _WB),
    ("vision.blocks.{}.norm2", "visual.blocks.{}.norm2", "v.blk.{}.ln2", _WB),
    ("vision.blocks.{}.mlp.fc1", "visual.blocks.{}.mlp.fc1", "v.blk.{}.ffn_up", _WB),
    ("vision.blocks.{}.mlp.fc2", "visual.blocks.{}.mlp.fc2", "v.blk.{}.ffn_down", _WB),
    ("projector.ln_q", "visual.merger.ln_q", "v.post_ln", _WB),
)
# Learned positions, one fused q, k, v, and mergers that feed the first layers too.
# GGUF counts the latter by the block they read from, which the configuration tells.
_VISION_3: tuple[_Stem, ...] = (
    ("vision.patch_embed.proj", "visual.patch_embed.proj", "v.patch_embd", ("bias",)),
    ("vision.pos_embed", "visual.pos_embed", "v.position_embd", _W),
    ("vision.blocks.{}.attn.qkv", "visual.blocks.{}.attn.qkv", "v.blk.{}.attn_qkv", _WB),
    ("vision.blocks.{}.attn.proj", "visual.blocks.{}.attn.proj", "v.blk.{}.attn_out", _WB),
    ("vision.blocks.{}.norm1", "visual.blocks.{}.norm1", "v.blk.{}.ln1", _WB),
    ("vision.blocks.{}.norm2", "visual.blocks.{}.norm2", "v.blk.{}.ln2", _WB),
    ("vision.blocks.{}.mlp.linear_fc1", "visual.blocks.{}.mlp.linear_fc1",
     "v.blk.{}.ffn_up", _WB),
    ("vision.blocks.{}.mlp.linear_fc2", "visual.blocks.{}.mlp.linear_fc2",
     "v.blk.{}.ffn_down", _WB),
    ("projector.norm", "visual.merger.norm", "v.post_ln", _WB),
    ("projector.linear_fc1", "visual.merger.linear_fc1", "mm.0", _WB),
    ("projector.linear_fc2", "visual.merger.linear_fc2", "mm.2", _WB),
    ("projector.deepstack_merger_list.{}.norm", "visual.deepstack_merger_list.{}.norm",
     "v.deepstack.{}.norm", _WB),
    ("projector.deepstack_merger_list.{}.linear_fc1",
     "visual.deepstack_merger_list.{}.linear_fc1", "v.deepstack.{}.fc1", _WB),
    ("projector.deepstack_merger_list.{}.linear_fc2",
     "visual.deepstack_merger_list.{}.linear_fc2", "v.deepstack.{}.fc2", _WB),
)  # fmt: skip


def _rows(*tables: tuple[_Stem, ...]) -> tuple[Row, ...]:
    return tuple(
        Row(f"{canonical}.{suffix}", f"{published}.{suffix}", (f"{gguf}.{suffix}",))
        for canonical, published, gguf, suffixes in chain(*tables)
        for suffix in suffixes
    )


FAMILIES: Mapping[str, tuple[Row, ...]] = {
    "qwen2_5_vl": _rows(_LANGUAGE_2, _VISION, _VISION_2_5) + _VISION_CUT,
    "qwen2_vl": _rows(_LANGUAGE_2, _VISION, _VISION_2) + _VISION_CUT,
    "qwen3_vl": _rows(_LANGUAGE_3, _VISION_3) + _VISION_CUT[:1],
    "qwen2": _rows(_LANGUAGE_2),
    "qwen3": _rows(_LANGUAGE_3),
}
EMBEDDING = "language.embed_tokens.weight"
OUTPUT = "language.lm_head.weight"  # not there where it is tied to the embedding

# Start of a name in the current spelling -> in the published one; the first that fits counts.
_CURRENT = (
    ("model.language_model.", "model."),
    ("model.visual.", "visual."),
    ("language_model.model.", "model."),
    ("language_model.lm_head.", "lm_head."),
)
_NUMBERED = re.compile(r"\b(layers|blocks|blk|deepstack_merger_list|deepstack)\.(\d+)\.")


def _template(name: str) -> tuple[str, str]:
    """A name with `{}` for the number of its layer, and that number ("" where it has none)."""
    found = _NUMBERED.search(name)
    if not found:
        return name, ""
    return _NUMBERED.sub(r"\1.{}.", name, count=1), found.group(2)


def published_name(name: str) -> str:
    """A Hugging Face name of either spelling in the published one."""
    for current, published in _CURRENT:
        if name.startswith(current):
            return published + name[len(current) :]
    return name


def hugging_face_name(canonical: str, family: str, spelling: Spelling = "published") -> str:
    """The name in a checkpoint. Raises KeyError for a name that is not in the table."""
    template, number = _template(canonical)
    name = next(row for row in FAMILIES[family] if row.canonical == template).published
    if spelling == "current":
        for current, published in _CURRENT[:2]:
            if name.startswith(published):
                name = current + name[len(published) :]
                break
    return name.format(number)


def canonical_name(gguf: str, family: str) -> tuple[str, int]:
    """The canonical name behind a GGUF name, and which part of a cut tensor it is (else 0).

    Raises KeyError for a name that is not in the table.
    """
    template, number = _template(gguf)
    for row in FAMILIES[family]:
        if template in row.gguf:
            return row.canonical.format(number), row.gguf.index(template)
    raise KeyError(gguf)


@dataclass(frozen=True)
class Tensor:
    """A tensor of a checkpoint: its name there, its canonical name, its names in GGUF."""

    source: str
    canonical: str
    gguf: tuple[str, ...]
    cut: Cut

    @property
    def module(self) -> str:
        """language, vision or projector."""
        return self.canonical.split(".", 1)[0]


def match_tensors(names: Iterable[str], family: str) -> dict[str, Tensor]:
    """Match Hugging Face names of any spelling to the table: canonical name -> tensor.

    The order is that of the table and of the layers, whatever the order of `names`. Raises
    VisCodexError(model_broken) that names tensors without a row, and tensors there twice.
    """
    rows = {row.published: (place, row) for place, row in enumerate(FAMILIES[family])}
    found: dict[tuple[int, int], Tensor] = {}
    unknown, twice = [], []
    for name in sorted(names):
        template, number = _template(published_name(name))
        if template not in rows or ("{}" in template) != bool(number):
            unknown.append(name)
            continue
        place, row = rows[template]
        key = (int(number or 0), place)
        if key in found:
            twice.append(name)
        gguf = tuple(part.format(number) for part in row.gguf)
        found[key] = Tensor(name, row.canonical.format(number), gguf, row.cut)
    for problem, culprits in (("unknown", unknown), ("there twice", twice)):
        if culprits:
            raise VisCodexError(
                ErrorCode.model_broken,
                f"{listed(culprits)}: {problem} in a checkpoint of the family {family}.",
                "Remove them, or export the checkpoint they belong to.",
            )
    return {found[key].canonical: found[key] for key in sorted(found)}


def expected_names(
    family: str, layers: int, depth: int, *, tied: bool, deepstack: int = 0
) -> set[str]:
    """Canonical names of a complete checkpoint: `layers` of language, `depth` blocks of vision,
    `deepstack` mergers beside the last one."""
    counts = {"language": layers, "vision": depth, "projector": deepstack}
    names = set()
    for row in FAMILIES[family]:
        if "{}" in row.canonical:
            count = counts[row.canonical.split(".", 1)[0]]
            names |= {row.canonical.format(number) for number in range(count)}
        elif not (tied and row.canonical == OUTPUT):
            names.add(row.canonical)
    return names


def language_rows(family: str) -> frozenset[str]:
    """Canonical rows of the language model, which families that can be merged have in common."""
    rows = (row.canonical for row in FAMILIES[family])
    return frozenset(row for row in rows if row.startswith("language."))


def has_vision(family: str) -> bool:
    """Whether models of the family see pictures."""
    return any(row.canonical.startswith("vision.") for row in FAMILIES[family])


def layer_of(canonical: str) -> int | None:
    """Number of the language layer a tensor belongs to; None outside the layers."""
    found = _NUMBERED.search(canonical) if canonical.startswith("language.layers.") else None
    return int(found.group(2)) if found else None


def listed(names: Iterable[str], most: int = 4) -> str:
    """Tensor names for an error message: how many, and the first of them."""
    every = sorted(names)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return f"{len(every)} tensor{'s' * (len(every) > 1)} ({', '.join(every[:most])}{more})"
