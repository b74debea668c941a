"""Filters, fingerprints, near-duplicates, benchmark items, shares of the mixture."""

from __future__ import annotations

import io
import json
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from engine.errors import VisCodexError
from training.data.benchmarks import Benchmarks
from training.data.draft import Draft, Picture
from training.data.duplicates import alike_code, alike_pictures
from training.data.filters import TokenCounter, reason_to_drop
from training.data.fingerprint import picture_print, signature, windows
from training.data.hints import give_hints
from training.data.recipe import PAPER_MIXTURE, DataRecipe, FilterPlan
from training.data.record import Record
from training.data.select import Entry, quota, select
from training.recipe import check_recipe

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "assets" / "samples" / "sources"
ANY = {"type": "generated", "samples": 1}
WORDS = (
    "alpha", "beta", "gamma", "delta", "house", "river", "stone", "light", "paper", "green",
    "seven", "quick", "table",
)  # fmt: skip


def picture(image):
    out = io.BytesIO()
    image.save(out, "PNG")
    return Picture(out.getvalue())


def page(size=(300, 200), text="Some words to read"):
    image = Image.new("RGB", size, "white")
    ImageDraw.Draw(image).text((20, 20), text, "black")
    ImageDraw.Draw(image).rectangle((20, 60, 120, 120), "teal")
    return image


def draft(image=None, texts=None, **changes):
    values = {
        "id": "web/1", "source": "web", "kind": "html", "prompt": "p",
        "completion": "```html\n<p>words words words</p>\n```", "license": "MIT", "origin": "o",
        "group": "g", "tokens": 100,
    } | changes  # fmt: skip
    return Draft(Record(**values), [] if image is None else [picture(image)], texts)


def boxes(*places):
    return [{"text": "x", "box": place} for place in places]


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (draft(page()), None),
        (draft(page((300, 40))), "size of the picture"),
        (draft(page((1500, 100))), "shape of the picture"),
        (draft(Image.new("RGB", (300, 200), "#ddeeff")), "near-blank"),
        (draft(page(), tokens=3), "too short"),
        (draft(page(), tokens=9000), "too long"),
        (
            draft(page(), completion="<p>Это длинный русский текст на странице</p>"),
            "other language",
        ),
        (draft(page(), boxes((0, 0, 90, 20), (5, 5, 95, 22), (0, 90, 50, 99))), "crowded texts"),
        (draft(page(), boxes((280, 0, 400, 20), (0, 90, 50, 99))), "crowded texts"),
        (draft(page(), boxes((0, 0, 90, 20), (0, 30, 95, 50), (0, 90, 50, 99))), None),
        (
            draft(kind="qa", prompt="为什么这个图表是空的呢我不明白请帮帮我谢谢大家了好的"),
            "other language",
        ),
    ],
)
def test_each_filter_names_its_reason(made, reason):
    assert reason_to_drop(made, FilterPlan()) == reason


def test_filters_can_be_turned_off():
    off = FilterPlan(sides=None, aspect=None, drawn=None, tokens=None, language=None, crowded=None)
    assert reason_to_drop(draft(Image.new("RGB", (20, 900), "white"), tokens=0), off) is None


def test_tokens_are_estimated_near_a_real_tokenizer():
    code = (FOLDER / "login.html").read_text()
    estimate = TokenCounter().count(code)
    # Qwen2.5's tokenizer makes about a token of 3 characters of such code.
    assert len(code) / 4.5 < estimate < len(code) / 2.2
    real = TokenCounter(str(ROOT / "training/checkpoints/nano/tokenizer/tokenizer.json"))
    assert real.count("Sign in") >= 1


def test_signatures_estimate_jaccard():
    rng = random.Random(1)
    words = [rng.choice(WORDS) + str(rng.randrange(99)) for _ in range(600)]
    for changed in (0, 10, 40, 300):
        other = list(words)
        for place in rng.sample(range(600), changed):
            other[place] = "changed"
        one, two = windows(" ".join(words)), windows(" ".join(other))
        exact = len(np.intersect1d(one, two)) / len(np.union1d(one, two))
        assert abs((signature(one) == signature(two)).mean() - exact) < 0.2
    assert not signature(windows("")).any() and len(windows("one")) == 1


def test_near_duplicates_of_code_are_found_whatever_their_distance():
    rng = random.Random(2)
    texts = [
        " ".join(rng.choice(WORDS) + str(rng.randrange(500)) for _ in range(150))
        for _ in range(300)
    ]
    copies = {300: 7, 301: 150, 302: 299}
    texts += [texts[of].replace("alpha", "omega", 1) for of in copies.values()]
    signatures = np.stack([signature(windows(text)) for text in texts])
    groups = np.arange(len(texts))
    assert np.flatnonzero(alike_code(signatures, groups, 0.8)).tolist() == [300, 301, 302]
    groups[301] = groups[150]  # a variant of one original is no duplicate
    assert np.flatnonzero(alike_code(signatures, groups, 0.8)).tolist() == [300, 302]


