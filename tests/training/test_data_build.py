"""`data build`: stopped and gone on with, shared between machines, a worker killed, the pages."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.errors import VisCodexError
from tests.fixtures.mcd import write_mcd
from training.data.build import build
from training.data.recipe import DataRecipe
from training.data.record import read_records
from training.data.stats import write_page
from training.recipe import check_recipe

ROOT = Path(__file__).parents[2]
GENERATED = {"type": "generated", "samples": 24, "chart_share": 0.4}


def recipe(**changes):
    values = {"name": "small set", "sources": [GENERATED], "chunk": 4, "shard": 9}
    return check_recipe({**values, **changes}, DataRecipe)


def contents(folder):
    """All that a data set holds, pictures included."""
    records = list(read_records(folder))
    return [
        (record, *((folder / image).read_bytes() for image in record.images)) for record in records
    ]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    outcome = build(recipe(hints=0.5), folder, workers=2)
    return folder, outcome.report


def test_a_data_set_is_built(whole):
    folder, report = whole
    records = list(read_records(folder))
    assert len(records) == report["kept"]["train"]["records"] >= 18
    assert {record.kind for record in records} == {"html", "chart"}
    assert [path.name for path in sorted((folder / "train").iterdir())][:2] == [
        "shard-00000.jsonl",
        "shard-00001.jsonl",
    ]
    for record in records:
        assert Image.open(folder / record.images[0]).size == record.size
        assert record.license == "Apache-2.0" and record.tokens > 10
        assert "number" in record.origin
    assert 3 < sum(record.hints is not None for record in records) < len(records) - 3
    assert report["sources"]["generated"]["items"] == 24
    assert not list(folder.rglob("*.part"))


def test_shards_of_two_machines_make_the_same_set(whole, tmp_path):
    plan = recipe(hints=0.5)
    first = build(plan, tmp_path, part=(0, 2), workers=1)
    assert first.report is None and first.missing == ("generated",)
    assert not (tmp_path / "train").exists()
    second = build(plan, tmp_path, part=(1, 2), workers=1)
    assert second.report == whole[1]
    assert contents(tmp_path) == contents(whole[0])


def test_a_stopped_build_goes_on(whole, tmp_path):
    plan = recipe(hints=0.5)
    told = []
    outcome = build(plan, tmp_path, workers=1, deadline=time.time() + 3, progress=told.append)
    done = sorted(tmp_path.glob("parts/*/*.json"))
    assert outcome.report is None and len(done) == len(told) < 6
    before = {path: path.stat().st_mtime_ns for path in done}
    assert build(plan, tmp_path, workers=2).report == whole[1]
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in before.items())
    assert contents(tmp_path) == contents(whole[0])


def test_a_killed_worker_is_replaced(whole, tmp_path):
    script = (
        "import sys; from pathlib import Path; from training.data.build import build;"
        "from training.data.recipe import DataRecipe; from training.recipe import read_recipe;"
        "plan = read_recipe(Path(sys.argv[1]), DataRecipe);"
        "print(build(plan, Path(sys.argv[2]), workers=1).report['kept']['train']['records'])"
    )
    path = tmp_path / "recipe.json"
    path.write_text(recipe(hints=0.5).model_dump_json())
    process = subprocess.Popen(
        [sys.executable, "-c", script, path, tmp_path / "set"],
        cwd=ROOT, text=True, stdout=subprocess.PIPE,
    )  # fmt: skip
    import psutil

    killed = False
    deadline = time.monotonic() + 60
    while not killed and time.monotonic() < deadline:
        for child in psutil.Process(process.pid).children():
            if any("spawn_main" in word for word in child.cmdline()) and list(
                (tmp_path / "set").glob("parts/*/*.json")
            ):
                os.kill(child.pid, signal.SIGKILL)
                killed = True
        time.sleep(0.05)
    out, _ = process.communicate(timeout=120)
    assert killed and process.returncode == 0
    assert int(out) == whole[1]["kept"]["train"]["records"]
    assert contents(tmp_path / "set") == contents(whole[0])


def test_later_choices_make_no_part_anew(whole):
    folder, _ = whole
    before = {path: path.stat().st_mtime_ns for path in folder.glob("parts/**/*.jsonl")}
    plan = recipe(hints=0.5, mixture={"html": 0.5, "chart": 0.5}, size=10, validation=0.1)
    report = build(plan, folder, workers=1).report
    assert report["kept"]["train"]["kinds"] == {"html": 5, "chart": 5}
    assert {p: p.stat().st_mtime_ns for p in folder.glob("parts/**/*.jsonl")} == before
    build(recipe(hints=0.5), folder, workers=1)  # as the other tests want it


def test_mcd_and_parquet(tmp_path):
    rows, images = write_mcd(tmp_path / "mcd")
    sources = [{"type": "mcd", "rows": str(rows), "images": str(images)}]
    filters = {"tokens": [4, 9000]}
    plan = recipe(sources=sources, format="parquet", filters=filters)
    report = build(plan, tmp_path / "set", workers=1).report
    assert report["kept"]["train"]["kinds"] == {"html": 2, "chart": 2, "qa": 1, "algorithm": 1}
    assert report["sources"]["mcd"]["no picture"] == 1
    assert all(path.suffix == ".parquet" for path in (tmp_path / "set" / "train").iterdir())
    assert {record.license for record in read_records(tmp_path / "set")} == {"research only"}


def test_benchmark_items_are_left_out(tmp_path):
    rows, images = write_mcd(tmp_path / "mcd")
    (tmp_path / "bench").mkdir()
    sample = ROOT / "assets" / "samples"
    (tmp_path / "bench" / "login.html").write_text((sample / "sources" / "login.html").read_text())
    (tmp_path / "bench" / "trend.png").write_bytes((sample / "trend.png").read_bytes())
    sources = [{"type": "mcd", "rows": str(rows), "images": str(images)}]
    plan = recipe(
        sources=sources, benchmarks=[str(tmp_path / "bench")], filters={"tokens": [4, 9000]}
    )
    report = build(plan, tmp_path / "set", workers=1).report
    assert report["sources"]["mcd"]["benchmark item"] == 2
    assert report["kept"]["train"]["kinds"] == {"html": 1, "chart": 1, "qa": 1, "algorithm": 1}


def test_nothing_left_is_told(tmp_path):
    plan = recipe(sources=[{**GENERATED, "samples": 2}], filters={"tokens": [90000, 90001]})
    with pytest.raises(VisCodexError, match="No record passed"):
        build(plan, tmp_path, workers=1)
    counts = json.loads((tmp_path / "report.json").read_text())["sources"]["generated"]
    assert counts["too short"] == 2


def test_the_statistics_page_is_whole_and_draws(whole, tmp_path, renderer):
    folder, report = whole
    page = write_page(folder, tmp_path / "statistics.html", samples=4).read_text()
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    assert page.count("<article>") == 8
    count = report["kept"]["train"]["records"]
    drawn = renderer.render(page, 1100, describe=True)
    texts = [text["text"] for text in drawn.description["texts"]]
    assert "small set" in texts and str(count) in texts and "Apache-2.0" in texts
    picture = np.asarray(Image.open(io.BytesIO(drawn.png)).convert("RGB"))
    assert picture.std() > 10


def _command(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "training.cli", "data", *map(str, arguments)],
        capture_output=True, text=True, cwd=ROOT, timeout=300, check=False,
    )  # fmt: skip


def test_the_commands(whole, tmp_path):
    path = tmp_path / "recipe.json"
    path.write_text(recipe(hints=0.5).model_dump_json())
    told = _command("build", path, "--out", tmp_path / "set", "--dry-run")
    assert told.stdout == "generated: 24 items\n" and not (tmp_path / "set").exists()
    built = _command("build", path, "--out", whole[0])
    assert built.returncode == 0, built.stderr
    assert f"train: {whole[1]['kept']['train']['records']} records" in built.stdout
    shown = _command("inspect", whole[0], "--kind", "chart", "--count", "2")
    assert shown.stdout.count("```python") == 2 and "Apache-2.0" in shown.stdout
    row = json.loads(_command("inspect", whole[0], "--json").stdout)
    assert {"id", "source", "kind", "images", "prompt", "completion", "license"} <= set(row)
    page = _command("stats", whole[0], "--out", tmp_path / "s.html")
    assert page.returncode == 0 and (tmp_path / "s.html").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("build", "no-such.yaml", "--out", "x"), "no-such.yaml"),
        (("build", "training/recipes/data-mcd.yaml", "--out", "x", "--shard", "3/2"), "3/2"),
        (("build", "training/recipes/data-mcd.yaml", "--out", "x"), "mcd_598k.json"),
        (("stats", "no-such-folder"), "no-such-folder"),
        (("inspect", "no-such-folder"), "no-such-folder"),
    ],
)
def test_bad_input_gets_one_line_and_status_2(arguments, words):
    done = _command(*arguments)
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    assert words in done.stderr and not done.stdout
    assert not (ROOT / "x").exists()
