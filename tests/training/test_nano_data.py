"""Generated samples: what the renderer knows must agree with the pixels and with the reader."""

from __future__ import annotations

import io
import random

import numpy as np
import pytest
from PIL import Image, ImageDraw

from engine.hints import TextLine, read
from training.nano.build import HELD_OUT_FROM, DataPlan, Maker
from training.nano.labels import KIND_NUMBERS, patch_labels
from training.nano.reader_noise import ReaderNoise
from training.nano.records import Region, Sample, read_shard, shard_files, write_shard
from training.nano.truth import page_regions, true_lines


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    maker = Maker(DataPlan(reader_share=0))
    try:
        made = [maker.make(number) for number in range(12)]
        again = maker.make(3)
    finally:
        maker.close()
    found = [sample for sample in made if sample is not None]
    assert len(found) >= 10
    assert again is not None
    assert made[3] is not None
    assert again.code == made[3].code
    assert again.lines == made[3].lines
    return found


def test_both_kinds_are_made_with_text_and_regions(samples):
    assert {sample.kind for sample in samples} == {"html", "chart"}
    for sample in samples:
        assert sample.lines, sample.id
        assert max(sample.picture().size) <= 800
    assert any(sample.regions for sample in samples)


def test_true_boxes_hold_ink_on_their_ground(samples):
    for sample in samples:
        pixels = np.asarray(sample.picture(), int)
        for line in sample.lines:
            x0, y0, x1, y1 = map(int, line.box)
            crop = pixels[y0:y1, x0:x1]
            edges = (crop[0], crop[-1], crop[:, 0], crop[:, -1])
            for edge in edges:  # drawn closely: some ink touches every side
                assert (np.abs(edge - np.array(line.ground)).sum(-1) > 20).any(), line


def test_reader_and_renderer_agree(samples):
    """The reader finds most true lines, at the same place, so both can stand in a hint."""
    pages = [sample for sample in samples if sample.kind == "html"][:3]
    hits = total = 0
    for sample in pages:
        seen = read(sample.picture())
        for line in sample.lines:
            total += 1
            hits += any(
                max(abs(a - b) for a, b in zip(line.box, other.box, strict=True)) <= 3
                for other in seen
            )
    assert hits >= 0.7 * total


def test_shards_come_back_as_written(samples, tmp_path):
    samples[0].read_lines = samples[0].lines[:1]
    write_shard(tmp_path, "shard-000000000", samples)
    back = [s for path in shard_files(tmp_path) for s in read_shard(path)]
    assert [s.code for s in back] == [s.code for s in samples]
    assert [s.png for s in back] == [s.png for s in samples]
    assert back[0].read_lines is not None
    assert back[1].read_lines is None
    for ours, theirs in zip(samples, back, strict=True):
        assert [line.text for line in ours.lines] == [line.text for line in theirs.lines]
        assert len(ours.regions) == len(theirs.regions)


def test_held_out_numbers_lie_apart():
    assert DataPlan().samples < HELD_OUT_FROM


def _line(text: str, x: float, y: float) -> TextLine:
    return TextLine(text, (x, y, x + 8 * len(text), y + 12), 1.0, (0, 0, 0), (255, 255, 255))


def test_noise_depends_on_its_generator_alone():
    lines = [_line(f"Some words {n}", 10 + 150 * (n % 2), 20 * (n // 2)) for n in range(40)]
    noise = ReaderNoise(drop=0.1, confuse=0.5, merge=0.2, split=0.2, lose_space=0.3)
    first = noise.apply(lines, random.Random(4))
    assert first == noise.apply(lines, random.Random(4))
    assert first != lines
    assert first != noise.apply(lines, random.Random(5))
    silent = ReaderNoise(0, 0, 0, 0, 0, 0, 0, 0)
    assert silent.apply(lines, random.Random(1)) == lines


def test_neighbours_are_one_line_only_where_a_reader_sees_one():
    picture = Image.new("RGB", (300, 40), "white")
    draw = ImageDraw.Draw(picture)
    for x, text in ((10, "Home"), (42, "now"), (120, "About")):
        draw.text((x, 12), text, fill="black", font_size=14)
    texts = [
        {"text": "Home", "box": [8, 8, 41, 30]},
        {"text": "now", "box": [42, 8, 76, 30]},
        {"text": "About", "box": [118, 8, 165, 30]},
    ]
    assert [line.text for line in true_lines(picture, texts)] == ["Home now", "About"]


def test_labels_of_a_picture_drawn_by_hand():
    picture = Image.new("RGB", (112, 84), (255, 255, 255))
    ImageDraw.Draw(picture).rectangle((28, 28, 83, 55), fill=(0, 0, 255))
    region = Region("button", (28, 28, 84, 56), 8.0, border=True)
    labels = patch_labels(picture, [region], [_line("Go", 30, 35)], (1.0, 1.0))
    kinds = labels.kind.reshape(6, 8)
    inside = kinds == KIND_NUMBERS["button"]
    assert inside[2:4, 2:6].all()
    assert inside.sum() == 8
    ground = labels.ground.reshape(6, 8, 3)
    assert np.allclose(ground[3, 3], (0, 0, 1))
    assert np.allclose(ground[0, 0], (1, 1, 1))
    edges = labels.edges.reshape(6, 8, 4)
    assert edges[2:4, 2, 0].all()
    assert edges[2, 2:6, 1].all()
    assert edges[..., 0].sum() == 2
    assert labels.corner.reshape(6, 8)[2, 2] > 1
    assert labels.text.reshape(6, 8)[2:4, 2].any()


def test_regions_leave_out_what_shows_nothing():
    elements = [
        {"tag": "div", "cls": "row", "box": [0, 0, 100, 50], "background": "rgba(0, 0, 0, 0)",
         "border": 0, "border_bottom": 0, "radius": 0, "type": ""},
        {"tag": "div", "cls": "card", "box": [0, 0, 100, 50], "background": "rgb(255, 255, 255)",
         "border": 1, "border_bottom": 1, "radius": 8, "type": ""},
        {"tag": "input", "cls": "", "box": [10, 10, 22, 22], "background": "rgb(255, 255, 255)",
         "border": 1, "border_bottom": 1, "radius": 0, "type": "checkbox"},
    ]  # fmt: skip
    assert [region.kind for region in page_regions(elements)] == ["box", "check"]


def test_pictures_are_stored_small(samples):
    for sample in samples:
        assert len(sample.png) < 120_000
        assert Image.open(io.BytesIO(sample.png)).format == "PNG"
