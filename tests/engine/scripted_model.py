"""A tiny Qwen2.5-VL in GGUF whose answers are written down: a Markov chain in real files.

Every token's embedding is a unit vector, all layers add zero, and the output matrix holds, for
each token, the logits of what may follow. So llama.cpp runs in earnest (vision encoder, M-RoPE,
KV cache, samplers) and still says what the test wants.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import gguf
import numpy as np

from engine.images import ImageLimits
from engine.models.card import ModelCard
from engine.models.store import ModelFiles

WIDTH, HEADS, VISION = 512, 8, 64  # head size 64
CONTROL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>",
           "<|image_pad|>")  # fmt: skip
MERGED = ("```", "html", "python")  # made by merges, so that fences are one token each
LONG = " " * 40 + "=" * 64  # 104 bytes in one token


def byte_letters() -> dict[int, str]:
    """The letters that byte-level BPE writes bytes with."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {value: chr(value) for value in plain}
    for value in range(256):
        if value not in letters:
            letters[value] = chr(256 + len(letters) - len(plain))
    return letters


LETTERS = byte_letters()


def written(text: str | bytes) -> str:
    """Text as it stands in a vocabulary."""
    data = text.encode() if isinstance(text, str) else text
    return "".join(LETTERS[value] for value in data)


@dataclass
class Script:
    """What follows what: token -> {next token: logit}. Words are tokens of their own."""

    words: Sequence[str | bytes] = ()
    follows: Mapping[str | bytes, Mapping[str | bytes, float]] = field(default_factory=dict)
    mixing: float = 0.0  # size of random attention weights: what is said depends on all before


def vocabulary(script: Script, control: Sequence[str] = CONTROL) -> tuple[list[str], list[str]]:
    """Tokens and merges."""
    tokens = [LETTERS[value] for value in range(256)]
    merges = []
    for word in MERGED:
        for end in range(2, len(word) + 1):
            merges.append(f"{word[: end - 1]} {word[end - 1]}")
            if word[:end] not in tokens:
                tokens.append(word[:end])
    tokens += [written(word) for word in script.words if written(word) not in tokens]
    return [*tokens, *control], merges