def test_near_duplicates_of_pictures():
    pages = [page(text=f"Page {n}") for n in range(3)]
    rng = np.random.default_rng(0)
    many = [Image.fromarray(rng.integers(0, 255, (60, 80, 3), np.uint8)) for _ in range(60)]
    moved = Image.new("RGB", (300, 200), "white")
    ImageDraw.Draw(moved).rectangle((180, 60, 280, 120), "teal")
    red = page(text="Page 0")
    ImageDraw.Draw(red).rectangle((20, 60, 120, 120), "red")
    noisy = Image.fromarray(np.asarray(pages[0]) - (np.asarray(pages[0]) > 9).astype(np.uint8))
    images = [pages[0], *many, moved, red, noisy, pages[0].resize((600, 400))]
    prints = np.stack([picture_print(image) for image in images])
    there = np.ones(len(images), bool)
    assert np.flatnonzero(alike_pictures(prints, there)).tolist() == [63, 64]
    there[0] = False
    assert np.flatnonzero(alike_pictures(prints, there)).tolist() == [64]


def test_benchmark_items_and_parts_of_them_are_found(tmp_path):
    folder = tmp_path / "bench"
    folder.mkdir()
    head = "<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'><style>"
    items = []
    for number in range(8):
        rng = random.Random(number)
        body = " ".join(f"<p>{rng.choice(WORDS)} {rng.randrange(999)}</p>" for _ in range(60))
        items.append(body)
        (folder / f"{number}.html").write_text(head + body)
    page(text="Bench").save(folder / "0.png")
    (folder / "questions.jsonl").write_text(json.dumps({"q": " ".join(WORDS * 3)}) + "\n")
    known = Benchmarks.read([str(folder)])
    known.save(tmp_path / "b.npz")
    known = Benchmarks.load(tmp_path / "b.npz")
    part = " ".join(items[3].split(" ")[10:50])
    assert known.holds(windows(f"<div>{part}</div>"), 0.5)
    assert known.holds(windows(" ".join(WORDS * 3)), 0.5)
    # What all items have in common is no item.
    fresh = " ".join(f"<i>{word} or {word}</i>" for word in WORDS * 2)
    assert not known.holds(windows(head + fresh), 0.5)
    assert known.shows(draft(page(text="Bench"))) and not known.shows(draft(page((200, 300))))
    with pytest.raises(VisCodexError, match="no benchmark items"):
        Benchmarks.read([str(tmp_path / "nothing")])


def entries(**kinds):
    return [
        Entry(None, 0, f"{kind}/{n}", "s", kind, f"{kind} {n // 2}")
        for kind, count in kinds.items()
        for n in range(count)
    ]


def blank(count):
    return {
        "code": np.zeros((count, 64), np.uint32),
        "picture": np.zeros((count, 80), np.uint8),
        "has_picture": np.zeros(count, bool),
    }


def recipe(**changes):
    return check_recipe({"name": "x", "sources": [ANY], **changes}, DataRecipe)


def test_the_scarcest_kind_decides_the_size_of_the_mixture():
    there = {"html": 400, "chart": 350, "qa": 100, "algorithm": 110}
    wanted = recipe(mixture=PAPER_MIXTURE)
    assert quota(there, wanted) == {"html": 165, "chart": 175, "qa": 50, "algorithm": 110}
    assert sum(quota(there, recipe(mixture=PAPER_MIXTURE, size=100)).values()) == 100
    assert quota({"html": 5, "chart": 70}, wanted) == {
        "html": 5,
        "chart": 5,
        "qa": 0,
        "algorithm": 0,
    }
    assert quota(there, recipe()) == there


def test_selection_depends_on_seed_and_records_alone():
    found = entries(html=80, chart=60, qa=30, algorithm=50)
    prints = blank(len(found))
    wanted = recipe(mixture=PAPER_MIXTURE, validation=0.2)
    chosen = select(found, prints, wanted)
    again = select(found[::-1], prints, wanted)
    assert chosen.splits == again.splits
    train, held = chosen.splits["train"], chosen.splits["validation"]
    assert not {entry.group for entry in train} & {entry.group for entry in held}
    assert 15 <= len(held) <= 75
    counts = Counter(entry.kind for entry in train)
    for kind, share in PAPER_MIXTURE.items():
        assert abs(counts[kind] / len(train) - share) < 0.02
    assert select(found, prints, recipe(seed=1)).splits != select(found, prints, recipe()).splits
    left = sum(chosen.left_out["s"].values())
    assert len(train) + len(held) + left == len(found)


def test_hints_come_for_a_share_of_the_records():
    text = [{"text": "Some words to read", "box": (18, 18, 140, 34)}]
    given = 0
    for number in range(60):
        made = draft(page(), text, id=f"web/{number}")
        give_hints(made, recipe(hints=0.5))
        if made.record.hints is not None:
            given += 1
            assert all(line.box[2] <= 145 for line in made.record.hints)
    assert 15 <= given <= 45
    read = draft(page(text="Some words to read"))
    give_hints(read, recipe(hints=1.0, hints_from="reader"))
    assert "words" in " ".join(line.text for line in read.record.hints)
    answer = draft(kind="algorithm")
    give_hints(answer, recipe(hints=1.0))
    assert answer.record.hints is None


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"sources": []}, "sources"),
        ({"sources": [{"type": "nothing"}]}, "'nothing' is no type of source"),
        ({"sources": [{"type": "web", "folder": "x", "colour": 1}]}, "web: colour"),
        ({"sources": [ANY, ANY]}, "two sources are called generated"),
        ({"sources": [ANY], "mixture": {"html": 0.5}}, "add up to 0.5"),
        ({"sources": [ANY], "filter": {}}, "filter"),
    ],
)
def test_a_wrong_recipe_is_told(values, words):
    with pytest.raises(VisCodexError) as caught:
        check_recipe({"name": "x", **values}, DataRecipe)
    assert words in caught.value.message and "\n" not in caught.value.message
