"""The `viscodex-train` command as a process: what it writes, what it says of bad input."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from engine.models.store import find_model, verify
from training.config import load_recipe
from training.nano.card import model_card, readme, training_figures
from training.nano.plot import plot_losses

ROOT = Path(__file__).parents[2]


def _command(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "training.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
        check=False,
    )


def test_every_command_has_help_with_an_example():
    listed = _command("--help")
    assert listed.returncode == 0
    for name in ("run", "merge", "export", "publish", "evaluate"):
        text = _command(name, "--help").stdout
        assert "Example:" in text, name
        assert name in listed.stdout
    for name in ("build", "stats", "inspect"):
        assert "Example:" in _command("data", name, "--help").stdout, name


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "no-such-recipe.yaml"), "no-such-recipe.yaml"),
        (("export", "no-such-folder", "--out", "x"), "no-such-folder"),
        (("evaluate", "something"), "held-out"),
        (("snapshot", "--work", "no-such-run"), "no-such-run"),
    ],
)
def test_bad_input_gets_one_line_and_status_2(arguments, words):
    done = _command(*arguments)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("viscodex-train: error: ")
    assert words in done.stderr
    assert not done.stdout


def test_export_writes_a_model_the_engine_takes(tiny_checkpoint, tmp_path):
    done = _command("export", tiny_checkpoint, "--out", tmp_path / "model", "--name", "thumbnail")
    assert done.returncode == 0, done.stderr
    files = find_model(tmp_path / "model")
    assert files.name == "thumbnail"
    assert all(problem is None for _, problem in verify(files))


def test_card_tells_training_and_figures(tmp_path):
    log = tmp_path / "metrics.jsonl"
    rows = [
        {"stage": "language", "step": step, "seconds": 36.0 * step, "loss": 2.0 - step / 100}
        for step in (10, 20, 20, 30)
    ]
    log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    training = training_figures(log)
    assert training["language"]["steps"] == 30
    assert training["language"]["hours"] == pytest.approx(0.3)
    group = dict.fromkeys(
        ("rendered", "word_recall", "similarity", "blank", "other", "tokens", "seconds"), 0.5
    )
    recipe = load_recipe(ROOT / "training" / "recipes" / "nano.yaml")
    card = model_card(recipe, training, {"Held-out": {"all": group | {"snips": 7}}})
    text = readme(card, 10_500_000, 4_000)
    assert "10.5 M" in text
    assert "| language | 30 | 0.30 |" in text
    assert "Held-out (7 pictures)" in text
    plot_losses(log, tmp_path / "losses.png")
    assert (tmp_path / "losses.png").stat().st_size > 2_000
