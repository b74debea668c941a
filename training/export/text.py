"""The language model as GGUF, `qwen2vl` or `qwen3vl`: keys as llama.cpp reads them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import TokenType

from training.checkpoint import Checkpoint, Section
from training.export.checkpoint import Piece, pieces_of
from training.export.lora import Adapter
from training.export.vocabulary import Vocabulary, read_vocabulary
from training.export.writing import Written, write_gguf
from training.tensors import broken

ARCHITECTURES: Mapping[str, str] = {
    "qwen2_vl": "qwen2vl",
    "qwen2_5_vl": "qwen2vl",
    "qwen3_vl": "qwen3vl",
}
# This llama.cpp reads no epsilon for these and takes 0.
WITHOUT_EPS = ("qwen2vl",)
LARGEST_EPS = 1e-5  # up to here 0 in its place changes nothing
TOKEN_TABLE = "token_embd.weight"


def write_text(
    checkpoint: Checkpoint, path: Path, wanted: str, name: str, adapter: Adapter | None = None
) -> Written:
    """Write the language model. VisCodexError says what is wrong."""
    vocabulary = read_vocabulary(checkpoint)
    text, architecture = checkpoint.text, ARCHITECTURES[checkpoint.family]
    head = _head(text, architecture)
    sections, theta = _rotary(text, head)
    epsilon = _epsilon(text, architecture)
    if text.get("hidden_act", "silu") != "silu":
        raise broken(
            f"config.json has '{text.get('hidden_act')}' for 'hidden_act'.", "llama.cpp runs silu."
        )

    def keys(writer: gguf.GGUFWriter) -> None:
        writer.add_type("model")
        writer.add_name(name)
        writer.add_context_length(text.integer("max_position_embeddings"))
        writer.add_embedding_length(text.integer("hidden_size"))
        writer.add_feed_forward_length(text.integer("intermediate_size"))
        writer.add_block_count(text.integer("num_hidden_layers"))
        writer.add_head_count(text.integer("num_attention_heads"))
        writer.add_head_count_kv(text.integer("num_key_value_heads"))
        writer.add_layer_norm_rms_eps(epsilon)
        writer.add_rope_freq_base(theta)
        writer.add_rope_dimension_sections([*sections, 0])
        if architecture == "qwen3vl":
            writer.add_key_length(head)
            writer.add_value_length(head)
            writer.add_num_deepstack_layers(_deepstack(checkpoint))
        vocabulary.write(writer)

    def check(piece: Piece, start: int, values: torch.Tensor) -> None:
        if piece.name == TOKEN_TABLE and architecture in WITHOUT_EPS:
            _check_rows(vocabulary, start, values)

    pieces = pieces_of(checkpoint, "language", adapter=adapter)
    table = next(piece for piece in pieces if piece.name == TOKEN_TABLE)
    if table.shape != (len(vocabulary.tokens), text.integer("hidden_size")):
        raise broken(
            f"'{table.source}' has the shape {table.shape}, not vocab_size x hidden_size.",
            "Correct config.json.",
        )
    return write_gguf(path, architecture, keys, pieces, wanted, check)


def _head(text: Section, architecture: str) -> int:
    """Values of one head."""
    heads, hidden = text.integer("num_attention_heads"), text.integer("hidden_size")
    if architecture == "qwen3vl":  # of a size of its own
        return int(text.get("head_dim", 128))  # as the class has it
    head: int = text.get("head_dim", hidden // heads)
    if heads * head != hidden:
        raise broken(
            f"{heads} heads of {head} are not hidden_size {hidden}.", "llama.cpp needs that."
        )
    return head


def _deepstack(checkpoint: Checkpoint) -> int:
    """How many of the first layers the tower feeds into."""
    count = len(checkpoint.vision.get("deepstack_visual_indexes", ()))
    layers = checkpoint.text.integer("num_hidden_layers")
    if count >= layers:
        raise broken(
            f"The tower feeds {count} layers of {layers}.", "llama.cpp needs one more than that."
        )
    return count


def _rotary(text: Section, head: int) -> tuple[list[int], float]:
    """Sections of M-RoPE and base frequency, checked against the size of a head."""
    rope = text.get("rope_parameters") or text.get("rope_scaling") or {}
    sections = rope.get("mrope_section") or []
    if len(sections) != 3 or 2 * sum(sections) != head:
        raise broken(
            f"mrope_section {sections} is not three numbers that add up to half of {head}.",
            "Correct config.json.",
        )
    if rope.get("rope_type", rope.get("type", "default")) not in ("default", "mrope"):
        raise broken(
            f"The rotary scaling '{rope.get('rope_type')}' is not supported.",
            "Export a model without it.",
        )
    theta = rope.get("rope_theta", text.get("rope_theta"))
    if theta is None:
        raise broken("config.json has no 'rope_theta'.", "Correct config.json.")
    return list(sections), float(theta)


def _epsilon(text: Section, architecture: str) -> float:
    # Defaults of the classes where the key is missing; published models have 1e-6.
    epsilon = float(text.get("rms_norm_eps", 1e-5 if architecture == "qwen2vl" else 1e-6))
    if epsilon > LARGEST_EPS and architecture in WITHOUT_EPS:
        raise broken(
            f"rms_norm_eps is {epsilon}, which llama.cpp does not read for this architecture.",
            "Train with 1e-6, where it makes no difference.",
        )
    if text.get("use_sliding_window", False):
        raise broken("Sliding window attention is not supported.", "Export a model without it.")
    return epsilon


def _check_rows(vocabulary: Vocabulary, start: int, values: torch.Tensor) -> None:
    """Without an epsilon the norm of a row of zeros is NaN, and so is every answer after it."""
    for row in np.flatnonzero(~values.any(dim=1).numpy()):
        number = start + int(row)
        if vocabulary.kinds[number] != TokenType.UNUSED:
            raise broken(
                f"The embedding of '{vocabulary.tokens[number]}' is all zero: NaN in llama.cpp.",
                "Fill it with small random values (pad_token_id in the config zeroes a row).",
            )
