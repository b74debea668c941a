"""Checkpoints of random weights in the shapes of published models, for measuring and testing.

Speed and memory depend on shapes alone. Nothing of a published model is in here but its numbers,
as its config.json has them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
)

from training.nano.tokenizer import train_tokenizer

# Qwen/Qwen2.5-VL-3B-Instruct, config.json; the 7B in the same way.
SHAPES: Mapping[str, Mapping[str, Any]] = {
    "qwen2.5-vl-3b": {
        "text_config": {
            "vocab_size": 151936,
            "hidden_size": 2048,
            "intermediate_size": 11008,
            "num_hidden_layers": 36,
            "num_attention_heads": 16,
            "num_key_value_heads": 2,
            "tie_word_embeddings": True,
        },
        "vision_config": {"out_hidden_size": 2048},
        "tie_word_embeddings": True,
    },
    "qwen2.5-vl-7b": {
        "text_config": {
            "vocab_size": 152064,
            "hidden_size": 3584,
            "intermediate_size": 18944,
            "num_hidden_layers": 28,
            "num_attention_heads": 28,
            "num_key_value_heads": 4,
            "tie_word_embeddings": False,
        },
        "vision_config": {"out_hidden_size": 3584},
        "tie_word_embeddings": False,
    },
}
TEXT = {
    "max_position_embeddings": 128000,
    "rms_norm_eps": 1e-6,
    "rope_parameters": {
        "rope_type": "default",
        "rope_theta": 1000000.0,
        "mrope_section": [16, 24, 24],
    },
}
VISION = {
    "depth": 32,
    "hidden_size": 1280,
    "intermediate_size": 3420,
    "num_heads": 16,
    "patch_size": 14,
    "spatial_merge_size": 2,
    "temporal_patch_size": 2,
    "window_size": 112,
    "fullatt_block_indexes": [7, 15, 23, 31],
    "hidden_act": "silu",
}
# Sharp attention, and layers that outweigh the token they are given: with tied embeddings a model
# would only repeat itself otherwise.
GAINS = {"embed_tokens": 2.0, "q_proj": 1.5, "k_proj": 1.5, "o_proj": 3.0, "down_proj": 3.0}
SHARD_BYTES = 2_000_000_000
SAMPLE = """<!DOCTYPE html>
<html lang="en"><style>body { margin: 0; color: #222 }</style>
<main><h1>Sign in</h1><p>Write the HTML code of this page.</p><button>Sign in</button></main>
"""


def random_weight(
    name: str, shape: tuple[int, ...], generator: torch.Generator, dtype: torch.dtype
) -> torch.Tensor:
    """Values that keep the size of what they are given, so that answers vary and stay finite.

    Matrices are drawn with 1 / sqrt(values a row) times GAINS, norms near 1, biases near 0.
    """
    values = torch.randn(shape, generator=generator)
    if len(shape) > 1:
        gain = next((g for part, g in GAINS.items() if part in name), 1.0)
        values *= gain * values[0].numel() ** -0.5
    elif name.endswith("bias"):
        values *= 0.1
    else:
        values.mul_(0.1).add_(1)
    return values.to(dtype)


def write_random(sizes: Mapping[str, Any], folder: Path, seed: int = 0) -> Path:
    """Write a checkpoint of bfloat16 shards with config, tokenizer and template; returns `folder`.

    `sizes` is an entry of SHAPES, or the like. Holds one shard in memory (about 2 GB). The
    tokenizer is a small one, with made-up words in the rest of the vocabulary, so that whatever
    the model writes is text.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer(sizes["text_config"]["vocab_size"])
    number = {str(token): index for index, token in tokenizer.added_tokens_decoder.items()}
    ends = {
        "bos_token_id": number["<|endoftext|>"],
        "eos_token_id": number["<|im_end|>"],
        "pad_token_id": None,
    }
    config = Qwen2_5_VLConfig(
        text_config={**TEXT, **sizes["text_config"], **ends},
        vision_config={**VISION, **sizes["vision_config"]},
        image_token_id=number["<|image_pad|>"],
        video_token_id=number["<|video_pad|>"],
        vision_start_token_id=number["<|vision_start|>"],
        vision_end_token_id=number["<|vision_end|>"],
        tie_word_embeddings=sizes["tie_word_embeddings"],
    )
    config.architectures = [Qwen2_5_VLForConditionalGeneration.__name__]
    with torch.device("meta"):
        model = Qwen2_5_VLForConditionalGeneration(config)
    shapes = {name: tuple(weight.shape) for name, weight in model.named_parameters()}
    generator = torch.Generator().manual_seed(seed)
    table: dict[str, str] = {}
    total = 0
    for count, names in enumerate(_shards(shapes), 1):
        file = f"model-{count:05}.safetensors"
        save_file(
            {name: random_weight(name, shapes[name], generator, torch.bfloat16) for name in names},
            folder / file,
            metadata={"format": "pt"},
        )
        table |= dict.fromkeys(names, file)
        total += sum(2 * torch.Size(shapes[name]).numel() for name in names)
    index = {"metadata": {"total_size": total}, "weight_map": table}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")
    config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _tokenizer(size: int) -> PreTrainedTokenizerFast:
    """A tokenizer of `size` entries; the made-up words are written but never read."""
    small = train_tokenizer([("html", SAMPLE)] * 8, 480, spaced_words=2)
    state = json.loads(small.backend_tokenizer.to_str())
    words, special = state["model"]["vocab"], len(state["added_tokens"])  # these come last
    words |= {f"x{number:x}": number for number in range(len(words), size - special)}
    for number, token in enumerate(state["added_tokens"], size - special):
        token["id"] = number
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(state)),
        eos_token=small.eos_token,
        pad_token=small.pad_token,
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = small.chat_template
    return tokenizer


def _shards(shapes: Mapping[str, tuple[int, ...]]) -> Iterator[list[str]]:
    """Names of tensors, as many at a time as a shard holds."""
    names: list[str] = []
    size = 0
    for name, shape in shapes.items():
        size += 2 * torch.Size(shape).numel()
        if names and size > SHARD_BYTES:
            yield names
            names, size = [], 2 * torch.Size(shape).numel()
        names.append(name)
    yield names
