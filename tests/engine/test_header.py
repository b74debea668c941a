"""GGUF headers: good files pass, and no broken one reaches native code or ends in a traceback."""

from __future__ import annotations

import struct
from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import ErrorCode, VisCodexError
from engine.models.check import check_files
from engine.models.header import BLOCKS, ArrayShape, read_header
from engine.models.store import ModelFiles
from tests.engine.scripted_model import WIDTH, build, chain, write_vision


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> ModelFiles:
    return build(tmp_path_factory.mktemp("header"), chain("<p>", "<|im_end|>"))


def refused(path: Path, mmproj: Path | None = None) -> VisCodexError:
    with pytest.raises(VisCodexError) as caught:
        read_header(path) if mmproj is None else check_files(path, mmproj)
    assert caught.value.exit_code == 2
    assert "\n" not in caught.value.message
    return caught.value


def test_a_good_pair(files: ModelFiles) -> None:
    facts = check_files(files.model, files.mmproj)
    assert facts.width == WIDTH
    assert facts.projector == "qwen2.5vl_merger"
    assert facts.token_side == 28
    header = read_header(files.model)
    reader = gguf.GGUFReader(files.model)
    assert set(header.tensors) == {tensor.name for tensor in reader.tensors}
    for tensor in reader.tensors:
        mine = header.tensors[tensor.name]
        assert mine.dims == tuple(int(side) for side in tensor.shape)
        assert header.data_start + mine.offset == tensor.data_offset
    assert isinstance(header.keys["tokenizer.ggml.tokens"], ArrayShape)


def test_block_sizes_are_those_of_the_library() -> None:
    theirs = {int(kind): size for kind, size in gguf.GGML_QUANT_SIZES.items()}
    assert {kind: theirs[kind] for kind in BLOCKS if kind in theirs} == {
        kind: size for kind, size in BLOCKS.items() if kind in theirs
    }
    assert set(theirs) <= set(BLOCKS)


def test_files_that_are_nothing_of_the_kind(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.gguf").code is ErrorCode.model_missing
    for name, content in {"empty": b"", "text": b"hello" * 100, "zeros": bytes(4096)}.items():
        path = tmp_path / f"{name}.gguf"
        path.write_bytes(content)
        assert refused(path).code is ErrorCode.model_broken


def test_the_wrong_way_round(files: ModelFiles) -> None:
    assert "mmproj" in refused(files.mmproj, files.model).message
    assert refused(files.model, files.model).code is ErrorCode.model_broken


def test_two_that_do_not_fit_say_both_numbers(files: ModelFiles, tmp_path: Path) -> None:
    write_vision(tmp_path / "mmproj.gguf", projected=256)
    error = refused(files.model, tmp_path / "mmproj.gguf")
    assert error.code is ErrorCode.model_mismatch
    assert str(WIDTH) in error.message
    assert "256" in error.message


def test_every_cut_is_noticed(files: ModelFiles, tmp_path: Path) -> None:
    data = files.model.read_bytes()
    start = read_header(files.model).data_start
    path = tmp_path / "cut.gguf"
    for length in [*range(0, start, 97), start, start + 1000, len(data) - 1]:
        path.write_bytes(data[:length])
        assert refused(path).code is ErrorCode.model_broken


def test_numbers_out_of_all_bounds(tmp_path: Path) -> None:
    path = tmp_path / "big.gguf"
    huge = 2**62
    for body in (
        struct.pack("<QQ", huge, 0),
        struct.pack("<QQ", 0, huge),
        struct.pack("<QQQ", 0, 1, huge),  # a key name of that length
        struct.pack("<QQQ1sIIQ", 0, 1, 1, b"a", 9, 8, huge),  # an array of that many strings
        struct.pack("<QQQ1sIIQ", 0, 1, 1, b"a", 9, 9, 1),  # an array of arrays
        struct.pack("<QQQ1sIQ", 0, 1, 1, b"a", 99, 1),  # an unknown type
        struct.pack("<QQQ1sII", 1, 0, 1, b"t", 9, 1),  # nine dimensions
        struct.pack("<QQQ1sIQIQ", 1, 0, 1, b"t", 1, huge, 0, 0),
        struct.pack("<QQQ1sIQIQ", 1, 0, 1, b"t", 1, 0, 0, 0),
        struct.pack("<QQQ1sIQIQ", 1, 0, 1, b"t", 1, 8, 77, 0),
        struct.pack("<QQQ1sIQIQ", 1, 0, 1, b"t", 1, 8, 0, huge),
        struct.pack("<QQQ1sIQIQ", 1, 0, 1, b"t", 1, 8, 0, 7),
    ):
        path.write_bytes(b"GGUF" + struct.pack("<I", 3) + body + bytes(64))
        assert refused(path).code is ErrorCode.model_broken


def test_versions(files: ModelFiles, tmp_path: Path) -> None:
    data = bytearray(files.model.read_bytes())
    path = tmp_path / "version.gguf"
    data[4:8] = struct.pack("<I", 1)
    path.write_bytes(data)
    assert "version 1" in refused(path).message
    data[4:8] = struct.pack(">I", 3)
    path.write_bytes(data)
    assert "big-endian" in refused(path).message


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("qwen2vl.block_count", 100_000),
        ("qwen2vl.block_count", 2),
        ("qwen2vl.embedding_length", 0),
        ("qwen2vl.attention.head_count", 0),
        ("tokenizer.ggml.eos_token_id", 99_999),
    ],
)
def test_values_that_would_harm(files: ModelFiles, tmp_path: Path, key: str, value: int) -> None:
    data = bytearray(files.model.read_bytes())
    name = key.encode()
    at = data.index(struct.pack("<Q", len(name)) + name) + 8 + len(name) + 4
    data[at : at + 4] = struct.pack("<I", value)
    path = tmp_path / "model.gguf"
    path.write_bytes(data)
    assert refused(path, files.mmproj).code is ErrorCode.model_broken


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(st.integers(0, 6000), st.integers(0, 255)), min_size=1, max_size=6))
def test_changed_bytes_never_end_in_anything_else(
    files: ModelFiles, tmp_path: Path, changes: list[tuple[int, int]]
) -> None:
    data = bytearray(files.model.read_bytes())
    for at, value in changes:
        data[at] = value
    path = tmp_path / "changed.gguf"
    path.write_bytes(data)
    outcome = "passed"
    try:
        check_files(path, files.mmproj)
    except VisCodexError as error:
        outcome = error.code.value
    assert outcome in {"passed", "model_broken", "model_unsupported", "model_mismatch"}


def test_a_large_vocabulary_is_walked_over_not_kept(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "large.gguf", "qwen2vl")
    writer.add_token_list([f"token{index}" for index in range(150_000)])
    writer.add_tensor("a", np.zeros(8, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    shape = read_header(tmp_path / "large.gguf").keys["tokenizer.ggml.tokens"]
    assert shape == ArrayShape(8, 150_000)
