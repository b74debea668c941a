"""Answers and code corrected by what is measured in the picture: real worker, real renderers."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from engine.client import EngineClient
from engine.improver import Improver, Wishes
from engine.matching import MATCHES
from engine.models.store import ModelFiles
from engine.protocol import (
    Cancelled,
    CandidateDrawn,
    Comparing,
    ConvertRequest,
    Done,
    Event,
    Revised,
)
from engine.tasks import TASKS, extract_code
from tests.engine.scripted_model import Script, build

PINK = '<body style="background: pink"></body>\n'
TEAL = (0, 128, 128)
NOTES = [kind.note for kind in MATCHES.values()]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ModelFiles:
    """Writes a pink page, whatever it sees; its card wants corrections."""
    script = Script(words=[PINK], follows={"\n": {PINK: 3.0}, PINK: {"<|im_end|>": 9.0}})
    return build(tmp_path_factory.mktemp("pink"), script, corrected=True)


@pytest.fixture
def improver(model: ModelFiles) -> Iterator[Improver]:
    with EngineClient(model) as client:
        found = Improver(client)
        yield found
        found.close()


def teal() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (160, 120), TEAL).save(out, "PNG")
    return out.getvalue()


def drawn(event: Event) -> object:
    """The colour of what a code draws."""
    assert isinstance(event, CandidateDrawn) and event.png is not None
    return Image.open(io.BytesIO(event.png)).convert("RGB").getpixel((5, 5))


def test_an_answer_is_corrected_where_the_card_asks_for_it(improver: Improver) -> None:
    events = list(improver.convert(ConvertRequest(teal(), "html", "never")))
    revised = [event for event in events if isinstance(event, Revised)]
    assert [event.note for event in revised] == [*NOTES, ""]
    assert PINK in revised[0].answer and "pink" not in revised[-1].answer
    tried = [event for event in events if isinstance(event, CandidateDrawn)]
    assert [drawn(event) for event in tried] == [(255, 192, 203), TEAL]
    assert improver.chosen is not None and improver.chosen.code == tried[-1].code
    end = events[-1]
    assert isinstance(end, Done) and end.reason == end.stats["finish_reason"] == "stop"


@pytest.mark.parametrize("why", ["wish", "instruction"])
def test_it_stays_as_it_is_otherwise(model: ModelFiles, why: str) -> None:
    request = ConvertRequest(teal(), "html", "never")
    wishes = Wishes(correct=why != "wish", draw=True)
    if why == "instruction":
        request = replace(request, refine=("Make it pink", "<p>red</p>"))
    with EngineClient(model) as client, Improver(client, wishes) as improver:
        events = list(improver.convert(request))
        assert not [event for event in events if isinstance(event, Revised)]
        assert improver.chosen is not None and improver.chosen.code == PINK


def test_code_is_changed_without_the_model(improver: Improver) -> None:
    events = list(improver.match("colours", teal(), PINK, "html"))
    assert [type(event) for event in events] == [
        Comparing, Revised, Revised, CandidateDrawn, Done,
    ]  # fmt: skip
    assert drawn(events[3]) == TEAL
    again = list(improver.match("text", teal(), PINK, "html"))
    assert isinstance(again[3], CandidateDrawn) and again[3].code == PINK
    assert improver._client.pid is None  # type: ignore[attr-defined]


def test_code_needs_no_newline_at_its_end(improver: Improver) -> None:
    events = list(improver.match("colours", teal(), PINK.rstrip("\n"), "html"))
    assert isinstance(events[1], Revised)
    assert extract_code(events[1].answer, TASKS["html"]) == PINK


def test_a_cancel_between_two_drawings_ends_it(improver: Improver) -> None:
    events = improver.match("colours", teal(), PINK, "html")
    assert isinstance(next(events), Comparing)
    improver.cancel()
    assert [type(event) for event in events] == [Revised, Cancelled]
    assert isinstance(list(improver.match("colours", teal(), PINK, "html"))[-1], Done)


def test_a_script_that_fails_is_left_alone(improver: Improver, tmp_path: Path) -> None:
    broken = "import matplotlib.pyplot as plt\nplt.plot([1, 2], [3])\n"
    events = list(improver.match("colours", teal(), broken, "matplotlib"))
    assert isinstance(events[3], CandidateDrawn)
    assert events[3].code == broken and "ValueError" in events[3].problem
