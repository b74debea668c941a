"""Tiny models of other families with random vision weights, one for each row of the table.

The language model is the scripted one under another architecture, so that answers are known; the
vision files have all the tensors that llama.cpp wants of their kind, in small.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import gguf
import numpy as np

from engine.models.store import ModelFiles, find_model
from tests.engine.scripted_model import VISION, WIDTH, Script, finish, write_text

PATCH, IMAGE, FEED = 14, 56, 96

Shapes = Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class Family:
    """A vision file in small: `tensors` besides the common ones, `numbers` besides those."""

    tensors: Shapes
    numbers: Mapping[str, int] = field(default_factory=dict)
    positions: bool = True
    gate: bool = False
    fused: bool = False  # one matrix for queries, keys and values
    marks: Sequence[str] = ()  # control tokens that mtmd or the template writes
    template: str = ""


TURNS = (
    "{{ bos_token }}{% for message in messages %}[[{{ message.role }}]]"
    "{% for part in message.content %}{% if part.type == 'image' %}IMAGE{% else %}"
    "{{ part.text }}{% endif %}{% endfor %}[[end]]\n{% endfor %}"
    "{% if add_generation_prompt %}[[assistant]]{% endif %}"
)

FAMILIES: Mapping[str, Family] = {
    "mlp": Family(
        {"mm.0.weight": (WIDTH, VISION), "mm.0.bias": (WIDTH,), "mm.2.weight": (WIDTH, WIDTH),
         "mm.2.bias": (WIDTH,)},
        marks=("<image>",),
        template=TURNS.replace("IMAGE", "<image>\n"),
    ),
    "idefics3": Family(
        {"mm.model.fc.weight": (WIDTH, 4 * VISION)},
        {"projector.scale_factor": 2, "preproc_image_size": 2 * IMAGE},
        marks=("<image>", "<fake_token_around_image>", "<global-img>"),
        template=TURNS.replace("IMAGE", "<image>"),
    ),
    "gemma3": Family(
        {"mm.input_projection.weight": (VISION, WIDTH), "mm.soft_emb_norm.weight": (VISION,)},
        {"projector.scale_factor": 2},
        marks=("<start_of_image>", "<end_of_image>"),
        template=TURNS.replace("IMAGE", "<start_of_image>"),
    ),
    "internvl": Family(
        {"v.class_embd": (VISION,), "mm.model.mlp.0.weight": (4 * VISION,),
         "mm.model.mlp.0.bias": (4 * VISION,), "mm.model.mlp.1.weight": (WIDTH, 4 * VISION),
         "mm.model.mlp.1.bias": (WIDTH,), "mm.model.mlp.3.weight": (WIDTH, WIDTH),
         "mm.model.mlp.3.bias": (WIDTH,)},
        {"projector.scale_factor": 2},
        marks=("<img>", "</img>", "<IMG_CONTEXT>"),
        template=TURNS.replace("IMAGE", "<IMG_CONTEXT>\n"),
    ),
    "pixtral": Family(
        {"mm.1.weight": (WIDTH, VISION), "mm.1.bias": (WIDTH,), "mm.2.weight": (WIDTH, WIDTH),
         "mm.2.bias": (WIDTH,), "v.token_embd.img_break": (WIDTH,)},
        positions=False,
        gate=True,
        marks=("[IMG]", "[IMG_END]"),
        template=TURNS.replace("IMAGE", "[IMG]"),
    ),
    "qwen3vl_merger": Family(
        {"v.patch_embd.weight.1": (VISION, 3, PATCH, PATCH), "v.patch_embd.bias": (VISION,),
         "mm.0.weight": (4 * VISION, 4 * VISION), "mm.0.bias": (4 * VISION,),
         "mm.2.weight": (WIDTH, 4 * VISION), "mm.2.bias": (WIDTH,),
         "v.deepstack.0.norm.weight": (4 * VISION,), "v.deepstack.0.norm.bias": (4 * VISION,),
         "v.deepstack.0.fc1.weight": (4 * VISION, 4 * VISION),
         "v.deepstack.0.fc1.bias": (4 * VISION,),
         "v.deepstack.0.fc2.weight": (WIDTH, 4 * VISION), "v.deepstack.0.fc2.bias": (WIDTH,)},
        fused=True,
        template=TURNS.replace("IMAGE", "<|vision_start|><|image_pad|><|vision_end|>"),
    ),
}  # fmt: skip


def build_family(folder: Path, architecture: str, projector: str, script: Script) -> ModelFiles:
    """Write both files into `folder`, without a card: the engine must manage with the headers."""
    folder.mkdir(parents=True, exist_ok=True)
    family = FAMILIES[projector]
    write_text(
        folder / "model.gguf",
        replace(script, words=[*script.words, "\n\n"]),  # SmolVLM's tiles want it as one token
        architecture=architecture,
        marks=family.marks,
        template=family.template,
    )
    write_family_vision(folder / "mmproj.gguf", projector)
    return find_model(folder)


def write_family_vision(path: Path, projector: str, side: int = 4, **changed: int) -> None:
    """The vision file for `side` x `side` patches; `changed` replaces numbers of the family."""
    family = FAMILIES[projector]
    rng = np.random.default_rng(11)

    def random(*shape: int) -> np.ndarray:
        return rng.normal(0.0, 0.1, shape).astype(np.float32)

    writer = gguf.GGUFWriter(path, "clip")
    writer.add_type("mmproj")
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_string("clip.projector_type", projector)
    writer.add_bool("clip.use_silu" if family.gate else "clip.use_gelu", True)
    numbers = {
        "image_size": side * PATCH,
        "patch_size": PATCH,
        "embedding_length": VISION,
        "feed_forward_length": FEED,
        "block_count": 2,
        "attention.head_count": 4,
        "projection_dim": WIDTH,
        **family.numbers,
        **changed,
    }
    for key, value in numbers.items():
        writer.add_uint32(f"clip.vision.{key}", value)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-5)
    writer.add_array("clip.vision.image_mean", [0.5, 0.5, 0.5])
    writer.add_array("clip.vision.image_std", [0.25, 0.25, 0.25])
    writer.add_tensor("v.patch_embd.weight", random(VISION, 3, PATCH, PATCH))
    if family.positions:
        rows = side * side + ("v.class_embd" in family.tensors)
        writer.add_tensor("v.position_embd.weight", random(rows, VISION))
    for layer in range(2):
        prefix = f"v.blk.{layer}."
        for name in ("ln1", "ln2"):
            writer.add_tensor(f"{prefix}{name}.weight", np.ones(VISION, np.float32))
        writer.add_tensor(f"{prefix}attn_out.weight", random(VISION, VISION))
        if family.fused:
            writer.add_tensor(f"{prefix}attn_qkv.weight", random(3 * VISION, VISION))
            writer.add_tensor(f"{prefix}attn_qkv.bias", random(3 * VISION))
        else:
            for name in ("attn_q", "attn_k", "attn_v"):
                writer.add_tensor(f"{prefix}{name}.weight", random(VISION, VISION))
        writer.add_tensor(f"{prefix}ffn_up.weight", random(FEED, VISION))
        writer.add_tensor(f"{prefix}ffn_down.weight", random(VISION, FEED))
        if family.gate:
            writer.add_tensor(f"{prefix}ffn_gate.weight", random(FEED, VISION))
    for name, shape in family.tensors.items():
        writer.add_tensor(name, random(*shape))
    finish(writer)
