"""Which vision models this engine runs: architectures, projectors that fit them, their pictures.

A projector is the part of the vision file that hands the picture to the language model; its type
decides how llama.cpp (mtmd) cuts pictures up and which tokens it puts around them. Rows were read
from `tools/mtmd/mtmd.cpp` and `clip.cpp` of the pinned llama.cpp. Every pair in FAMILIES was run
here with random weights through the real worker, but for those marked "read".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Projector:
    """How one kind of vision file is checked, and how a prompt speaks of its picture.

    `output` is the tensor whose dimension `axis` (fastest first) is the language model's width.
    `before` and `after` are what mtmd itself puts around a picture, `token` what a chat template
    writes for it. On the `grid`, pictures are scaled by us to whole tokens of `merge` x `merge`
    patches; elsewhere mtmd scales them itself, and they come with at most `longest` pixels a side.
    `mrope` goes with language models that turn positions in sections (M-RoPE).
    """

    output: str
    needs: tuple[str, ...] = ()
    axis: int = 1
    before: str = ""
    after: str = ""
    token: str = "<image>"
    grid: bool = False
    mrope: bool = False
    merge: int = 1
    longest: int = 0
    # Old files of LLaVA say the width of CLIP's own projection here, not the model's.
    width_key: bool = True
    square: bool = True  # one learned position for each patch of a square picture


_QWEN = Projector(
    "mm.2.weight",
    ("mm.0.weight",),
    before="<|vision_start|>",
    after="<|vision_end|>",
    token="<|image_pad|>",
    grid=True,
    mrope=True,
    merge=2,
    square=False,
)

PROJECTORS: Mapping[str, Projector] = {
    "qwen2vl_merger": _QWEN,
    "qwen2.5vl_merger": _QWEN,
    "qwen3vl_merger": _QWEN,
    # LLaVA: one square, everything else is shrunk or padded to it.
    "mlp": Projector("mm.2.weight", ("mm.0.weight",), longest=1344, width_key=False),
    # SmolVLM: an overview and square tiles, with tokens of their own between them.
    "idefics3": Projector("mm.model.fc.weight", longest=2048),
    "gemma3": Projector(
        "mm.input_projection.weight",
        ("mm.soft_emb_norm.weight",),
        axis=0,
        before="<start_of_image>",
        after="<end_of_image>",
        token="<start_of_image>",
        longest=1792,
    ),
    "internvl": Projector(
        "mm.model.mlp.3.weight",
        ("mm.model.mlp.0.weight", "mm.model.mlp.1.weight", "v.class_embd"),
        before="<img>",
        after="</img>",
        token="<IMG_CONTEXT>",
        longest=1792,
    ),
    "pixtral": Projector(
        "mm.2.weight",
        ("mm.1.weight", "v.token_embd.img_break"),
        after="[IMG_END]",
        token="[IMG]",
        grid=True,
        square=False,
    ),
}

# architecture of the language model -> projector types that fit it
FAMILIES: Mapping[str, frozenset[str]] = {
    "qwen2vl": frozenset({"qwen2vl_merger", "qwen2.5vl_merger"}),
    "qwen3vl": frozenset({"qwen3vl_merger"}),
    "qwen3vlmoe": frozenset({"qwen3vl_merger"}),  # read
    "llama": frozenset({"mlp", "idefics3", "internvl", "pixtral"}),
    "gemma3": frozenset({"gemma3"}),
    "qwen2": frozenset({"mlp", "internvl"}),
    "qwen3": frozenset({"internvl"}),
}
