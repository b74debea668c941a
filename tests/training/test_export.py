"""What an export writes, what it refuses, and that it never leaves half of it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.errors import ErrorCode, VisCodexError
from engine.models.header import read_header
from engine.models.store import find_model, verify
from tests.fixtures.altered import Weights, altered
from tests.fixtures.tiny_model import CARD, build_tiny_checkpoint
from training.export import ExportReport, export_checkpoint
from training.export.bundle import Made
from training.export.quantize import quantize
from training.export.writing import tensor_type
from training.names import hugging_face_name, match_tensors

ROOT = Path(__file__).resolve().parents[2]


def export(
    checkpoint: Path, out: Path, text_type: str = "F32", mmproj_type: str = "F32"
) -> ExportReport:
    return export_checkpoint(
        checkpoint, out, card=CARD, name="tiny", text_type=text_type, mmproj_type=mmproj_type
    )


def refusal(checkpoint: Path, out: Path) -> VisCodexError:
    """The error of an export that must fail; nothing may be left of it."""
    with pytest.raises(VisCodexError) as caught:
        export(checkpoint, out)
    assert not out.exists() or list(out.iterdir()) == []
    return caught.value


def values_of(path: Path) -> dict[str, np.ndarray]:
    return {tensor.name: np.array(tensor.data) for tensor in gguf.GGUFReader(path).tensors}


def test_counts_and_card(tiny_checkpoint: Path, tmp_path: Path) -> None:
    report = export(tiny_checkpoint, tmp_path / "out", "Q8_0", "BF16")
    assert (report.text_tensors, report.vision_tensors) == (12 * 2 + 2, 16 * 2 + 7)
    assert len(read_header(report.model).tensors) == 26
    assert len(read_header(report.mmproj).tensors) == 39
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "mmproj-BF16.gguf",
        "model-Q8_0.gguf",
        "viscodex.json",
    ]
    files = find_model(tmp_path / "out")
    assert (files.name, files.card.context, files.card.image.max_tokens) == ("tiny", 1024, 64)
    assert [problem for _, problem in verify(files)] == [None, None]


def test_values_arrive_in_their_places(tiny_checkpoint: Path, tiny_model_dir: Path) -> None:
    weights = load_file(tiny_checkpoint / "model.safetensors")
    text = values_of(tiny_model_dir / "model-F32.gguf")
    vision = values_of(tiny_model_dir / "mmproj-F32.gguf")
    assert (text["token_embd.weight"] == weights["model.embed_tokens.weight"].numpy()).all()
    assert "output.weight" not in text
    for part, rows in zip("qkv", weights["visual.blocks.1.attn.qkv.weight"].chunk(3), strict=True):
        assert (vision[f"v.blk.1.attn_{part}.weight"] == rows.numpy()).all()
    patches = weights["visual.patch_embed.proj.weight"].numpy()
    assert (vision["v.patch_embd.weight"] == patches[:, :, 0]).all()
    assert (vision["v.patch_embd.weight.1"] == patches[:, :, 1]).all()
    family = "qwen2_5_vl"
    for tensor in match_tensors(weights, family).values():
        if not tensor.cut:
            found = (text | vision)[tensor.gguf[0]]
            assert (found == weights[tensor.source].numpy()).all(), tensor


@pytest.mark.parametrize(
    ("wanted", "kind"), [("F16", 1), ("BF16", 30), ("Q8_0", 8)], ids=["F16", "BF16", "Q8_0"]
)
def test_types(tiny_checkpoint: Path, tmp_path: Path, wanted: str, kind: int) -> None:
    report = export(tiny_checkpoint, tmp_path, wanted, wanted)
    for path in (report.model, report.mmproj):
        header = read_header(path)
        assert header.keys["general.file_type"] == {"F16": 1, "BF16": 32, "Q8_0": 7}[wanted]
        for name, tensor in header.tensors.items():
            plain = len(tensor.dims) == 1 or ("patch_embd" in name and wanted != "F16")
            assert tensor.kind == (0 if plain else kind), name


def test_rows_that_do_not_fill_blocks() -> None:
    assert tensor_type("v.blk.0.ffn_down.weight", (1280, 3420), "Q8_0").name == "F16"
    assert tensor_type("v.blk.0.ffn_down.weight", (1280, 3420), "BF16").name == "BF16"
    assert tensor_type("v.blk.0.ffn_up.weight", (3420, 1280), "Q8_0").name == "Q8_0"
    assert tensor_type("blk.0.attn_q.bias", (3584,), "Q8_0").name == "F32"


def test_long_tensors_are_written_in_stretches(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = export(tiny_checkpoint, tmp_path / "whole", "Q8_0", "Q8_0")
    monkeypatch.setattr("training.export.writing.STRETCH", 1000)
    pieces = export(tiny_checkpoint, tmp_path / "pieces", "Q8_0", "Q8_0")
    assert pieces.model.read_bytes() == whole.model.read_bytes()
    assert pieces.mmproj.read_bytes() == whole.mmproj.read_bytes()


def in_current_spelling(weights: Weights) -> Weights:
    tensors = match_tensors(weights, "qwen2_5_vl").values()
    names = {t.source: hugging_face_name(t.canonical, "qwen2_5_vl", "current") for t in tensors}
    return {names[name]: tensor for name, tensor in weights.items()}


def test_spelling_and_shards_change_nothing(
    tiny_checkpoint: Path, tiny_model_dir: Path, tmp_path: Path
) -> None:
    folder = altered(tiny_checkpoint, tmp_path / "current", weights=in_current_spelling)
    assert "model.visual.merger.ln_q.weight" in load_file(folder / "model.safetensors")
    sharded = altered(tiny_checkpoint, tmp_path / "sharded")
    weights = load_file(sharded / "model.safetensors")
    (sharded / "model.safetensors").unlink()
    names = sorted(weights, reverse=True)
    index = {}
    for number, shard in enumerate((names[:20], names[20:])):
        file = f"model-0000{number + 1}-of-00002.safetensors"
        save_file({name: weights[name] for name in shard}, sharded / file)
        index |= dict.fromkeys(shard, file)
    table = json.dumps({"metadata": {}, "weight_map": index})
    (sharded / "model.safetensors.index.json").write_text(table)
    for checkpoint in (folder, sharded):
        out = tmp_path / f"{checkpoint.name}-out"
        export(checkpoint, out)
        for name in ("model-F32.gguf", "mmproj-F32.gguf", "viscodex.json"):
            assert (out / name).read_bytes() == (tiny_model_dir / name).read_bytes()


def test_untied_output_is_written(tiny_checkpoint: Path, tmp_path: Path) -> None:
    def add(weights: Weights) -> None:
        weights["lm_head.weight"] = torch.randn(
            weights["model.embed_tokens.weight"].shape, generator=torch.Generator().manual_seed(1)
        )

    def untie(config: dict[str, Any]) -> None:
        config["tie_word_embeddings"] = config["text_config"]["tie_word_embeddings"] = False

    both = altered(tiny_checkpoint, tmp_path / "both", weights=add, config=untie)
    report = export(both, tmp_path / "out")
    assert report.text_tensors == 27
    assert "output.weight" in read_header(report.model).tensors
    # Tied, it is not used; untied, it must be there.
    tied = altered(tiny_checkpoint, tmp_path / "tied", weights=add)
    assert export(tied, tmp_path / "out").text_tensors == 26
    lacking = altered(tiny_checkpoint, tmp_path / "lacking", config=untie)
    assert "language.lm_head.weight" in refusal(lacking, tmp_path / "none").message


def without(name: str) -> Callable[[Weights], None]:
    def change(weights: Weights) -> None:
        del weights[name]

    return change


def with_value(name: str, place: Any, value: float) -> Callable[[Weights], None]:
    def change(weights: Weights) -> None:
        weights[name][place] = value

    return change


def renamed(old: str, new: str) -> Callable[[Weights], None]:
    def change(weights: Weights) -> None:
        weights[new] = weights.pop(old)

    return change


EMBEDDING, UP = "model.embed_tokens.weight", "visual.blocks.1.mlp.up_proj.weight"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without("visual.blocks.1.norm2.weight"), "vision.blocks.1.norm2.weight"),
        (renamed(UP, "visual.blocks.1.mlp.up_proj.lora_A"), "visual.blocks.1.mlp.up_proj.lora_A"),
        (renamed(UP, "visual.blocks.2.mlp.up_proj.weight"), "vision.blocks.1.mlp.up_proj.weight"),
        (with_value(UP, (3, 4), float("nan")), UP),
        (with_value(EMBEDDING, 7, 0.0), "all zero"),
    ],
    ids=["missing", "unknown", "misplaced", "nan", "zero row"],
)
def test_broken_weights_are_named(
    tiny_checkpoint: Path, tmp_path: Path, change: Callable[[Weights], None], said: str
) -> None:
    folder = altered(tiny_checkpoint, tmp_path / "broken", weights=change)
    error = refusal(folder, tmp_path / "out")
    assert error.code == ErrorCode.model_broken
    assert said in error.message


def test_a_layer_too_many_is_named(tiny_checkpoint: Path, tmp_path: Path) -> None:
    def add(weights: Weights) -> None:
        name = "model.layers.{}.mlp.up_proj.weight"
        weights[name.format(2)] = weights[name.format(1)].clone()

    folder = altered(tiny_checkpoint, tmp_path / "broken", weights=add)
    assert "model.layers.2.mlp.up_proj.weight" in refusal(folder, tmp_path / "out").message


QUERY = "model.layers.0.self_attn.q_proj.weight"


@pytest.mark.parametrize("kinds", [("F16",), ("Q8_0", "F16")], ids=["alone", "among others"])
def test_values_that_f16_cannot_hold(
    tiny_checkpoint: Path, tmp_path: Path, kinds: tuple[str, ...]
) -> None:
    large = altered(tiny_checkpoint, tmp_path / "large", weights=with_value(QUERY, (0, 0), 1e6))
    with pytest.raises(VisCodexError, match=f"{QUERY}.*F16 cannot"):
        export_checkpoint(large, tmp_path / "f16", card=CARD, name="tiny", text_type=kinds)
    assert list((tmp_path / "f16").iterdir()) == []


def test_a_tower_that_f16_cannot_hold_becomes_bf16(tiny_checkpoint: Path, tmp_path: Path) -> None:
    large = altered(tiny_checkpoint, tmp_path / "large", weights=with_value(UP, (0, 0), 1e6))
    report = export(large, tmp_path / "out", "F32", "F16")
    assert report.mmproj.name == "mmproj-BF16.gguf"
    assert UP in report.notes[0] and "BF16" in report.notes[0]
    assert read_header(report.mmproj).keys["general.file_type"] == 32


def reaching(number: float) -> Callable[[Weights], None]:
    """Numbers in front of the projector that are so large; behind it nothing changes."""

    def change(weights: Weights) -> None:
        weights["visual.merger.ln_q.weight"] *= number
        weights["visual.merger.mlp.0.weight"] /= number

    return change


@pytest.mark.parametrize(("number", "kind"), [(1e3, "F16"), (1e5, "BF16")])
def test_a_tower_whose_numbers_f16_cannot_hold_becomes_bf16(
    tiny_checkpoint: Path, tmp_path: Path, number: float, kind: str
) -> None:
    large = altered(tiny_checkpoint, tmp_path / "large", weights=reaching(number))
    report = export(large, tmp_path / "out", "F32", "F16")
    assert report.mmproj.name == f"mmproj-{kind}.gguf"
    assert ["Numbers in the tower" in note for note in report.notes] == [True] * (kind == "BF16")
    assert find_model(tmp_path / "out").mmproj == report.mmproj


def test_damaged_and_missing_files(tiny_checkpoint: Path, tmp_path: Path) -> None:
    cut = altered(tiny_checkpoint, tmp_path / "cut")
    weights = cut / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    assert "damaged" in refusal(cut, tmp_path / "out").message
    weights.unlink()
    assert refusal(cut, tmp_path / "out").code == ErrorCode.bad_input
    assert refusal(tmp_path / "nowhere", tmp_path / "out").exit_code == 2


def test_unknown_types_are_refused(tiny_checkpoint: Path, tmp_path: Path) -> None:
    for text, vision in (("Q4_X", "F16"), ("Q8_0", "Q4_K_M")):
        with pytest.raises(VisCodexError, match=r"Q4.*no type") as caught:
            export(tiny_checkpoint, tmp_path / "out", text, vision)
        assert caught.value.code == ErrorCode.bad_input
        assert "Q8_0" in caught.value.advice
    assert not (tmp_path / "out").exists()


def test_a_failure_leaves_the_export_that_was_there(tiny_checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(tiny_checkpoint, out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def full(made: Made) -> dict[str, Any]:
        raise OSError(28, "No space left on device")

    # The last step before the files take their places.
    with pytest.raises(OSError, match="No space"):
        export_checkpoint(tiny_checkpoint, out, card=CARD, name="tiny", inspect=full)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


KILLED = """
import os, signal, sys
from pathlib import Path
import training.export.writing as writing
from tests.fixtures.tiny_model import CARD
from training.export import export_checkpoint

