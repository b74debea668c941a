"""Cards and the store: what is found where, and what is refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from engine.errors import ErrorCode, VisCodexError
from engine.images import ImageLimits
from engine.models.card import ModelCard
from engine.models.store import FOLDER_VARIABLE, ModelFiles, find_model, list_models, verify
from tests.engine.scripted_model import build, chain


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of models with one in it, and no others of the user."""
    folder = tmp_path / "models"
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    files = build(folder / "mine", chain("<p>", "<|im_end|>"))
    sums = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (files.model, files.mmproj)
    }
    card = {**files.card.to_json(), "name": "mine", "sha256": sums}
    (folder / "mine" / "viscodex.json").write_text(json.dumps(card))
    return folder


def refused(*arguments: object) -> VisCodexError:
    with pytest.raises(VisCodexError) as caught:
        find_model(*arguments)  # type: ignore[arg-type]
    assert caught.value.exit_code == 2
    return caught.value


def test_by_name_folder_and_file(home: Path) -> None:
    folder = home / "mine"
    by_name = find_model("mine")
    assert by_name.name == "mine"
    assert find_model(folder) == by_name
    assert find_model(str(folder / "model-f32.gguf")) == by_name
    assert find_model(folder / "model-f32.gguf", folder / "mmproj-f32.gguf") == by_name
    assert by_name in list_models()


def test_what_is_listed_is_found_whatever_its_folder_is_called(home: Path) -> None:
    (listed,) = [files for files in list_models() if files.name == "mine"]
    listed.model.parent.rename(home / "called otherwise")
    assert "mine" in [files.name for files in list_models()]
    assert find_model("mine").model.parent == home / "called otherwise"


def test_files_without_a_card(home: Path, tmp_path: Path) -> None:
    (home / "mine" / "viscodex.json").unlink()
    files = find_model(home / "mine")
    assert files.card.name == "scripted"
    assert files.card.prompt == "full"
    assert files.card.family == "qwen2.5vl"
    assert files.card.image.factor == 28
    assert files.card.context == 2048  # what it was trained for


def test_what_is_not_there(home: Path, tmp_path: Path) -> None:
    error = refused("nobody")
    assert error.code is ErrorCode.model_missing
    assert "mine" in error.advice
    assert refused(tmp_path / "none.gguf").code is ErrorCode.model_missing
    (tmp_path / "empty").mkdir()
    assert refused(tmp_path / "empty").code is ErrorCode.model_missing
    (home / "mine" / "mmproj-f32.gguf").rename(home / "elsewhere.gguf")
    assert "--mmproj" in refused(home / "mine" / "model-f32.gguf").advice
    assert refused("../mine").code is ErrorCode.model_missing


def test_a_model_that_is_no_model(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF" + bytes(50))
    assert refused(path, home / "mine" / "mmproj-f32.gguf").code is ErrorCode.model_broken


def test_verify(home: Path) -> None:
    files = find_model("mine")
    assert [problem for _, problem in verify(files)] == [None, None]
    data = bytearray(files.model.read_bytes())
    data[-1] ^= 1
    files.model.write_bytes(data)
    assert [bool(problem) for _, problem in verify(files)] == [True, False]
    files.mmproj.write_bytes(b"")
    assert [bool(problem) for _, problem in verify(files)] == [True]


def test_a_card_comes_back(home: Path) -> None:
    card = ModelCard(
        name="x",
        hints="always",
        prompt="short",
        system="s",
        image=ImageLimits(min_tokens=4, max_tokens=100),
        context=1024,
        sampling={"temperature": 0.2},
        sha256={"a": "b"},
    )
    assert ModelCard.from_json(json.loads(json.dumps(card.to_json()))) == card


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": None},
        {"hints": "perhaps"},
        {"prompt": 3},
        {"targets": ["poem"]},
        {"context": 10**9},
        {"context": True},
        {"image": {"min_tokens": 0}},
        {"image": {"min_tokens": 9, "max_tokens": 8}},
        {"sampling": {"temperature": "hot"}},
        {"sampling": {"temperature": float("nan")}},
        {"sha256": []},
    ],
)
def test_a_broken_card_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(VisCodexError) as caught:
        ModelCard.from_json({"name": "x"} | change)
    assert caught.value.code is ErrorCode.model_broken
    assert "\n" not in caught.value.message


def test_a_broken_card_file(home: Path) -> None:
    card = home / "mine" / "viscodex.json"
    for content in ("", "{", "[]", "[" * 100_000):
        card.write_text(content)
        assert refused("mine").code is ErrorCode.model_broken
    assert isinstance(list_models(), list)


def test_unknown_targets_of_a_newer_card_are_left_out() -> None:
    card = ModelCard.from_json({"name": "x", "targets": ["html", "vue"], "colour": "red"})
    assert card.targets == ("html",)


def test_files_compare_by_content(home: Path) -> None:
    files = find_model("mine")
    assert files == ModelFiles(files.model, files.mmproj, files.card)
