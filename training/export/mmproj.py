"""The vision tower and its projector as GGUF, architecture `clip`: keys as llama.cpp reads them."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf

from engine.errors import VisCodexError
from training.checkpoint import Checkpoint, Section
from training.export.checkpoint import pieces_of
from training.export.lora import Adapter
from training.export.writing import Written, write_gguf
from training.tensors import broken, read_json

ARCHITECTURE = "clip"
PROJECTORS = {
    "qwen2_5_vl": "qwen2.5vl_merger",
    "qwen2_vl": "qwen2vl_merger",
    "qwen3_vl": "qwen3vl_merger",
}
NOMINAL_SIDE = 560  # asked for by the format; pictures come in any size
NORM_EPS = 1e-6  # written into the classes of transformers
# Mean and deviation of the channels where no file says: CLIP's, but halves for Qwen3-VL.
CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
HALVES = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
# Files that say so -> the part of them that does ("" for the whole).
PROCESSORS = {"preprocessor_config.json": "", "processor_config.json": "image_processor"}
Scale = tuple[tuple[float, ...], tuple[float, ...]]
# What llama.cpp takes for granted, whatever the file says.
FIXED = (("spatial_merge_size", 2), ("temporal_patch_size", 2))
FIXED_2_5 = (("window_size", 112), ("hidden_act", "silu"))
FIXED_3 = (("hidden_act", "gelu_pytorch_tanh"),)


def write_mmproj(
    checkpoint: Checkpoint,
    path: Path,
    wanted: str,
    name: str,
    adapter: Adapter | None = None,
    spare: str = "F16",
) -> Written:
    """Write the vision file, with `spare` in place of a quantized type that does not fit a matrix.

    VisCodexError says what is wrong; F16Overflow where F16 cannot hold the values.
    """
    describe = _FAMILY_KEYS[checkpoint.family]
    vision, text_width = checkpoint.vision, checkpoint.text.integer("hidden_size")
    mean, std = picture_scale(checkpoint.folder, checkpoint.family)
    _check_fixed(vision, FIXED)

    def keys(writer: gguf.GGUFWriter) -> None:
        writer.add_type("mmproj")
        writer.add_name(name)
        writer.add_clip_has_vision_encoder(True)
        writer.add_clip_projector_type(PROJECTORS[checkpoint.family])
        writer.add_vision_image_size(_side(vision))
        writer.add_vision_patch_size(vision.integer("patch_size"))
        writer.add_vision_spatial_merge_size(vision.integer("spatial_merge_size"))
        writer.add_vision_head_count(vision.integer("num_heads"))
        writer.add_vision_block_count(vision.integer("depth"))
        writer.add_vision_attention_layernorm_eps(NORM_EPS)
        writer.add_vision_projection_dim(text_width)
        writer.add_vision_image_mean(list(mean))
        writer.add_vision_image_std(list(std))
        describe(writer, vision, text_width)

    pieces = pieces_of(checkpoint, "vision", "projector", adapter=adapter)
    return write_gguf(path, ARCHITECTURE, keys, pieces, wanted, spare=spare)


def picture_scale(folder: Path, family: str) -> Scale:
    """Mean and standard deviation of the three channels that a checkpoint's pictures are given."""
    mean, std = HALVES if family == "qwen3_vl" else CLIP
    for file, key in PROCESSORS.items():
        path = folder / file
        if not path.exists():
            continue
        data: dict[str, Any] = read_json(path)
        data = data.get(key, {}) if key else data
        mean, std = data.get("image_mean", mean), data.get("image_std", std)
        if len(mean) != 3 or len(std) != 3:
            raise broken("image_mean and image_std need three numbers each.", f"Correct {file}.")
        break
    return tuple(mean), tuple(std)


def _side(vision: Section) -> int:
    """Side of the square that learned positions are for; a nominal one where there are none."""
    positions = vision.get("num_position_embeddings")
    if positions is None:
        return NOMINAL_SIDE
    side = math.isqrt(positions)
    if side * side != positions:
        raise broken(f"{positions} positions are no square.", "Correct config.json.")
    return side * vision.integer("patch_size")


