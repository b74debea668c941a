"""The bundled model through the real worker, where it is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.client import EngineClient
from engine.errors import VisCodexError
from engine.models.store import BUNDLED, ModelFiles, find_model, verify
from engine.protocol import (
    ConvertRequest,
    Done,
    Encoding,
    Loading,
    Prefilling,
    Target,
    TextRead,
    Token,
)
from engine.tasks import TASKS


@pytest.fixture(scope="module")
def files() -> ModelFiles:
    try:
        return find_model(BUNDLED)
    except VisCodexError:
        pytest.skip("the bundled model is not here yet")


@pytest.fixture(scope="module")
def client(files: ModelFiles) -> Iterator[EngineClient]:
    with EngineClient(files) as engine:
        yield engine


def test_its_files_are_whole(files: ModelFiles) -> None:
    assert [problem for _, problem in verify(files)] == [None, None]
    assert files.card.sha256
    assert files.card.hints == "always"
    assert files.card.prompt == "short"
    size = files.model.stat().st_size + files.mmproj.stat().st_size
    assert size < 40_000_000


@pytest.mark.parametrize(("name", "target"), [("login", "html"), ("chart", "matplotlib")])
def test_a_sample_becomes_code(client: EngineClient, samples: Path, name: str, target: str) -> None:
    events = list(client.convert(ConvertRequest(samples / f"{name}.png")))
    chosen = [event for event in events if isinstance(event, Target)]
    assert [event.name for event in chosen] == [target]
    assert chosen[0].confidence > 0.5
    assert any(isinstance(event, TextRead) and event.lines for event in events)
    done = events[-1]
    assert isinstance(done, Done)
    answer = "".join(event.text for event in events if isinstance(event, Token))
    assert TASKS[target].check(TASKS[target].extract(answer)) is None
    assert done.reason in {"fence", "stop"}


def test_the_second_request_reuses_the_picture(client: EngineClient, samples: Path) -> None:
    request = ConvertRequest(samples / "login.png", target="html", max_tokens=4)
    for _ in range(2):
        done = list(client.convert(request))[-1]
        assert isinstance(done, Done)
    assert done.stats["reused_tokens"] >= done.stats["image_tokens"]


@pytest.mark.parametrize(("name", "target"), [("login.png", "html"), ("chart.png", "matplotlib")])
def test_what_was_cut_off_is_written_on_to_the_same_end(
    client: EngineClient, samples: Path, name: str, target: str
) -> None:
    def convert(**wishes: Any) -> tuple[str, Done]:
        events = list(client.convert(ConvertRequest(samples / name, target=target, **wishes)))
        done = events[-1]
        assert isinstance(done, Done)
        return "".join(event.text for event in events if isinstance(event, Token)), done

    whole, done = convert()
    cut, half = convert(max_tokens=done.stats["tokens"] // 2)
    assert half.reason == "length"
    code = cut.partition("\n")[2]
    rest, end = convert(begun=code[: code.rfind("\n") + 1])
    assert rest == whole
    assert end.reason == done.reason
    assert end.stats["tokens"] < done.stats["tokens"]


def test_progress_rises_in_every_phase(files: ModelFiles, samples: Path) -> None:
    request = ConvertRequest(
        samples / "login.png",
        target="html",
        hints="never",
        max_tokens=12,
        refine=("Make it blue.", "<p>line of code</p>\n" * 150),
    )
    with EngineClient(files) as engine:
        events = list(engine.convert(request))
    for kind, ends in ((Loading, (0.0, 1.0)), (Encoding, (0.0, 1.0)), (Prefilling, None)):
        told = [event.fraction for event in events if isinstance(event, kind)]
        assert told == sorted(told)
        assert len(set(told)) > (2 if ends else 1)
        if ends:
            assert told[0] == ends[0] and told[-1] > 0.95
        else:  # that a prompt is read is told by the first token
            assert told[0] > 0 and told[-1] < 1
    done = events[-1]
    assert isinstance(done, Done)
    assert done.stats["tokens_per_second"] > 0
