"""Importance matrices: collected as llama.cpp does, used by its quantizer, worth having."""

from __future__ import annotations

import json
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from transformers import AutoModelForImageTextToText

from engine.errors import ErrorCode, VisCodexError
from tests.fixtures.tiny_model import CARD, TEXT
from training.export import export_checkpoint, imatrix
from training.export.quantize import quantize
from training.export.scoring import TextModel
from training.export.texts import held_out_answers, read_texts
from training.nano.archive import unpack
from training.nano.stages import snapshot_stage

ROOT = Path(__file__).resolve().parents[2]
KIND = "Q2_K"  # where it matters most


@pytest.fixture(scope="module")
def nano(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The language model of the bundled model in F32, exported from its checkpoint."""
    folder = tmp_path_factory.mktemp("nano")
    unpack(ROOT / "training" / "checkpoints" / "nano", folder / "work")
    checkpoint = snapshot_stage(folder / "work", None)
    return export_checkpoint(
        checkpoint, folder / "out", card=CARD, name="nano", text_type="F32", mmproj_type="Q8_0"
    ).model


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Calibration texts, as JSON lines of training data."""
    path = tmp_path_factory.mktemp("texts") / "answers.jsonl"
    lines = [
        {"prompt": answer.prompt, "completion": answer.text}
        for answer in held_out_answers(12, short=True)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def surprise(path: Path, texts: Path) -> float:
    """-log p a token of the calibration texts."""
    with TextModel(path) as model:
        tokens = [model.vocabulary.tokenize(text, special=False) for text in read_texts(texts)]
        total, count = model.surprise((ids, 1) for ids in tokens)
    return total / count


def test_a_matrix_makes_a_quantization_better(nano: Path, texts: Path, tmp_path: Path) -> None:
    matrix = imatrix.collect(nano, texts)
    with_it, without = tmp_path / "with.gguf", tmp_path / "without.gguf"
    quantize(nano, without, KIND)
    quantize(nano, with_it, KIND, importance=imatrix.importance_for(matrix, nano))
    assert with_it.stat().st_size == pytest.approx(without.stat().st_size, rel=0.01)
    assert with_it.read_bytes() != without.read_bytes()
    exact = surprise(nano, texts)
    lost, lost_with = surprise(without, texts) - exact, surprise(with_it, texts) - exact
    assert 0 < lost_with < lost


def test_sums_are_those_of_what_goes_into_the_matrices(
    tiny_checkpoint: Path, tiny_model_dir: Path, tmp_path: Path
) -> None:
    """The same text through transformers, whose inputs are squared and summed here."""
    data = tmp_path / "text.txt"
    data.write_text(TEXT * 3)
    found = imatrix.collect(tiny_model_dir / "model-F32.gguf", data, chunks=1)
    with TextModel(tiny_model_dir / "model-F32.gguf") as model:
        tokens = model.vocabulary.tokenize(TEXT * 3, special=True)[: model.context]
    reference = AutoModelForImageTextToText.from_pretrained(tiny_checkpoint, dtype=torch.float32)
    seen = {}
    for name, part in (("attn_q", "self_attn.q_proj"), ("ffn_down", "mlp.down_proj")):
        module = reference.model.language_model.layers[1].get_submodule(part)
        module.register_forward_pre_hook(
            lambda _, args, name=name: seen.update({name: args[0][0].square().sum(0)})
        )
    with torch.no_grad():
        reference(input_ids=torch.tensor([tokens]))
    for name, wanted in seen.items():
        tensor = f"blk.1.{name}.weight"
        assert found.counts[tensor] == len(tokens)
        assert found.sums[tensor] == pytest.approx(wanted.numpy(), rel=0.02, abs=0.02)
    assert set(found.sums) == {
        f"blk.{layer}.{part}.weight"
        for layer in (0, 1)
        for part in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_up", "ffn_gate", "ffn_down")
    }


def test_the_file_is_llama_cpps(tiny_model_dir: Path, tmp_path: Path) -> None:
    data = tmp_path / "text.txt"
    data.write_text(TEXT * 4)
    matrix = imatrix.collect(tiny_model_dir / "model-F32.gguf", data)
    path = tmp_path / "a.imatrix"
    imatrix.write(matrix, path)
    reader = gguf.GGUFReader(path)
    fields = {name: field.contents() for name, field in reader.fields.items()}
    assert fields["general.type"] == "imatrix"
    assert fields["imatrix.datasets"] == ["text.txt"]
    assert (fields["imatrix.chunk_count"], fields["imatrix.chunk_size"]) == (matrix.chunks, 512)
    shapes = {tensor.name: list(tensor.shape) for tensor in reader.tensors}
    assert shapes["blk.0.ffn_down.weight.in_sum2"] == [512, 1]
    assert shapes["blk.0.ffn_down.weight.counts"] == [1, 1]
    again = imatrix.read(path)
    assert again.counts == matrix.counts and again.chunks == matrix.chunks
    for name, sums in matrix.sums.items():
        assert np.array_equal(again.sums[name], sums.astype(np.float32))


def test_what_is_no_matrix_for_the_model_is_told(
    nano: Path, tiny_model_dir: Path, texts: Path, tmp_path: Path
) -> None:
    model = tiny_model_dir / "model-F32.gguf"
    with pytest.raises(VisCodexError, match="does not fit the model"):
        imatrix.importance_for(imatrix.collect(nano, texts, chunks=1), model)
    old = tmp_path / "old.dat"
    old.write_bytes(b"\x0e\x00\x00\x00")
    for path, said in ((old, "old kind"), (model, "no importance matrix")):
        with pytest.raises(VisCodexError, match=said) as caught:
            imatrix.read(path)
        assert caught.value.code == ErrorCode.bad_input
    short = tmp_path / "short.txt"
    short.write_text("<p>")
    with pytest.raises(VisCodexError, match="too few"):
        imatrix.collect(model, short)


def test_texts_of_every_kind(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("<p>page</p>")
    messages = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "ask"}]}]
    lines = [{"messages": messages}, {"prompt": "p", "completion": "c", "id": 3}, {"text": ""}]
    (tmp_path / "b.jsonl").write_text("\n".join(json.dumps(line) for line in lines) + "\n\n")
    (tmp_path / "c.png").write_bytes(b"\x89PNG")
    assert read_texts(tmp_path) == ["<p>page</p>", "ask", "p\nc"]
    (tmp_path / "b.jsonl").write_text("[1]\n")
    for place, said in (
        (tmp_path / "b.jsonl", "Line 1"),
        (tmp_path / "c.png", "as text"),
        (tmp_path / "none.txt", "as text"),
    ):
        with pytest.raises(VisCodexError, match=said) as caught:
            read_texts(place)
        assert caught.value.code == ErrorCode.bad_input