def _keys_2_5(writer: gguf.GGUFWriter, vision: Section, text_width: int) -> None:
    width, forward = vision.integer("hidden_size"), vision.integer("intermediate_size")
    depth, full = vision.integer("depth"), vision.get("fullatt_block_indexes", [])
    _check_fixed(vision, FIXED_2_5)
    _check_heads(width, vision.integer("num_heads"))
    _check_output(vision.integer("out_hidden_size"), text_width)
    if width == forward:
        raise _swapped(width)
    every = full[0] + 1 if full else 0
    if not full or full != list(range(every - 1, depth, every)):
        raise broken(
            f"fullatt_block_indexes {full} are not evenly spaced over {depth} blocks.",
            "llama.cpp knows only every n-th block, such as [1, 3, 5].",
        )
    if every == 1:
        # It makes a mask of the windows all the same, finds no use for it and aborts.
        raise broken(
            f"fullatt_block_indexes {full} leave no block with windows.",
            "llama.cpp cannot run that; let every second block have them.",
        )
    writer.add_vision_embedding_length(width)
    writer.add_vision_feed_forward_length(forward)
    writer.add_vision_use_silu(True)
    writer.add_vision_n_wa_pattern(every)


def _keys_2(writer: gguf.GGUFWriter, vision: Section, text_width: int) -> None:
    width = vision.integer("embed_dim")
    _check_heads(width, vision.integer("num_heads"))
    _check_output(vision.integer("hidden_size"), text_width)
    forward = int(width * vision.get("mlp_ratio", 4))
    if width == forward:
        raise _swapped(width)
    writer.add_vision_embedding_length(width)
    writer.add_vision_feed_forward_length(forward)


def _keys_3(writer: gguf.GGUFWriter, vision: Section, text_width: int) -> None:
    width, forward = vision.integer("hidden_size"), vision.integer("intermediate_size")
    depth, deep = vision.integer("depth"), list(vision.get("deepstack_visual_indexes", ()))
    _check_fixed(vision, FIXED_3)
    _check_heads(width, vision.integer("num_heads"))
    _check_output(vision.integer("out_hidden_size"), text_width)
    # llama.cpp takes them in the order of the blocks.
    if deep != sorted(set(deep)) or not all(0 <= block < depth for block in deep):
        raise broken(
            f"deepstack_visual_indexes {deep} do not rise within {depth} blocks.",
            "Correct config.json.",
        )
    writer.add_vision_embedding_length(width)
    writer.add_vision_feed_forward_length(forward)
    writer.add_vision_use_gelu(True)
    writer.add_vision_is_deepstack_layers([block in deep for block in range(depth)])


def _swapped(width: int) -> VisCodexError:
    return broken(
        f"hidden_size and intermediate_size of the tower are both {width}.",
        "llama.cpp would swap two matrices; choose different sizes.",
    )


_FAMILY_KEYS: dict[str, Callable[[gguf.GGUFWriter, Section, int], None]] = {
    "qwen2_5_vl": _keys_2_5,
    "qwen2_vl": _keys_2,
    "qwen3_vl": _keys_3,
}


def _check_fixed(vision: Section, fixed: tuple[tuple[str, object], ...]) -> None:
    for key, value in fixed:
        found = vision.get(key, value)
        if found != value:
            raise broken(
                f"config.json has {found!r} for 'vision_config.{key}'.",
                f"llama.cpp runs {value!r} only.",
            )


def _check_heads(width: int, heads: int) -> None:
    if width % heads or width // heads % 4:
        raise broken(
            f"The tower has {heads} heads for a width of {width}.",
            "The size of a head must be a multiple of 4.",
        )


def _check_output(projected: int, text_width: int) -> None:
    if projected != text_width:
        raise broken(
            f"The tower ends in {projected} values, the language model takes {text_width}.",
            "Correct config.json.",
        )
