"""The language model as GGUF, architecture `qwen2vl`: keys as llama.cpp reads them."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
from gguf import TokenType

from training.checkpoint import Checkpoint, Section
from training.export.checkpoint import Piece, pieces_of
from training.export.vocabulary import Vocabulary, read_vocabulary
from training.export.writing import write_gguf
from training.tensors import broken

ARCHITECTURE = "qwen2vl"
# This llama.cpp reads no epsilon for the architecture and takes 0; up to here that changes nothing.
LARGEST_EPS = 1e-5
TOKEN_TABLE = "token_embd.weight"


def write_text(checkpoint: Checkpoint, path: Path, wanted: str, name: str) -> int:
    """Write the language model; returns the number of tensors. VisCodexError says what is wrong."""
    vocabulary = read_vocabulary(checkpoint)
    text = checkpoint.text
    sections, theta = _rotary(text)

    def keys(writer: gguf.GGUFWriter) -> None:
        writer.add_type("model")
        writer.add_name(name)
        writer.add_context_length(text.integer("max_position_embeddings"))
        writer.add_embedding_length(text.integer("hidden_size"))
        writer.add_feed_forward_length(text.integer("intermediate_size"))
        writer.add_block_count(text.integer("num_hidden_layers"))
        writer.add_head_count(text.integer("num_attention_heads"))
        writer.add_head_count_kv(text.integer("num_key_value_heads"))
        writer.add_layer_norm_rms_eps(_epsilon(text))
        writer.add_rope_freq_base(theta)
        writer.add_rope_dimension_sections([*sections, 0])
        vocabulary.write(writer)

    def check(piece: Piece, start: int, values: np.ndarray) -> None:
        if piece.name == TOKEN_TABLE:
            _check_rows(vocabulary, start, values)

    pieces = pieces_of(checkpoint, "language")
    table = next(piece for piece in pieces if piece.name == TOKEN_TABLE)
    if table.shape != (len(vocabulary.tokens), text.integer("hidden_size")):
        raise broken(
            f"'{table.source}' has the shape {table.shape}, not vocab_size x hidden_size.",
            "Correct config.json.",
        )
    return write_gguf(path, ARCHITECTURE, keys, pieces, wanted, check)


def _rotary(text: Section) -> tuple[list[int], float]:
    """Sections of M-RoPE and base frequency, checked against the size of a head."""
    rope = text.get("rope_parameters") or text.get("rope_scaling") or {}
    heads, hidden = text.integer("num_attention_heads"), text.integer("hidden_size")
    head = text.get("head_dim", hidden // heads)
    if heads * head != hidden:
        raise broken(
            f"{heads} heads of {head} are not hidden_size {hidden}.", "llama.cpp needs that."
        )
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


def _epsilon(text: Section) -> float:
    # The default of the class is 1e-5 where the key is missing; published models have 1e-6.
    epsilon = float(text.get("rms_norm_eps", 1e-5))
    if epsilon > LARGEST_EPS:
        raise broken(
            f"rms_norm_eps is {epsilon}, which llama.cpp does not read for this architecture.",
            "Train with 1e-6, where it makes no difference.",
        )
    if text.get("use_sliding_window", False):
        raise broken("Sliding window attention is not supported.", "Export a model without it.")
    return epsilon


def _check_rows(vocabulary: Vocabulary, start: int, values: np.ndarray) -> None:
    """Without an epsilon the norm of a row of zeros is NaN, and so is every answer after it."""
    for row in np.flatnonzero(~values.any(axis=1)):
        number = start + int(row)
        if vocabulary.kinds[number] != TokenType.UNUSED:
            raise broken(
                f"The embedding of '{vocabulary.tokens[number]}' is all zero: NaN in llama.cpp.",
                "Fill it with small random values (pad_token_id in the config zeroes a row).",
            )
