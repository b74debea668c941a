"""The small model: Qwen2.5-VL's own class with a tiny configuration, random weights."""

from __future__ import annotations

import torch
from pydantic import BaseModel, ConfigDict
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
)

RMS_EPS = 1e-6  # llama.cpp reads no epsilon for this architecture: keep it negligible


class ModelShape(BaseModel):
    """Sizes of the model. See the rules for dimensions that llama.cpp and K-quants set."""

    model_config = ConfigDict(extra="forbid")

    vocab_size: int = 3072
    hidden: int = 256
    layers: int = 6
    heads: int = 4
    feed_forward: int = 768
    vision_hidden: int = 256
    vision_depth: int = 4
    vision_heads: int = 4
    vision_feed_forward: int = 640
    full_attention_every: int = 2
    context: int = 4096


def configuration(shape: ModelShape, tokenizer: PreTrainedTokenizerFast) -> Qwen2_5_VLConfig:
    """Qwen2.5-VL's configuration with every special id inside our own vocabulary."""
    ids = {t: tokenizer.convert_tokens_to_ids(t) for t in tokenizer.all_special_tokens}
    ids |= {str(token): index for index, token in tokenizer.added_tokens_decoder.items()}
    text = {
        "vocab_size": shape.vocab_size,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.feed_forward,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.heads,
        "max_position_embeddings": shape.context,
        "rms_norm_eps": RMS_EPS,
        "tie_word_embeddings": True,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 100000.0,
            "mrope_section": [8, 12, 12],
        },
        "bos_token_id": ids["<|endoftext|>"],
        "eos_token_id": ids["<|im_end|>"],
        # No padding index: torch would zero that row, and llama.cpp makes NaN of a zero row.
        "pad_token_id": None,
    }
    vision = {
        "depth": shape.vision_depth,
        "hidden_size": shape.vision_hidden,
        "intermediate_size": shape.vision_feed_forward,
        "num_heads": shape.vision_heads,
        "patch_size": 14,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "window_size": 112,
        "fullatt_block_indexes": list(
            range(shape.full_attention_every - 1, shape.vision_depth, shape.full_attention_every)
        ),
        "out_hidden_size": shape.hidden,
        "hidden_act": "silu",
    }
    return Qwen2_5_VLConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=True,
    )


def build_model(
    shape: ModelShape, tokenizer: PreTrainedTokenizerFast, seed: int
) -> Qwen2_5_VLForConditionalGeneration:
    """A model with random weights that depend on `seed` alone. float32."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Qwen2_5_VLForConditionalGeneration(configuration(shape, tokenizer))
