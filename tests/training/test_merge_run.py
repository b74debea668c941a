"""Merges as processes: killed and resumed, shared among processes, whatever threads and blocks."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.errors import VisCodexError
from tests.fixtures.tiny_family import Family, build_family
from training.merge import run, tensor
from training.merge.plan import Plan, make_plan
from training.merge.recipe import MergeRecipe
from training.tensors import INDEX

ROOT = Path(__file__).resolve().parents[2]
DARE = ["--method", "dare-ties", "--density", "0.4", "--seed", "5", "--embeddings", "merge"]
SMALL = ["--shard-size", "0.0008"]


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Family:
    return build_family(tmp_path_factory.mktemp("family"))


def start(family: Family, out: Path, *options: str, slow: bool = False) -> subprocess.Popen[str]:
    """The command; `slow` puts small blocks and frequent points to go on from into the process."""
    code = "from training.cli import main; main()"
    if slow:
        code = (
            "import training.shards, training.merge.tensor as run, time\n"
            "training.shards.SYNC, run.BLOCK = 100_000, 4096\n"
            "likeness = run.likeness\n"
            "run.likeness = lambda block: (time.sleep(0.001), likeness(block))[1]\n"
        ) + code
    command = [sys.executable, "-c", code, "merge", *family.options, "--out", str(out), *options]
    return subprocess.Popen(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def finish(process: subprocess.Popen[str]) -> str:
    said, complaint = process.communicate(timeout=120)
    assert process.returncode == 0, complaint
    return said


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def whole(family: Family, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """All files of an uninterrupted merge with DARE-TIES."""
    out = tmp_path_factory.mktemp("whole") / "out"
    finish(start(family, out, *DARE, *SMALL))
    return contents(out)


@pytest.mark.slow
def test_killed_at_any_moment_and_resumed(
    family: Family, whole: dict[str, bytes], tmp_path: Path
) -> None:
    moments = random.Random(7)
    points, stages = set(), set()
    for number in range(6):
        out = tmp_path / str(number)
        process = start(family, out, *DARE, *SMALL, slow=True)
        until = time.monotonic() + 60
        wanted = 1 + number  # lines noted: later and later in the run
        while time.monotonic() < until and process.poll() is None and noted(out) < wanted * 6:
            time.sleep(0.002)
        time.sleep(moments.uniform(0, 0.03))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        points.add(noted(out))
        stages.add(len(list(out.glob("*.safetensors"))))
        assert not (out / "merge.json").exists()
        assert not (out / INDEX).exists()
        said = finish(start(family, out, *DARE, *SMALL, "--resume"))
        assert "merge.json" in said
        assert contents(out) == whole
    assert len(points) > 3  # it was killed at different moments
    assert len(stages) > 1


def noted(out: Path) -> int:
    return sum(path.read_text().count("\n") for path in out.glob(".merge/*.jsonl"))


BY_PROCESSES = "import training.merge.crew as crew; crew.LARGE = 0\n"


def by_processes(family: Family, out: Path, *options: str) -> subprocess.Popen[str]:
    """The command, with processes for however small a merge."""
    code = f"{BY_PROCESSES}from training.cli import main\nmain()"
    command = [sys.executable, "-c", code, "merge", *family.options, "--out", str(out), *options]
    return subprocess.Popen(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@pytest.mark.slow
def test_processes_give_what_threads_give(
    family: Family, whole: dict[str, bytes], tmp_path: Path
) -> None:
    finish(by_processes(family, tmp_path / "out", *DARE, *SMALL, "--threads", "3"))
    assert contents(tmp_path / "out") == whole


@pytest.mark.slow
def test_an_error_of_a_process_is_told_as_one_of_a_thread(family: Family, tmp_path: Path) -> None:
    broken = tmp_path / "coder"
    shutil.copytree(family.coder, broken)
    weights = load_file(broken / "model.safetensors")
    weights["model.layers.1.mlp.up_proj.weight"][3, 3] = float("nan")
    save_file(weights, broken / "model.safetensors", {"format": "pt"})
    process = by_processes(replace(family, coder=broken), tmp_path / "out", *DARE, "--threads", "2")
    _, complaint = process.communicate(timeout=120)
    assert process.returncode == 2, complaint
    assert "'model.layers.1.mlp.up_proj.weight' of the coder holds NaN" in complaint
    assert "Traceback" not in complaint


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="looks for children as POSIX has them")
def test_processes_end_with_a_killed_merge(family: Family, tmp_path: Path) -> None:
    process = by_processes(family, tmp_path / "out", *DARE, *SMALL, "--threads", "2")
    merge = psutil.Process(process.pid)
    while process.poll() is None and len(merge.children()) < 2:
        time.sleep(0.002)
    children = merge.children()
    process.kill()
    process.communicate()
    _, alive = psutil.wait_procs(children, timeout=30)
    assert children and not alive


@pytest.mark.slow
def test_what_was_written_is_not_written_again(family: Family, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = start(family, out, *DARE, *SMALL, slow=True)
    while process.poll() is None and not list(out.glob("*.safetensors")):
        time.sleep(0.002)
    process.kill()
    process.communicate()
    (first, *_) = sorted(out.glob("*.safetensors"))
    before = first.stat()
    finish(start(family, out, *DARE, *SMALL, "--resume"))
    after = first.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert finish(start(family, out, *DARE, *SMALL, "--resume")).endswith("finished already.\n")


@pytest.mark.slow
def test_two_processes_share_the_shards(
    family: Family, whole: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    both = [start(family, out, *DARE, *SMALL, "--shard", f"{i}/2", slow=True) for i in (0, 1)]
    said = "".join(finish(process) for process in both)
    assert "merge.json" in said
    assert contents(out) == whole


def test_one_part_alone_waits_for_the_others(
    family: Family, whole: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert "not finished yet" in finish(start(family, out, *DARE, *SMALL, "--shard", "0/2"))
    assert len(list(out.glob("*.safetensors"))) == (count_of(whole) + 1) // 2
    assert not (out / "merge.json").exists()
    finish(start(family, out, *DARE, *SMALL, "--resume"))
    assert contents(out) == whole


def count_of(files: dict[str, bytes]) -> int:
    return sum(name.endswith(".safetensors") for name in files)


def planned(family: Family, **settings: object) -> Plan:
    folders = {"vlm": family.vlm, "coder": family.coder, "base": family.base}
    named = {role: str(folder) for role, folder in folders.items()}
    return make_plan(MergeRecipe.model_validate({**named, **settings}), folders)


@pytest.mark.parametrize("method", ["ties", "dare", "slerp", "task-arithmetic"])
def test_threads_and_blocks_change_no_bit(
    family: Family, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    plan = planned(family, method=method, embeddings="merge", out_dtype="float32")
    results = []
    for threads, block in ((1, 1 << 19), (5, 4096), (2, 12288)):
        monkeypatch.setattr(tensor, "BLOCK", block)
        out = tmp_path / f"{threads}-{block}"
        run.prepare(plan, out, resume=False)
        assert run.run_plan(plan, out, threads=threads)
        results.append(contents(out))
    if method == "slerp":  # an angle is a sum of sums, which blocks cut otherwise
        for name in ("model-00001-of-00001.safetensors",):
            first, *rest = ((tmp_path / f / name) for f in ("1-524288", "5-4096", "2-12288"))
            for other in rest:
                for key, values in load_file(first).items():
                    torch.testing.assert_close(load_file(other)[key], values, rtol=1e-6, atol=1e-7)
    else:
        assert results[0] == results[1] == results[2]


def test_a_cut_journal_and_a_lost_part_file(
    family: Family, whole: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    process = start(family, out, *DARE, *SMALL, slow=True)
    while process.poll() is None and noted(out) < 8:
        time.sleep(0.002)
    process.kill()
    process.communicate()
    journals = sorted(out.glob(".merge/*.jsonl"))
    with journals[-1].open("a") as file:
        file.write('{"tensor": "model.nor')
    for part in out.glob("*.part"):
        part.unlink()
    finish(start(family, out, *DARE, *SMALL, "--resume"))
    assert contents(out) == whole


def test_another_merge_in_the_folder_is_left_alone(family: Family, tmp_path: Path) -> None:
    out = tmp_path / "out"
    plan = planned(family)
    run.prepare(plan, out, resume=False)
    with pytest.raises(VisCodexError, match="begun"):
        run.prepare(plan, out, resume=False)
    with pytest.raises(VisCodexError, match="other models or settings"):
        run.prepare(planned(family, weight=0.6), out, resume=True)
    run.run_plan(plan, out)
    with pytest.raises(VisCodexError, match="not empty"):
        run.prepare(plan, out, resume=False)
    with pytest.raises(VisCodexError, match="other models or settings"):
        run.prepare(planned(family, weight=0.6), out, resume=True)
    assert run.prepare(plan, out, resume=True)


def test_changed_weights_are_another_merge(family: Family, tmp_path: Path) -> None:
    copy = Family(family.vlm, tmp_path / "coder", family.base)
    shutil.copytree(family.coder, copy.coder)
    before = planned(copy).hash
    assert planned(copy).hash == before
    path = copy.coder / "model.safetensors"
    trained = {name: values * 1.01 for name, values in load_file(path).items()}
    save_file(trained, path, {"format": "pt"})
    assert planned(copy).hash != before


def test_the_report(family: Family, whole: dict[str, bytes]) -> None:
    report = json.loads(whole["merge.json"])
    assert report["method"] == "dare-ties"
    assert (report["weight"], report["coder_weight"], report["density"]) == (0.7, 0.3, 0.4)
    assert [row["layer"] for row in report["layers"]] == [0, 1, "embed_tokens", "norm"]
    assert whole["merge.png"].startswith(b"\x89PNG")
    weights = {role: family.weights(role) for role in ("vlm", "coder", "base")}
    names = [name for name in weights["base"] if name.startswith("model.layers.1.")]

    def vector(role: str) -> torch.Tensor:
        return torch.cat([(weights[role][n].double() - weights["base"][n].double()).flatten()
                          for n in names])  # fmt: skip

    vlm, coder = vector("vlm"), vector("coder")
    row = report["layers"][1]
    assert row["vlm_norm"] == pytest.approx(float(vlm.norm()), rel=1e-5)
    assert row["coder_norm"] == pytest.approx(float(coder.norm()), rel=1e-5)
    cosine = torch.nn.functional.cosine_similarity(vlm, coder, dim=0)
    assert row["cosine"] == pytest.approx(float(cosine), rel=1e-4)
    both = (vlm != 0) & (coder != 0)
    agree = (vlm.sign() == coder.sign())[both].double().mean()
    assert row["sign_agreement"] == pytest.approx(float(agree), rel=1e-5)
