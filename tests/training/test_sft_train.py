"""A fine-tuning of the tiny model: what moves and what does not, resumed to the same curve,
adapters, and a result that transformers and the exporter read."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from peft import PeftModel, get_peft_model
from PIL import Image
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText

from engine.errors import VisCodexError
from tests.fixtures.sft_records import tiny_recipe
from tests.fixtures.tiny_model import CARD, build_tiny_checkpoint
from training.bench.records import write_records
from training.checkpoint import open_checkpoint
from training.export import export_checkpoint
from training.names import published_name
from training.sft.freeze import adapter_pattern, check_trainable, freeze, lora_config, summary
from training.sft.plan import dry_run
from training.sft.recipe import LoraPlan
from training.sft.run import open_base, sft
from training.sft.trainer import read_log

FAMILIES = ("qwen2_5_vl",)


@pytest.fixture(scope="module")
def material(tmp_path_factory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("sft")
    return build_tiny_checkpoint(folder / "base"), write_records(folder / "data", 28)


def _run(material, out: Path, *, resume: bool = False, **changes: object) -> list[str]:
    said: list[str] = []
    sft(tiny_recipe(*material, **changes), out, resume=resume, report=said.append)
    return said


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    checkpoint = open_checkpoint(folder, FAMILIES)
    found: dict[str, torch.Tensor] = {}
    for path in {stored.path for stored in checkpoint.stored.values()}:
        found |= load_file(path)
    return {published_name(name): value for name, value in found.items()}


def _losses(out: Path) -> list[float]:
    return [line["loss"] for line in read_log(out / "metrics.jsonl")[0]]


@pytest.fixture(scope="module")
def trained(material, tmp_path_factory) -> tuple[Path, list[str]]:
    """Ten steps with states at five and ten, validation and samples."""
    out = tmp_path_factory.mktemp("trained") / "out"
    said = _run(
        material,
        out,
        steps=10,
        save_every=5,
        keep=3,
        evaluate_every=5,
        schedule="cosine",
        samples={"count": 2, "max_tokens": 24},
    )
    return out, said


def test_it_learns_and_tells_what_it_trains(trained):
    out, said = trained
    train, held = read_log(out / "metrics.jsonl")
    assert [line["step"] for line in train] == list(range(1, 11))
    assert train[-1]["loss"] < 0.4 * train[0]["loss"]
    assert [line["step"] for line in held] == [5, 10]
    assert held[1]["eval_loss"] < held[0]["eval_loss"]
    names = (out / "trained.txt").read_text().splitlines()
    assert names and all(name.startswith("model.language_model.") for name in names)
    assert "  model.language_model.layers.{}.mlp.up_proj.weight x 2" in said
    assert any(line.startswith("rows: 24 with ") and line.endswith("4 held out") for line in said)
    Image.open(out / "losses.png").verify()


def test_the_result_is_published_names_over_an_untouched_tower(material, trained):
    before, after = _weights(material[0]), _weights(trained[0] / "model")
    assert set(load_file(next((trained[0] / "model").glob("*.safetensors")))) == set(after)
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {name for name in before if not name.startswith("visual.")}
    model, problems = AutoModelForImageTextToText.from_pretrained(
        trained[0] / "model", output_loading_info=True
    )
    assert not problems["missing_keys"] and not problems["unexpected_keys"]
    kept = model.model.language_model.layers[1].mlp.up_proj.weight
    assert torch.equal(kept, after["model.layers.1.mlp.up_proj.weight"])
    report = export_checkpoint(trained[0] / "model", trained[0] / "gguf", card=CARD, name="tiny")
    assert report.model.exists() and report.mmproj.exists()


def test_samples_are_written_and_drawn(trained):
    for step in (5, 10):
        folder = trained[0] / "samples" / f"step-{step:06}"
        rows = [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()]
        assert len(rows) == 2
        for row in rows:
            assert (row["picture"] is None) == (row["error"] is None and row["similarity"] is None)
            if row["picture"]:
                assert min(Image.open(folder / row["picture"]).size) > 20


def test_five_steps_and_five_more_equal_ten(material, trained, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(trained[0], out)
    shutil.rmtree(out / "states" / "checkpoint-10")
    shutil.rmtree(out / "model")
    (out / "metrics.jsonl").unlink()
    with pytest.raises(VisCodexError, match="begun with another recipe"):
        _run(material, out, resume=True, steps=10, rate=0.5)
    with pytest.raises(VisCodexError, match="was begun"):
        _run(material, out, steps=10)
    more = {"save_every": 5, "evaluate_every": 5, "schedule": "cosine", "samples": {"count": 0}}
    said = _run(material, out, resume=True, steps=10, **more)
    assert "resume: checkpoint-5" in said
    whole, rest = read_log(trained[0] / "metrics.jsonl")[0], read_log(out / "metrics.jsonl")[0]
    assert [line["step"] for line in rest] == [6, 7, 8, 9, 10]
    for one, two in zip(whole[5:], rest, strict=True):
        assert two["loss"] == pytest.approx(one["loss"], rel=1e-4)
        assert two["rate"] == one["rate"]
    first, second = _weights(trained[0] / "model"), _weights(out / "model")
    for name in first:
        torch.testing.assert_close(second[name], first[name], rtol=1e-4, atol=1e-5)


def test_four_at_once_weigh_as_four_one_by_one(material, tmp_path):
    _run(material, tmp_path / "once", steps=3)
    _run(material, tmp_path / "each", steps=3, device_batch=1, gradient_checkpointing=True)
    assert _losses(tmp_path / "each") == pytest.approx(_losses(tmp_path / "once"), rel=1e-4)
    first, second = (_weights(tmp_path / name / "model") for name in ("once", "each"))
    for name in first:
        torch.testing.assert_close(second[name], first[name], rtol=1e-3, atol=1e-4)


def test_adapters_change_the_layers_alone_and_are_merged_as_peft_would(material, tmp_path):
    out = tmp_path / "out"
    targets = ["q_proj", "down_proj"]
    lora = {"rank": 4, "alpha": 16, "targets": targets}
    _run(material, out, lora=lora, rate=0.01, steps=6, gradient_checkpointing=True)
    losses = _losses(out)
    assert losses[-1] < 0.8 * losses[0]
    before, after = _weights(material[0]), _weights(out / "model")
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {
        name
        for name in before
        if name.startswith("model.layers.") and name.split(".")[-2] in targets and "weight" in name
    }
    base = AutoModelForImageTextToText.from_pretrained(material[0])
    merged = PeftModel.from_pretrained(base, out / "adapter").merge_and_unload()
    for name, value in merged.state_dict().items():
        if published_name(name) in after:
            torch.testing.assert_close(value, after[published_name(name)], rtol=1e-5, atol=1e-6)


def test_adapters_resumed_at_five_give_the_curve_of_ten(material, tmp_path):
    settings = {
        "lora": {"rank": 4, "alpha": 16, "dropout": 0.1},
        "rate": 0.01,
        "steps": 10,
        "save_every": 5,
        "schedule": "cosine",
    }
    _run(material, tmp_path / "whole", **settings)
    out = tmp_path / "out"
    shutil.copytree(tmp_path / "whole", out)
    for name in ("states/checkpoint-10", "model", "adapter"):
        shutil.rmtree(out / name)
    (out / "metrics.jsonl").unlink()
    said = _run(material, out, resume=True, **settings)
    assert "resume: checkpoint-5" in said
    wanted, rest = _losses(tmp_path / "whole"), _losses(out)
    assert len(wanted) == 10 and wanted[-1] < 0.8 * wanted[0]
    assert rest == pytest.approx(wanted[5:], rel=1e-4)
    first, second = _weights(tmp_path / "whole" / "model"), _weights(out / "model")
    for name, value in first.items():
        torch.testing.assert_close(second[name], value, rtol=1e-4, atol=1e-5)


def test_a_frozen_tower_keeps_no_gradients_even_when_its_input_asks_for_them(material):
    model = AutoModelForImageTextToText.from_pretrained(material[0])
    freeze(model, "qwen2_5_vl", ["language"])
    wrapped = get_peft_model(model, lora_config(LoraPlan(targets=["q_proj"])))
    wrapped.enable_input_require_grads()
    pixels = torch.randn(16, 1176, requires_grad=True)
    out = model.model.visual(pixels, grid_thw=torch.tensor([[1, 4, 4]])).pooler_output
    assert out.grad_fn is None and not out.requires_grad
    names = check_trainable(wrapped, "qwen2_5_vl", ["language"], lora=True)
    assert len(names) == 4 and len(summary(names)) == 2
    next(iter(model.model.visual.parameters())).requires_grad_(True)
    with pytest.raises(VisCodexError, match="would be trained"):
        check_trainable(wrapped, "qwen2_5_vl", ["language"], lora=True)


def test_what_is_trained_is_held_to_the_table(material):
    model = AutoModelForImageTextToText.from_pretrained(material[0])
    freeze(model, "qwen2_5_vl", ["projector"])
    names = check_trainable(model, "qwen2_5_vl", ["projector"], lora=False)
    assert names and all(name.startswith("model.visual.merger.") for name in names)
    with pytest.raises(VisCodexError, match="would not be trained"):
        check_trainable(model, "qwen2_5_vl", ["projector", "vision"], lora=False)
    for module in ("model.visual.blocks.1.mlp.up_proj", "lm_head", "model.visual.merger.mlp.0"):
        assert not re.fullmatch(adapter_pattern(["up_proj", "q_proj"]), module)


def test_it_ends_early_where_nothing_gets_better(material, tmp_path):
    _run(material, tmp_path / "out", steps=20, rate=3.0, early_stop=2, evaluate_every=1,
         save_every=1, keep=1)  # fmt: skip
    train, held = read_log(tmp_path / "out" / "metrics.jsonl")
    best = min(held, key=lambda line: line["eval_loss"])
    assert len(train) < 20 and held[-1]["step"] == best["step"] + 2
    state = _weights(tmp_path / "out" / "states" / f"checkpoint-{best['step']}")
    model = _weights(tmp_path / "out" / "model")  # the best, not the last
    assert all(torch.equal(value, model[name]) for name, value in state.items())


def test_a_training_that_diverges_writes_no_model(material, tmp_path):
    with pytest.raises(VisCodexError, match="NaN or infinity"):
        _run(material, tmp_path / "out", steps=3, rate=1e38, clip=1e30)
    assert not (tmp_path / "out" / "model").exists()


def test_four_bits_without_a_card_are_refused(material, tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is a card")
    with pytest.raises(VisCodexError, match="an NVIDIA card") as caught:
        _run(material, tmp_path / "out", lora={"quantize": "nf4"}, precision="bf16")
    assert caught.value.exit_code == 2
    assert not (tmp_path / "out").exists()  # told before anything is read


@pytest.mark.parametrize(("changes", "trained"), [({}, 1_313_024), ({"lora": {"rank": 4}}, 25_600)])
def test_the_plan_tells_parameters_tokens_steps_and_memory(material, changes, trained):
    begun = open_base(tiny_recipe(*material, steps=None, epochs=2, **changes))
    lines = dry_run(begun, "COMMAND")
    assert lines[1].startswith(f"trained: {trained / 1e6:,.1f} M of ")
    assert lines[2].startswith("records: 24 with ")
    assert lines[3].startswith("steps: 12 of 4 samples")
    assert lines[4].startswith("memory: about ") and lines[5] == "launch: COMMAND"
