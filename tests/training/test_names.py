"""The table of tensor names, held against the classes of transformers and against itself."""

from __future__ import annotations

import pytest
import torch
from transformers import (
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
)

from engine.errors import ErrorCode, VisCodexError
from training.names import (
    FAMILIES,
    canonical_name,
    expected_names,
    hugging_face_name,
    match_tensors,
    published_name,
)

TEXT = {
    "num_hidden_layers": 3,
    "hidden_size": 64,
    "intermediate_size": 64,
    "num_attention_heads": 1,
    "num_key_value_heads": 1,
    "vocab_size": 32,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [8, 12, 12]},
}
MODELS = {
    "qwen2_5_vl": (Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration, "hidden_size"),
    "qwen2_vl": (Qwen2VLConfig, Qwen2VLForConditionalGeneration, "embed_dim"),
    "qwen3_vl": (Qwen3VLConfig, Qwen3VLForConditionalGeneration, "hidden_size"),
    "qwen2": (Qwen2Config, Qwen2ForCausalLM, ""),
    "qwen3": (Qwen3Config, Qwen3ForCausalLM, ""),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_the_table_is_complete_for_the_class_of_transformers(family: str) -> None:
    config, model, width = MODELS[family]
    deepstack = [0, 1] if family == "qwen3_vl" else []
    vision = {"depth": 2, "num_heads": 2, width: 64, "deepstack_visual_indexes": deepstack}
    settings = {"text_config": TEXT, "vision_config": vision} if width else TEXT
    with torch.device("meta"):
        names = list(model(config(**settings)).state_dict())
    expected = expected_names(family, 3, 2, tied=False, deepstack=len(deepstack))
    assert set(match_tensors(names, family)) == expected


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("spelling", ["published", "current"])
def test_names_lead_there_and_back(family: str, spelling: str) -> None:
    every_gguf = []
    for canonical in expected_names(family, 12, 11, tied=False, deepstack=3):
        name = hugging_face_name(canonical, family, spelling)
        tensor = match_tensors([name], family)[canonical]
        assert tensor.source == name
        assert canonical.startswith(tensor.module)
        every_gguf += tensor.gguf
        for part, gguf in enumerate(tensor.gguf):
            assert canonical_name(gguf, family) == (canonical, part)
    assert len(set(every_gguf)) == len(every_gguf)


def test_some_names_as_published() -> None:
    tensors = match_tensors(
        ["model.layers.10.self_attn.q_proj.bias", "visual.blocks.3.attn.qkv.weight"], "qwen2_5_vl"
    )
    assert [t.gguf for t in tensors.values()] == [
        ("v.blk.3.attn_q.weight", "v.blk.3.attn_k.weight", "v.blk.3.attn_v.weight"),
        ("blk.10.attn_q.bias",),
    ]
    assert published_name("model.language_model.layers.1.mlp.up_proj.weight") == (
        "model.layers.1.mlp.up_proj.weight"
    )
    assert published_name("model.visual.merger.ln_q.weight") == "visual.merger.ln_q.weight"
    assert hugging_face_name("language.lm_head.weight", "qwen2_vl", "current") == "lm_head.weight"


@pytest.mark.parametrize(
    ("names", "culprit"),
    [
        (["visual.blocks.0.attn.proj.scale"], "visual.blocks.0.attn.proj.scale"),
        (["model.layers.x.mlp.up_proj.weight"], "model.layers.x.mlp.up_proj.weight"),
        (["visual.blocks.{}.attn.proj.bias"], "visual.blocks.{}.attn.proj.bias"),
        (["model.norm.weight", "model.language_model.norm.weight"], "model.norm.weight"),
        (["base_model.model.lm_head.weight"], "base_model.model.lm_head.weight"),
    ],
)
def test_a_name_without_a_place_is_told(names: list[str], culprit: str) -> None:
    with pytest.raises(VisCodexError) as caught:
        match_tensors(["lm_head.weight", *names], "qwen2_5_vl")
    assert caught.value.code == ErrorCode.model_broken
    assert culprit in caught.value.message


def test_unknown_names_raise() -> None:
    with pytest.raises(KeyError):
        canonical_name("v.blk.0.attn_qkv.weight", "qwen2_5_vl")
