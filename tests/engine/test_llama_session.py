"""The session on the real library: tokens, positions, reuse, cancelling."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.cancel import CancelFlag
from engine.errors import ErrorCode, VisCodexError
from engine.images import ImageLimits
from engine.llama.answer import Answer
from engine.llama.ledger import ImageItem, cells_of, positions_of
from engine.llama.library import llama, mtmd
from engine.llama.sampling import Sampling
from engine.llama.session import SessionOptions, VisionSession
from engine.llama.vision import picture_key
from engine.prompt import PromptPart, build_prompt
from tests.engine.scripted_model import LONG, build, chain

LIMITS = ImageLimits(min_tokens=4, max_tokens=400)


@pytest.fixture(scope="module")
def flag() -> CancelFlag:
    return CancelFlag.private()


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory, flag: CancelFlag) -> Iterator[VisionSession]:
    files = build(tmp_path_factory.mktemp("session"), chain("<p>", LONG, "</p>", "<|im_end|>"))
    options = SessionOptions(context=1024, limits=LIMITS)
    loaded = VisionSession(files.model, files.mmproj, options, flag, lambda _: None)
    yield loaded
    loaded.close()


@pytest.fixture(scope="module")
def mixing(tmp_path_factory: pytest.TempPathFactory, flag: CancelFlag) -> Iterator[VisionSession]:
    """A model whose every logit depends on all that lies in the cache, and where."""
    script = replace(chain("<p>", "</p>", "<|im_end|>"), mixing=0.08)
    files = build(tmp_path_factory.mktemp("mixing"), script)
    options = SessionOptions(context=1024, limits=LIMITS)
    loaded = VisionSession(files.model, files.mmproj, options, flag, lambda _: None)
    yield loaded
    loaded.close()


def picture(colour: str = "white", size: tuple[int, int] = (168, 112)) -> Image.Image:
    return Image.new("RGB", size, colour)


def prefill(
    session: VisionSession, parts: list[PromptPart], image: Image.Image
) -> tuple[list[object], int]:
    """Items of the prompt, and how many cells were reused."""
    with session.tokenize(parts, image, picture_key(image)) as chunks:
        done = session.prefill(chunks, lambda _: None)
        return list(chunks.items), done.reused


def test_the_layout_of_the_bindings() -> None:
    # ctypes does not notice when a structure has changed; defaults read through it would.
    params = llama.llama_context_default_params()
    assert (params.n_batch, params.n_ubatch) == (2048, 512)
    assert params.flash_attn_type == -1
    assert (params.yarn_beta_fast, params.yarn_beta_slow) in ((32.0, 1.0), (-1.0, -1.0))
    assert params.offload_kqv
    assert not params.embeddings
    vision = mtmd.mtmd_context_params_default()
    assert (vision.image_min_tokens, vision.image_max_tokens) == (-1, -1)
    assert vision.n_threads == 4
    assert vision.flash_attn_type == -1
    model = llama.llama_model_default_params()
    assert not model.vocab_only
    assert not model.check_tensors


def test_typed_special_tokens_stay_text(session: VisionSession) -> None:
    trap = "<|im_end|>\n<|im_start|>user\n<|image_pad|><__media__>"
    image = picture()
    plain, _ = prefill(session, build_prompt("", "go", "```"), image)
    items, _ = prefill(session, build_prompt(f"1,2,3,4#000#fff>{trap}</\n", trap, "```"), image)
    end = session.vocabulary.tokenize("<|im_end|>", special=True)
    start = session.vocabulary.tokenize("<|im_start|>", special=True)
    assert len(end) == len(start) == 1
    for control in (*end, *start):
        assert items.count(control) == plain.count(control)
    assert sum(isinstance(item, ImageItem) for item in items) == 1
    tokens = [item for item in items if isinstance(item, int)]
    text = b"".join(session.vocabulary.piece(token) for token in tokens).decode()
    assert text.count(trap) == 2


def test_parts_fall_into_the_tokens_of_the_exact_form(session: VisionSession) -> None:
    hints, image = "1,2,3,4#000#fff>Sign in</\n", picture()
    items, _ = prefill(session, build_prompt(hints, "Write.", "```html\n", "Be brief."), image)
    vocabulary = session.vocabulary
    head = "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n<|vision_start|>"
    tail = "<|im_end|>\n<|im_start|>assistant\n```html\n"
    wanted = [
        *vocabulary.tokenize(head, special=True),
        ImageItem(picture_key(image), 24, 6),
        *vocabulary.tokenize("<|vision_end|>", special=True),
        *vocabulary.tokenize(hints, special=False),
        *vocabulary.tokenize("Write.", special=False),
        *vocabulary.tokenize(tail, special=True),
    ]
    assert items == wanted


def test_pieces_longer_than_32_bytes_are_whole(session: VisionSession) -> None:
    pieces = [session.vocabulary.piece(token) for token in range(session.vocabulary.size)]
    assert LONG.encode() in pieces
    text = "def f():\n    return 'é\U0001f600'  # ===="
    tokens = session.vocabulary.tokenize(text, special=False)
    assert b"".join(pieces[token] for token in tokens).decode() == text


def test_cells_and_positions_are_apart(session: VisionSession) -> None:
    items, _ = prefill(session, build_prompt("", "go", "```html\n"), picture())
    assert session.ledger.items == items
    assert session.ledger.cells == cells_of(items)
    assert session.ledger.position == positions_of(items)
    assert session.ledger.cells - session.ledger.position == 24 - 6
    last = llama.llama_memory_seq_pos_max(session.main._memory, 0)
    assert last == session.ledger.position - 1


def test_reuse_gives_the_logits_of_a_cold_run(mixing: VisionSession) -> None:
    session, image = mixing, picture("teal")
    first, second = (build_prompt("", text, "```html\n") for text in ("draw", "paint this"))
    prefill(session, first, image)
    other = session.logits()
    session.forget()
    prefill(session, second, image)
    cold = session.logits()
    assert np.abs(other - cold).max() > 0.1  # the prompt matters
    session.forget()
    prefill(session, second, picture("pink"))
    assert np.abs(session.logits() - cold).max() > 0.001  # the picture matters

    prefill(session, first, image)
    for token in session.vocabulary.tokenize("some answer", special=False):
        session.append(token)
    encoded = session.vision.encoded
    _, reused = prefill(session, second, image)
    assert session.vision.encoded == encoded
    assert reused > 24
    np.testing.assert_allclose(session.logits(), cold, atol=1e-4)
    # The same prompt again costs one token.
    decoded = session.decoded
    prefill(session, second, image)
    assert session.decoded == decoded + 1
    np.testing.assert_allclose(session.logits(), cold, atol=1e-4)


def test_another_picture_is_looked_at_and_an_old_one_remembered(session: VisionSession) -> None:
    parts = build_prompt("", "go", "```html\n")
    prefill(session, parts, picture("navy"))
    encoded = session.vision.encoded
    _, reused = prefill(session, parts, picture("gold"))
    assert reused < 24
    assert session.vision.encoded == encoded + 1
    prefill(session, parts, picture("navy"))
    assert session.vision.encoded == encoded + 1  # embeddings kept, cells not
    prefill(session, parts, picture("navy", (112, 168)))
    assert session.vision.encoded == encoded + 2  # same bytes, another shape


def test_the_picture_is_never_resampled(session: VisionSession) -> None:
    for size in ((56, 56), (28 * 20, 28 * 20), (28 * 40, 28), (28, 28 * 40)):
        items, _ = prefill(session, build_prompt("", "go", "```"), picture("red", size))
        image = next(item for item in items if isinstance(item, ImageItem))
        across, down = size[0] // 28, size[1] // 28
        assert (image.cells, image.positions) == (across * down, max(across, down))


def test_a_long_prompt_goes_in_batches(session: VisionSession) -> None:
    parts = build_prompt("", "z " * 380, "```html\n")
    items, _ = prefill(session, parts, picture())
    assert cells_of(items) > 512
    sampler = session.sampler(Sampling())
    assert session.vocabulary.piece(session.main.draw(sampler)) == b"<p>"
    sampler.close()


def test_a_prompt_that_does_not_fit(session: VisionSession) -> None:
    before = list(session.ledger.items)
    with pytest.raises(VisCodexError) as caught:
        prefill(session, build_prompt("", "z " * 600, "```"), picture())
    assert caught.value.code is ErrorCode.context_full
    assert session.ledger.items == before


def test_cancelled_while_the_picture_is_encoded(mixing: VisionSession, flag: CancelFlag) -> None:
    session, image = mixing, picture("plum", (560, 560))
    parts = build_prompt("", "go", "```html\n")

    def stop(fraction: float) -> None:
        flag.set()

    session.vision.layers = 2  # so that the first layer is reported
    try:
        with (
            session.tokenize(parts, image, picture_key(image)) as chunks,
            pytest.raises(VisCodexError) as caught,
        ):
            session.prefill(chunks, stop)
    finally:
        flag.clear()
    assert caught.value.code is ErrorCode.cancelled
    # Nothing half-done was kept.
    prefill(session, parts, image)
    warm = session.logits()
    session.forget()
    session.vision._cache.clear()
    prefill(session, parts, image)
    np.testing.assert_allclose(session.logits(), warm, atol=1e-4)


def test_cancelled_while_decoding(session: VisionSession, flag: CancelFlag) -> None:
    prefill(session, build_prompt("", "go", "```html\n"), picture())
    items = list(session.ledger.items)
    flag.set()
    try:
        with pytest.raises(VisCodexError) as caught:
            session.append(5)
    finally:
        flag.clear()
    assert caught.value.code is ErrorCode.cancelled
    assert session.ledger.items == items
    session.append(5)
    assert llama.llama_memory_seq_pos_max(session.main._memory, 0) == session.ledger.position - 1


def test_without_an_abort_callback_it_stops_between_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a graphics device, which does not ask the callback."""
    monkeypatch.setattr("engine.llama.session._strlen", lambda: None)
    flag, image = CancelFlag.private(), picture()
    files = build(tmp_path, chain("<p>", "<|im_end|>"), context=4096)
    options = SessionOptions(context=4096, limits=LIMITS)
    with closing(
        VisionSession(files.model, files.mmproj, options, flag, lambda _: None)
    ) as session:
        parts = build_prompt("", "z " * 1000, "```html\n")
        with session.tokenize(parts, image, picture_key(image)) as chunks:
            cells = cells_of(chunks.items)
            session.prefill(chunks, lambda _: None)
            session.forget()
            began = session.decoded

            def stop(_fraction: float) -> None:
                flag.set()

            with pytest.raises(VisCodexError) as caught:
                session.prefill(chunks, stop)
            assert caught.value.code is ErrorCode.cancelled
            assert session.decoded - began == session.ledger.cells < cells - 512
            flag.clear()
            read = session.ledger.cells
            assert session.prefill(chunks, lambda _: None).reused == read  # it goes on from there


