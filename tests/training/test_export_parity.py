"""llama.cpp, through the engine, against transformers: the same model must come out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration

from engine.cancel import CancelFlag
from engine.llama.session import SessionOptions, VisionSession
from engine.models.store import find_model
from tests.fixtures.altered import Weights, altered
from tests.fixtures.tiny_model import CARD, TEXT, build_tiny_checkpoint, spread
from training.export import export_checkpoint
from training.export.quantize import quantize
from training.export.verify import VerifyReport, verify
from training.nano.model import ModelShape, build_model
from training.nano.tokenizer import train_tokenizer

# Off the grid, over the limit of tokens, a single window, long and low; hints with what could
# pass for template, with letters beyond ASCII, with contractions and digits.
PICTURES = ((200, 150), (640, 400), (112, 112), (310, 60))
PROMPTS = (
    "Write the HTML.",
    "1,2,30,14#222#fff>Sign in</\n<|im_end|> & <|image_pad|>\nWrite the HTML.",
    "0,0,9,9#000#fff>Größe ☃ 東京 naïve</\n  \n\tWrite the matplotlib code.",
    "We'll say it'S 1234567 times ...\r\n\r\n   end  ",
)


def pictures(count: int = len(PICTURES)) -> list[Image.Image]:
    rng = np.random.default_rng(7)
    made = []
    for width, height in PICTURES[:count]:
        cells = rng.integers(0, 255, (height // 20 + 1, width // 20 + 1, 3), dtype=np.uint8)
        made.append(Image.fromarray(cells).resize((width, height), Image.Resampling.BICUBIC))
    return made


def check(checkpoint: Path, folder: Path, count: int = 1, tokens: int = 32) -> VerifyReport:
    return verify(checkpoint, folder, pictures(count), PROMPTS[:count], tokens=tokens, threads=2)


def export(checkpoint: Path, out: Path, kind: str = "F32") -> Path:
    export_checkpoint(checkpoint, out, card=CARD, name="tiny", text_type=kind, mmproj_type=kind)
    return out


def test_f32_is_equal(tiny_checkpoint: Path, tiny_model_dir: Path) -> None:
    report = check(tiny_checkpoint, tiny_model_dir, count=4)
    assert report.problems == [] and report.passed and report.exact
    assert [found.size for found in report.checks][:2] == [(196, 140), (280, 168)]
    for found in report.checks:
        assert found.prompt_difference is None
        assert found.lowest_cosine > 0.99999
        assert found.logits_cosine > 0.99999
        assert found.different == 0
    # Near ties are rare, and the answers neither short nor the same.
    assert sum(found.near_ties for found in report.checks) <= 2
    assert sum(found.equal_tokens == found.tokens for found in report.checks) >= 2
    assert sum(found.tokens for found in report.checks) > 64


@pytest.mark.parametrize(("kind", "cosine"), [("BF16", 0.9999), ("Q8_0", 0.999)])
def test_smaller_types_are_alike(
    tiny_checkpoint: Path, tmp_path: Path, kind: str, cosine: float
) -> None:
    report = check(tiny_checkpoint, export(tiny_checkpoint, tmp_path, kind), tokens=4)
    assert report.passed and not report.exact
    assert cosine < report.checks[0].cosine < 1
    assert report.checks[0].logits_cosine > 0.99


def test_k_quants_run(tiny_checkpoint: Path, tiny_model_dir: Path, tmp_path: Path) -> None:
    for path in tiny_model_dir.glob("*.gguf"):
        quantize(path, tmp_path / path.name.replace("F32", "Q6_K"), "Q6_K", threads=1)
    (tmp_path / "viscodex.json").write_text((tiny_model_dir / "viscodex.json").read_text())
    found = check(tiny_checkpoint, tmp_path, tokens=1).checks[0]
    assert found.cosine > 0.998
    assert found.logits_cosine > 0.98


def test_another_models_files_are_found_out(tiny_model_dir: Path, tmp_path: Path) -> None:
    other = build_tiny_checkpoint(tmp_path / "other", seed=1)
    report = check(other, tiny_model_dir)
    assert not report.passed
    assert any("embeddings" in problem for problem in report.problems)
    assert any("chosen differently" in problem for problem in report.problems)


def swap_gate_and_up(weights: Weights) -> Weights:
    names = ("visual.blocks.0.mlp.gate_proj.weight", "visual.blocks.0.mlp.up_proj.weight")
    return weights | {names[0]: weights[names[1]], names[1]: weights[names[0]]}


def swap_keys_and_values(weights: Weights) -> Weights:
    names = ("model.layers.0.self_attn.k_proj.weight", "model.layers.0.self_attn.v_proj.weight")
    return weights | {names[0]: weights[names[1]], names[1]: weights[names[0]]}


def other_base(config: dict) -> None:
    config["text_config"]["rope_parameters"]["rope_theta"] = 30000.0


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"weights": swap_gate_and_up}, "embeddings"),
        ({"weights": swap_keys_and_values}, "logits"),
        ({"config": other_base}, "chosen differently"),
    ],
    ids=["swapped in the tower", "swapped in the text", "rotary base"],
)
def test_small_mistakes_are_found_out(
    tiny_checkpoint: Path, tmp_path: Path, change: dict, problem: str
) -> None:
    wrong = altered(tiny_checkpoint, tmp_path / "wrong", **change)
    report = verify(
        tiny_checkpoint, export(wrong, tmp_path / "out"), pictures(2)[1:], PROMPTS[1:2], threads=2
    )
    assert any(problem in found for found in report.problems), report


def test_a_prompt_cut_differently_is_told(tiny_checkpoint: Path, tmp_path: Path) -> None:
    def forget_merges(tokenizer: dict) -> None:
        tokenizer["model"]["merges"] = tokenizer["model"]["merges"][:20]

    wrong = altered(tiny_checkpoint, tmp_path / "wrong", tokenizer=forget_merges)
    report = check(tiny_checkpoint, export(wrong, tmp_path / "out"), tokens=1)
    assert any("cut differently" in problem for problem in report.problems)


def texts() -> Sequence[str]:
    rng = np.random.default_rng(3)
    letters = [
        *"abcXYZ019 \n\t\r'\"<>/=#.,;:!?-_()äß☃日本🙂\u00a0\u2028",
        "'ll",
        "'RE",
        "  ",
        "\r\n",
    ]
    mixed = ["".join(rng.choice(letters, 40)) for _ in range(200)]
    return [TEXT, *PROMPTS, *mixed]


def test_texts_are_cut_alike(tiny_checkpoint: Path, tiny_model_dir: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint)
    files, flag = find_model(tiny_model_dir), CancelFlag.private()
    options = SessionOptions(256, files.card.image, threads=1)
    session = VisionSession(files.model, files.mmproj, options, flag, lambda _: None)
    try:
        for text in texts():
            for special in (True, False):
                wanted = tokenizer.encode(
                    text, add_special_tokens=False, split_special_tokens=not special
                )
                assert session.vocabulary.tokenize(text, special=special) == wanted, repr(text)
    finally:
        session.close()


def test_the_shape_of_the_small_model_exports(tmp_path: Path) -> None:
    shape = ModelShape()
    tokenizer = train_tokenizer([("html", TEXT)] * 8, 480, spaced_words=2)
    build_model(shape, tokenizer, seed=0).save_pretrained(tmp_path / "checkpoint")
    tokenizer.save_pretrained(tmp_path / "checkpoint")
    report = check(tmp_path / "checkpoint", export(tmp_path / "checkpoint", tmp_path / "out"))
    assert report.passed, report.problems


def test_qwen2_vl_is_equal(tiny_checkpoint: Path, tmp_path: Path) -> None:
    config = json.loads((tiny_checkpoint / "config.json").read_text())
    text = config["text_config"]
    del text["model_type"]
    tokens = {key: value for key, value in config.items() if key.endswith("token_id")}
    vision = {"depth": 2, "embed_dim": 128, "hidden_size": 256, "num_heads": 2, "mlp_ratio": 3}
    with torch.random.fork_rng(devices=[]):
        model = Qwen2VLForConditionalGeneration(
            Qwen2VLConfig(
                text_config=text, vision_config=vision, tie_word_embeddings=True, **tokens
            )
        )
    spread(model, seed=0)
    folder = tmp_path / "checkpoint"
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(tiny_checkpoint / name, folder)
    report = check(folder, export(folder, tmp_path / "out"))
    assert report.passed and report.exact, report.problems
    assert report.checks[0].lowest_cosine > 0.99999
