"""The best of several answers, and charts written again: real worker, a model with two minds."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from engine.client import EngineClient
from engine.improver import Improver, Wishes
from engine.models.store import ModelFiles
from engine.protocol import (
    Cancelled,
    CandidateDone,
    CandidateDrawn,
    Comparing,
    ConvertRequest,
    Done,
    Event,
    Revised,
    Token,
)
from tests.engine.scripted_model import Script, build

IMPORT = "import matplotlib.pyplot as plt\n"
GOOD = f"{IMPORT}plt.plot([1, 2], [3, 4])\n"
BAD = f"{IMPORT}plt.plot([1, 2], [3])\n"
WORSE = f"{IMPORT}plt.plot([1, 2], [5])\n"
ENDLESS = f"{IMPORT}while True: pass\n"
PAGE = "<p>Hello</p>\n"
PINK, TEAL = (f'<body style="background: {colour}"></body>\n' for colour in ("pink", "teal"))


def torn(*codes: str) -> Script:
    """Writes one of the codes; the first is a little likelier than the others."""
    likely = {code: 3.0 - 0.2 * (number > 0) for number, code in enumerate(codes)}
    ends: dict[str | bytes, dict[str | bytes, float]] = {
        code: {"<|im_end|>": 9.0} for code in codes
    }
    return Script(words=codes, follows={"\n": likely, **ends})


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModelFiles]:
    folder = tmp_path_factory.mktemp("torn")
    scripts = {
        "torn": torn(BAD, GOOD),
        "hopeless": torn(BAD, WORSE),
        "endless": torn(ENDLESS),
        "page": torn(PAGE),
        "pages": torn(PINK, TEAL),
    }
    return {name: build(folder / name, script) for name, script in scripts.items()}


@pytest.fixture
def improver(request: pytest.FixtureRequest, models: dict[str, ModelFiles]) -> Iterator[Improver]:
    with EngineClient(models[request.param]) as client:
        found = Improver(client)
        yield found
        found.close()


def picture(colour: str = "white") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (160, 120), colour).save(out, "PNG")
    return out.getvalue()


def shown(events: list[Event]) -> str:
    """The answer as a window would show it in the end."""
    answer = ""
    for event in events:
        if isinstance(event, Token):
            answer += event.text if event.candidate == 0 else ""
        elif isinstance(event, Revised):
            answer = event.answer
    return answer


def chart(seed: int = 0) -> ConvertRequest:
    return ConvertRequest(picture(), target="matplotlib", seed=seed, hints="never")


@pytest.mark.parametrize("improver", ["torn"], indirect=True)
def test_a_chart_that_fails_is_written_again(improver: Improver) -> None:
    for seed in range(12):
        events = list(improver.convert(chart(seed)))
        revised = [event for event in events if isinstance(event, Revised)]
        assert isinstance(events[-1], Done)
        assert not any(isinstance(event, Done) for event in events[:-1])
        assert "ValueError" in revised[0].note
        assert revised[0].answer == ""
        if len(revised) == 1:
            assert shown(events) == f"```python\n{GOOD}"
            return
        assert shown(events) == f"```python\n{BAD}"
    pytest.fail("chance never brought the other code")


@pytest.mark.parametrize("improver", ["hopeless"], indirect=True)
def test_what_is_no_better_does_not_stay(improver: Improver) -> None:
    events = list(improver.convert(chart()))
    assert [type(event) for event in events].count(Revised) == 2
    assert shown(events) == f"```python\n{BAD}```"
    assert isinstance(events[-1], Done)
    drawn = [event for event in events if isinstance(event, CandidateDrawn)]
    assert [one.candidate for one in drawn] == [0, 1]
    assert all(one.png is None and one.likeness is None and one.problem for one in drawn)


@pytest.mark.parametrize("improver", ["pages"], indirect=True)
def test_the_likest_of_several_wins(improver: Improver) -> None:
    for seed in range(12):
        request = ConvertRequest(picture("teal"), "html", "never", seed=seed, candidates=4)
        events = list(improver.convert(request))
        assert isinstance(events[-1], Done)
        assert {event.candidate for event in events if isinstance(event, Token)} == {0, 1, 2, 3}
        ended = [event.candidate for event in events if isinstance(event, CandidateDone)]
        assert sorted(ended) == [0, 1, 2, 3]
        assert {drawn.code for drawn in improver.tried} <= {PINK, TEAL}
        assert improver.chosen is not None
        drawn = [event for event in events if isinstance(event, CandidateDrawn)]
        assert [one.code for one in drawn] == [one.code for one in improver.tried]
        if len(improver.tried) == 2:
            assert [(one.candidate, one.total) for one in drawn] == [(0, 2), (1, 2)]
            told = [one for one in events if isinstance(one, Comparing | CandidateDrawn)]
            assert [type(one) for one in told] == [Comparing, CandidateDrawn] * 2
            assert [(one.candidate, one.total) for one in told[::2]] == [(0, 2), (1, 2)]
            figures = {one.code: one.likeness for one in drawn}
            assert figures[TEAL]["total"] > figures[PINK]["total"]  # type: ignore[index,operator]
            for one in drawn:
                assert one.png is not None
                colour = Image.open(io.BytesIO(one.png)).convert("RGB").getpixel((5, 5))
                assert colour == ((0, 128, 128) if one.code == TEAL else (255, 192, 203))
            assert improver.chosen.code == TEAL
            assert TEAL in shown(events)
            assert [event.answer for event in events if isinstance(event, Revised)] == [
                f"```html\n{TEAL}```"
            ]
            return
    pytest.fail("chance never brought the other page")


def test_what_a_model_wants_is_taken_unless_asked_otherwise(models: dict[str, ModelFiles]) -> None:
    request = ConvertRequest(picture("teal"), "html", "never", seed=1)
    with EngineClient(models["pages"]) as client, Improver(client, Wishes(best_of=8)) as improver:
        list(improver.convert(request))
        assert len(improver.tried) == 2


@pytest.mark.parametrize("old", [PINK, TEAL])
def test_of_answers_to_an_instruction_the_first_that_changes_something_counts(
    models: dict[str, ModelFiles], old: str
) -> None:
    """The picture is teal: by likeness the old code would win over every change."""
    other = PINK if old == TEAL else TEAL
    request = ConvertRequest(picture("teal"), "html", "never", refine=("Another colour", old))
    with EngineClient(models["pages"]) as client, Improver(client, Wishes(best_of=8)) as improver:
        for seed in range(12):
            events = list(improver.convert(replace(request, seed=seed)))
            assert isinstance(events[-1], Done)
            assert improver.chosen is not None
            if len(improver.tried) == 2:
                assert improver.chosen.code == other
                assert other in shown(events) and old not in shown(events)
                return
    pytest.fail("chance never brought the other page")


def test_an_answer_to_an_instruction_that_fails_gives_way_to_one_that_draws(
    models: dict[str, ModelFiles],
) -> None:
    request = replace(chart(), refine=("Go on", WORSE))
    with EngineClient(models["torn"]) as client, Improver(client, Wishes(best_of=4)) as improver:
        for seed in range(12):
            events = list(improver.convert(replace(request, seed=seed)))
            if [one.code for one in improver.tried] == [BAD, GOOD]:
                assert improver.chosen is not None and improver.chosen.code == GOOD
                assert [event.note for event in events if isinstance(event, Revised)] == [""]
                return
    pytest.fail("chance never brought both codes")


@pytest.mark.parametrize("improver", ["page"], indirect=True)
def test_pages_pass(improver: Improver) -> None:
    events = list(improver.convert(ConvertRequest(picture(), target="html", hints="never")))
    assert shown(events) == f"```html\n{PAGE}"
    assert not any(isinstance(event, Revised) for event in events)
    assert isinstance(events[-1], Done)


@pytest.mark.parametrize("improver", ["endless"], indirect=True)
@pytest.mark.parametrize("later", [0.0, 0.3, 1.0])  # its process starts, or the script runs
def test_cancelled_while_the_chart_is_drawn(improver: Improver, later: float) -> None:
    begun = threading.Event()
    events: list[Event] = []

    def work() -> None:
        for event in improver.convert(chart()):
            events.append(event)
            if shown(events).endswith(ENDLESS):
                begun.set()

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(60)
    time.sleep(later)
    started = time.monotonic()
    improver.cancel()
    thread.join(10)
    assert not thread.is_alive()
    assert time.monotonic() - started < 8  # far below the limit of a script
    assert isinstance(events[-1], Cancelled)


def test_the_picture_may_be_a_path(models: dict[str, ModelFiles], tmp_path: Path) -> None:
    path = tmp_path / "chart.png"
    path.write_bytes(picture())
    with EngineClient(models["hopeless"]) as client:
        improver = Improver(client)
        events = list(improver.convert(ConvertRequest(path, target="matplotlib", hints="never")))
        improver.close()
    assert any(isinstance(event, Revised) for event in events)


@pytest.mark.parametrize("improver", ["page"], indirect=True)
def test_code_that_is_there_is_drawn_and_compared(improver: Improver) -> None:
    (teal,) = improver.appraise(picture("teal"), TEAL, "html")
    (pink,) = improver.appraise(picture("teal"), PINK, "html")
    (none,) = improver.appraise(picture("teal"), BAD, "matplotlib")
    assert isinstance(teal, CandidateDrawn)
    assert isinstance(pink, CandidateDrawn)
    assert isinstance(none, CandidateDrawn)
    assert teal.likeness is not None
    assert pink.likeness is not None
    assert teal.likeness["total"] == 1.0
    assert (pink.likeness["total"] or 0) < 1.0
    assert none.png is None
    assert "ValueError" in none.problem
    assert improver.tried == []
