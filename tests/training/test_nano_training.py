"""Stages of a recipe on a thumbnail model: they learn, stop, and go on as if never stopped."""

from __future__ import annotations

import io
import itertools
import json
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw

from engine.errors import VisCodexError
from engine.hints import TextLine
from training.config import NanoRecipe, StagePlan, load_recipe
from training.nano.archive import pack, unpack
from training.nano.corpus import Corpus
from training.nano.model import ModelShape, build_model
from training.nano.optimizer import schedule
from training.nano.records import Region, Sample, write_shard
from training.nano.stages import stage_run
from training.nano.tokenizer import train_tokenizer
from training.nano.trainer import run_stage

SHAPE = ModelShape(
    vocab_size=400,
    layers=2,
    heads=1,
    hidden=64,
    feed_forward=96,
    vision_hidden=64,
    vision_heads=2,
    vision_feed_forward=96,
    vision_depth=2,
)
RECIPES = Path(__file__).parents[2] / "training" / "recipes"


def _sample(number: int) -> Sample:
    picture = Image.new("RGB", (112, 84), "white")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((14, 14, 60 + number, 40), fill=(200, 30, 30))
    draw.text((20, 50), f"Word {number}", fill="black")
    out = io.BytesIO()
    picture.save(out, "PNG")
    line = TextLine(f"Word {number}", (20, 50, 62, 60), 1.0, (0, 0, 0), (255, 255, 255))
    code = f"<!DOCTYPE html>\n<p>Word {number}</p>"
    region = Region("box", (14, 14, 61 + number, 41), 0.0, border=True)
    return Sample(f"html-{number}", "html", 0, code, out.getvalue(), [line], None, [region])


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    samples = [_sample(number) for number in range(12)]
    write_shard(folder, "shard-000000000", samples)
    tokenizer = train_tokenizer([(s.kind, s.code) for s in samples] * 5, 400, spaced_words=2)
    return Corpus(folder), tokenizer


def _run(material, folder: Path, plan: StagePlan) -> list[float]:
    """Run a stage on a fresh model and give the sums of its parameters."""
    corpus, tokenizer = material
    recipe = NanoRecipe(name="test", seed=5, model=SHAPE, stages=[plan])
    model = build_model(SHAPE, tokenizer, 5)
    folder.mkdir(exist_ok=True)
    stage = stage_run(plan, recipe, model, corpus, tokenizer)
    run_stage(model, stage, folder, report=lambda text: None)
    return [float(p.detach().double().sum()) for p in model.parameters()]


@pytest.mark.parametrize("name", ["language", "vision", "joint"])
def test_a_stage_learns(material, tmp_path, name):
    plan = StagePlan(name=name, steps=60, batch_tokens=900, rate=0.003, warmup=5, tower_rate=0.001)
    _run(material, tmp_path, plan)
    lines = [json.loads(text) for text in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["loss"] < 0.6 * lines[0]["loss"]
    assert lines[-1]["step"] == 60


def test_five_steps_and_five_more_equal_ten(material, tmp_path):
    plan = StagePlan(name="joint", steps=10, batch_tokens=600, rate=0.002, warmup=1, decay=0.0)
    whole = _run(material, tmp_path / "whole", plan)
    half = plan.model_copy(update={"steps": 5})
    _run(material, tmp_path / "parts", half)
    parts = _run(material, tmp_path / "parts", plan)
    assert parts == pytest.approx(whole, rel=1e-4, abs=1e-4)


def test_a_frozen_tower_does_not_move(material, tmp_path):
    plan = StagePlan(name="joint", steps=3, batch_tokens=600, rate=0.01, warmup=1, tower_rate=0.0)
    corpus, tokenizer = material
    recipe = NanoRecipe(name="test", seed=5, model=SHAPE, stages=[plan])
    model = build_model(SHAPE, tokenizer, 5)
    before = {k: v.clone() for k, v in model.model.visual.state_dict().items()}
    stage = stage_run(plan, recipe, model, corpus, tokenizer)
    run_stage(model, stage, tmp_path, report=lambda text: None)
    after = model.model.visual.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {name for name in before if name.startswith("merger.")}


def test_a_packed_run_goes_on_elsewhere(material, tmp_path):
    plan = StagePlan(name="language", steps=20, batch_tokens=600, rate=0.002, warmup=1)
    here, there = tmp_path / "here", tmp_path / "there"
    _run(material, here, plan)
    (here / "shape.json").write_text(SHAPE.model_dump_json())
    material[1].save_pretrained(here / "tokenizer")
    pack(here, "language", tmp_path / "packed")
    assert unpack(tmp_path / "packed", there) == "stage language, step 20"
    assert unpack(tmp_path / "packed", tmp_path / "new", "joint") == "stage joint, step 0"
    with pytest.raises(VisCodexError):
        unpack(tmp_path / "packed", there)
    with pytest.raises(VisCodexError):
        pack(here, "joint", tmp_path / "other")
    longer = plan.model_copy(update={"steps": 30})
    _run(material, there, longer)
    lines = [json.loads(text) for text in (there / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [10, 20, 30]
    assert lines[-1]["loss"] < lines[0]["loss"]


def test_schedule_rises_stays_and_falls():
    values = [schedule(step, 100, 10, 0.2) for step in range(100)]
    assert values[0] == pytest.approx(0.1)
    assert values[10:80] == [1.0] * 70
    assert values[-1] < 0.2
    assert all(a >= b for a, b in itertools.pairwise(values[80:]))


def test_the_recipe_of_the_bundled_model_is_valid():
    assert load_recipe(RECIPES / "nano.yaml").stages


@pytest.mark.parametrize("text", ["name: x\nstages: []\ncolour: red\n", "name: [", "stages: 3\n"])
def test_wrong_recipes_are_named_in_one_line(tmp_path, text):
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(VisCodexError) as caught:
        load_recipe(path)
    assert "wrong.yaml" in caught.value.message
    assert "\n" not in caught.value.message
    with pytest.raises(VisCodexError):
        load_recipe(tmp_path / "none.yaml")
