"""A merged checkpoint in the hands of those who use it: transformers, the exporter, the engine."""

from __future__ import annotations

import json
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoTokenizer

from engine.client import EngineClient
from engine.models.store import find_model
from engine.protocol import ConvertRequest, Done, Token
from tests.fixtures.tiny_family import Family, build_family
from tests.fixtures.tiny_model import VOCABULARY
from tests.training.commands import command


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Family:
    return build_family(tmp_path_factory.mktemp("family"))


@pytest.fixture(scope="module")
def merged(family: Family, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("merged") / "out"
    models = ("--vlm", family.vlm, "--coder", family.coder)
    layers = ("--layers", "1:2=0.25", "--embeddings", "merge", "--shard-size", "0.001")
    command("merge", *models, "--out", out, *layers)
    return out


def test_transformers_loads_what_the_formula_says(family: Family, merged: Path) -> None:
    model, report = AutoModelForImageTextToText.from_pretrained(
        merged, dtype="auto", output_loading_info=True
    )
    assert not report["missing_keys"] and not report["unexpected_keys"]
    assert model.dtype == torch.bfloat16
    found = model.state_dict()
    vlm, coder = family.weights("vlm"), family.weights("coder")
    tokens = json.loads((family.vlm / "tokenizer.json").read_text())
    added = {entry["id"] for entry in tokens["added_tokens"]}
    shared = sorted(set(tokens["model"]["vocab"].values()) - added)
    kept = sorted(set(range(VOCABULARY)) - set(shared))  # special tokens, and padding
    for name, mine in vlm.items():
        if name.startswith("visual."):
            assert torch.equal(found[f"model.{name}"], mine), name  # bit for bit
            continue
        weight = 0.25 if name.startswith("model.layers.1.") else 0.7
        wanted = (weight * mine.double() + (1 - weight) * coder[name].double()).bfloat16()
        loaded = found[name.replace("model.", "model.language_model.", 1)]
        # One unit in the last place: float32 and float64 may round to different sides.
        if name == "model.embed_tokens.weight":
            assert torch.equal(loaded[kept], mine[kept])
            assert not torch.equal(loaded[shared], mine[shared])
            loaded, wanted = loaded[shared], wanted[shared]
        torch.testing.assert_close(loaded, wanted, rtol=2**-7, atol=1e-6, msg=name)
    AutoImageProcessor.from_pretrained(merged)
    tokenizer = AutoTokenizer.from_pretrained(merged)
    with torch.no_grad():
        logits = model(**tokenizer("<main>", return_tensors="pt")).logits
    assert torch.isfinite(logits).all()
    config = json.loads((merged / "config.json").read_text())
    assert config["dtype"] == "bfloat16"


def test_float32_loads_as_float32(family: Family, tmp_path: Path) -> None:
    out = tmp_path / "out"
    models = ("--vlm", family.vlm, "--coder", family.coder)
    command("merge", *models, "--out", out, "--out-dtype", "float32")
    model = AutoModelForImageTextToText.from_pretrained(out, dtype="auto")
    name = "model.layers.0.mlp.up_proj.weight"
    wanted = (
        0.7 * family.weights("vlm")[name].double() + 0.3 * family.weights("coder")[name].double()
    )
    loaded = model.model.language_model.layers[0].mlp.up_proj.weight
    assert loaded.dtype == torch.float32
    torch.testing.assert_close(loaded.double(), wanted, rtol=1e-6, atol=1e-8)


@pytest.mark.slow
def test_exported_and_run_by_the_engine(
    family: Family, merged: Path, samples: Path, tmp_path: Path
) -> None:
    exported = tmp_path / "model"
    kinds = ("--text-type", "F32", "--mmproj-type", "F32")
    command("export", merged, "--out", exported, *kinds, "--name", "merged")
    plain = tmp_path / "plain"
    command("export", family.vlm, "--out", plain, *kinds, "--name", "merged")

    def values(path: Path) -> dict[str, np.ndarray]:
        return {tensor.name: np.array(tensor.data) for tensor in gguf.GGUFReader(path).tensors}

    vision, own = values(exported / "mmproj-F32.gguf"), values(plain / "mmproj-F32.gguf")
    assert vision.keys() == own.keys()
    assert all((vision[name] == own[name]).all() for name in own)
    text = values(exported / "model-F32.gguf")
    assert not (text["blk.1.ffn_up.weight"] == values(plain / "model-F32.gguf")
                ["blk.1.ffn_up.weight"]).all()  # fmt: skip
    request = ConvertRequest(samples / "login.png", target="html", hints="never", max_tokens=12)
    with EngineClient(find_model(exported)) as client:
        (*before, last) = client.convert(request)
    assert isinstance(last, Done), last
    assert sum(isinstance(event, Token) for event in before) > 0