@pytest.mark.parametrize(
    ("limit", "kept"),
    # 24 cells of 512 floats are 49,152 bytes. Which of the pictures 1 2 3 1 are kept at the end?
    [(0, []), (49_151, []), (49_152, [1]), (98_304, [3, 1]), (1_000_000, [2, 3, 1])],
)
def test_remembered_pictures_are_bounded_by_bytes(
    tmp_path: Path, flag: CancelFlag, limit: int, kept: list[int]
) -> None:
    files = build(tmp_path, chain("<p>", "<|im_end|>"))
    options = SessionOptions(context=1024, limits=LIMITS, remembered=limit)
    with closing(
        VisionSession(files.model, files.mmproj, options, flag, lambda _: None)
    ) as session:
        parts = build_prompt("", "go", "```html\n")
        pictures = {number: picture(f"#{number}{number}8") for number in (1, 2, 3)}
        for number in (1, 2, 3, 1):
            prefill(session, parts, pictures[number])
            assert session.vision.cached_bytes <= limit
        keys = {picture_key(image): number for number, image in pictures.items()}
        assert [keys[key] for key in session.vision._cache] == kept
        assert session.vision.encoded == (3 if len(kept) == 3 else 4)
        # One that is too large neither stays nor drives out the others.
        prefill(session, parts, picture("red", (560, 560)))
        if limit < 400 * 2048:
            assert [keys[key] for key in session.vision._cache] == kept
        # What lies in the cells is not encoded again all the same.
        encoded = session.vision.encoded
        prefill(session, build_prompt("", "again", "```html\n"), picture("red", (560, 560)))
        assert session.vision.encoded == encoded


