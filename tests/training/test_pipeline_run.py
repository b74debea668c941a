"""The nano recipe from end to end with a few steps a stage, and the same killed in merge, data and
training: what comes out is the same."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from safetensors.torch import load_file

from engine.models.store import find_model
from engine.models.store import verify as check_sums
from tests.fixtures.pipeline import ROOT, few_steps, stages, write_recipe
from training.pipeline.plan import Choice
from training.pipeline.recipe import load_pipeline
from training.pipeline.run import dry_run, run
from training.sft.run import last_state
from training.sft.trainer import read_log

pytestmark = pytest.mark.slow
STAGES = ["unpack", "data", "coder", "merge", "sft", "export", "verify", "evaluate", "card"]
HANGS = 240.0  # seconds
# Small blocks and a moment after each, so that a merge of a second can be stopped within.
SLOW_MERGE = (
    "import time, training.shards, training.merge.tensor as run\n"
    "training.shards.SYNC, run.BLOCK = 100_000, 65536\n"
    "likeness = run.likeness\n"
    "run.likeness = lambda block: (time.sleep(0.01), likeness(block))[1]\n"
)


def start(file: Path, work: Path, before: str = "") -> subprocess.Popen[str]:
    """The command as a process."""
    code = f"{before}from training.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, "run", str(file), "--work", str(work)],
        cwd=ROOT,
        env=os.environ | {"OMP_WAIT_POLICY": "passive"},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def finish(process: subprocess.Popen[str]) -> list[str]:
    said, complaint = process.communicate(timeout=HANGS)
    assert process.returncode == 0, complaint[-3000:]
    return said.splitlines()


def kill_when(process: subprocess.Popen[str], there: Callable[[], bool]) -> None:
    """Kill a run in the middle; its children end as well."""
    until = time.monotonic() + HANGS
    while not there():
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.005)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recipe(tmp_path_factory.mktemp("recipe") / "few.yaml", few_steps())


@pytest.fixture(scope="module")
def whole(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A run that nothing disturbed, and what it said."""
    work = tmp_path_factory.mktemp("whole") / "work"
    return work, finish(start(recipe, work))


def test_one_command_makes_a_model_with_a_card(whole: tuple[Path, list[str]]) -> None:
    work, said = whole
    for number, name in enumerate(STAGES, 1):
        place = f"[{number}/{len(STAGES)}] {name}:"
        assert f"{place} runs (not run yet)" in said
        assert any(line.startswith(f"{place} done in ") for line in said)
    files = find_model(work / "model")
    assert [problem for _, problem in check_sums(files)] == [None, None]
    card = files.card
    assert (card.name, card.hints, card.prompt, card.system) == (
        "viscodex-nano-tune", "always", "short", ""
    )  # fmt: skip
    assert card.training["sft"]["steps"] == 4 and card.training["coder"]["steps"] == 1
    assert card.training["merge"]["models"]["coder"] == "coder/model of this recipe"
    assert card.evaluation["Held-out generated pictures"]["all"]["snips"] == 1
    text = (work / "model" / "README.md").read_text()
    for part in (
        "| vlm | base/checkpoint of this recipe | 0.7 |",
        "| generated | Apache-2.0 |",
        "| sft | language | 4 |",
        f"| model-Q8_0.gguf | {files.model.stat().st_size / 1e6:.1f} |",
        "Held-out generated pictures (1 pictures)",
        "| llama-cpp-python |",
        "Licence: Apache-2.0",
    ):
        assert part in text, part
    assert json.loads((work / "verify.json").read_text())["passed"]


def test_the_records_of_the_data_set_are_trained_on_with_pictures_and_hints(
    whole: tuple[Path, list[str]],
) -> None:
    from datasets import load_from_disk
    from transformers import AutoTokenizer

    work, _ = whole
    tokenizer = AutoTokenizer.from_pretrained(work / "sft" / "model")
    report = json.loads((work / "sft" / "rows" / "rows.json").read_text())
    assert set(report["dropped"]) <= {"too long"}
    rows = load_from_disk(str(work / "sft" / "rows" / "train"))
    texts = [tokenizer.decode(row["prompt"]) for row in rows]
    assert all(
        row["pictures"] and "<|image_pad|>" in text for row, text in zip(rows, texts, strict=True)
    )
    assert sum(text.count("</\n") > 0 for text in texts) > len(texts) // 2
    assert all(("Write the HTML" in text) or ("Write the matplotlib" in text) or
               ("Write the code" in text) for text in texts)  # fmt: skip
    # The code model saw the same texts without any picture.
    plain = load_from_disk(str(work / "coder" / "rows" / "train"))
    assert not any(row["pictures"] for row in plain)
    assert not any("<|image_pad|>" in tokenizer.decode(row["prompt"]) for row in plain)


def test_convert_runs_the_result(whole: tuple[Path, list[str]], samples: Path) -> None:
    command = [sys.executable, "-m", "app.cli", "convert", str(samples / "login.png"), "--json"]
    done = subprocess.run(
        [*command, "--model", str(whole[0] / "model"), "--max-tokens", "60"],
        cwd=ROOT, capture_output=True, text=True, timeout=HANGS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["model"] == "viscodex-nano-tune" and found["code"]


def test_killed_in_every_long_stage_and_gone_on_with(
    whole: tuple[Path, list[str]], recipe: Path, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    data = work / "data" / "parts"
    process = start(recipe, work)
    kill_when(process, lambda: len(list(data.glob("*/[0-9]*.json"))) >= 2)
    assert stages(work)["data"]["status"] == "running"
    parts = {path: path.stat().st_mtime_ns for path in data.glob("*/[0-9]*.json")}

    process = start(recipe, work, SLOW_MERGE)
    kill_when(process, lambda: bool(list((work / "merged").glob(".merge/*.jsonl"))))
    assert stages(work)["merge"]["status"] == "running"
    assert not (work / "merged" / "merge.json").exists()
    assert {path: path.stat().st_mtime_ns for path in parts} == parts

    process = start(recipe, work)
    state = work / "sft" / "states" / "checkpoint-2" / "trainer_state.json"
    kill_when(process, state.exists)
    assert stages(work)["sft"]["status"] == "running"
    assert not (work / "sft" / "model").exists()

    process = start(recipe, work)
    assert process.stdout is not None
    said = []
    while not said or "sft: runs" not in said[-1]:
        said.append(process.stdout.readline().rstrip())
        assert said[-1]
    second = start(recipe, work)
    _, complaint = second.communicate(timeout=HANGS)
    assert second.returncode == 2 and complaint.count("\n") == 1
    assert "Another run is at work in" in complaint
    said += finish(process)
    assert "[5/9] sft: runs (goes on where it was stopped)" in said
    assert any(line.startswith("resume: checkpoint-") for line in said)
    for number, name in enumerate(STAGES[:4], 1):
        assert f"[{number}/9] {name}: skipped (unchanged)" in said

    first, again = stages(whole[0]), stages(work)
    for name in ("unpack", "data", "coder", "merge"):
        ours, theirs = (
            {file: sum for file, sum in record[name]["outputs"].items()
             if file.endswith((".safetensors", ".jsonl", "report.json"))
             and "metrics" not in file}
            for record in (first, again)
        )  # fmt: skip
        assert ours and ours == theirs, name
    one, two = (read_log(place / "sft" / "metrics.jsonl") for place in (whole[0], work))
    for lines, wanted, key in ((two[0], one[0], "loss"), (two[1], one[1], "eval_loss")):
        assert [line["step"] for line in lines] == [line["step"] for line in wanted]
        assert [line[key] for line in lines] == pytest.approx(
            [line[key] for line in wanted], rel=1e-4
        )
    weights = [
        load_file(next((place / "sft" / "model").glob("*.safetensors")))
        for place in (whole[0], work)
    ]
    for tensor, values in weights[0].items():
        assert (values - weights[1][tensor]).abs().max() < 1e-5, tensor
    told: list[str] = []
    dry_run(load_pipeline(recipe, work), work, Choice(), told.append)
    assert len(told) == 9 and all(" skip " in line for line in told)


def test_a_changed_training_is_launched_on_two_processes_and_the_old_one_kept(
    whole: tuple[Path, list[str]], tmp_path: Path
) -> None:
    work = tmp_path / "work"
    shutil.copytree(whole[0], work)
    values = few_steps() | {"launch": "torchrun"}
    values["sft"] |= {"steps": 2, "device_batch": 1}
    values["sft"]["machines"] = {"device": "cpu", "processes": 2}
    recipe = load_pipeline(write_recipe(tmp_path / "two.yaml", values), work)
    before = (work / "sft" / "metrics.jsonl").read_bytes()
    said: list[str] = []
    run(recipe, work, Choice(only="sft"), report=said.append)
    assert said[0] == "[5/9] sft: runs (changed in the recipe: steps)"
    assert (work / "sft.old" / "metrics.jsonl").read_bytes() == before
    train, held = read_log(work / "sft" / "metrics.jsonl")
    assert [line["step"] for line in train] == [1, 2] and len(held) == 1
    # The schedule is another, the first step (at a rate of nothing yet) is not.
    wanted = read_log(whole[0] / "sft" / "metrics.jsonl")[0][0]["loss"]
    assert train[0]["loss"] == pytest.approx(wanted, rel=1e-3)


def test_a_picture_that_is_lost_is_drawn_again(whole: tuple[Path, list[str]], recipe: Path) -> None:
    work, _ = whole
    picture = next((work / "data" / "parts").glob("*/*/*.png"))
    before = picture.read_bytes()
    picture.unlink()
    said: list[str] = []
    run(load_pipeline(recipe, work), work, Choice(only="data"), report=said.append)
    assert said[0] == "[2/9] data: runs (data/parts was changed)"
    assert picture.read_bytes() == before
    run(load_pipeline(recipe, work), work, report=said.append)
    assert [line for line in said[3:] if " runs (" in line] == []


def test_a_state_that_a_kill_left_half_written_is_not_gone_on_with(
    whole: tuple[Path, list[str]], tmp_path: Path
) -> None:
    states = tmp_path / "states"
    for number, text in ((2, '{"global_step": 2}'), (10, '{"global_st'), (9, '{"global_step": 9}')):
        (states / f"checkpoint-{number}").mkdir(parents=True)
        (states / f"checkpoint-{number}" / "trainer_state.json").write_text(text)
    (states / "checkpoint-11").mkdir()
    assert last_state(states) == states / "checkpoint-9"
    assert last_state(tmp_path / "none") is None
