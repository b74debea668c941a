"""Charts that fail are written again: real worker, real scripts, a model with two minds."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from engine.client import EngineClient
from engine.models.store import ModelFiles
from engine.protocol import Cancelled, ConvertRequest, Done, Event, Revised, Token
from engine.repairing import Repairer
from tests.engine.scripted_model import Script, build

IMPORT = "import matplotlib.pyplot as plt\n"
GOOD = f"{IMPORT}plt.plot([1, 2], [3, 4])\n"
BAD = f"{IMPORT}plt.plot([1, 2], [3])\n"
WORSE = f"{IMPORT}plt.plot([1, 2], [5])\n"
ENDLESS = f"{IMPORT}while True: pass\n"
PAGE = "<p>Hello</p>\n"


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
    }
    return {name: build(folder / name, script) for name, script in scripts.items()}


@pytest.fixture
def repairer(request: pytest.FixtureRequest, models: dict[str, ModelFiles]) -> Iterator[Repairer]:
    with EngineClient(models[request.param]) as client:
        found = Repairer(client)
        yield found
        found.close()


def picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (160, 120), "white").save(out, "PNG")
    return out.getvalue()


def shown(events: list[Event]) -> str:
    """The answer as a window would show it in the end."""
    answer = ""
    for event in events:
        if isinstance(event, Token):
            answer += event.text
        elif isinstance(event, Revised):
            answer = event.answer
    return answer


def chart(seed: int = 0) -> ConvertRequest:
    return ConvertRequest(picture(), target="matplotlib", seed=seed, hints="never")


@pytest.mark.parametrize("repairer", ["torn"], indirect=True)
def test_a_chart_that_fails_is_written_again(repairer: Repairer) -> None:
    for seed in range(12):
        events = list(repairer.convert(chart(seed)))
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


@pytest.mark.parametrize("repairer", ["hopeless"], indirect=True)
def test_what_is_no_better_does_not_stay(repairer: Repairer) -> None:
    events = list(repairer.convert(chart()))
    assert [type(event) for event in events].count(Revised) == 2
    assert shown(events) == f"```python\n{BAD}"
    assert isinstance(events[-1], Done)


@pytest.mark.parametrize("repairer", ["page"], indirect=True)
def test_pages_pass(repairer: Repairer) -> None:
    events = list(repairer.convert(ConvertRequest(picture(), target="html", hints="never")))
    assert shown(events) == f"```html\n{PAGE}"
    assert not any(isinstance(event, Revised) for event in events)
    assert isinstance(events[-1], Done)


@pytest.mark.parametrize("repairer", ["endless"], indirect=True)
def test_cancelled_while_the_chart_is_drawn(repairer: Repairer) -> None:
    begun = threading.Event()
    events: list[Event] = []

    def work() -> None:
        for event in repairer.convert(chart()):
            events.append(event)
            if shown(events).endswith(ENDLESS):
                begun.set()

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(60)
    time.sleep(1.0)  # now the script runs
    started = time.monotonic()
    repairer.cancel()
    thread.join(10)
    assert not thread.is_alive()
    assert time.monotonic() - started < 8  # far below the limit of a script
    assert isinstance(events[-1], Cancelled)


def test_the_picture_may_be_a_path(models: dict[str, ModelFiles], tmp_path: Path) -> None:
    path = tmp_path / "chart.png"
    path.write_bytes(picture())
    with EngineClient(models["hopeless"]) as client:
        repairer = Repairer(client)
        events = list(repairer.convert(ConvertRequest(path, target="matplotlib", hints="never")))
        repairer.close()
    assert any(isinstance(event, Revised) for event in events)