def build(folder: Path, script: Script, *, context: int = 2048, **card: object) -> ModelFiles:
    """Write model, mmproj and card into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "model-f32.gguf", script, context)
    write_vision(folder / "mmproj-f32.gguf")
    values: dict[str, object] = {
        "name": "scripted",
        "hints": "never",
        "prompt": "short",
        "image": ImageLimits(min_tokens=4, max_tokens=64),
        "context": context,
    }
    return ModelFiles(
        folder / "model-f32.gguf",
        folder / "mmproj-f32.gguf",
        ModelCard(**(values | card)),  # type: ignore[arg-type]
    )


def write_text(
    path: Path,
    script: Script,
    context: int = 2048,
    *,
    architecture: str = "qwen2vl",
    marks: Sequence[str] = (),
    template: str = "",
) -> None:
    """The language model; `marks` are further control tokens."""
    control = (*CONTROL, *(mark for mark in marks if mark not in CONTROL))
    tokens, merges = vocabulary(script, control)
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_type("model")
    writer.add_name("scripted")
    writer.add_context_length(context)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(64)
    layers = 2 if architecture == "qwen3vl" else 1  # the last one takes nothing from the tower
    writer.add_block_count(layers)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(10000.0)
    if architecture.endswith("vl"):
        writer.add_rope_dimension_sections([8, 12, 12, 0])
    if architecture == "qwen3vl":
        writer.add_num_deepstack_layers(1)
    if architecture == "gemma3":
        writer.add_sliding_window(32)
    if template:
        writer.add_chat_template(template)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token in control else 1 for token in tokens])
    writer.add_token_merges(merges)
    writer.add_eos_token_id(tokens.index("<|im_end|>"))
    writer.add_pad_token_id(tokens.index("<|endoftext|>"))
    writer.add_add_bos_token(False)
    assert len(tokens) <= WIDTH
    unit = np.eye(len(tokens), WIDTH, dtype=np.float32)
    output = np.zeros((len(tokens), WIDTH), np.float32)
    number = {token: index for index, token in enumerate(tokens)}
    # The last norm makes a unit vector sqrt(WIDTH) long.
    root = np.sqrt(np.float32(WIDTH))
    output[number["<|im_end|>"], :] = 1.0 / root
    for word, nexts in script.follows.items():
        column = number[word if word in control else written(word)]
        output[:, column] = -20.0 / root
        for following, logit in nexts.items():
            row = number[following if following in control else written(following)]
            output[row, column] = logit / root
    writer.add_tensor("token_embd.weight", unit)
    writer.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32))
    writer.add_tensor("output.weight", output)
    rng = np.random.default_rng(3)

    def square() -> np.ndarray:
        return (script.mixing * rng.normal(size=(WIDTH, WIDTH))).astype(np.float32)

    for layer in range(layers):
        for name in ("attn_q", "attn_k", "attn_v"):
            writer.add_tensor(f"blk.{layer}.{name}.weight", square())
            if architecture.startswith("qwen2"):
                writer.add_tensor(f"blk.{layer}.{name}.bias", np.zeros(WIDTH, np.float32))
        writer.add_tensor(f"blk.{layer}.attn_output.weight", square())
        norms = {"attn_norm": WIDTH, "ffn_norm": WIDTH}
        if architecture in ("gemma3", "qwen3", "qwen3vl"):
            norms |= {"attn_q_norm": WIDTH // HEADS, "attn_k_norm": WIDTH // HEADS}
        if architecture == "gemma3":
            norms |= {"post_attention_norm": WIDTH, "post_ffw_norm": WIDTH}
        for name, length in norms.items():
            writer.add_tensor(f"blk.{layer}.{name}.weight", np.ones(length, np.float32))
        for name in ("ffn_gate", "ffn_up"):
            writer.add_tensor(f"blk.{layer}.{name}.weight", np.zeros((64, WIDTH), np.float32))
        writer.add_tensor(f"blk.{layer}.ffn_down.weight", np.zeros((WIDTH, 64), np.float32))
    finish(writer)


def write_vision(path: Path, projected: int = WIDTH, layers: int = 2) -> None:
    rng = np.random.default_rng(5)

    def random(*shape: int) -> np.ndarray:
        return rng.normal(0.0, 0.05, shape).astype(np.float32)

    writer = gguf.GGUFWriter(path, "clip")
    writer.add_type("mmproj")
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_string("clip.projector_type", "qwen2.5vl_merger")
    writer.add_bool("clip.use_silu", True)
    for key, value in {
        "image_size": 560,
        "patch_size": 14,
        "embedding_length": VISION,
        "feed_forward_length": 96,
        "block_count": layers,
        "attention.head_count": 4,
        "projection_dim": projected,
        "n_wa_pattern": 2,
    }.items():
        writer.add_uint32(f"clip.vision.{key}", value)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-6)
    writer.add_array("clip.vision.image_mean", [0.5, 0.5, 0.5])
    writer.add_array("clip.vision.image_std", [0.25, 0.25, 0.25])
    writer.add_tensor("v.patch_embd.weight", random(VISION, 3, 14, 14))
    writer.add_tensor("v.patch_embd.weight.1", random(VISION, 3, 14, 14))
    for layer in range(layers):
        prefix = f"v.blk.{layer}."
        for name in ("ln1", "ln2"):
            writer.add_tensor(f"{prefix}{name}.weight", np.ones(VISION, np.float32))
        for name in ("attn_q", "attn_k", "attn_v", "attn_out"):
            writer.add_tensor(f"{prefix}{name}.weight", random(VISION, VISION))
            writer.add_tensor(f"{prefix}{name}.bias", random(VISION))
        for name, shape in (("ffn_gate", (96, VISION)), ("ffn_up", (96, VISION)),
                            ("ffn_down", (VISION, 96))):  # fmt: skip
            writer.add_tensor(f"{prefix}{name}.weight", random(*shape))
            writer.add_tensor(f"{prefix}{name}.bias", random(shape[0]))
    writer.add_tensor("v.post_ln.weight", np.ones(VISION, np.float32))
    writer.add_tensor("mm.0.weight", random(4 * VISION, 4 * VISION))
    writer.add_tensor("mm.0.bias", random(4 * VISION))
    writer.add_tensor("mm.2.weight", random(projected, 4 * VISION))
    writer.add_tensor("mm.2.bias", np.ones(projected, np.float32))
    finish(writer)


def finish(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def chain(*words: str | bytes) -> Script:
    """Each word leads to the next; a newline (the end of the opening fence) to the first."""
    follows: dict[str | bytes, Mapping[str | bytes, float]] = {}
    for word, following in zip(("\n", *words), words, strict=False):
        follows[word] = {following: 10.0}
    follows["```"] = {"html": 3.0, "python": 2.0}
    return Script([word for word in words if word not in CONTROL], follows)
