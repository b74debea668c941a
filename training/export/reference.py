"""The checkpoint in transformers: its tower alone, or the whole model where memory allows it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from PIL import Image
from transformers import AutoConfig, AutoModelForImageTextToText, AutoTokenizer
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import (
    Qwen2_5_VisionTransformerPretrainedModel,
)
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.qwen2_vl.modeling_qwen2_vl import Qwen2VisionTransformerPretrainedModel
from transformers.models.qwen3_vl.modeling_qwen3_vl import Qwen3VLVisionModel

from engine.prompt import PromptPart
from training.checkpoint import Checkpoint, open_checkpoint
from training.export.checkpoint import FAMILIES, rows_of
from training.export.lora import Adapter, read_adapter
from training.export.mmproj import picture_scale
from training.export.text import ARCHITECTURES, WITHOUT_EPS
from training.names import published_name

TOWERS: dict[str, Any] = {
    "qwen2_vl": Qwen2VisionTransformerPretrainedModel,
    "qwen2_5_vl": Qwen2_5_VisionTransformerPretrainedModel,
    "qwen3_vl": Qwen3VLVisionModel,
}
ROOM = 0.7  # of the memory that is free may be used


@dataclass(frozen=True)
class Run:
    """Embeddings (picture tokens, width), tokens written, and the logits (tokens, vocabulary)
    that each was chosen by."""

    embeddings: np.ndarray
    tokens: list[int]
    logits: np.ndarray


def needed_memory(checkpoint: Checkpoint) -> int:
    """Bytes of the whole model in float32."""
    return sum(4 * checkpoint.values(name).count for name in checkpoint.tensors)


def fits(checkpoint: Checkpoint) -> bool:
    """Whether the whole model can be loaded on this machine now."""
    return needed_memory(checkpoint) < ROOM * psutil.virtual_memory().available


class Tower:
    """The vision tower of a checkpoint, in float32, an adapter merged into it."""

    def __init__(self, checkpoint: Checkpoint, adapter: Adapter | None = None) -> None:
        self.checkpoint, self.adapter = checkpoint, adapter
        self.module = self._module().eval()
        mean, std = picture_scale(checkpoint.folder, checkpoint.family)
        patch = checkpoint.vision.get("patch_size", 14)
        merge = checkpoint.vision.get("spatial_merge_size", 2)
        side = patch * merge
        # Any size passes: pictures lie on the grid already.
        self.processor = Qwen2VLImageProcessorPil(
            min_pixels=side * side,
            max_pixels=side * side * 16_384,
            image_mean=mean,
            image_std=std,
            patch_size=patch,
            merge_size=merge,
        )

    def _module(self) -> torch.nn.Module:
        config = AutoConfig.from_pretrained(self.checkpoint.folder).vision_config
        module = TOWERS[self.checkpoint.family]._from_config(config, dtype=torch.float32)
        weights = {
            published_name(tensor.source).removeprefix("visual."): self.weight(name)
            for name, tensor in self.checkpoint.tensors.items()
            if tensor.module != "language"
        }
        module.load_state_dict(weights, assign=True)
        return module

    def weight(self, canonical: str) -> torch.Tensor:
        """A tensor in float32, as it is exported."""
        tensor = self.checkpoint.tensors[canonical]
        rows = rows_of(self.checkpoint, tensor, self.adapter)
        return rows(0, self.checkpoint.values(canonical).shape[0]).float()

    @torch.no_grad()
    def encode(self, picture: Image.Image) -> np.ndarray:
        """Embeddings (tokens, width) of a picture, what feeds deeper layers beside them."""
        pixels, grid = self.pixels(picture)
        seen = self.module(pixels, grid_thw=grid, return_dict=True)
        deep = getattr(seen, "deepstack_features", None) or ()
        return np.concatenate([part.numpy() for part in (seen.pooler_output, *deep)], axis=1)

    def pixels(self, picture: Image.Image) -> tuple[torch.Tensor, torch.Tensor]:
        """What the tower is given for a picture."""
        seen = self.processor(picture, return_tensors="pt")
        return seen["pixel_values"], seen["image_grid_thw"]


class Reference(Tower):
    """The whole checkpoint. Where this llama.cpp takes 0 for the epsilon of the language model's
    norms, transformers is given 0 as well."""

    def _module(self) -> torch.nn.Module:
        folder = self.checkpoint.folder
        self.model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
        if ARCHITECTURES[self.checkpoint.family] in WITHOUT_EPS:
            for module in self.model.model.language_model.modules():
                if hasattr(module, "variance_epsilon"):
                    module.variance_epsilon = 0.0
        self._merge()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.image_token: int = self.model.config.image_token_id
        return self.model.model.visual

    @torch.no_grad()
    def _merge(self) -> None:
        """Give adapted weights their new values."""
        changed = self.adapter.updates if self.adapter is not None else {}
        named = {published_name(name): weight for name, weight in self.model.named_parameters()}
        for canonical in changed:
            source = published_name(self.checkpoint.tensors[canonical].source)
            named[source].copy_(self.weight(canonical))

    def cut(self, parts: Sequence[PromptPart], picture_tokens: int) -> list[int]:
        """Token numbers of a prompt, the way the engine has them cut."""
        picture = "<|vision_start|>" + "<|image_pad|>" * picture_tokens + "<|vision_end|>"
        ids: list[int] = []
        for part in parts:
            ids += self.tokenizer.encode(
                picture if part.kind == "image" else part.text,
                add_special_tokens=False,
                split_special_tokens=part.kind == "data",
            )
        return ids

    @torch.no_grad()
    def run(self, ids: list[int], picture: Image.Image, length: int) -> Run:
        """What the model makes of a prompt, up to the end of its turn."""
        pixels, grid = self.pixels(picture)
        batch = torch.tensor([ids])
        output = self.model.generate(
            input_ids=batch,
            attention_mask=torch.ones_like(batch),
            pixel_values=pixels,
            image_grid_thw=grid,
            # Without these the positions would silently count on as in text.
            mm_token_type_ids=(batch == self.image_token).int(),
            do_sample=False,
            max_new_tokens=length,
            eos_token_id=self.tokenizer.convert_tokens_to_ids("<|im_end|>"),
            pad_token_id=self.tokenizer.convert_tokens_to_ids("<|endoftext|>"),
            return_dict_in_generate=True,
            output_logits=True,
        )
        return Run(
            self.encode(picture),
            output.sequences[0, len(ids) :].tolist(),
            torch.cat(output.logits).numpy(),
        )


def open_reference(
    folder: Path, lora: Path | None = None, *, whole: bool | None = None
) -> Tower | Reference:
    """The tower of a checkpoint, or the `whole` model (None: where it fits into memory)."""
    checkpoint = open_checkpoint(folder, FAMILIES)
    adapter = None if lora is None else read_adapter(lora, checkpoint.tensors, checkpoint.family)
    if whole is None:
        whole = fits(checkpoint)
    if not whole:
        return Tower(checkpoint, adapter)
    with suppress(MemoryError):
        return Reference(checkpoint, adapter)
    return Tower(checkpoint, adapter)
