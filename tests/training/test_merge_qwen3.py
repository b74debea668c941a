"""Qwen3-VL with a code model of the Qwen3 family: merged, loaded by transformers, run exported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText, AutoTokenizer, Qwen3Config, Qwen3ForCausalLM

from engine.client import EngineClient
from engine.models.store import find_model
from engine.protocol import ConvertRequest, Done, Token
from tests.fixtures.tiny_family import noise
from tests.fixtures.tiny_qwen3 import build_tiny_qwen3
from tests.training.commands import command

PREFIX = "model.language_model."
NOT_SHARED = {"mrope_section", "mrope_interleaved"}


@pytest.fixture(scope="module")
def vlm(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_qwen3(tmp_path_factory.mktemp("qwen3") / "vlm", tiny_checkpoint)


@pytest.fixture(scope="module")
def coder(vlm: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Qwen3 with the sizes of the VLM's language model, a little away from it."""
    text = json.loads((vlm / "config.json").read_text())["text_config"]
    rope = {key: value for key, value in text["rope_parameters"].items() if key not in NOT_SHARED}
    kept = {key: value for key, value in text.items() if key not in ("model_type", "dtype")}
    model = Qwen3ForCausalLM(
        Qwen3Config(**{**kept, "rope_parameters": rope, "tie_word_embeddings": True})
    )
    language = {
        name.replace(PREFIX, "model.", 1): values.float()
        for name, values in load_file(vlm / "model.safetensors").items()
        if name.startswith(PREFIX)
    }
    away = noise(language, 3)
    found = model.load_state_dict(
        {name: values + away[name] for name, values in language.items()}, strict=False
    )
    assert not found.unexpected_keys and set(found.missing_keys) <= {"lm_head.weight"}
    model.tie_weights()
    folder = tmp_path_factory.mktemp("qwen3") / "coder"
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(vlm).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def merged(vlm: Path, coder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("qwen3") / "merged"
    command("merge", "--vlm", vlm, "--coder", coder, "--weight", "0.6", "--out", out)
    return out


def test_transformers_loads_what_the_formula_says(vlm: Path, coder: Path, merged: Path) -> None:
    model, report = AutoModelForImageTextToText.from_pretrained(
        merged, dtype=torch.float32, output_loading_info=True
    )
    assert not report["missing_keys"] and not report["unexpected_keys"]
    found = model.state_dict()
    mine = load_file(vlm / "model.safetensors")
    theirs = load_file(coder / "model.safetensors")
    norms = 0
    for name, values in mine.items():
        if not name.startswith(PREFIX):  # the tower, and what it feeds into early layers
            assert torch.equal(found[name], values), name
            continue
        if "embed_tokens" in name:  # the VLM's own
            assert torch.equal(found[name], values.bfloat16().float())
            continue
        other = theirs[name.replace(PREFIX, "model.", 1)]
        wanted = 0.6 * values.double() + 0.4 * other.double()
        torch.testing.assert_close(
            found[name].double(), wanted, rtol=2**-7, atol=1e-5, msg=lambda text, at=name: at
        )
        norms += "q_norm" in name or "k_norm" in name
    assert norms == 6  # of three layers


@pytest.mark.slow
def test_exported_and_run_by_the_engine(merged: Path, samples: Path, tmp_path: Path) -> None:
    exported = tmp_path / "model"
    command("export", merged, "--out", exported, "--quant", "F16", "--mmproj-type", "F16",
            "--name", "merged", "--no-verify")  # fmt: skip
    request = ConvertRequest(samples / "login.png", target="html", hints="never", max_tokens=12)
    with EngineClient(find_model(exported)) as client:
        (*before, last) = client.convert(request)
    assert isinstance(last, Done)
    assert any(isinstance(event, Token) for event in before)
