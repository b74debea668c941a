"""Random checkpoints in real shapes: they export, load and write."""

from __future__ import annotations

import io
from pathlib import Path

import torch
from PIL import Image
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

from engine.client import EngineClient
from engine.models.store import find_model
from engine.protocol import ConvertRequest, Done, Token
from training.export import export_checkpoint
from training.shapes import SHAPES, TEXT, VISION, write_random

SMALL = {
    "text_config": {
        "vocab_size": 1024,
        "hidden_size": 256,
        "intermediate_size": 512,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 2048,
        "tie_word_embeddings": True,
    },
    "vision_config": {
        "out_hidden_size": 256,
        "depth": 2,
        "hidden_size": 128,
        "intermediate_size": 192,
        "num_heads": 2,
        "fullatt_block_indexes": [1],
    },
    "tie_word_embeddings": True,
}
CARD = {"hints": "never", "context": 1024, "image": {"min_tokens": 4, "max_tokens": 64}}


def test_a_random_checkpoint_is_exported_and_writes_text(tmp_path: Path) -> None:
    checkpoint = write_random(SMALL, tmp_path / "checkpoint")
    loaded = Qwen2_5_VLForConditionalGeneration.from_pretrained(checkpoint, dtype=torch.float32)
    assert loaded.config.text_config.vocab_size == 1024
    export_checkpoint(checkpoint, tmp_path / "out", card=CARD, name="random", text_type="BF16")
    picture = io.BytesIO()
    Image.new("RGB", (112, 112), "navy").save(picture, "PNG")
    request = ConvertRequest(
        picture.getvalue(), target="html", hints="never", temperature=1.0, max_tokens=24
    )
    with EngineClient(find_model(tmp_path / "out")) as client:
        events = list(client.convert(request))
    done = events[-1]
    assert isinstance(done, Done)
    assert done.stats["tokens"] == 24
    pieces = [event.text for event in events if isinstance(event, Token)]
    assert len([piece for piece in pieces if piece]) > 20  # whatever is drawn has a text


def test_the_shapes_have_the_sizes_of_their_names() -> None:
    for name, billions in (("qwen2.5-vl-3b", 3.75), ("qwen2.5-vl-7b", 8.29)):
        sizes = SHAPES[name]
        config = Qwen2_5_VLConfig(
            text_config={**TEXT, **sizes["text_config"]},
            vision_config={**VISION, **sizes["vision_config"]},
            tie_word_embeddings=sizes["tie_word_embeddings"],
        )
        with torch.device("meta"):
            model = Qwen2_5_VLForConditionalGeneration(config)
        count = sum(weight.numel() for weight in model.parameters())
        assert abs(count / 1e9 - billions) < 0.01, name