encoded, count = writing._encoded, 0

def dying(*values):
    global count
    count += 1
    if count == 40:  # the model is written, the vision file half
        os.kill(os.getpid(), signal.SIGKILL)
    return encoded(*values)

writing._encoded = dying
export_checkpoint(Path(sys.argv[1]), Path(sys.argv[2]), card=CARD, name="tiny")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_killed_export_leaves_no_file_that_looks_whole(
    tiny_checkpoint: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    result = subprocess.run(
        [sys.executable, "-c", KILLED, str(tiny_checkpoint), str(out)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
    )
    assert result.returncode == -signal.SIGKILL, result.stderr.decode()
    assert sorted(path.name for path in out.iterdir()) == ["mmproj.part", "model.part"]
    export(tiny_checkpoint, out)
    assert len(list(out.iterdir())) == 3
    assert [problem for _, problem in verify(find_model(out))] == [None, None]


def test_another_type_replaces_the_files_of_the_card(tiny_checkpoint: Path, tmp_path: Path) -> None:
    export(tiny_checkpoint, tmp_path)
    (tmp_path / "README.md").write_text("mine")
    (tmp_path / "other.gguf").write_bytes(b"mine")
    export(tiny_checkpoint, tmp_path, "Q8_0", "Q8_0")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "README.md",
        "mmproj-Q8_0.gguf",
        "model-Q8_0.gguf",
        "other.gguf",
        "viscodex.json",
    ]


def test_quantize(tiny_model_dir: Path, tmp_path: Path) -> None:
    for name in ("model", "mmproj"):
        source, out = tiny_model_dir / f"{name}-F32.gguf", tmp_path / f"{name}-Q4_K_M.gguf"
        quantize(source, out, "Q4_K_M", threads=1)
        assert out.stat().st_size < 0.5 * source.stat().st_size
        assert len(read_header(out).tensors) == len(read_header(source).tensors)
    broken = tmp_path / "broken.gguf"
    broken.write_bytes((tiny_model_dir / "model-F32.gguf").read_bytes()[:5000])
    for source, kind in ((broken, "Q6_K"), (tmp_path / "none.gguf", "Q6_K"), (broken, "Q3")):
        with pytest.raises(VisCodexError):
            quantize(source, tmp_path / "new.gguf", kind)
    assert not list(tmp_path.glob("new*"))


def test_the_tiny_model_depends_on_its_seed_alone(tiny_checkpoint: Path, tmp_path: Path) -> None:
    before = torch.random.get_rng_state()
    build_tiny_checkpoint(tmp_path / "same", 0)
    build_tiny_checkpoint(tmp_path / "other", 1)
    assert torch.equal(torch.random.get_rng_state(), before)
    file = "model.safetensors"
    assert (tmp_path / "same" / file).read_bytes() == (tiny_checkpoint / file).read_bytes()
    assert (tmp_path / "other" / file).read_bytes() != (tiny_checkpoint / file).read_bytes()
    shutil.rmtree(tmp_path / "other")
