"""The whole export: several types from one file, checks before anything is kept, export.json."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gguf
import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.errors import ErrorCode, VisCodexError
from engine.models.header import read_header
from engine.models.store import find_model, verify
from tests.fixtures.altered import Weights, altered
from tests.fixtures.tiny_model import CARD, TEXT, build_tiny_checkpoint
from tests.fixtures.tiny_qwen3 import CARD_3, build_tiny_qwen3
from training.export import export_checkpoint
from training.export import verify as parity
from training.export.audit import audit
from training.export.job import ExportJob, most_precise, run
from training.export.scoring import score
from training.export.texts import held_out_answers
from training.export.tower import ExportedTower, drawn_pictures

ROOT = Path(__file__).resolve().parents[2]


def quiet(_: str) -> None:
    """Nobody listens."""


def test_everything_at_once(tiny_checkpoint: Path, tmp_path: Path) -> None:
    data = tmp_path / "texts"
    data.mkdir()
    (data / "page.html").write_text(TEXT * 10)
    said: list[str] = []
    out = tmp_path / "out"
    job = ExportJob(
        tiny_checkpoint,
        out,
        quants=("Q4_K_M", "Q8_0", "F16"),
        mmproj_type="F16",
        calibrate=data,
        name="thumbnail",
    )
    report = run(job, said.append)
    assert sorted(path.name for path in out.iterdir()) == [
        "export.json",
        "mmproj-F16.gguf",
        "model-F16.gguf",
        "model-Q4_K_M.gguf",
        "model-Q8_0.gguf",
        "model.imatrix",
        "viscodex.json",
    ]
    # The folder stands for the first type; the others are there by name.
    files = find_model(out)
    assert (files.model.name, files.name) == ("model-Q4_K_M.gguf", "thumbnail")
    assert find_model(out / "model-F16.gguf").card == files.card
    assert [problem for _, problem in verify(files)] == [None, None]
    record = json.loads((out / "export.json").read_text())
    assert record["verified"] is True
    assert record["tensors"]["planned"] == {"language": 26, "vision": 34, "projector": 5}
    assert record["tensors"]["found"] == record["tensors"]["planned"]
    assert record["tokenizer"]["template"] == "renders"
    assert record["importance"][0]["matrices"] == 14
    assert {entry["name"]: entry["sha256"] for entry in record["files"]} == files.card.sha256
    pictures = record["pictures"]
    assert (pictures["model"], pictures["passed"]) == ("model-F16.gguf", True)
    assert len(pictures["checks"]) == 2
    assert all(check["cosine"] > 0.999 for check in pictures["checks"])
    table = {entry["type"]: entry for entry in record["quantizations"]}
    assert list(table) == ["Q4_K_M", "Q8_0", "F16"]
    assert 4 < table["Q4_K_M"]["bits_per_weight"] < 5.5
    assert 8.5 <= table["Q8_0"]["bits_per_weight"] < 8.6
    assert 16 <= table["F16"]["bits_per_weight"] < 16.1
    for entry in table.values():
        assert entry["tokens"] > 1000 and entry["tokens_per_second"] > 0
        assert entry["perplexity"] == pytest.approx(table["F16"]["perplexity"], rel=0.2)
    assert table["Q8_0"]["perplexity"] == pytest.approx(table["F16"]["perplexity"], rel=0.01)
    assert any("perplexity" in text for text in said)
    # Once more with the matrix that was written: the same file.
    again = ExportJob(
        tiny_checkpoint,
        tmp_path / "again",
        quants=("Q4_K_M",),
        imatrix=out / "model.imatrix",
        verify=False,
    )
    run(again, quiet)
    assert tensors(tmp_path / "again" / "model-Q4_K_M.gguf") == tensors(report.model)
    assert json.loads((tmp_path / "again" / "export.json").read_text())["verified"] is False
    # Another export takes the place of the files that the card named.
    run(ExportJob(tiny_checkpoint, out, quants=("Q8_0",), verify=False), quiet)
    assert {path.name for path in out.glob("*.gguf")} == {"model-Q8_0.gguf", "mmproj-Q8_0.gguf"}


def tensors(path: Path) -> dict[str, tuple[Any, bytes]]:
    return {
        tensor.name: (tensor.tensor_type, tensor.data.tobytes())
        for tensor in gguf.GGUFReader(path).tensors
    }


def halved(weights: Weights) -> Weights:
    return {name: values.bfloat16() for name, values in weights.items()}


@pytest.mark.parametrize("stored", ["F32", "BF16"])
def test_types_made_from_one_file_are_those_written_alone(
    tiny_checkpoint: Path, tmp_path: Path, stored: str
) -> None:
    checkpoint = tiny_checkpoint
    if stored == "BF16":
        checkpoint = altered(tiny_checkpoint, tmp_path / "half", weights=halved)
    kinds = ("Q8_0", "F16", "BF16", "F32")
    for asked in (kinds, kinds[:2]):  # from F32, and from the type the checkpoint has
        together = export_checkpoint(
            checkpoint, tmp_path / "together", card=CARD, name="tiny", text_type=asked
        )
        for kind, path in zip(asked, together.models, strict=True):
            alone = export_checkpoint(
                checkpoint, tmp_path / "alone", card=CARD, name="tiny", text_type=kind
            )
            assert tensors(path) == tensors(alone.model), kind
            keys, wanted = read_header(path).keys, read_header(alone.model).keys
            assert keys["general.file_type"] == wanted["general.file_type"]


def test_an_export_that_is_not_the_model_is_not_kept(tmp_path: Path) -> None:
    """The checkpoint is written anew, as by a training that goes on, between text and tower."""
    checkpoint = build_tiny_checkpoint(tmp_path / "checkpoint")

    def train_on(text: str) -> None:
        if text.startswith("text: 26 tensors"):
            weights = load_file(checkpoint / "model.safetensors")
            for name, values in weights.items():
                if ".self_attn." in name and name.endswith("weight"):
                    values.copy_(values.flip(0))
            save_file(weights, checkpoint / "model.safetensors", {"format": "pt"})

    out = tmp_path / "out"
    with pytest.raises(VisCodexError, match="logits") as caught:
        run(ExportJob(checkpoint, out, quants=("F32",), mmproj_type="F32"), train_on)
    assert caught.value.code == ErrorCode.model_broken
    assert "--no-verify" in caught.value.advice
    assert list(out.iterdir()) == []


def test_an_audit_finds_what_lacks(
    tiny_checkpoint: Path, tiny_model_dir: Path, tmp_path: Path
) -> None:
    from training.checkpoint import open_checkpoint
    from training.export.checkpoint import FAMILIES

    deeper = build_tiny_checkpoint(tmp_path / "deeper", depth=4)
    text, vision = tiny_model_dir / "model-F32.gguf", tiny_model_dir / "mmproj-F32.gguf"
    same = audit(open_checkpoint(tiny_checkpoint, FAMILIES), {"F32": text}, vision)
    assert same.problems == []
    found = audit(open_checkpoint(deeper, FAMILIES), {"F32": text}, vision)
    assert found.found == {"language": 26, "vision": 34, "projector": 5}
    assert found.planned["vision"] == 66
    assert any("32 tensors (v.blk.2" in problem for problem in found.problems)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"calibrate": Path("a"), "imatrix": Path("b")}, "exclude"),
        ({"imatrix": Path("b")}, "changes nothing in Q8_0"),
        ({"quants": ("Q8_0", "Q9")}, "'Q9' is no type"),
        ({"quants": ()}, "no type"),
        ({"imatrix": Path("no-such-matrix"), "quants": ("Q4_K_M",)}, "no-such-matrix"),
        ({"calibrate": Path("no-such-text"), "quants": ("Q4_K_M",)}, "no-such-text"),
        ({"lora": Path("no-such-adapter")}, "no-such-adapter"),
    ],
)
def test_bad_wishes_are_told(
    tiny_checkpoint: Path, tmp_path: Path, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(VisCodexError, match=said) as caught:
        run(ExportJob(tiny_checkpoint, tmp_path / "out", **options), quiet)
    assert caught.value.exit_code == 2
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []


def test_checkpoints_of_bitsandbytes_are_refused(tiny_checkpoint: Path, tmp_path: Path) -> None:
    def quantized(config: dict[str, Any]) -> None:
        config["quantization_config"] = {"quant_method": "bitsandbytes", "load_in_4bit": True}

    told = altered(tiny_checkpoint, tmp_path / "told", config=quantized)
    with pytest.raises(VisCodexError, match="bitsandbytes") as caught:
        export_checkpoint(told, tmp_path / "out", card=CARD, name="tiny")
    assert "quantized from" in caught.value.advice

    def packed(weights: Weights) -> None:
        weights["model.layers.0.mlp.up_proj.weight"] = torch.zeros((65536, 1), dtype=torch.uint8)

    silent = altered(tiny_checkpoint, tmp_path / "silent", weights=packed)
    with pytest.raises(VisCodexError, match=r"up_proj.*U8"):
        export_checkpoint(silent, tmp_path / "out", card=CARD, name="tiny")


def test_a_model_too_large_is_compared_by_its_tower(
    tiny_checkpoint: Path, tiny_model_dir: Path, tmp_path: Path
) -> None:
    pictures, prompts = drawn_pictures(), ["a", "b"]
    found = parity.verify(tiny_checkpoint, tiny_model_dir, pictures, prompts, whole=False)
    assert found.passed and not found.whole
    assert all(check.lowest_cosine > 0.99999 for check in found.checks)
    assert all(check.logits_cosine is None for check in found.checks)
    other = build_tiny_checkpoint(tmp_path / "other", seed=1)
    wrong = parity.verify(other, tiny_model_dir, pictures, prompts, whole=False)
    assert not wrong.passed and "embeddings" in wrong.problems[0]


def test_a_tower_alone_takes_no_weights_of_the_language_model(tiny_model_dir: Path) -> None:
    files = find_model(tiny_model_dir)
    with ExportedTower(files.model, files.mmproj, files.card.image) as tower:
        (picture, _) = drawn_pictures()
        assert tower.largest == 0.0
        seen = tower.encode(picture.resize((196, 140)))
        assert seen.shape == (35, 256) and 0 < tower.largest < 65504


@pytest.fixture(scope="module")
def qwen3(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_qwen3(tmp_path_factory.mktemp("qwen3") / "checkpoint", tiny_checkpoint)


def test_qwen3_is_equal(qwen3: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    report = export_checkpoint(
        qwen3, out, card=CARD_3, name="tiny", text_type="F32", mmproj_type="F32"
    )
    # 11 a layer and 2; 12 a block, 4 of patches and positions, 6 of each of three mergers.
    assert (report.text_tensors, report.vision_tensors) == (11 * 3 + 2, 12 * 3 + 4 + 3 * 6)
    keys = read_header(report.model).keys
    assert keys["qwen3vl.n_deepstack_layers"] == 2
    assert keys["qwen3vl.attention.key_length"] == 96
    found = parity.verify(qwen3, out, drawn_pictures(), ["Write the HTML.", "Go on."], threads=2)
    assert found.passed and found.exact and found.whole, found.problems
    assert all(check.lowest_cosine > 0.9999 for check in found.checks)
    assert all(check.equal_tokens == check.tokens > 8 for check in found.checks)


def test_the_card_of_a_general_model_fits_its_pictures(qwen3: Path, tmp_path: Path) -> None:
    run(ExportJob(qwen3, tmp_path, quants=("BF16",), mmproj_type="BF16"), quiet)
    card = find_model(tmp_path).card
    assert (card.family, card.image.factor, card.context) == ("qwen3_vl", 32, 1024)


def deep_mistake(weights: Weights) -> Weights:
    first, second = "model.visual.deepstack_merger_list.0.", "model.visual.deepstack_merger_list.1."
    swapped = {first: second, second: first}
    start = len(first)
    return {
        swapped.get(name[:start], name[:start]) + name[start:]: values
        for name, values in weights.items()
    }


def test_mergers_in_each_others_place_are_found_out(qwen3: Path, tmp_path: Path) -> None:
    wrong = altered(qwen3, tmp_path / "wrong", weights=deep_mistake)
    export_checkpoint(
        wrong, tmp_path / "out", card=CARD_3, name="tiny", text_type="F32", mmproj_type="F32"
    )
    found = parity.verify(qwen3, tmp_path / "out", drawn_pictures(), ["a", "b"], whole=False)
    assert any("embeddings" in problem for problem in found.problems)


def test_matrices_that_q8_0_does_not_fit_become_bf16_where_f16_is_too_small(
    tiny_checkpoint: Path, tmp_path: Path
) -> None:
    checkpoint = build_tiny_qwen3(tmp_path / "checkpoint", tiny_checkpoint, forward=200)
    down = "v.blk.0.ffn_down.weight"
    for number, kind in ((0.0, 1), (1e5, 30)):
        weights = load_file(checkpoint / "model.safetensors")
        weights["model.visual.blocks.0.mlp.linear_fc1.bias"][3] = number
        weights["model.visual.blocks.0.mlp.linear_fc2.weight"][:, 3] = 1e-6
        save_file(weights, checkpoint / "model.safetensors", {"format": "pt"})
        report = export_checkpoint(checkpoint, tmp_path / "out", card=CARD_3, name="tiny")
        assert read_header(report.mmproj).tensors[down].kind == kind
        assert bool(report.notes) == (number > 0)


def test_types_in_order() -> None:
    assert most_precise(["Q2_K", "Q4_K_M", "Q8_0"]) == "Q8_0"
    assert most_precise(["Q3_K_M", "F16", "BF16"]) == "BF16"


def test_perplexity_is_that_of_transformers(tiny_checkpoint: Path, tiny_model_dir: Path) -> None:
    from transformers import AutoModelForImageTextToText, AutoTokenizer

    answers = held_out_answers(2, short=True)
    found = score(tiny_model_dir / "model-F32.gguf", "F32", answers)
    model = AutoModelForImageTextToText.from_pretrained(tiny_checkpoint, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint)
    total, count = 0.0, 0
    for answer in answers:
        asked = f"<|im_start|>user\n{answer.prompt}<|im_end|>\n<|im_start|>assistant\n"
        first = len(tokenizer.encode(asked))
        ids = torch.tensor([(tokenizer.encode(asked) + tokenizer.encode(answer.text))[:512]])
        with torch.no_grad():
            logits = model(input_ids=ids).logits[0, first - 1 : -1].double()
        total += float(torch.nn.functional.cross_entropy(logits, ids[0, first:], reduction="sum"))
        count += ids.shape[1] - first
    assert found.tokens == count
    assert found.perplexity == pytest.approx(torch.tensor(total / count).exp().item(), rel=0.01)


def test_the_command_says_what_it_did(tiny_checkpoint: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "training.cli", "export", str(tiny_checkpoint)]
    options = ["--out", str(tmp_path / "out"), "--quant", "Q6_K, Q8_0", "--mmproj-type", "BF16"]
    done = subprocess.run(
        [*command, *options], cwd=ROOT, env=os.environ, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    header = next(line for line in lines if line.startswith("type "))
    assert header.split() == ["type", "MB", "bits/weight", "perplexity", "tokens/s"]
    assert any("embeddings at least 0.99" in line for line in lines)
    assert str(tmp_path / "out" / "model-Q6_K.gguf") in lines


@pytest.mark.parametrize("kinds", [("Q8_0",), ("F16", "Q6_K")])
def test_a_full_disk_is_told_before(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kinds: tuple[str, ...]
) -> None:
    out = tmp_path / "out"
    report = export_checkpoint(tiny_checkpoint, out, card=CARD, name="tiny", text_type=kinds)
    base = 0 if len(kinds) == 1 else 5_300_000  # in F32, between
    for share, fits in ((1.1, True), (0.7, False)):
        usage = SimpleNamespace(free=share * (report.size + base))
        monkeypatch.setattr("training.space.shutil.disk_usage", lambda _, found=usage: found)
        if fits:
            export_checkpoint(tiny_checkpoint, out, card=CARD, name="tiny", text_type=kinds)
            continue
        with pytest.raises(VisCodexError, match="are free"):
            export_checkpoint(tiny_checkpoint, out, card=CARD, name="tiny", text_type=kinds)
