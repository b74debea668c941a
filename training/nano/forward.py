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

    `places` (n, 2) patch row and column; `windows` (groups, longest) patch numbers with n for an
    empty slot, and the mask that leaves those slots out as keys; `sizes` patches of each picture,
    which stand one after another.
    """

    places: Tensor
    windows: Tensor
    window_mask: Tensor
    sizes: tuple[int, ...]


def _groups(labels: np.ndarray, total: int) -> tuple[Tensor, Tensor]:
    count = int(labels.max()) + 1
    sizes = np.bincount(labels, minlength=count)
    order = np.argsort(labels, kind="stable")
    slots = np.full((count, sizes.max()), total, dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    column = np.arange(total) - np.repeat(starts, sizes)
    slots[labels[order], column] = order
    index = torch.from_numpy(slots)
    return index, (index < total)[:, None, None, :]


def plan_patches(grids: Sequence[Grid]) -> PatchPlan:
    """Plan the attention groups for pictures of the given patch grids."""
    places, windows, window_base = [], [], 0
    for grid in grids:
        place, window = patch_layout(grid)
        # Window numbers may have gaps nowhere: every window of a grid holds at least one patch.
        places.append(place)
        windows.append(window + window_base)
        window_base += int(window.max()) + 1
    total = sum(len(p) for p in places)
    window_index, window_mask = _groups(np.concatenate(windows), total)
    return PatchPlan(
        torch.from_numpy(np.concatenate(places)),
        window_index,
        window_mask,
        tuple(len(place) for place in places),
    )


def _picture_attention(query: Tensor, key: Tensor, value: Tensor, sizes: Sequence[int]) -> Tensor:
    """Attention within whole pictures. Tensors (n, heads, width); result (n, heads * width).

    One picture after another: padded to the largest, a batch costs about six times as much.
    """
    parts = []
    for q, k, v in zip(*(t.split(list(sizes)) for t in (query, key, value)), strict=True):
        part = F.scaled_dot_product_attention(*(t.transpose(0, 1)[None] for t in (q, k, v)))
        parts.append(part[0].transpose(0, 1).flatten(1))
    return torch.cat(parts)


def _window_attention(
    query: Tensor, key: Tensor, value: Tensor, index: Tensor, mask: Tensor
) -> Tensor:
    """Attention within windows of patches. Tensors (n, heads, width); result (n, heads * width)."""
    total, heads, width = query.shape
    flat = index.clamp(max=total - 1)
    q, k, v = (t[flat].transpose(1, 2) for t in (query, key, value))
    full = bool(mask.all())
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=None if full else mask)
    out = out.transpose(1, 2).reshape(-1, heads * width)
    # Every patch stands in exactly one slot, so the slots can be read back by sorting.
    slots = index.reshape(-1)
    back = torch.empty(total, dtype=torch.long, device=slots.device)
    filled = torch.nonzero(slots < total).squeeze(1)
    back[slots[filled]] = filled
    return out[back]


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
        if number in visual.fullatt_block_indexes:
            mixed = _picture_attention(query, key, value, plan.sizes)
        else:
            mixed = _window_attention(query, key, value, plan.windows, plan.window_mask)
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
