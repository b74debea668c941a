"""Every family of the table in the real worker: answers, reuse, cancelling, and what is seen."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from engine.cancel import CancelFlag
from engine.client import EngineClient
from engine.errors import ErrorCode, VisCodexError
from engine.images import grid_size, to_grid
from engine.llama.ledger import ImageItem
from engine.llama.session import SessionOptions, VisionSession
from engine.llama.vision import picture_key
from engine.models.check import check_files
from engine.models.families import FAMILIES, PROJECTORS
from engine.models.store import ModelFiles
from engine.prompt import build_prompt
from engine.protocol import Cancelled, ConvertRequest, Done, Encoding, Event, Ready, Token
from engine.template import Tokens, layout_of
from tests.engine import family_models
from tests.engine.family_models import build_family, write_family_vision
from tests.engine.scripted_model import Script, chain

PAIRS = [
    (architecture, projector)
    for architecture, projectors in FAMILIES.items()
    for projector in sorted(projectors)
    if projector in family_models.FAMILIES and not architecture.endswith("moe")
]


def picture(colour: str = "red", size: tuple[int, int] = (150, 100)) -> Image.Image:
    image = Image.new("RGB", size, "white")
    ImageDraw.Draw(image).rectangle((20, 20, 90, 60), fill=colour)
    return image


def png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def test_all_rows_of_the_table_are_known() -> None:
    assert {kind for kinds in FAMILIES.values() for kind in kinds} == set(PROJECTORS)
    # The other two are those of the scripted and of the tiny model.
    assert set(PROJECTORS) - set(family_models.FAMILIES) == {"qwen2vl_merger", "qwen2.5vl_merger"}


def cancels(
    client: EngineClient, requests: Iterable[ConvertRequest], at: Callable[[Event], bool]
) -> bool:
    """Whether a cancel at an event ends one of the conversions; these answers take so few
    milliseconds that some may be complete before the cancel arrives."""
    for request in requests:
        for event in (stream := client.convert(request)):
            if at(event):
                client.cancel()
                break
        if isinstance(list(stream)[-1], Cancelled):
            return True
    return False


@pytest.mark.parametrize(("architecture", "projector"), PAIRS)
def test_converts_reuses_and_cancels(architecture: str, projector: str, tmp_path: Path) -> None:
    words = [f"w{index} " for index in range(40)]
    files = build_family(tmp_path, architecture, projector, chain(*words, "<|im_end|>"))
    request = ConvertRequest(png(picture()), target="html", hints="never")
    with EngineClient(files) as client:
        events = list(client.convert(request))
        done = events[-1]
        assert isinstance(done, Done), done
        text = "".join(event.text for event in events if isinstance(event, Token))
        assert text == "```html\n" + "".join(words)
        (ready,) = (event for event in events if isinstance(event, Ready))
        assert "ChatML" not in ready.note
        assert done.stats["image_tokens"] > 1

        again = list(client.convert(ConvertRequest(png(picture()), "matplotlib", "never")))[-1]
        assert isinstance(again, Done)
        assert done.stats["image_tokens"] < again.stats["reused_tokens"]
        assert again.stats["reused_tokens"] < again.stats["prompt_tokens"]

        several: dict[int, str] = {}
        for event in client.convert(replace(request, candidates=3)):
            if isinstance(event, Token):
                several[event.candidate] = several.get(event.candidate, "") + event.text
        assert several == dict.fromkeys(range(3), text)

        def begun(event: Event) -> bool:
            return isinstance(event, Token) and event.text.startswith("w3")

        assert cancels(client, [request] * 9, begun)
        assert isinstance(list(client.convert(request))[-1], Done)

        others = [
            replace(request, image=png(picture(f"hsl({40 * n}, 90%, 50%)"))) for n in range(9)
        ]
        assert cancels(client, others, lambda event: isinstance(event, Encoding))
        assert isinstance(list(client.convert(request))[-1], Done)


@pytest.fixture
def sessions() -> Iterator[list[VisionSession]]:
    made: list[VisionSession] = []
    yield made
    for session in made:
        session.close()


def opened(files: ModelFiles, sessions: list[VisionSession]) -> VisionSession:
    options = SessionOptions(context=1024, limits=files.card.image)
    flag = CancelFlag.private()
    sessions.append(VisionSession(files.model, files.mmproj, options, flag, lambda _: None))
    return sessions[-1]


@pytest.mark.parametrize("projector", sorted(family_models.FAMILIES))
def test_the_picture_is_seen_and_reuse_changes_nothing(
    projector: str, tmp_path: Path, sessions: list[VisionSession]
) -> None:
    architecture = {"gemma3": "gemma3", "qwen3vl_merger": "qwen3vl"}.get(projector, "llama")
    script = Script(chain("<p>", "<|im_end|>").words, {}, mixing=0.08)
    files = build_family(tmp_path, architecture, projector, script)
    facts = check_files(files.model, files.mmproj)
    session = opened(files, sessions)
    layout, remark = layout_of(facts.template, PROJECTORS[projector], Tokens())
    assert not remark

    def logits(image: Image.Image, words: str, fresh: bool) -> tuple[np.ndarray, int]:
        if fresh:
            session._trim(0)
        seen = to_grid(image, files.card.image)
        parts = build_prompt("", words, "```html\n", "Be brief.", layout)
        with session.tokenize(parts, seen, picture_key(seen)) as chunks:
            done = session.prefill(chunks, lambda _: None)
            pictures = [item for item in chunks.items if isinstance(item, ImageItem)]
        assert len({item.key for item in pictures}) == len(pictures)
        return session.logits(), done.reused

    red, _ = logits(picture("red"), "go", fresh=True)
    blue, _ = logits(picture("blue"), "go", fresh=True)
    assert np.abs(red - blue).max() > 1e-3
    encoded = session.vision.encoded
    logits(picture("red"), "something else", fresh=True)
    again, reused = logits(picture("red"), "go", fresh=False)
    assert reused > 4
    assert session.vision.encoded == encoded
    np.testing.assert_allclose(again, red, atol=1e-4)


def test_tiles_of_a_picture_are_kept_apart(tmp_path: Path, sessions: list[VisionSession]) -> None:
    files = build_family(tmp_path, "llama", "idefics3", chain("<p>", "<|im_end|>"))
    session = opened(files, sessions)
    image = picture()
    with session.tokenize(build_prompt("", "go", ""), image, picture_key(image)) as chunks:
        session.prefill(chunks, lambda _: None)
        tiles = len(chunks.pictures)
    assert tiles > 2  # an overview and the tiles
    assert session.vision.encoded == tiles


def test_a_picture_that_must_go_in_one_pass_and_does_not_is_refused(
    tmp_path: Path, sessions: list[VisionSession]
) -> None:
    files = build_family(tmp_path, "gemma3", "gemma3", chain("<p>", "<|im_end|>"))
    write_family_vision(files.mmproj, "gemma3", side=46)  # 23 x 23 tokens
    session = opened(files, sessions)
    image = picture()
    with (
        session.tokenize(build_prompt("", "go", ""), image, picture_key(image)) as chunks,
        pytest.raises(VisCodexError) as caught,
    ):
        session.prefill(chunks, lambda _: None)
    assert caught.value.code is ErrorCode.image_too_large


def test_without_a_grid_pictures_are_only_bounded(tmp_path: Path) -> None:
    files = build_family(tmp_path, "llama", "mlp", chain("<p>", "<|im_end|>"))
    limits = files.card.image
    assert grid_size(301, 203, limits) == (301, 203)
    assert grid_size(10 * limits.longest, 5 * limits.longest, limits) == (
        limits.longest,
        limits.longest // 2,
    )
    assert type(files.card).from_json(files.card.to_json()) == files.card


@pytest.mark.parametrize(
    ("projector", "changed", "says"),
    [
        ("mlp", {"image_size": 70}, "positions"),
        ("idefics3", {"projector.scale_factor": 3}, "merge"),
        ("gemma3", {"projection_dim": 64}, "wide"),
        ("internvl", {"block_count": 3}, "lacks the tensor"),
        ("pixtral", {"attention.head_count": 5}, "heads"),
        ("mlp", {"image_size": 9000}, "image_size"),
    ],
)
def test_headers_that_do_not_hold_together(
    projector: str, changed: dict[str, int], says: str, tmp_path: Path
) -> None:
    architecture = "gemma3" if projector == "gemma3" else "llama"
    files = build_family(tmp_path, architecture, projector, chain("<p>", "<|im_end|>"))
    write_family_vision(files.mmproj, projector, **changed)
    with pytest.raises(VisCodexError) as caught:
        check_files(files.model, files.mmproj)
    assert says in caught.value.message


def test_families_do_not_mix(tmp_path: Path) -> None:
    files = build_family(tmp_path, "llama", "mlp", chain("<p>", "<|im_end|>"))
    write_family_vision(files.mmproj, "gemma3")
    with pytest.raises(VisCodexError) as caught:
        check_files(files.model, files.mmproj)
    assert caught.value.code is ErrorCode.model_mismatch