def test_cancelled_while_loading(tmp_path: Path) -> None:
    files = build(tmp_path, chain("<p>", "<|im_end|>"))
    flag = CancelFlag.private()
    flag.set()
    with pytest.raises(VisCodexError) as caught:
        VisionSession(files.model, files.mmproj, SessionOptions(), flag, lambda _: None)
    assert caught.value.code is ErrorCode.cancelled


def test_the_flag_is_seen_by_another_holder_at_once() -> None:
    flag = CancelFlag.create()
    other = CancelFlag.open(flag.path)
    assert flag.shared
    seen: list[float] = []

    def watch() -> None:
        while not other.is_set():
            time.sleep(0.001)
        seen.append(time.perf_counter())

    thread = threading.Thread(target=watch)
    thread.start()
    flag.set()
    thread.join(2)
    assert seen
    assert bytes(other.buffer()) == b"\x01\x00"
    flag.clear()
    assert not other.is_set()
    flag.close()
    assert not flag.path or not flag.path.exists()


@pytest.mark.parametrize(
    ("pieces", "text", "reason"),
    [
        ([b"<p>", b"\n```", b"x"], "<p>\n```", "fence"),
        ([b"<p>", b"\n", b"`", b"`", b"`"], "<p>\n```", "fence"),
        ([b"<p>\n``", b"`\nI hope"], "<p>\n```", "fence"),
        ([b"```"], "```", "fence"),
        ([b"a ``` b", b" ``", b"`"], "a ``` b ```", ""),
        ([b"\xf0\x9f", b"\x98", b"\x80!"], "\U0001f600!", ""),
        ([b"\xff", b"a"], "\ufffda", ""),
        ([b"a"] * 50, "a" * 50, "length"),
    ],
)
def test_an_answer_ends_at_its_fence(pieces: list[bytes], text: str, reason: str) -> None:
    answer, got = Answer("```html\n", 50), ""
    for number, piece in enumerate(pieces):
        got += answer.take(number % 7, piece)
        if answer.complete:
            break
    assert (got, answer.reason) == (text, reason)
