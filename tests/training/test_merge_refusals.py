"""What a merge refuses, with the tensor, setting or option at fault; and what it only tells."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.errors import VisCodexError
from tests.fixtures.altered import altered
from tests.fixtures.tiny_family import WEIGHTS, Family, Weights, build_family, change_json
from training.merge.plan import Plan, make_plan
from training.merge.recipe import MergeRecipe
from training.merge.run import prepare, run_plan
from training.names import FAMILIES, hugging_face_name, match_tensors
from training.recipe import read_recipe

ROOT = Path(__file__).resolve().parents[2]
UP = "model.layers.1.mlp.up_proj.weight"


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Family:
    return build_family(tmp_path_factory.mktemp("family"))


def plan_of(vlm: Path, coder: Path, base: Path | None = None, **settings: Any) -> Plan:
    folders = {"vlm": vlm, "coder": coder} | ({} if base is None else {"base": base})
    named = {role: str(folder) for role, folder in folders.items()}
    return make_plan(MergeRecipe.model_validate({**named, **settings}), folders)


def refusal(*folders: Path, **settings: Any) -> str:
    with pytest.raises(VisCodexError) as caught:
        plan_of(*folders, **settings)
    assert caught.value.exit_code == 2
    return caught.value.message


def setting(*path: str, to: object) -> Callable[[Any], None]:
    def change(config: Any) -> None:
        for key in path[:-1]:
            config = config[key]
        config[path[-1]] = to

    return change


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("rope_parameters", "rope_theta"), 1e6),
        (("rope_parameters", "rope_type"), "yarn"),
        (("rms_norm_eps",), 1e-5),
        (("num_attention_heads",), 8),
        (("num_key_value_heads",), 4),
        (("hidden_act",), "gelu"),
        (("use_sliding_window",), True),
    ],
)
def test_settings_that_matter(
    family: Family, tmp_path: Path, path: tuple[str, ...], value: object
) -> None:
    other = altered(family.coder, tmp_path / "other", config=setting(*path, to=value))
    said = refusal(family.vlm, other)
    assert path[-1] in said and "coder" in said
    assert "base" in refusal(family.vlm, family.coder, other, method="ties")


def test_settings_that_do_not_matter_are_told(family: Family, tmp_path: Path) -> None:
    change = setting("max_position_embeddings", to=4096)
    other = altered(family.coder, tmp_path / "other", config=change)
    assert any("max_position_embeddings" in note for note in plan_of(family.vlm, other).notes)


def test_rope_written_the_old_way_is_the_same(family: Family, tmp_path: Path) -> None:
    def old(config: Any) -> None:
        text = config.pop("text_config")
        rope = text.pop("rope_parameters")
        config.update({key: value for key, value in text.items() if key != "model_type"})
        config["rope_theta"] = rope["rope_theta"]
        config["rope_scaling"] = {"type": "mrope", "mrope_section": rope["mrope_section"]}

    vlm = altered(family.vlm, tmp_path / "old", config=old)
    assert len(plan_of(vlm, family.coder).steps) == len(plan_of(family.vlm, family.coder).steps)


def other_shape(weights: Weights) -> None:
    weights[UP] = weights[UP][:-1].contiguous()


def unknown(weights: Weights) -> None:
    weights["model.layers.1.mlp.up_proj.lora_A"] = weights[UP].clone()


def lacking(weights: Weights) -> None:
    del weights[UP]


def integers(weights: Weights) -> None:
    weights[UP] = weights[UP].to(torch.int8)


@pytest.mark.parametrize("change", [other_shape, unknown, lacking, integers])
def test_tensors_that_do_not_fit_are_named(
    family: Family, tmp_path: Path, change: Callable[[Weights], None]
) -> None:
    broken = altered(family.coder, tmp_path / "broken", weights=change)
    assert "layers.1.mlp.up_proj" in refusal(family.vlm, broken)


def test_tied_and_untied(family: Family, tmp_path: Path) -> None:
    def add(weights: Weights) -> None:
        weights["lm_head.weight"] = weights["model.embed_tokens.weight"].clone()

    untie = setting("tie_word_embeddings", to=False)
    untied = altered(family.coder, tmp_path / "untied", weights=add, config=untie)
    assert "tie_word_embeddings" in refusal(family.vlm, untied)
    # A matrix that is not used is told of, and left out.
    unused = altered(family.coder, tmp_path / "unused", weights=add)
    (dropped,) = plan_of(family.vlm, unused).dropped
    assert (dropped.model, dropped.stored.name) == ("coder", "lm_head.weight")


def test_another_family(family: Family, tmp_path: Path) -> None:
    other = altered(family.coder, tmp_path / "other", config=setting("model_type", to="llama"))
    assert "llama" in refusal(family.vlm, other)
    change = setting("model_type", to="qwen3")
    third = altered(
        family.coder,
        tmp_path / "third",
        config=change,
        weights=lambda weights: in_family(weights, "qwen3"),
    )
    assert "qwen3" in refusal(family.vlm, third)


def in_family(weights: Weights, family: str) -> Weights:
    known = {row.published for row in FAMILIES[family]}
    kept = {}
    for name, values in weights.items():
        template = name.replace("layers.0", "layers.{}").replace("layers.1", "layers.{}")
        if template in known:
            kept[name] = values
    for layer in (0, 1):
        for part in "qk":
            kept[f"model.layers.{layer}.self_attn.{part}_norm.weight"] = torch.ones(64)
    return kept


@pytest.mark.parametrize("role", ["vlm", "coder", "base"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_nan_and_infinity_are_named(
    family: Family, tmp_path: Path, role: str, value: float
) -> None:
    name = "visual.blocks.1.norm2.weight" if role == "vlm" else UP

    def spoil(weights: Weights) -> None:
        weights[name].view(-1)[-1] = value

    folders = {"vlm": family.vlm, "coder": family.coder, "base": family.base}
    folders[role] = altered(folders[role], tmp_path / "spoiled", weights=spoil)
    plan = plan_of(**folders, method="dare")
    out = tmp_path / "out"
    prepare(plan, out, resume=False)
    with pytest.raises(VisCodexError, match=f"'{name}' of the {role} holds NaN") as caught:
        run_plan(plan, out)
    assert caught.value.exit_code == 2
    assert not (out / "merge.json").exists()
    assert not list(out.glob("*.safetensors"))


def test_a_base_is_asked_for_where_it_matters(family: Family) -> None:
    for method in ("ties", "dare", "dare-ties"):
        assert "base" in refusal(family.vlm, family.coder, method=method)
    said = refusal(family.vlm, family.coder, weight=0.7, coder_weight=0.5)
    assert "0.7 and 0.5 do not add up to 1" in said
    plan_of(family.vlm, family.coder, method="linear", weight=0.7, coder_weight=0.5)
    plan_of(family.vlm, family.coder, family.base, weight=0.7, coder_weight=0.5)
    assert "0:3" in refusal(family.vlm, family.coder, layers="0:3=0.5")


def test_vocabularies_of_other_lengths(family: Family, tmp_path: Path) -> None:
    def shorten(weights: Weights) -> None:
        weights["model.embed_tokens.weight"] = weights["model.embed_tokens.weight"][:400]

    change = setting("vocab_size", to=400)
    short = altered(family.coder, tmp_path / "short", weights=shorten, config=change)
    plan = plan_of(family.vlm, short, embeddings="merge")
    assert dict(plan.rows.counts) == {"vlm": 512, "coder": 400}
    assert max(stop for _, stop in plan.rows.merged) <= 400
    assert any("coder 400" in note for note in plan.notes)
    out = tmp_path / "out"
    prepare(plan, out, resume=False)
    assert run_plan(plan, out)
    name = "model.embed_tokens.weight"
    found = load_file(out / plan.shards[0].file)[name]
    vlm, coder = family.weights("vlm")[name], load_file(short / WEIGHTS)[name]
    assert torch.equal(found[400:], vlm[400:])
    first, stop = plan.rows.merged[0]
    wanted = 0.7 * vlm[first:stop].double() + 0.3 * coder[first:stop].double()
    torch.testing.assert_close(found[first:stop], wanted.bfloat16(), rtol=2**-7, atol=1e-6)
    assert plan_of(family.vlm, short).rows.merged == ()  # kept: the lengths do not matter


def test_tokens_at_other_places_are_not_merged(family: Family, tmp_path: Path) -> None:
    def swap(tokenizer: Any) -> None:
        vocabulary = tokenizer["model"]["vocab"]
        one, two = (next(t for t, n in vocabulary.items() if n == number) for number in (200, 201))
        vocabulary[one], vocabulary[two] = 201, 200

    other = altered(family.coder, tmp_path / "other", tokenizer=swap)
    rows = plan_of(family.vlm, other, embeddings="merge").rows.merged
    assert not any(start <= number < stop for start, stop in rows for number in (200, 201))
    assert any(start <= 199 < stop for start, stop in rows)
    (other / "tokenizer.json").unlink()
    assert "tokenizer.json" in refusal(family.vlm, other, embeddings="merge")


@pytest.mark.parametrize("spelling", ["current", "language_model"])
def test_every_spelling_gives_the_same(family: Family, tmp_path: Path, spelling: str) -> None:
    def respell(weights: Weights) -> Weights:
        tensors = match_tensors(weights, "qwen2_5_vl").values()
        names = {t.source: hugging_face_name(t.canonical, "qwen2_5_vl", "current") for t in tensors}
        if spelling == "language_model":
            names = {
                name: f"language_model.{name}" if name.startswith("model.") else name
                for name in weights
            }
        return {names[name]: values for name, values in weights.items()}

    plans = [
        plan_of(vlm, family.coder)
        for vlm in (family.vlm, altered(family.vlm, tmp_path / "vlm", weights=respell))
    ]
    found = []
    for number, plan in enumerate(plans):
        out = tmp_path / f"out{number}"
        prepare(plan, out, resume=False)
        run_plan(plan, out)
        weights = load_file(out / plan.shards[0].file)
        names = match_tensors(weights, "qwen2_5_vl")
        found.append({key: weights[tensor.source] for key, tensor in names.items()})
    assert found[0].keys() == found[1].keys()
    assert all(torch.equal(found[0][key], found[1][key]) for key in found[0])


def test_text_models_merge_as_well(family: Family, tmp_path: Path) -> None:
    plan = plan_of(family.base, family.coder)
    prepare(plan, tmp_path / "out", resume=False)
    assert run_plan(plan, tmp_path / "out")


def test_shards_and_an_index_that_lies(family: Family, tmp_path: Path) -> None:
    folder = tmp_path / "coder"
    shutil.copytree(family.coder, folder)
    weights = load_file(folder / WEIGHTS)
    (folder / WEIGHTS).unlink()
    names = sorted(weights)
    table = {}
    for file, part in (("a.safetensors", names[:9]), ("b.safetensors", names[9:])):
        save_file({name: weights[name] for name in part}, folder / file)
        table |= dict.fromkeys(part, file)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": table}))
    plan_of(family.vlm, folder)
    change_json(index, lambda data: data["weight_map"].update({UP: "a.safetensors"}))
    assert UP in refusal(family.vlm, folder)


RECIPES = {
    "unknown key": ("wieght: 0.7", "wieght"),
    "unknown method": ("method: average", "method"),
    "density": ("density: 0.5", "density has no meaning"),
    "density range": ("method: ties\ndensity: 1.5", "density"),
    "two weights": ("layers: 0:2=0.5, 1:2=0.6", "two weights"),
    "no range": ("layers: first=0.5", "first=0.5"),
    "outside": ("method: slerp\nweight: 1.2", "from 0 to 1"),
    "not finite": ("weight: .nan", "weight"),
    "text": ("just words", "no keys"),
}


@pytest.mark.parametrize(("text", "said"), RECIPES.values(), ids=RECIPES)
def test_recipes_that_are_wrong(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(text if text == "just words" else f"vlm: a\ncoder: b\n{text}\n")
    with pytest.raises(VisCodexError) as caught:
        read_recipe(path, MergeRecipe)
    assert said in caught.value.message
    assert caught.value.exit_code == 2


def test_the_recipes_of_the_paper() -> None:
    weights = {"8b-merge": 0.7, "8b-coder": 0.7, "33b-merge": 0.85, "33b-coder": 0.85}
    for name, weight in weights.items():
        recipe = read_recipe(ROOT / "training" / "recipes" / f"{name}.yaml", MergeRecipe)
        assert (recipe.method, recipe.weight) == ("task-arithmetic", weight)
        assert recipe.pair(None) == (weight, round(1 - weight, 9))


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "training.cli", "merge", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--vlm"),
        (("--vlm", "no-folder", "--coder", "x", "--out", "y"), "no-folder"),
        (("--vlm", "a", "--coder", "b"), "--out"),
        (("--vlm", "a", "--coder", "b", "--out", "c", "--shard", "2/2"), "2/2"),
        (("--vlm", "a", "--coder", "b", "--out", "c", "--weight", "nan"), "weight"),
        (("--vlm", "a", "--coder", "b", "--out", "c", "--sweep", "0.5,x"), "0.5,x"),
        (("no-recipe.yaml", "--out", "c"), "no-recipe.yaml"),
    ],
)
def test_the_command_refuses_in_one_line(arguments: tuple[str, ...], said: str) -> None:
    done = command(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert not done.stdout


def test_a_dry_run_prints_the_plan_and_writes_nothing(family: Family, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = command("--vlm", family.vlm, "--coder", family.coder, "--out", out, "--dry-run")
    assert done.returncode == 0, done.stderr
    for word in ("mlp.up_proj", "merge", "keep", "copy", "vision", "projector", "0.7"):
        assert word in done.stdout
    assert not out.exists()


def test_a_sweep_reports_the_best(family: Family, tmp_path: Path) -> None:
    script = tmp_path / "score.py"
    script.write_text(
        "import json, pathlib, sys\n"
        "pathlib.Path(sys.argv[0]).with_name('calls').open('a').write('x')\n"
        "weight = json.loads((pathlib.Path(sys.argv[1]) / 'merge.json').read_text())['weight']\n"
        "print('measuring'); print(-abs(weight - 0.6))\n"
    )
    out = tmp_path / "out"
    arguments = ("--vlm", family.vlm, "--coder", family.coder, "--out", out, "--sweep",
                 "0.5,0.6,0.9", "--evaluate", f"{sys.executable} {script} {{}}")  # fmt: skip
    done = command(*arguments)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"best: {out / 'weight-0.6'} (-0)"
    report = json.loads((out / "sweep.json").read_text())
    assert report["best"] == "0.6"
    assert report["scores"] == {"0.5": pytest.approx(-0.1), "0.6": 0, "0.9": pytest.approx(-0.3)}
    again = command(*arguments, "--resume")
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "calls").read_text() == "xxx"  # nothing was measured twice
    script.write_text("raise SystemExit(3)")
    failed = command(*arguments[:-1], f"{sys.executable} {script} {{}} again", "--resume")
    assert failed.returncode == 1
    assert "ended with 3" in failed.stderr
    assert (out / "weight-0.9" / "merge.json").exists()
