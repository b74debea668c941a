"""What two models must have in common for their weights to be merged: a table of settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from engine.errors import ErrorCode, VisCodexError
from training.checkpoint import Checkpoint
from training.names import FAMILIES, language_rows

# What only the pictures of a VLM need of its rotary positions.
_PICTURE_ROPE = {"mrope_section", "mrope_interleaved", "rope_theta", "type", "rope_type"}


def _rope(model: Checkpoint) -> Mapping[str, Any]:
    text = model.text
    return text.get("rope_parameters") or text.get("rope_scaling") or {}


def _theta(model: Checkpoint) -> Any:
    return _rope(model).get("rope_theta", model.text.get("rope_theta", 10000.0))


def _rope_type(model: Checkpoint) -> Any:
    rope = _rope(model)
    kind = rope.get("rope_type", rope.get("type", "default"))
    return "default" if kind == "mrope" else kind


def _rope_scaling(model: Checkpoint) -> Any:
    return {key: value for key, value in _rope(model).items() if key not in _PICTURE_ROPE}


def _head_dim(model: Checkpoint) -> Any:
    text = model.text
    own = 128 if model.family.startswith("qwen3") else None  # the class's default
    if own is None:
        own = text.integer("hidden_size") // text.integer("num_attention_heads")
    return text.get("head_dim", own)


def _stated(key: str, default: Any = None) -> Callable[[Checkpoint], Any]:
    return lambda model: model.text.get(key, default)


# Name in a message -> how it is read. Sizes first: what differs there explains the rest.
MATTERS: Mapping[str, Callable[[Checkpoint], Any]] = {
    "num_hidden_layers": _stated("num_hidden_layers"),
    "hidden_size": _stated("hidden_size"),
    "intermediate_size": _stated("intermediate_size"),
    "num_attention_heads": _stated("num_attention_heads"),
    "num_key_value_heads": _stated("num_key_value_heads"),
    "head_dim": _head_dim,
    "hidden_act": _stated("hidden_act", "silu"),
    "rms_norm_eps": _stated("rms_norm_eps", 1e-6),
    "rope_theta": _theta,
    "rope_type": _rope_type,
    "rope scaling": _rope_scaling,
    "use_sliding_window": _stated("use_sliding_window", False),
    "tie_word_embeddings": lambda model: model.tied,
}
# Different values of these are no obstacle, but worth a line.
TOLD = ("max_position_embeddings", "vocab_size")


def check_alike(vlm: Checkpoint, other: Checkpoint, role: str) -> list[str]:
    """Raise VisCodexError(model_mismatch) that names what differs between the VLM and `role`
    (coder or base); returns lines on what differs and does not matter."""
    if language_rows(vlm.family) != language_rows(other.family):
        same = [name for name in FAMILIES if language_rows(name) == language_rows(vlm.family)]
        raise VisCodexError(
            ErrorCode.model_mismatch,
            f"The VLM is of the family {vlm.family}, the {role} of {other.family}.",
            f"Its language model can be merged with: {', '.join(same)}.",
        )
    for name, read in MATTERS.items():
        mine, theirs = read(vlm), read(other)
        if mine != theirs:
            raise VisCodexError(
                ErrorCode.model_mismatch,
                f"'{name}' is {mine} in the VLM and {theirs} in the {role}.",
                "Merge models that come from the same base.",
            )
    return [
        f"{key}: {vlm.text.get(key)} in the VLM (kept), {other.text.get(key)} in the {role}"
        for key in TOLD
        if vlm.text.get(key) != other.text.get(key)
    ]
