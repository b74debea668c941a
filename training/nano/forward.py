"""The forward pass of Qwen2.5-VL over the modules of transformers, arranged for small models.

transformers runs the vision windows one after another and builds masks for cases that do not occur
here. For a model of 10 M parameters that overhead outweighs the arithmetic, so the same weights
are run with all windows of all pictures as one batch. `tests/training/test_nano_forward.py`
holds both passes equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import Qwen2_5_VLForConditionalGeneration
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import (
    apply_rotary_pos_emb,
    apply_rotary_pos_emb_vision,
)

Grid = tuple[int, int]  # patches down and across, both even
WINDOW = 4  # merged tokens along the side of an attention window (112 px)
MERGE = 2


@lru_cache(maxsize=4096)
def patch_layout(grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Patch coordinates (n, 2) in storage order, and the window number of each patch (n,)."""
    rows, columns = grid
    down, across = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    blocks = np.stack([down, across], -1).reshape(rows // MERGE, MERGE, columns // MERGE, MERGE, 2)
    places = blocks.transpose(0, 2, 1, 3, 4).reshape(-1, 2)
    wide = -(-(columns // MERGE) // WINDOW)
    window = (places[:, 0] // (MERGE * WINDOW)) * wide + places[:, 1] // (MERGE * WINDOW)
    return places, window


@dataclass(frozen=True)
class PatchPlan:
    """Where the patches of a batch of pictures lie: coordinates, windows, pictures.

    `places` (n, 2) patch row and column. `windows` (windows, longest) patch numbers of the slots
    of each window; `window_mask` (windows, 1, 1, longest) is False for empty slots, None where
    there are none; `slot_of` (n,) finds a patch in the flattened slots. `sizes` patches of each
    picture, which stand one after another.
    """

    places: Tensor
    windows: Tensor
    window_mask: Tensor | None
    slot_of: Tensor
    sizes: tuple[int, ...]


def plan_patches(grids: Sequence[Grid]) -> PatchPlan:
    """Plan the attention groups for pictures of the given patch grids."""
    places, numbers, known = [], [], 0
    for grid in grids:
        place, window = patch_layout(grid)
        places.append(place)
        numbers.append(window + known)
        # Window numbers have gaps nowhere: every window of a grid holds at least one patch.
        known += int(window.max()) + 1
    window_of = np.concatenate(numbers)
    filled = np.bincount(window_of)
    order = np.argsort(window_of, kind="stable")
    column = np.arange(len(order)) - np.repeat(np.cumsum(filled) - filled, filled)
    slot_of = np.empty_like(order)
    slot_of[order] = window_of[order] * filled.max() + column
    windows = np.zeros((len(filled), filled.max()), np.int64)
    windows.reshape(-1)[slot_of] = np.arange(len(order))
    mask = np.arange(filled.max()) < filled[:, None]
    return PatchPlan(
        torch.from_numpy(np.concatenate(places)),
        torch.from_numpy(windows),
        None if mask.all() else torch.from_numpy(mask[:, None, None, :]),
        torch.from_numpy(slot_of),
        tuple(len(place) for place in places),
    )


def _picture_attention(query: Tensor, key: Tensor, value: Tensor, plan: PatchPlan) -> Tensor:
    """Attention within whole pictures. Tensors (n, heads, width); result (n, heads * width).

    One picture after another: padded to the largest, attention took five times as long.
    """
    parts = []
    for q, k, v in zip(*(t.split(plan.sizes) for t in (query, key, value)), strict=True):
        part = F.scaled_dot_product_attention(*(t.transpose(0, 1)[None] for t in (q, k, v)))
        parts.append(part[0].transpose(0, 1).flatten(1))
    return torch.cat(parts)


def _window_attention(query: Tensor, key: Tensor, value: Tensor, plan: PatchPlan) -> Tensor:
    """Attention within windows of patches. Tensors (n, heads, width); result (n, heads * width)."""
    q, k, v = (t[plan.windows].transpose(1, 2) for t in (query, key, value))
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=plan.window_mask)
    return out.transpose(1, 2).flatten(2).flatten(0, 1)[plan.slot_of]


def patch_features(visual: nn.Module, patches: Tensor, plan: PatchPlan) -> Tensor:
    """Run the tower's blocks. `patches` (n, 1176) -> (n, vision width), in storage order."""
    hidden = visual.patch_embed(patches)
    rotary = visual.rotary_pos_emb(hidden, plan.places.to(hidden.device))
    cos, sin = rotary
    for number, block in enumerate(visual.blocks):
        attention = block.attn
        normed = block.norm1(hidden)
        qkv = attention.qkv(normed).reshape(len(normed), 3, attention.num_heads, -1)
        query, key, value = qkv.unbind(1)
        query, key = apply_rotary_pos_emb_vision(query, key, cos, sin)
        value = value.to(query.dtype)
        whole = number in visual.fullatt_block_indexes
        attend = _picture_attention if whole else _window_attention
        mixed = attend(query, key, value, plan)
        hidden = hidden + attention.proj(mixed.to(normed.dtype))
        hidden = hidden + block.mlp(block.norm2(hidden))
    return hidden


def picture_tokens(visual: nn.Module, patches: Tensor, plan: PatchPlan) -> Tensor:
    """Run tower and merger. `patches` (n, 1176) -> (n / 4, language width)."""
    return visual.merger(patch_features(visual, patches, plan))


def language_features(
    model: Qwen2_5_VLForConditionalGeneration, embedded: Tensor, positions: Tensor
) -> Tensor:
    """Run the decoder. `embedded` (batch, length, width), `positions` (3, batch, length).

    Rows are padded on the right, where causal attention makes masks unnecessary.
    """
    language = model.model.language_model
    cos, sin = language.rotary_emb(embedded, positions)
    hidden = embedded
    batch, length, _ = embedded.shape
    for layer in language.layers:
        attention = layer.self_attn
        normed = layer.input_layernorm(hidden)
        query, key, value = (
            projection(normed).view(batch, length, -1, attention.head_dim).transpose(1, 2)
            for projection in (attention.q_proj, attention.k_proj, attention.v_proj)
        )
        query, key = apply_rotary_pos_emb(query, key, cos, sin)
        mixed = F.scaled_dot_product_attention(
            query.to(value.dtype), key.to(value.dtype), value, is_causal=True, enable_gqa=False
        )
        mixed = mixed.transpose(1, 2).reshape(batch, length, -1)
        hidden = hidden + attention.o_proj(mixed)
        hidden = hidden + layer.mlp(layer.post_attention_layernorm(hidden))
    return language.norm(hidden)


def answer_loss(
    model: Qwen2_5_VLForConditionalGeneration, hidden: Tensor, labels: Tensor
) -> tuple[Tensor, Tensor]:
    """Cross-entropy over the answer tokens alone.

    `hidden` (batch, length, width); `labels` (batch, length), -100 outside the answer, where
    labels[b, t] is the token at t. Returns (mean loss, share of tokens whose best guess is right).
    """
    wanted = labels[:, 1:] >= 0
    logits = model.lm_head(hidden[:, :-1][wanted]).float()
    targets = labels[:, 1:][wanted]
    right = (logits.detach().argmax(-1) == targets).float().mean()
    return F.cross_entropy(logits, targets), right
