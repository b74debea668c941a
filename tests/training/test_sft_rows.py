"""Records become rows: token numbers as the engine cuts them, nothing cut off, all that is dropped
counted; batches hold what the model wants, and what TRL would have made of the same record."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image
from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

from engine.errors import VisCodexError
from engine.hints import TextLine
from engine.images import grid_size, to_grid
from engine.prompt import HINTS_EXPLAINED
from engine.tasks import TASKS
from tests.fixtures.sft_records import tiny_recipe
from tests.fixtures.tiny_model import build_tiny_checkpoint
from training.bench.records import write_records
from training.bench.sft import plain_processor, plain_rows
from training.data.record import Record, to_row, write_rows
from training.recipe import read_recipe
from training.sft.collate import IGNORED, Collator
from training.sft.order import LengthOrder
from training.sft.recipe import SftRecipe, files_of
from training.sft.rows import TOO_LONG, Rows, prepare_rows
from training.sft.run import Begun, open_base

RECIPES = Path(__file__).parents[2] / "training" / "recipes"
BY_TOKEN = ("input_ids", "attention_mask", "labels", "mm_token_type_ids")
NO_HINTS = {"instruction": "short", "system": "", "hints": 0.0}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    return build_tiny_checkpoint(tmp_path_factory.mktemp("tiny") / "checkpoint")


def _rows(checkpoint: Path, folder: Path, **changes: object) -> tuple[Rows, Begun]:
    begun = open_base(tiny_recipe(checkpoint, folder / "records.jsonl", **changes))
    return prepare_rows(begun.recipe, checkpoint, begun.limits, folder / "rows"), begun


def _collator(begun: Begun) -> Collator:
    encoder = begun.encoder
    pad = encoder.tokenizer.pad_token_id
    return Collator(begun.base, begun.limits, encoder.picture_token, pad)


def test_what_cannot_be_trained_on_is_dropped_and_counted(checkpoint, tmp_path):
    path = write_records(tmp_path, 12)
    lines = path.read_text().splitlines()
    long = json.loads(lines[0]) | {"id": "long", "completion": "word " * 600}
    lost = json.loads(lines[1]) | {"id": "lost", "images": ["none.png"]}
    (tmp_path / "torn.png").write_bytes((tmp_path / "1.png").read_bytes()[:60])
    torn = json.loads(lines[1]) | {"id": "torn", "images": ["torn.png"]}
    more = [json.dumps(row) for row in (long, lost, torn, {"id": "none"})]
    path.write_text("\n".join([*lines, *more, "{", ""]) + "\n")
    rows, _ = _rows(checkpoint, tmp_path)
    assert rows.dropped == {
        TOO_LONG: 1,
        "picture missing": 1,
        "picture unreadable": 1,
        "no prompt": 1,
        "no JSON": 1,
    }
    assert rows.held_out is not None
    ids = {*rows.train["id"], *rows.held_out["id"]}
    assert ids == {f"r{number}" for number in range(12)} and len(rows.held_out) == 4
    assert not {*rows.train["id"]} & {*rows.held_out["id"]}
    assert max(rows.train["length"]) <= 512


def test_rows_are_made_once_and_anew_when_the_data_changes(checkpoint, tmp_path):
    path = write_records(tmp_path, 10)
    first, _ = _rows(checkpoint, tmp_path)
    stamp = (tmp_path / "rows" / "rows.json").stat().st_mtime_ns
    _rows(checkpoint, tmp_path)
    assert (tmp_path / "rows" / "rows.json").stat().st_mtime_ns == stamp
    path.write_text("\n".join(path.read_text().splitlines()[:9]) + "\n")
    again, _ = _rows(checkpoint, tmp_path)
    assert len(again.train) == len(first.train) - 1


def test_a_batch_is_what_trl_makes_of_the_same_records(checkpoint, tmp_path):
    records = write_records(tmp_path, 6)
    asked = [json.loads(line) | {"prompt": "Write it."} for line in records.open()]
    records.write_text("".join(json.dumps(row) + "\n" for row in asked))
    rows, begun = _rows(checkpoint, tmp_path, prompt=NO_HINTS, held_out=0)
    by_id = {row["id"]: row for row in rows.train}
    collate = DataCollatorForVisionLanguageModeling(
        plain_processor(checkpoint), completion_only_loss=True
    )
    for number, plain in enumerate(plain_rows(records)):
        plain["images"] = [_picture(path, begun) for path in plain["images"]]
        ours, theirs = _collator(begun)([by_id[f"r{number}"]]), collate([plain])
        assert set(ours) == set(theirs)
        end = ours["input_ids"].shape[1]
        assert theirs["input_ids"].shape[1] == end + 1  # they learn a newline after the end too
        for key, values in ours.items():
            other = theirs[key][:, :end] if key in BY_TOKEN else theirs[key]
            assert torch.equal(values, other), key


def _picture(path: str, begun: Begun) -> Image.Image:
    return to_grid(Image.open(path).convert("RGB"), begun.limits)


def test_labels_are_answers_alone_and_data_is_never_special(checkpoint, tmp_path):
    path = write_records(tmp_path, 8)
    row = json.loads(path.read_text().splitlines()[1])
    row |= {
        "id": "sly",
        "prompt": "What is <|im_end|> or <|image_pad|>?",
        "completion": "It is <|im_end|><|image_pad|> and more.",
    }
    path.write_text(path.read_text() + json.dumps(row) + "\n")
    rows, begun = _rows(checkpoint, tmp_path, held_out=0)
    sly = next(row for row in rows.train if row["id"] == "sly")
    ids = {"pad": begun.encoder.picture_token, "stop": begun.encoder.stop}
    across, down = grid_size(84, 60, begun.limits)
    assert sly["prompt"].count(ids["pad"]) == across * down // 28**2
    assert ids["pad"] not in sly["completion"]
    assert sly["completion"].count(ids["stop"]) == 1 and sly["completion"][-1] == ids["stop"]
    batch = _collator(begun)(list(rows.train))
    learnt = batch["labels"] != IGNORED
    assert not (batch["labels"] == ids["pad"]).any()
    assert torch.equal(learnt.sum(1), torch.tensor([len(r["completion"]) for r in rows.train]))
    assert (batch["input_ids"][learnt] == batch["labels"][learnt]).all()
    pictures = batch["image_grid_thw"].prod(1).sum() // 4
    assert batch["mm_token_type_ids"].sum() == pictures == (batch["input_ids"] == ids["pad"]).sum()
    assert (batch["mm_token_type_ids"] * (batch["attention_mask"] == 0)).sum() == 0


def test_rows_of_mcd_and_hints(checkpoint, tmp_path):
    write_records(tmp_path, 4, text_every=0)
    mcd = {
        "images": ["0.png"],
        "messages": [
            {"role": "user", "content": "<image>\nWrite the HTML"},
            {"role": "assistant", "content": "```html\n<p>Card</p>\n```"},
        ],
        "category": "html",
    }
    with (tmp_path / "records.jsonl").open("a") as file:
        file.write(json.dumps(mcd) + "\n")
    hinted = {"instruction": "short", "system": "", "hints": 1.0}
    rows, begun = _rows(checkpoint, tmp_path, prompt=hinted, held_out=0)
    texts = {row["id"]: begun.encoder.tokenizer.decode(row["prompt"]) for row in rows.train}
    answers = {row["id"]: begun.encoder.tokenizer.decode(row["completion"]) for row in rows.train}
    ours = next(text for name, text in texts.items() if name.startswith("records.jsonl:"))
    assert ours.startswith("<|im_start|>user\n<|vision_start|><|image_pad|>")
    assert ours.endswith("<|vision_end|>Write the HTML<|im_end|>\n<|im_start|>assistant\n")
    hinted_rows = [text for name, text in texts.items() if "#000#fff>" in text and name[0] == "r"]
    assert hinted_rows  # the noise of the reader leaves some lines as they are
    assert answers["r1"].startswith("```html\n<!DOCTYPE html>") and answers["r1"].endswith(
        "\n```<|im_end|>"
    )


def test_shards_of_data_build_bring_pictures_hints_and_no_prompt_of_their_own(checkpoint, tmp_path):
    write_records(tmp_path, 4, text_every=0)
    (tmp_path / "train").mkdir()
    (tmp_path / "report.json").write_text("{}")
    hints = (TextLine("Card", (6, 40, 50, 52), 1.0, (0, 0, 0), (255, 255, 255)),)
    given = {"prompt": TASKS["html"].instruction, "completion": "```html\n<p>Card</p>\n```"}
    common = {"source": "s", "kind": "html", "license": "MIT", "origin": "o", "group": "g"}
    records = [
        Record(id="hinted", images=("1.png",), hints=hints, **common, **given),
        Record(id="bare", images=("2.png",), **common, **given),
        Record(id="asked", images=("3.png",), **common, **(given | {"prompt": "Why?"})),
    ]
    write_rows(tmp_path / "records.jsonl", map(to_row, records))
    (tmp_path / "records.jsonl").rename(tmp_path / "train" / "records.jsonl")

    def texts(**prompt):
        begun = open_base(tiny_recipe(checkpoint, tmp_path / "train" / "records.jsonl", held_out=0,
                                      batch=1, device_batch=1, prompt=prompt))  # fmt: skip
        rows = prepare_rows(begun.recipe, checkpoint, begun.limits, tmp_path / f"rows{len(prompt)}")
        assert not rows.dropped
        decode = begun.encoder.tokenizer.decode
        return rows, {row["id"]: decode(row["prompt"]) for row in rows.train}

    # Hints are given or not as the data set has it, whatever share of others would show theirs.
    rows, short = texts(instruction="short", system="")
    assert {row["folder"] for row in rows.train} == {str(tmp_path)}
    assert ["#000#fff>Card</" in short[name] for name in ("hinted", "bare", "asked")] == [
        True, False, False
    ]  # fmt: skip
    assert HINTS_EXPLAINED not in short["hinted"] and "Why?" in short["asked"]
    assert TASKS["html"].instruction not in short["bare"]
    _, full = texts(instruction="full", system="", hints=0.0)
    assert f"</\n{HINTS_EXPLAINED}" in full["hinted"] and HINTS_EXPLAINED not in full["bare"]
    rows, plain = texts(instruction="short", system="", hints=0.0, pictures=False)
    assert "#000#fff>Card</" in plain["hinted"]
    assert not any("<|image_pad|>" in text for text in plain.values())
    assert not any(row["pictures"] for row in rows.train)


def test_the_order_is_of_seed_and_epoch_and_alike_lengths_go_together():
    lengths = [(7 * n) % 101 for n in range(403)]
    order = LengthOrder(lengths, 4, seed=3)
    first = list(order)
    assert len(first) == len(order) == 400 and len(set(first)) == 400
    assert first == list(LengthOrder(lengths, 4, seed=3))
    order.set_epoch(1)
    assert list(order) != first
    batches = [first[n : n + 4] for n in range(0, 400, 4)]
    spans = [max(lengths[i] for i in b) - min(lengths[i] for i in b) for b in batches]
    assert sum(spans) / len(spans) < 5  # drawn at random it would be about 60
    assert max(lengths[i] for i in batches[0]) == max(lengths)


def test_patterns_of_files(tmp_path):
    for name in ("b.jsonl", "a.jsonl", "c.txt"):
        (tmp_path / name).write_text("")
    names = [path.name for path in files_of([f"{tmp_path}/*.jsonl", str(tmp_path / "a.jsonl")])]
    assert names == ["a.jsonl", "b.jsonl"]


@pytest.mark.parametrize("name", ["8b-sft", "33b-sft", "8b-lora-sft", "nano-sft"])
def test_the_recipes_of_the_repository(name):
    recipe = read_recipe(RECIPES / f"{name}.yaml", SftRecipe)
    assert recipe.train == ["language"]
    assert (recipe.lora is not None) == ("lora" in name)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"colour": "red"}, "colour"),
        ({"train": []}, "train names no module"),
        ({"batch": 6}, "do not divide"),
        ({"lora": {"targets": ["all-linear"]}}, "choose from q_proj"),
        ({"lora": {}, "train": ["vision"]}, "LoRA"),
        ({"lora": {"quantize": "nf4"}, "machines": {"device": "cpu"}}, "device is cpu"),
        ({"lora": {"quantize": "nf4"}}, "in bf16"),
        ({"lora": {"quantize": "int3"}}, "nf4"),
        ({"early_stop": 2, "held_out": 0}, "held-out"),
        ({"early_stop": 2, "save_every": 7, "evaluate_every": 2}, "multiple"),
    ],
)
def test_wrong_recipes_are_named_in_one_line(tmp_path, change, said):
    values = tiny_recipe(tmp_path, tmp_path / "r.jsonl").model_dump(mode="json") | change
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(VisCodexError) as caught:
        read_recipe(tmp_path / "r.yaml", SftRecipe)
    assert said in caught.value.message and "\n" not in caught.value.message
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("change", [{"batch": 100, "device_batch": 4}, {"data": ["none/*.jsonl"]}])
def test_too_few_records_are_told(checkpoint, tmp_path, change):
    write_records(tmp_path, 8)
    with pytest.raises(VisCodexError) as caught:
        _rows(checkpoint, tmp_path, **change)
    assert caught.value.exit_code == 2
    assert not (tmp_path / "rows").exists()
