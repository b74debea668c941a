"""What is skipped and what runs again, on a merge of the bundled model with one of the same base:
changed keys, changed and deleted files, stages chosen by name, a stage that failed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from engine.errors import VisCodexError
from engine.models.store import find_model
from engine.models.store import verify as check_sums
from tests.fixtures.pipeline import WEIGHTS, merge_only, pair, stages
from training.pipeline.plan import Choice
from training.pipeline.recipe import load_pipeline
from training.pipeline.run import dry_run, run
from training.pipeline.state import State

ALL = ["merge", "export", "verify", "card"]


class Project:
    """A folder with two checkpoints, a recipe and its work folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.work = folder, folder / "work"
        self.vlm, self.coder = folder / "run" / "checkpoint", folder / "coder"

    def _recipe(self, changes: dict[str, Any]) -> Any:
        path = merge_only(self.folder, self.vlm, self.coder, **changes)
        return load_pipeline(path, self.work)

    def run(self, choice: Choice | None = None, **changes: Any) -> list[str]:
        """Run; the stages that were not skipped."""
        said: list[str] = []
        run(self._recipe(changes), self.work, choice, report=said.append)
        return [line.split()[1][:-1] for line in said if " runs (" in line]

    def plan(self, choice: Choice | None = None, **changes: Any) -> dict[str, str]:
        """What a dry run says of each stage."""
        said: list[str] = []
        dry_run(self._recipe(changes), self.work, choice or Choice(), said.append)
        rows = (line.split(maxsplit=3) for line in said)
        return {name: f"{verdict} {why}" for _, verdict, name, why in rows}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Run once. Only to be read."""
    folder = tmp_path_factory.mktemp("made")
    pair(folder)
    project = Project(folder)
    assert project.run() == ALL
    return project


@pytest.fixture
def project(made: Project, tmp_path: Path) -> Iterator[Project]:
    """The same, to change. It lies where it was made, since records name the models by path."""
    kept = tmp_path / "kept"
    shutil.copytree(made.folder, kept)
    yield made
    shutil.rmtree(made.folder)
    shutil.copytree(kept, made.folder)


def test_a_model_folder_comes_out(made: Project) -> None:
    files = find_model(made.work / "model")
    assert [problem for _, problem in check_sums(files)] == [None, None]
    card = files.card
    assert (card.name, card.hints, card.prompt, card.context) == ("pair", "always", "short", 2048)
    assert (card.image.min_tokens, card.image.max_tokens) == (16, 64)
    assert card.training["merge"]["weight"] == 0.7
    text = (made.work / "model" / "README.md").read_text()
    assert "| vlm | checkpoint | 0.7 |" in text and "| coder | coder | 0.3 |" in text
    assert str(made.folder) not in text
    record = stages(made.work)
    assert list(record) == ALL and all(row["status"] == "done" for row in record.values())
    assert all(row["seconds"] > 0 for row in record.values())


def test_nothing_changed_nothing_runs(made: Project) -> None:
    before = (made.work / "model" / "model-Q8_0.gguf").stat()
    assert made.run() == []
    for name in (made.vlm / WEIGHTS, made.work / "merged" / "config.json"):
        os.utime(name)  # a new time, the same content
    assert made.run() == []
    assert (made.work / "model" / "model-Q8_0.gguf").stat() == before


def test_files_are_read_once(made: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    made.run()
    read: list[Path] = []
    monkeypatch.setattr("training.sums.sha256_of", lambda path: read.append(path) or "")
    made.plan()
    assert read == []


def test_only_what_depends_on_a_change_runs_again(project: Project) -> None:
    assert project.run(card={"licence": "MIT"}) == ["card"]
    assert find_model(project.work / "model").card.licence == "MIT"
    verified = project.run(card={"licence": "MIT"}, verify={"tokens": 2})
    assert verified[0] == "verify" and "export" not in verified
    changed = {"card": {"licence": "MIT"}, "verify": {"tokens": 2}, "export": {"quant": ["F16"]}}
    assert project.run(**changed) == ["export", "verify", "card"]
    assert not (project.work / "model" / "model-Q8_0.gguf").exists()
    assert project.run(**changed, merge={"weight": 0.6}) == ALL
    # An input by content: one value of the coder.
    weights = load_file(project.coder / WEIGHTS)
    weights["model.norm.weight"][0] += 0.5
    save_file(weights, project.coder / WEIGHTS, {"format": "pt"})
    plan = project.plan(**changed, merge={"weight": 0.6})
    assert plan["merge"] == f"run coder/{WEIGHTS} changed"
    assert project.run(**changed, merge={"weight": 0.6}) == ALL


def test_a_result_that_is_gone_or_changed_is_made_again(project: Project) -> None:
    shard = next((project.work / "merged").glob("*.safetensors"))
    before = shard.read_bytes()
    shard.unlink()
    plan = project.plan()
    assert plan["merge"] == f"run merged/{shard.name} is gone"
    assert plan["export"] == "run if merge comes out differently"
    assert project.run() == ["merge"]  # and what comes of it is the same
    assert shard.read_bytes() == before
    gguf = project.work / "model" / "model-Q8_0.gguf"
    content = bytearray(gguf.read_bytes())
    content[-5] ^= 1
    gguf.write_bytes(content)
    assert project.plan()["export"] == "run model/model-Q8_0.gguf was changed"
    assert project.run()[0] == "export"
    assert [problem for _, problem in check_sums(find_model(gguf.parent))] == [None, None]
    (gguf.parent / "viscodex.json").unlink()
    assert project.run() == ["card"]


def test_a_dry_run_tells_why_and_writes_nothing(project: Project) -> None:
    before = {path: path.stat().st_mtime_ns for path in project.work.rglob("*")}
    assert project.plan() == dict.fromkeys(ALL, "skip unchanged")
    plan = project.plan(merge={"weight": 0.5})
    assert plan["merge"] == "run changed in the recipe: weight"
    assert plan["verify"] == "run if merge comes out differently"
    assert {path: path.stat().st_mtime_ns for path in project.work.rglob("*")} == before
    shutil.rmtree(project.work)
    assert project.plan() == dict.fromkeys(ALL, "run not run yet")
    assert not project.work.exists()


def test_stages_can_be_chosen(project: Project) -> None:
    assert project.run(Choice(only="verify")) == []
    assert project.run(Choice(only="verify", force=True)) == ["verify"]
    assert project.run(Choice(first="verify", force=True)) == ["verify", "card"]
    # Earlier stages are taken as they are.
    assert project.run(Choice(first="verify"), merge={"weight": 0.2}) == []
    (project.work / "state.json").unlink()
    with pytest.raises(VisCodexError, match="export needs merge, which is not done") as caught:
        project.run(Choice(first="export"))
    assert caught.value.exit_code == 2


def test_a_stage_that_failed_is_told_and_goes_on(project: Project) -> None:
    config = project.work / "merged" / "config.json"
    good = config.read_text()
    shutil.rmtree(project.work / "model")
    config.write_text("{")
    with pytest.raises(VisCodexError):
        project.run(Choice(first="export"))
    row = stages(project.work)["export"]
    assert row["status"] == "failed" and "config.json" in row["error"]
    config.write_text(good)
    assert project.run()[0] == "export"


def test_a_state_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    assert State.read(tmp_path).stages == {}
    (tmp_path / "state.json").write_text('{"format": 1, "stages": 3}')
    with pytest.raises(VisCodexError, match="cannot be read") as caught:
        State.read(tmp_path)
    assert caught.value.exit_code == 2
