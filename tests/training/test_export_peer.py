"""Our files beside those of llama.cpp's own converter: the same tensors, the same metadata.

VISCODEX_LLAMA_SOURCES names the folder of llama.cpp's sources (`vendor/llama.cpp` in the source
distribution of llama-cpp-python); the tests are skipped without it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import gguf
import pytest
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from tests.fixtures.tiny_model import CARD, build_tiny_checkpoint
from tests.fixtures.tiny_qwen3 import CARD_3, build_tiny_qwen3
from training.export import export_checkpoint

ROOT = Path(__file__).resolve().parents[2]
KINDS = ("F32", "F16", "BF16", "Q8_0")
CARDS = {"qwen2_5_vl": CARD, "qwen3_vl": CARD_3}

# Keys that may differ, and why. Everything else must be equal, in value and in type.
DIFFERENT: dict[str, str] = {
    "GGUF.kv_count": "counts the keys below",
    "general.name": "the name that is asked for; the converter makes one of the folder's",
    "general.size_label": "for people; llama.cpp only prints it",
    "tokenizer.ggml.add_bos_token": "false, which llama.cpp takes for this tokenizer as well",
    "clip.vision.spatial_merge_size": "2, which llama.cpp takes for Qwen2.5-VL as well",
    "clip.vision.attention.layer_norm_epsilon": (
        "of Qwen3-VL: the converter gives the language model's; the tower of transformers has 1e-6"
    ),
}


@pytest.fixture(scope="module")
def sources() -> Path:
    folder = os.environ.get("VISCODEX_LLAMA_SOURCES", "")
    if not (Path(folder) / "convert_hf_to_gguf.py").is_file() or not folder:
        pytest.skip("VISCODEX_LLAMA_SOURCES names no folder with convert_hf_to_gguf.py")
    return Path(folder)


@pytest.fixture(scope="module", params=CARDS)
def converted(
    request: pytest.FixtureRequest, sources: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path, Path]:
    """Family, checkpoint, and the folder of the converter's files in all types."""
    folder = tmp_path_factory.mktemp(request.param)
    # The converter maps no projector of a tower with less than three blocks.
    checkpoint = build_tiny_checkpoint(folder / "qwen2_5_vl", depth=4)
    if request.param == "qwen3_vl":
        checkpoint = build_tiny_qwen3(folder / "qwen3_vl", checkpoint)
    Qwen2VLImageProcessorPil().save_pretrained(checkpoint)
    command = [sys.executable, str(ROOT / "training/bench/converter.py"), str(sources)]
    done = subprocess.run(
        [*command, str(checkpoint), str(folder), *KINDS], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return request.param, checkpoint, folder


def tensors(path: Path) -> dict[str, tuple[Any, list[int], bytes]]:
    return {
        tensor.name: (tensor.tensor_type, list(tensor.shape), tensor.data.tobytes())
        for tensor in gguf.GGUFReader(path).tensors
    }


def keys(path: Path) -> dict[str, tuple[Any, Any]]:
    fields = gguf.GGUFReader(path).fields
    return {name: (field.types, field.contents()) for name, field in fields.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_the_files_are_the_converters(
    converted: tuple[str, Path, Path], tmp_path: Path, kind: str
) -> None:
    family, checkpoint, theirs = converted
    report = export_checkpoint(
        checkpoint, tmp_path, card=CARDS[family], name="a", text_type=kind, mmproj_type=kind
    )
    assert report.notes == ()
    for ours, name in ((report.model, "text"), (report.mmproj, "vision")):
        peer = theirs / f"{name}-{kind}.gguf"
        mine, others = tensors(ours), tensors(peer)
        assert mine.keys() == others.keys()
        assert [tensor for tensor in mine if mine[tensor] != others[tensor]] == []
        mine_keys, other_keys = keys(ours), keys(peer)
        different = {
            key
            for key in mine_keys.keys() | other_keys.keys()
            if mine_keys.get(key) != other_keys.get(key)
        }
        assert different <= DIFFERENT.keys()
        # What differs says no more than is explained.
        assert mine_keys.get("clip.vision.spatial_merge_size", (None, 2))[1] == 2
        assert mine_keys.get("tokenizer.ggml.add_bos_token", (None, False))[1] is False
        epsilon = mine_keys.get("clip.vision.attention.layer_norm_epsilon")
        assert epsilon is None or epsilon[1] == pytest.approx(1e-6)
        assert (family == "qwen3_vl") >= ("clip.vision.attention.layer_norm_epsilon" in different)
