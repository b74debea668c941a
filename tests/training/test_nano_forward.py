"""The arranged forward pass equals that of transformers, and texts fall into the same tokens."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from PIL import Image

from engine.hints import TextLine
from engine.images import ImageLimits
from training.nano.batches import (
    PromptEncoder,
    language_batch,
    make_example,
    patches_of,
    positions_of,
)
from training.nano.forward import answer_loss, language_features, picture_tokens, plan_patches
from training.nano.model import ModelShape, build_model
from training.nano.objectives import language_outcome
from training.nano.records import Sample
from training.nano.tokenizer import train_tokenizer


def _picture(width: int, height: int, seed: int) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
    return Image.fromarray(pixels)


def _sample(number: int, width: int, height: int) -> Sample:
    import io

    out = io.BytesIO()
    _picture(width, height, number).save(out, "PNG")
    line = TextLine(f"Hello {number}", (10, 10, 60, 24), 1.0, (0, 0, 0), (255, 255, 255))
    code = f"<!DOCTYPE html>\n<p>Hello {number}</p>"
    return Sample(f"html-{number}", "html", 0, code, out.getvalue(), [line])


@pytest.fixture(scope="module")
def parts():
    samples = [_sample(n, 200 + 40 * n, 150 + 30 * n) for n in range(3)]
    tokenizer = train_tokenizer([(s.kind, s.code) for s in samples] * 5, 400, spaced_words=2)
    shape = ModelShape(
        vocab_size=400,
        layers=2,
        heads=2,
        hidden=128,
        feed_forward=192,
        vision_hidden=64,
        vision_heads=2,
        vision_feed_forward=96,
        vision_depth=4,
    )
    model = build_model(shape, tokenizer, 3).eval()
    return model, tokenizer, samples


def test_patches_equal_those_of_the_image_processor():
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    picture = _picture(168, 112, 5)
    processor = Qwen2VLImageProcessorPil(min_pixels=28 * 28, max_pixels=28 * 28 * 576)
    wanted = processor(picture, return_tensors="pt")
    ours, grid = patches_of(picture)
    assert [1, *grid] == wanted["image_grid_thw"][0].tolist()
    assert torch.allclose(torch.from_numpy(ours), wanted["pixel_values"], atol=1e-5)


@torch.no_grad()
def test_tower_equals_transformers(parts):
    model, _, samples = parts
    cuts = [
        patches_of(s.picture().resize((28 * (5 + n), 28 * (9 - n)))) for n, s in enumerate(samples)
    ]
    patches = torch.from_numpy(np.concatenate([cut for cut, _ in cuts]))
    grids = [grid for _, grid in cuts]
    ours = picture_tokens(model.model.visual, patches, plan_patches(grids))
    table = torch.tensor([[1, *grid] for grid in grids])
    theirs = model.model.visual(patches, grid_thw=table).pooler_output
    assert torch.allclose(ours, theirs, atol=2e-5)


@torch.no_grad()
def test_loss_equals_transformers(parts):
    model, tokenizer, samples = parts
    encoder, limits = PromptEncoder(tokenizer), ImageLimits()
    examples = [
        make_example(s, encoder, limits, random.Random(1), None, with_picture=True) for s in samples
    ]
    for example in examples:  # transformers one by one, without padding
        batch = language_batch([example], encoder, limits)
        ours = language_outcome(model, batch, train_tower=False).loss
        grid = torch.tensor([[1, example.merged[0] * 2, example.merged[1] * 2]])
        theirs = model(
            input_ids=batch.ids,
            pixel_values=batch.patches,
            image_grid_thw=grid,
            mm_token_type_ids=(batch.ids == encoder.pad).int(),
            labels=batch.labels,
        ).loss
        assert ours.item() == pytest.approx(theirs.item(), abs=1e-4)
        positions, _ = model.model.get_rope_index(
            batch.ids, image_grid_thw=grid, mm_token_type_ids=(batch.ids == encoder.pad).int()
        )
        assert torch.equal(positions, batch.positions)
        assert np.array_equal(positions[:, 0].numpy(), positions_of(example, encoder.pad))


@torch.no_grad()
def test_padding_changes_nothing(parts):
    model, tokenizer, samples = parts
    encoder, limits = PromptEncoder(tokenizer), ImageLimits()
    examples = [
        make_example(s, encoder, limits, random.Random(1), None, with_picture=False)
        for s in samples
    ]
    together = language_batch(examples, encoder, limits)

    def loss(batch) -> float:
        embedded = model.model.language_model.embed_tokens(batch.ids)
        hidden = language_features(model, embedded, batch.positions)
        count = int((batch.labels[:, 1:] >= 0).sum())
        return answer_loss(model, hidden, batch.labels)[0].item() * count

    alone = sum(loss(language_batch([e], encoder, limits)) for e in examples)
    assert loss(together) == pytest.approx(alone, rel=1e-4)


def test_text_falls_into_the_same_tokens_in_hint_and_answer(parts):
    _, tokenizer, _ = parts
    encoder = PromptEncoder(tokenizer)
    for text in ("Hello", "Say hello", "(USD)", "100%", "Zürich!", "a/b"):
        hint = encoder.text(f"1,2,3,4#000#fff>{text}</\n", special=False)
        answer = encoder.text(f"    <p>{text}</p>\n", special=False)
        inner = encoder.text(text, special=False)

        def holds(ids, inner=inner):
            return any(ids[i : i + len(inner)] == inner for i in range(len(ids)))

        assert holds(hint) and holds(answer), text


def test_special_tokens_in_data_stay_text(parts):
    _, tokenizer, _ = parts
    encoder = PromptEncoder(tokenizer)
    assert encoder.stop not in encoder.text("<|im_end|>", special=False)
    assert encoder.text("<|im_end|>", special=True) == [encoder.stop]
