"""Random checkpoints with the shapes of real ones, a tensor at a time."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from training.names import expected_names, hugging_face_name
from training.shards import Planned, ShardWriter, index_of, plan_shards
from training.tensors import INDEX


@dataclass(frozen=True)
class Shape:
    """Sizes of a language model of the Qwen2 family."""

    hidden: int
    feed_forward: int
    layers: int
    heads: int
    kv_heads: int
    vocabulary: int
    tied: bool

    @property
    def config(self) -> dict[str, Any]:
        """The keys of config.json."""
        return {
            "hidden_size": self.hidden,
            "intermediate_size": self.feed_forward,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads,
            "vocab_size": self.vocabulary,
            "tie_word_embeddings": self.tied,
            "hidden_act": "silu",
            "rms_norm_eps": 1e-6,
            "rope_theta": 1e6,
            "max_position_embeddings": 32768,
            "torch_dtype": "bfloat16",
        }

    def of(self, canonical: str) -> tuple[int, ...]:
        """The shape of a tensor of the language model."""
        kv = self.hidden // self.heads * self.kv_heads
        sizes = {
            "embed_tokens.weight": (self.vocabulary, self.hidden),
            "lm_head.weight": (self.vocabulary, self.hidden),
            "q_proj.weight": (self.hidden, self.hidden),
            "k_proj.weight": (kv, self.hidden),
            "v_proj.weight": (kv, self.hidden),
            "k_proj.bias": (kv,),
            "v_proj.bias": (kv,),
            "o_proj.weight": (self.hidden, self.hidden),
            "gate_proj.weight": (self.feed_forward, self.hidden),
            "up_proj.weight": (self.feed_forward, self.hidden),
            "down_proj.weight": (self.hidden, self.feed_forward),
        }
        return sizes.get(".".join(canonical.split(".")[-2:]), (self.hidden,))


# Those of Qwen2.5; "1B" is that of 1.5B with 20 of its 28 layers.
SHAPES = {
    "0.5B": Shape(896, 4864, 24, 14, 2, 151936, True),
    "1B": Shape(1536, 8960, 20, 12, 2, 151936, True),
    "7B": Shape(3584, 18944, 28, 28, 4, 152064, False),
}


def write_random(folder: Path, shape: Shape, seed: int, base: int | None = None) -> int:
    """Write a text model; returns its bytes. Values are those of the random model `base` plus a
    tenth of noise from `seed`, as of a fine-tuned model."""
    state = folder / ".state"
    state.mkdir(parents=True)
    names = sorted(expected_names("qwen2", shape.layers, 0, tied=shape.tied))
    tensors = [
        Planned(hugging_face_name(name, "qwen2"), torch.bfloat16, shape.of(name)) for name in names
    ]
    shards = plan_shards(tensors, 4_000_000_000)
    for shard in shards:
        writer = ShardWriter(folder, state, shard)
        for tensor in shard.tensors:
            _fill(writer, tensor, seed, base)
            writer.note(tensor, None)
        writer.finish()
    (folder / INDEX).write_text(index_of(shards))
    config = {"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"], **shape.config}
    (folder / "config.json").write_text(json.dumps(config))
    for path in state.iterdir():
        path.unlink()
    state.rmdir()
    return sum(shard.size for shard in shards)


def _fill(writer: ShardWriter, tensor: Planned, seed: int, base: int | None) -> None:
    block = 1 << 22
    count = tensor.size // tensor.dtype.itemsize
    seeds = [(seed, 0.002)] if base is None else [(base, 0.02), (seed, 0.002)]
    sources = [
        (torch.Generator().manual_seed(hash((number, tensor.shape)) % 2**31), size)
        for number, size in seeds
    ]
    for start in range(0, count, block):
        length = min(block, count - start)
        values = torch.zeros(length)
        for generator, size in sources:
            values += torch.empty(length).normal_(std=size, generator=generator)
        writer.write(tensor, start, values.to(tensor.dtype))
