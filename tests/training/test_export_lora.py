"""LoRA adapters merged while streaming, against a merge of whole matrices."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from engine.errors import ErrorCode, VisCodexError
from tests.fixtures.altered import Weights, altered
from tests.fixtures.tiny_model import CARD
from training.export import ExportReport, export_checkpoint
from training.export.verify import verify

RANK, ALPHA = 4, 12
# As peft names them, in the spelling of transformers' own modules and in the published one.
MODULES = (
    "model.language_model.layers.0.self_attn.q_proj",
    "model.language_model.layers.1.mlp.down_proj",
    "model.layers.1.self_attn.k_proj",
    "model.visual.blocks.1.attn.qkv",
    "model.visual.merger.mlp.0",
)


def published(module: str) -> str:
    return module.replace("model.language_model.", "model.").replace("model.visual.", "visual.")


def write_adapter(folder: Path, checkpoint: Path, **config: Any) -> Path:
    """An adapter of random numbers, large enough to matter."""
    weights = load_file(checkpoint / "model.safetensors")
    generator = torch.Generator().manual_seed(5)
    tensors = {}
    for module in MODULES:
        rows, columns = weights[published(module) + ".weight"].shape
        for part, shape in (("A", (RANK, columns)), ("B", (rows, RANK))):
            values = torch.randn(shape, generator=generator) * 0.1
            tensors[f"base_model.model.{module}.lora_{part}.weight"] = values
    folder.mkdir()
    save_file(tensors, folder / "adapter_model.safetensors")
    settings = {"peft_type": "LORA", "r": RANK, "lora_alpha": ALPHA, "bias": "none"} | config
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    return folder


def merged(adapter: Path, scale: Callable[[str], float]) -> Callable[[Weights], Weights]:
    parts = load_file(adapter / "adapter_model.safetensors")

    def change(weights: Weights) -> Weights:
        for module in MODULES:
            a, b = (parts[f"base_model.model.{module}.lora_{part}.weight"] for part in "AB")
            weights[published(module) + ".weight"] += scale(module) * (b @ a)
        return weights

    return change


def export(checkpoint: Path, out: Path, lora: Path | None = None) -> ExportReport:
    return export_checkpoint(
        checkpoint, out, card=CARD, name="tiny", text_type="F32", mmproj_type="F32", lora=lora
    )


def values_of(report: ExportReport) -> dict[str, np.ndarray]:
    return {
        tensor.name: np.array(tensor.data)
        for path in (report.model, report.mmproj)
        for tensor in gguf.GGUFReader(path).tensors
    }


@pytest.mark.parametrize(
    ("config", "scale"),
    [
        ({}, lambda _: ALPHA / RANK),
        ({"use_rslora": True}, lambda _: ALPHA / math.sqrt(RANK)),
        (
            {"alpha_pattern": {"self_attn.q_proj": 2, r"blocks\.\d+\.attn\.qkv": 4}},
            lambda module: {"q_proj": 2, "qkv": 4}.get(module.split(".")[-1], ALPHA) / RANK,
        ),
    ],
    ids=["plain", "rslora", "patterns"],
)
def test_equal_to_a_merge_of_whole_matrices(
    tiny_checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    config: dict[str, Any],
    scale: Callable[[str], float],
) -> None:
    adapter = write_adapter(tmp_path / "adapter", tiny_checkpoint, **config)
    naive = altered(tiny_checkpoint, tmp_path / "naive", weights=merged(adapter, scale))
    wanted = values_of(export(naive, tmp_path / "wanted"))
    before = values_of(export(tiny_checkpoint, tmp_path / "before"))
    monkeypatch.setattr("training.export.writing.STRETCH", 5000)  # many stretches a matrix
    found = values_of(export(tiny_checkpoint, tmp_path / "found", adapter))
    changed = {name for name in found if not np.array_equal(found[name], before[name])}
    assert changed == {
        "blk.0.attn_q.weight",
        "blk.1.ffn_down.weight",
        "blk.1.attn_k.weight",
        *(f"v.blk.1.attn_{part}.weight" for part in "qkv"),
        "mm.0.weight",
    }
    for name, values in wanted.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-5, atol=1e-6, err_msg=name)


def test_a_merged_model_is_the_adapted_one(tiny_checkpoint: Path, tmp_path: Path) -> None:
    adapter = write_adapter(tmp_path / "adapter", tiny_checkpoint)
    export(tiny_checkpoint, tmp_path / "out", adapter)
    picture = Image.effect_noise((196, 140), 80).convert("RGB")
    for lora, passed in ((adapter, True), (None, False)):
        report = verify(
            tiny_checkpoint, tmp_path / "out", [picture], ["Go on."], threads=2, lora=lora
        )
        assert report.passed == passed, report.problems


def test_whole_modules_take_the_place_of_the_old(tiny_checkpoint: Path, tmp_path: Path) -> None:
    adapter = write_adapter(tmp_path / "adapter", tiny_checkpoint)
    tensors = load_file(adapter / "adapter_model.safetensors")
    norm = torch.linspace(0.5, 1.5, 256)
    tensors["base_model.model.model.language_model.norm.weight"] = norm
    save_file(tensors, adapter / "adapter_model.safetensors")
    values = values_of(export(tiny_checkpoint, tmp_path / "out", adapter))
    assert np.array_equal(values["output_norm.weight"], norm.numpy())


def renaming(old: str, new: str) -> Callable[[Weights], Weights]:
    return lambda tensors: {name.replace(old, new): value for name, value in tensors.items()}


def longer(tensors: Weights) -> Weights:
    name = f"base_model.model.{MODULES[0]}.lora_A.weight"
    return tensors | {name: torch.ones(RANK, 300)}


@pytest.mark.parametrize(
    ("change", "config", "code", "said"),
    [
        (renaming("q_proj", "z_proj"), {}, ErrorCode.model_broken, "z_proj"),
        (renaming("layers.1.", "layers.7."), {}, ErrorCode.model_broken, r"layers\.7"),
        (renaming("q_proj.lora_B", "q_proj.lora_C"), {}, ErrorCode.model_broken, "lora_"),
        (longer, {}, ErrorCode.model_broken, "does not fit"),
        (None, {"use_dora": True}, ErrorCode.bad_input, "use_dora"),
        (None, {"bias": "all"}, ErrorCode.bad_input, "bias all"),
        (None, {"peft_type": "IA3"}, ErrorCode.bad_input, "IA3"),
        (None, {"init_lora_weights": "pissa_niter_4"}, ErrorCode.bad_input, "pissa"),
    ],
)
def test_what_cannot_be_merged_is_named(
    tiny_checkpoint: Path,
    tmp_path: Path,
    change: Callable[[Weights], Weights] | None,
    config: dict[str, Any],
    code: ErrorCode,
    said: str,
) -> None:
    adapter = write_adapter(tmp_path / "adapter", tiny_checkpoint, **config)
    if change is not None:
        tensors = change(load_file(adapter / "adapter_model.safetensors"))
        save_file(tensors, adapter / "adapter_model.safetensors")
    with pytest.raises(VisCodexError, match=said) as caught:
        export(tiny_checkpoint, tmp_path / "out", adapter)
    assert caught.value.code == code
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []
