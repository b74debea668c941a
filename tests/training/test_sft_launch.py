"""Every way to start a training, and two that run here: two processes without a card, weights
whole in each or spread by FSDP2, give what one process gives."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file
from typer.testing import CliRunner

from engine.errors import VisCodexError
from tests.fixtures.sft_records import tiny_recipe
from tests.fixtures.tiny_model import build_tiny_checkpoint
from training.bench.records import write_records
from training.cli import application
from training.launch import WAYS, Job
from training.recipe import read_recipe
from training.sft.command import launch
from training.sft.recipe import SftRecipe
from training.sft.run import sft
from training.sft.trainer import read_log

ROOT = Path(__file__).parents[2]
RECIPES = ROOT / "training" / "recipes"
HANGS = 240  # seconds


@pytest.fixture(scope="module")
def single(tmp_path_factory) -> tuple[Path, dict[str, object]]:
    """One process on records of which half have no picture, and the recipe's values."""
    folder = tmp_path_factory.mktemp("launch")
    checkpoint = build_tiny_checkpoint(folder / "base")
    records = write_records(folder / "data", 20, text_every=2)
    recipe = tiny_recipe(checkpoint, records, steps=4, evaluate_every=2, save_every=2)
    sft(recipe, folder / "one", report=lambda text: None)
    return folder, recipe.model_dump(mode="json")


def _launched(single, way: str, *, fsdp: bool, out: str, device_batch: int) -> tuple[Path, str]:
    folder, values = single
    machines = {"processes": 2, "device": "cpu", "fsdp": fsdp}
    file = folder / f"{out}.yaml"
    file.write_text(yaml.safe_dump(values | {"device_batch": device_batch, "machines": machines}))
    command = [sys.executable, "-m", "training.cli", "launch", str(file), "--on", way]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, "--out", str(folder / out)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=HANGS,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder / out, done.stdout


def _equal(single, out: Path) -> None:
    one, two = (read_log(folder / "metrics.jsonl") for folder in (single[0] / "one", out))
    for key, near in (("loss", 1e-4), ("norm", 1e-3)):
        wanted = [line[key] for line in one[0]]
        assert [line[key] for line in two[0]] == pytest.approx(wanted, rel=near)
    assert [line["step"] for line in two[1]] == [2, 4]
    names = "model/model-00001-of-00001.safetensors"
    first, second = load_file(single[0] / "one" / names), load_file(out / names)
    assert set(first) == set(second)
    for name, value in first.items():
        torch.testing.assert_close(second[name], value, rtol=1e-3, atol=1e-4)


# With one sample each, a process often has a picture where the other has none.
@pytest.mark.slow
def test_two_processes_give_what_one_gives(single):
    out, said = _launched(single, "torchrun", fsdp=False, out="two", device_batch=1)
    assert "2 process(es), weights whole in each" in said
    _equal(single, out)


@pytest.mark.slow
def test_spread_weights_give_the_same_and_go_on_where_they_were_stopped(single):
    out, said = _launched(single, "accelerate", fsdp=True, out="spread", device_batch=1)
    assert "2 process(es), weights spread by FSDP2" in said
    _equal(single, out)
    whole = read_log(out / "metrics.jsonl")[0]
    shutil.rmtree(out / "states" / "checkpoint-4")
    shutil.rmtree(out / "model")
    (out / "metrics.jsonl").unlink()
    out, said = _launched(single, "torchrun", fsdp=True, out="spread", device_batch=1)
    assert "weights spread by FSDP2" in said and "resume: checkpoint-2" in said
    rest = read_log(out / "metrics.jsonl")[0]
    assert [line["step"] for line in rest] == [3, 4]
    wanted = [line["loss"] for line in whole[2:]]
    assert [line["loss"] for line in rest] == pytest.approx(wanted, rel=1e-4)


@pytest.fixture(scope="module")
def job() -> Job:
    file = RECIPES / "33b-sft.yaml"
    return Job(file, read_recipe(file, SftRecipe), Path("runs/big"), "10.0.0.1", 1)


def test_several_machines_meet_at_the_first(job):
    command = WAYS["torchrun"](job).command
    for part in ("--nnodes=2", "--nproc-per-node=8", "--rdzv-endpoint=10.0.0.1:29500"):
        assert part in command
    assert command[-2:] == ["runs/big", "--resume"]
    made = WAYS["accelerate"](job)
    config = yaml.safe_load(made.files["accelerate.yaml"])
    assert (config["num_machines"], config["num_processes"], config["machine_rank"]) == (2, 16, 1)
    assert config["main_process_ip"] == "10.0.0.1"
    assert config["fsdp_config"]["fsdp_version"] == 2
    # The tower is not among what is gathered by itself: see fsdp_config in training/sft/run.py.
    assert config["fsdp_config"]["fsdp_transformer_layer_cls_to_wrap"] == "Qwen2_5_VLDecoderLayer"


def test_the_batch_job_is_a_shell_script(job, tmp_path):
    text = WAYS["slurm"](job).files["job.sh"]
    for line in ("--nodes=2", "--gpus-per-node=8", "--time=120:00:00", "--requeue"):
        assert f"#SBATCH {line}\n" in text
    script = tmp_path / "job.sh"
    script.write_text(text)
    # Run it with programs in place of those of Slurm, to see what srun would be given.
    (tmp_path / "scontrol").write_text("#!/bin/sh\necho node7\necho node8\n")
    (tmp_path / "srun").write_text('#!/bin/sh\nfor a in "$@"; do echo "$a"; done\n')
    for name in ("scontrol", "srun"):
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(
        ["bash", str(script)],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}
        | {"SLURM_JOB_NODELIST": "node[7-8]", "SLURM_JOB_ID": "5"},
        capture_output=True,
        text=True,
        check=True,
    )  # fmt: skip
    given = done.stdout.splitlines()
    assert "--rdzv-endpoint=node7:29500" in given and "--rdzv-id=5" in given
    assert given[-5:] == ["sft", str(job.file), "--out", "runs/big", "--resume"]


def test_the_jobs_of_ray_and_sky_are_well_formed(job):
    tree = ast.parse(WAYS["ray"](job).files["job.py"])
    calls = {
        node.func.id: node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    workers = {k.arg: ast.literal_eval(k.value) for k in calls["ScalingConfig"].keywords}
    assert workers == {"num_workers": 16, "use_gpu": True}
    task = yaml.safe_load(WAYS["sky"](job).files["task.yaml"])
    assert task["num_nodes"] == 2 and task["resources"]["accelerators"] == "H100:8"
    assert "--out /runs/big --resume" in task["run"] and "/runs" in task["file_mounts"]
    assert subprocess.run(["bash", "-n"], input=task["run"], text=True, check=False).returncode == 0


@pytest.mark.parametrize("way", list(WAYS))
def test_a_dry_run_prints_the_command_and_writes_nothing(way, tmp_path):
    arguments = ["launch", str(RECIPES / "8b-sft.yaml"), "--on", way, "--out", str(tmp_path / "o")]
    done = CliRunner().invoke(application, [*arguments, "--dry-run"])
    assert done.exit_code == 0, done.output
    assert str(RECIPES / "8b-sft.yaml") in done.output
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "way", "said"),
    [
        ("8b-sft", "cluster", "no way 'cluster'"),
        ("33b-sft", "torchrun", "several machines"),
        ("8b-sft", "sky", "no 'sky'"),
    ],
)
def test_what_cannot_be_started_is_told(name, way, said, tmp_path):
    with pytest.raises(VisCodexError, match=said) as caught:
        launch(RECIPES / f"{name}.yaml", way, tmp_path / "out")
    assert caught.value.exit_code == 2 and not list(tmp_path.iterdir())
