"""Recipes of whole runs: sections written out or named, what is filled in, what is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from engine.errors import VisCodexError
from tests.fixtures.pipeline import RECIPES, few_steps, write_recipe
from training.data.recipe import DataRecipe
from training.merge.recipe import MergeRecipe
from training.pipeline.command import run
from training.pipeline.recipe import load_pipeline
from training.pipeline.stages import STAGES, stages_of
from training.recipe import read_section_as
from training.sft.recipe import SftRecipe

TAIL = ["export", "verify", "evaluate", "card"]


@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("8b", ["merge", "data", "sft", *TAIL]),
        ("33b", ["merge", "data", "sft", *TAIL]),
        ("8b-lora", ["merge", "sft", *TAIL]),
        ("nano-tune", ["unpack", "data", "coder", "merge", "sft", *TAIL]),
    ],
)
def test_the_recipes_of_the_repository(name: str, order: list[str]) -> None:
    recipe = load_pipeline(RECIPES / f"{name}.yaml")
    assert [stage.name for stage in stages_of(recipe)] == order
    assert recipe.sft is not None and recipe.sft.model == f"runs/{recipe.name}/merged"
    if recipe.data is not None:
        assert recipe.sft.data == [f"runs/{recipe.name}/data/train/*.jsonl"]
        assert recipe.sft.held_out_data == [f"runs/{recipe.name}/data/validation/*.jsonl"]
    for stage in stages_of(recipe):
        there = [other for other in stage.needs if other in order]
        assert all(order.index(other) < order.index(stage.name) for other in there)


def test_the_table_is_closed() -> None:
    names = [stage.name for stage in STAGES]
    assert len(set(names)) == len(names)
    assert all(set(stage.needs) <= set(names) for stage in STAGES)


def test_commands_of_one_stage_take_their_section() -> None:
    assert read_section_as(RECIPES / "8b.yaml", "merge", MergeRecipe).weight == 0.7
    assert read_section_as(RECIPES / "33b.yaml", "sft", SftRecipe).machines.nodes == 2
    assert read_section_as(RECIPES / "8b.yaml", "data", DataRecipe).name == "MCD"
    # What stands in the file of a section is what the run fills in.
    alone = read_section_as(RECIPES / "8b.yaml", "sft", SftRecipe)
    filled = load_pipeline(RECIPES / "8b.yaml").sft
    assert filled is not None
    assert (alone.model, alone.data, alone.held_out_data) == (
        filled.model, filled.data, filled.held_out_data
    )  # fmt: skip
    with pytest.raises(VisCodexError, match="no section 'data'"):
        read_section_as(RECIPES / "8b-lora.yaml", "data", DataRecipe)


def test_a_named_section_can_differ_in_some_keys(tmp_path: Path) -> None:
    values = {
        "name": "mine",
        "merge": {"recipe": str(RECIPES / "8b-merge.yaml"), "weight": 0.6},
        "export": {},
    }
    recipe = load_pipeline(write_recipe(tmp_path / "r.yaml", values))
    assert recipe.merge is not None
    assert (recipe.merge.weight, recipe.merge.vlm) == (0.6, "Qwen/Qwen2.5-VL-7B-Instruct")


def _changed(change: dict[str, Any]) -> dict[str, Any]:
    values = few_steps()
    for key, value in change.items():
        section, _, rest = key.partition(".")
        if rest:
            values[section][rest] = value
        else:
            values[section] = value
    return values


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"colour": "red"}, "colour"),
        ({"merge.colour": "red"}, "merge.colour"),
        ({"sft.machines": {"hosts": 3}}, "sft.machines.hosts"),
        ({"export.quants": []}, "export.quants"),
        ({"card.targets": ["pdf"]}, "choose from html"),
        ({"card.prompt": "short"}, "leave them out"),
        ({"evaluate": {"held_out": 0}}, "nothing to measure"),
        ({"sft.model": "elsewhere"}, "sft.model: an earlier stage makes it"),
        ({"merge.vlm": "elsewhere"}, "merge.vlm: an earlier stage makes it"),
        ({"data.format": "parquet"}, "sft reads jsonl"),
        ({"launch": "sky"}, "launch"),
        (
            {"sft.machines": {"nodes": 2}, "sft.batch": 8, "launch": "torchrun"},
            "choose slurm or ray",
        ),
        ({"merge": 3}, "merge: a section"),
        ({"merge": "none.yaml"}, "none.yaml"),
    ],
)
def test_wrong_recipes_are_named_in_one_line(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    path = write_recipe(tmp_path / "r.yaml", _changed(change))
    with pytest.raises(VisCodexError, match=re.escape(said)) as caught:
        load_pipeline(path)
    assert "\n" not in caught.value.message and caught.value.exit_code == 2


def test_what_is_wrong_in_a_named_file_is_told_under_its_name(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text("vlm: a/b\ncoder: c/d\ncolour: red\n")
    path = write_recipe(tmp_path / "r.yaml", {"name": "x", "merge": "m.yaml", "export": {}})
    with pytest.raises(VisCodexError, match=r"'m\.yaml' is wrong: colour"):
        load_pipeline(path)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("8b-merge", {}, "neither `export` nor `stages`"),
        ("nano", {"only": "merge"}, "not for recipes with `stages`"),
        ("nano-tune", {"minutes": 3.0}, "--minutes"),
        ("nano-tune", {"first": "sft", "only": "sft"}, "exclude each other"),
        ("nano-tune", {"only": "paint", "dry_run": True}, "no stage 'paint'"),
        ("8b-lora", {"first": "data", "dry_run": True}, "no stage 'data'"),
    ],
)
def test_what_the_command_refuses(
    name: str, options: dict[str, Any], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(RECIPES.parents[1])
    with pytest.raises(VisCodexError, match=re.escape(said)) as caught:
        run(RECIPES / f"{name}.yaml", work=tmp_path / "w", **options)
    assert caught.value.exit_code == 2 and not (tmp_path / "w").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"export.quant": ["Q9"]}, "Q9"),
        ({"export.mmproj_type": "Q4_K_M"}, "Q4_K_M"),
        ({"export": {"quant": ["Q6_K"], "calibrate": "no-such-file"}}, "no-such-file"),
        ({"evaluate": {"snips": "no-such-folder"}}, "evaluate.snips"),
        ({"unpack": "no-such-run"}, "no-such-run"),
        ({"data.sources": [{"type": "mcd", "rows": "no-such.json"}]}, "no-such.json"),
    ],
)
def test_what_would_end_a_late_stage_is_told_first(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    path = write_recipe(tmp_path / "r.yaml", _changed(change))
    with pytest.raises(VisCodexError, match=said) as caught:
        run(path, work=tmp_path / "w")
    assert caught.value.exit_code == 2 and not (tmp_path / "w").exists()


def test_records_that_are_not_there_are_told_before_the_merge(tmp_path: Path) -> None:
    values = few_steps()
    del values["data"], values["coder"]
    values["merge"]["coder"] = str(tmp_path)
    values["sft"]["data"] = [f"{tmp_path}/none/*.jsonl"]
    with pytest.raises(VisCodexError, match=r"There are no files .*none") as caught:
        run(write_recipe(tmp_path / "r.yaml", values), work=tmp_path / "w")
    assert caught.value.exit_code == 2 and not (tmp_path / "w").exists()


def test_the_recipe_of_the_tests_is_that_of_the_repository() -> None:
    shipped = yaml.safe_load((RECIPES / "nano-tune.yaml").read_text())
    assert set(few_steps()) == set(shipped)
