"""Rows to a batch: padding, labels on answers alone, pictures as patches on the model's grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from engine.images import ImageLimits, to_grid
from training.checkpoint import Checkpoint
from training.export.mmproj import picture_scale
from training.sft.records import load_image

IGNORED = -100  # label of what is not learnt


class Collator:
    """Makes the inputs of a Qwen-VL from rows.

    Keys: `input_ids`, `attention_mask`, `labels` and `mm_token_type_ids` (rows, longest), the last
    1 on picture tokens, without which M-RoPE would silently count on as in text; `pixel_values`
    (patches, values) and `image_grid_thw` (pictures, 3) where there are pictures.
    """

    def __init__(
        self,
        base: Checkpoint,
        limits: ImageLimits,
        picture_token: int,
        pad: int,
    ) -> None:
        mean, std = picture_scale(base.folder, base.family)
        vision = base.vision.values
        self._limits, self._picture_token, self._pad = limits, picture_token, pad
        side = limits.factor**2
        # The pictures lie on the grid already: any size passes unchanged.
        self._processor = Qwen2VLImageProcessorPil(
            min_pixels=side,
            max_pixels=side * 16_384,
            patch_size=vision["patch_size"],
            merge_size=vision["spatial_merge_size"],
            temporal_patch_size=vision["temporal_patch_size"],
            image_mean=mean,
            image_std=std,
        )

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        """The batch of some rows, padded on the right."""
        longest = max(len(row["prompt"]) + len(row["completion"]) for row in rows)
        shape = (len(rows), longest)
        ids = torch.full(shape, self._pad)
        labels = torch.full(shape, IGNORED)
        seen = torch.zeros(shape, dtype=torch.long)
        for number, row in enumerate(rows):
            start, end = len(row["prompt"]), len(row["prompt"]) + len(row["completion"])
            ids[number, :start] = torch.as_tensor(row["prompt"])
            ids[number, start:end] = torch.as_tensor(row["completion"])
            labels[number, start:end] = ids[number, start:end]
            seen[number, :end] = 1
        batch = {
            "input_ids": ids,
            "attention_mask": seen,
            "labels": labels,
            "mm_token_type_ids": (ids == self._picture_token).long() * seen,
        }
        return batch | self.pictures(rows)

    def pictures(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        """Patches and grids of the pictures of some rows; nothing where there are none."""
        pictures = [
            to_grid(load_image(Path(row["folder"]), image), self._limits)
            for row in rows
            for image in row["pictures"]
        ]
        if not pictures:
            return {}
        made = self._processor(pictures, return_tensors="pt")
        return {"pixel_values": made["pixel_values"], "image_grid_thw": made["image_grid_thw"]}
