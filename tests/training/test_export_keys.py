"""Configurations, tokenizers and templates: what llama.cpp would run wrongly is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import pytest

from engine.errors import ErrorCode, VisCodexError
from engine.prompt import build_prompt
from tests.fixtures.altered import altered
from tests.fixtures.tiny_model import CARD, VOCABULARY
from training.export import export_checkpoint
from training.export.vocabulary import PATTERN, SPECIAL, render_template
from training.nano.tokenizer import QWEN2_PATTERN, TEMPLATE_FILE

Json = dict[str, Any]


def refusal(checkpoint: Path, out: Path) -> str:
    with pytest.raises(VisCodexError) as caught:
        export_checkpoint(checkpoint, out, card=CARD, name="tiny")
    assert caught.value.code == ErrorCode.model_broken
    assert not out.exists() or list(out.iterdir()) == []
    return caught.value.message


def setting(*path: str, to: object) -> Callable[[Json], None]:
    def change(config: Json) -> None:
        for key in path[:-1]:
            config = config[key]
        config[path[-1]] = to

    return change


TEXT, VISION, ROPE = "text_config", "vision_config", "rope_parameters"
BAD_CONFIGS = {
    "family": (setting("model_type", to="qwen3_vl"), "qwen3_vl"),
    "quantized": (setting("quantization_config", to={"bits": 4}), "quantized"),
    "no layers": (setting(TEXT, "num_hidden_layers", to=None), "text_config.num_hidden_layers"),
    "fewer layers": (setting(TEXT, "num_hidden_layers", to=1), "model.layers.1."),
    "more blocks": (setting(VISION, "depth", to=3), "vision.blocks.2."),
    "sections": (setting(TEXT, ROPE, "mrope_section", to=[16, 24, 24]), "mrope_section"),
    "no sections": (setting(TEXT, ROPE, to={"rope_theta": 1e4}), "mrope_section"),
    "no base": (setting(TEXT, ROPE, "rope_theta", to=None), "rope_theta"),
    "scaling": (setting(TEXT, ROPE, "rope_type", to="yarn"), "yarn"),
    "epsilon": (setting(TEXT, "rms_norm_eps", to=1e-2), "rms_norm_eps"),
    "sliding": (setting(TEXT, "use_sliding_window", to=True), "Sliding"),
    "full attention": (setting(VISION, "fullatt_block_indexes", to=[0]), "fullatt_block_indexes"),
    "no full attention": (setting(VISION, "fullatt_block_indexes", to=[]), "fullatt_block_indexes"),
    "only full attention": (setting(VISION, "fullatt_block_indexes", to=[0, 1]), "no block with"),
    "swapped": (setting(VISION, "intermediate_size", to=128), "intermediate_size"),
    "window": (setting(VISION, "window_size", to=56), "window_size"),
    "heads": (setting(VISION, "num_heads", to=3), "3 heads"),
    "projection": (setting(VISION, "out_hidden_size", to=512), "512"),
    "vocabulary": (setting(TEXT, "vocab_size", to=300), "outside the vocabulary of 300"),
    "table": (setting(TEXT, "vocab_size", to=600), "vocab_size"),
    "eos": (setting(TEXT, "eos_token_id", to=151645), "eos_token_id"),
    "image token": (setting("image_token_id", to=3), "image_token_id"),
    "vision start": (setting("vision_start_token_id", to=3), "vision_start_token_id"),
}


@pytest.mark.parametrize("case", BAD_CONFIGS)
def test_bad_configurations_are_told(tiny_checkpoint: Path, tmp_path: Path, case: str) -> None:
    change, said = BAD_CONFIGS[case]
    folder = altered(tiny_checkpoint, tmp_path / "bad", config=change)
    assert said in refusal(folder, tmp_path / "out")


def test_older_flat_configurations_give_the_same_files(
    tiny_checkpoint: Path, tiny_model_dir: Path, tmp_path: Path
) -> None:
    def flatten(config: Json) -> None:
        text = config.pop("text_config")
        rope = text.pop("rope_parameters")
        config |= {key: value for key, value in text.items() if key != "model_type"}
        config["rope_theta"] = rope["rope_theta"]
        config["rope_scaling"] = {"type": "mrope", "mrope_section": rope["mrope_section"]}

    folder = altered(tiny_checkpoint, tmp_path / "flat", config=flatten)
    export_checkpoint(
        folder, tmp_path / "out", card=CARD, name="tiny", text_type="F32", mmproj_type="F32"
    )
    for name in ("model-F32.gguf", "mmproj-F32.gguf"):
        assert (tmp_path / "out" / name).read_bytes() == (tiny_model_dir / name).read_bytes()


def field(reader: gguf.GGUFReader, key: str) -> Any:
    found = reader.get_field(key)
    assert found is not None, key
    return found.contents()


def test_keys_of_the_language_model(tiny_model_dir: Path) -> None:
    reader = gguf.GGUFReader(tiny_model_dir / "model-F32.gguf")
    for key, value in {
        "general.architecture": "qwen2vl",
        "general.type": "model",
        "general.name": "tiny",
        "general.file_type": 0,
        "general.quantization_version": 2,
        "qwen2vl.context_length": 1024,
        "qwen2vl.embedding_length": 256,
        "qwen2vl.feed_forward_length": 512,
        "qwen2vl.block_count": 2,
        "qwen2vl.attention.head_count": 4,
        "qwen2vl.attention.head_count_kv": 2,
        "qwen2vl.rope.freq_base": 10000.0,
        "qwen2vl.rope.dimension_sections": [8, 12, 12, 0],
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "qwen2",
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.chat_template": TEMPLATE_FILE.read_text(),
    }.items():
        assert field(reader, key) == value, key
    assert field(reader, "qwen2vl.attention.layer_norm_rms_epsilon") == pytest.approx(1e-6)


def test_keys_of_the_vision_file(tiny_model_dir: Path) -> None:
    reader = gguf.GGUFReader(tiny_model_dir / "mmproj-F32.gguf")
    for key, value in {
        "general.architecture": "clip",
        "general.type": "mmproj",
        "clip.has_vision_encoder": True,
        "clip.projector_type": "qwen2.5vl_merger",
        "clip.use_silu": True,
        "clip.vision.patch_size": 14,
        "clip.vision.embedding_length": 128,
        "clip.vision.feed_forward_length": 192,
        "clip.vision.block_count": 2,
        "clip.vision.attention.head_count": 2,
        "clip.vision.projection_dim": 256,
        "clip.vision.n_wa_pattern": 2,
        "clip.vision.spatial_merge_size": 2,
    }.items():
        assert field(reader, key) == value, key
    assert field(reader, "clip.vision.image_mean") == pytest.approx([0.4815, 0.4578, 0.4082], 1e-3)


def test_the_scale_of_pictures_is_the_checkpoints(tiny_checkpoint: Path, tmp_path: Path) -> None:
    folder = altered(tiny_checkpoint, tmp_path / "scaled")
    (folder / "preprocessor_config.json").write_text(
        '{"image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25]}'
    )
    report = export_checkpoint(folder, tmp_path / "out", card=CARD, name="tiny")
    assert field(gguf.GGUFReader(report.mmproj), "clip.vision.image_std") == [0.25] * 3


def test_vocabulary(tiny_model_dir: Path) -> None:
    reader = gguf.GGUFReader(tiny_model_dir / "model-F32.gguf")
    tokens, kinds = (
        field(reader, "tokenizer.ggml.tokens"),
        field(reader, "tokenizer.ggml.token_type"),
    )
    assert len(tokens) == len(kinds) == VOCABULARY == len(set(tokens))
    control = {token for token, kind in zip(tokens, kinds, strict=True) if kind == 3}
    assert control == {*SPECIAL, "<|video_pad|>"}
    unused = [token for token, kind in zip(tokens, kinds, strict=True) if kind == 5]
    assert unused == [f"[PAD{number}]" for number in range(VOCABULARY - len(unused), VOCABULARY)]
    assert unused
    assert tokens[field(reader, "tokenizer.ggml.eos_token_id")] == "<|im_end|>"
    assert tokens[field(reader, "tokenizer.ggml.padding_token_id")] == "<|endoftext|>"
    joined = {merge.replace(" ", "") for merge in field(reader, "tokenizer.ggml.merges")}
    assert joined and joined <= set(tokens)


def pattern(to: str) -> Callable[[Json], None]:
    def change(tokenizer: Json) -> None:
        tokenizer["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = to

    return change


def drop_special(tokenizer: Json) -> None:
    tokenizer["added_tokens"] = [
        token for token in tokenizer["added_tokens"] if token["content"] != "<|vision_end|>"
    ]


BAD_TOKENIZERS = {
    "pattern": (pattern(r"\s+|\w+"), "cut text"),
    "merges": (setting("model", "merges", to=[]), "merges"),
    "kind": (setting("model", "type", to="Unigram"), "BPE"),
    "special": (drop_special, "<|vision_end|>"),
}


@pytest.mark.parametrize("case", BAD_TOKENIZERS)
def test_bad_tokenizers_are_told(tiny_checkpoint: Path, tmp_path: Path, case: str) -> None:
    change, said = BAD_TOKENIZERS[case]
    folder = altered(tiny_checkpoint, tmp_path / "bad", tokenizer=change)
    assert said in refusal(folder, tmp_path / "out")


def test_the_small_models_tokenizer_cuts_as_the_export_says() -> None:
    assert PATTERN == QWEN2_PATTERN


def test_the_template_gives_the_prompt_of_the_engine() -> None:
    template = TEMPLATE_FILE.read_text()
    parts = build_prompt("1,2,3,4#000#fff>Hi</\n", "Write the HTML.", "")
    picture = "<|vision_start|><|image_pad|><|vision_end|>"
    wanted = "".join(picture if part.kind == "image" else part.text for part in parts)
    text = "1,2,3,4#000#fff>Hi</\nWrite the HTML."
    content = [{"type": "image"}, {"type": "text", "text": text}]
    assert render_template(template, [{"role": "user", "content": content}]) == wanted
    # No system message unless one is given; plain texts and several turns work.
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
    ]
    said = "".join(f"<|im_start|>{t['role']}\n{t['content']}<|im_end|>\n" for t in turns)
    assert render_template(template, turns) == said + "<|im_start|>assistant\n"


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("", "no chat template"),
        ("{% for m in messages %}", "does not render"),
        ("{{ raise_exception('not for pictures') }}", "not for pictures"),
        ("{% for m in messages %}<|im_start|>{{ m.role }}{% endfor %}", "ends a prompt in"),
    ],
)
def test_bad_templates_are_told(
    tiny_checkpoint: Path, tmp_path: Path, template: str, said: str
) -> None:
    folder = altered(tiny_checkpoint, tmp_path / "bad")
    (folder / "chat_template.jinja").write_text(template)
    assert said in refusal(folder, tmp_path / "out")


def test_a_template_may_stand_in_the_tokenizers_configuration(
    tiny_checkpoint: Path, tiny_model_dir: Path, tmp_path: Path
) -> None:
    text = TEMPLATE_FILE.read_text()
    folder = altered(
        tiny_checkpoint, tmp_path / "old", tokenizer_config=setting("chat_template", to=text)
    )
    (folder / "chat_template.jinja").unlink()
    report = export_checkpoint(
        folder, tmp_path / "out", card=CARD, name="tiny", text_type="F32", mmproj_type="F32"
    )
    assert report.model.read_bytes() == (tiny_model_dir / "model-F32.gguf").read_bytes()
