"""The real worker process with a real, scripted model: streams, stops, deaths, cancels."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from PIL import Image, ImageDraw

from engine.cancel import CancelFlag
from engine.client import EngineClient
from engine.converter import TextReader
from engine.errors import ErrorCode, VisCodexError
from engine.models.store import ModelFiles
from engine.protocol import (
    MAX_FRAME_BYTES,
    Cancelled,
    ConvertRequest,
    Done,
    Encoding,
    Error,
    Event,
    Hello,
    Loading,
    Prefilling,
    Ready,
    Target,
    TextRead,
    Token,
    decode_event,
)
from engine.tasks import TASKS
from tests.engine.scripted_model import LONG, Script, build, chain

ROOT = Path(__file__).resolve().parents[2]
SPLIT = (b"\xf0\x9f", b"\x98\x80")  # one character in two tokens


def picture(text: str = "", size: tuple[int, int] = (168, 112)) -> bytes:
    image = Image.new("RGB", size, "white")
    ImageDraw.Draw(image).text((10, 30), text, fill="black", font_size=28)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def answer(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Token))


def last(events: list[Event], kind: type[Event]) -> Event:
    """The one final event, which is of this kind."""
    finals = [event for event in events if event.final and not isinstance(event, Ready)]
    assert finals == events[-1:]
    assert isinstance(finals[0], kind), finals
    return finals[0]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModelFiles]:
    folder = tmp_path_factory.mktemp("models")
    endless = Script(
        words=[f"w{index} " for index in range(100)],
        follows={"\n": {"w0 ": 5.0}}
        | {f"w{i} ": {f"w{(i * 7 + k) % 100} ": 1.0 for k in range(9)} for i in range(100)},
    )
    return {
        "page": build(folder / "page", chain("<p>", LONG, *SPLIT, "</p>", "\n``", "`\nmore")),
        "turn": build(folder / "turn", chain("<p>", "x", "</p>", "<|im_end|>")),
        "loop": build(folder / "loop", Script(["la "], {"\n": {"la ": 9.0}, "la ": {"la ": 9.0}})),
        "endless": build(folder / "endless", endless, context=1024),
        "half": build(folder / "half", chain(SPLIT[0], "<|im_end|>")),
        "hints": build(folder / "hints", chain("<p>", "<|im_end|>"), hints="always"),
    }


@pytest.fixture
def client(models: dict[str, ModelFiles]) -> Iterator[EngineClient]:
    with EngineClient(models["page"]) as engine:
        yield engine


def endless(models: dict[str, ModelFiles]) -> ModelFiles:
    return models["endless"]


LONG_REQUEST = ConvertRequest(picture(), target="html", temperature=1.0)
SHORT_REQUEST = ConvertRequest(picture(), target="html", max_tokens=5)


def test_a_conversion(client: EngineClient) -> None:
    events = list(client.convert(ConvertRequest(picture(), target="html")))
    kinds = [type(event) for event in events]
    assert kinds[0] is Loading
    order = [kinds.index(kind) for kind in (Loading, Ready, Encoding, Token, Done)]
    assert order == sorted(order)
    text = answer(events)
    assert text == f"```html\n<p>{LONG}\U0001f600</p>\n```"
    assert TASKS["html"].extract(text) == f"<p>{LONG}\U0001f600</p>\n"
    done = last(events, Done)
    assert isinstance(done, Done)
    assert done.reason == "fence"
    assert done.stats["load"] > 0
    assert done.stats["image_tokens"] == 24
    assert done.stats["tokens"] == 7
    assert 0 < done.stats["encode"] <= done.stats["first_token"] <= done.stats["total"]
    assert not any(isinstance(event, Target) for event in events)

    again = list(client.convert(ConvertRequest(picture(), target="html")))
    assert not any(isinstance(event, Loading) for event in again)
    assert answer(again) == text
    assert isinstance(again[-1], Done)
    assert again[-1].stats["load"] == 0
    assert again[-1].stats["reused_tokens"] > 24  # the picture was not looked at again


def test_a_long_prompt_tells_how_far_it_is(tmp_path: Path) -> None:
    files = build(tmp_path, chain("<p>", "<|im_end|>"), context=4096)
    code = "<p>line</p>\n" * 160
    request = ConvertRequest(picture(), target="html", max_tokens=2, refine=("go", code))
    with EngineClient(files) as engine:
        fractions = [e.fraction for e in engine.convert(request) if isinstance(e, Prefilling)]
        short = [e for e in engine.convert(SHORT_REQUEST) if isinstance(e, Prefilling)]
    assert len(fractions) >= 2
    assert fractions == sorted(fractions)
    assert all(0 < fraction < 1 for fraction in fractions)
    assert short == []


@pytest.mark.parametrize("target", ["html", "auto"])
def test_code_that_was_cut_off_is_written_on(tmp_path: Path, target: str) -> None:
    """What is written on is, to the last byte, what would have been written at once."""
    files = build(tmp_path, chain(*"<hr ABCDEFGHIJ>", "<|im_end|>"))
    with EngineClient(files) as engine:
        whole = answer(list(engine.convert(ConvertRequest(picture(), target="html"))))
        cut = list(engine.convert(ConvertRequest(picture(), target="html", max_tokens=5)))
        assert isinstance(cut[-1], Done) and cut[-1].reason == "length"
        begun = answer(cut).removeprefix("```html\n")
        assert begun and whole.startswith(answer(cut)) and whole != answer(cut)
        rest = list(engine.convert(ConvertRequest(picture(), target=target, begun=begun)))
    assert isinstance(rest[-1], Done) and rest[-1].reason == "stop"
    assert answer(rest) == whole
    assert rest[-1].stats["tokens"] == 15 - 5
    assert not any(isinstance(event, Target) for event in rest)


@pytest.mark.parametrize(("lines", "written"), [(20, 4), (60, 2), (160, 1)])
def test_so_many_answers_to_an_instruction_as_have_room_for_the_old_code(
    tmp_path: Path, lines: int, written: int
) -> None:
    files = build(tmp_path, chain("<p>", "<|im_end|>"), context=4096)
    code = "<p>line</p>\n" * lines
    request = ConvertRequest(picture(), "html", refine=("go", code), candidates=4)
    with EngineClient(files) as engine:
        events = list(engine.convert(request))
    numbers = {event.candidate for event in events if isinstance(event, Token)}
    assert numbers == set(range(written))
    assert isinstance(events[-1], Done)


def test_many_conversions_leave_nothing_behind(
    client: EngineClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pictures all different, so that nothing is reused: memory, processes and files stay."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def convert(number: int) -> None:
        image = Image.new("RGB", (56, 56), (number % 256, number // 256, 90))
        out = io.BytesIO()
        image.save(out, "PNG")
        request = ConvertRequest(out.getvalue(), target="html", max_tokens=4, candidates=2)
        assert isinstance(list(client.convert(request))[-1], Done)

    for number in range(60):
        convert(number)
    worker = psutil.Process(client.pid)
    before, files = worker.memory_info().rss, len(worker.open_files())
    listed = sorted(tmp_path.iterdir())
    for number in range(60, 560):
        convert(number)
    assert psutil.Process(client.pid) == worker
    assert worker.memory_info().rss - before < 12_000_000  # of it 4 MB are remembered pictures
    assert len(worker.open_files()) == files
    assert not worker.children()
    assert sorted(tmp_path.iterdir()) == listed


def test_auto_says_how_sure_it_is(client: EngineClient) -> None:
    events = list(client.convert(ConvertRequest(picture())))
    targets = [event for event in events if isinstance(event, Target)]
    # softmax of 3 and 2, as the script says
    assert [(target.name, round(target.confidence, 2)) for target in targets] == [("html", 0.73)]
    assert answer(events).startswith("```html\n<p>")


def test_the_reasons_to_stop(models: dict[str, ModelFiles]) -> None:
    with EngineClient() as engine:
        for name, reason in {"turn": "stop", "loop": "loop", "half": "stop"}.items():
            assert isinstance(list(engine.start(models[name]))[-1], Ready)
            events = list(engine.convert(ConvertRequest(picture(), target="html")))
            done = last(events, Done)
            assert isinstance(done, Done)
            assert done.reason == reason
            if name == "half":
                assert answer(events) == "```html\n\ufffd"
        list(engine.start(models["turn"]))
        events = list(engine.convert(ConvertRequest(picture(), target="html", max_tokens=2)))
        done = last(events, Done)
        assert isinstance(done, Done)
        assert (done.reason, done.stats["tokens"]) == ("length", 2)


def test_a_full_context_is_a_length_stop_in_cells(models: dict[str, ModelFiles]) -> None:
    with EngineClient(endless(models)) as engine:
        events = list(engine.convert(LONG_REQUEST))
        done = last(events, Done)
        assert isinstance(done, Done)
        assert done.reason == "length"
        # Positions would have allowed more: the picture takes 24 cells and 6 positions.
        assert done.stats["prompt_tokens"] + done.stats["tokens"] == 1024
        assert isinstance(list(engine.convert(SHORT_REQUEST))[-1], Done)


def test_a_prompt_too_long_is_told(models: dict[str, ModelFiles]) -> None:
    with EngineClient(endless(models)) as engine:
        request = ConvertRequest(picture(), target="html", refine=("bluer", "word " * 900))
        error = last(list(engine.convert(request)), Error)
        assert isinstance(error, Error)
        assert error.code is ErrorCode.context_full
        assert "1024" in error.message
        assert isinstance(list(engine.convert(SHORT_REQUEST))[-1], Done)


def test_seeds_decide_and_repeat(models: dict[str, ModelFiles]) -> None:
    with EngineClient(endless(models)) as engine:
        texts = [
            answer(
                list(
                    engine.convert(
                        ConvertRequest(
                            picture(), target="html", temperature=1.0, seed=seed, max_tokens=40
                        )
                    )
                )
            )
            for seed in (1, 2, 1)
        ]
    assert texts[0] == texts[2] != texts[1]


def test_hints_are_read_and_given(models: dict[str, ModelFiles]) -> None:
    with EngineClient(models["hints"]) as engine:
        prompts = {}
        for mode in ("auto", "never"):
            request = ConvertRequest(picture("Hello"), target="html", hints=mode)
            events = list(engine.convert(request))
            read = [event for event in events if isinstance(event, TextRead)]
            assert bool(read) == (mode == "auto")
            if read:
                assert [line.text for line in read[0].lines] == ["Hello"]
            assert isinstance(events[-1], Done)
            prompts[mode] = events[-1].stats["prompt_tokens"]
    assert prompts["auto"] > prompts["never"]


def test_a_picture_is_read_once() -> None:
    reader = TextReader(CancelFlag.private())
    pictures = [Image.open(io.BytesIO(picture(word))).convert("RGB") for word in ("One", "Two")]
    first, second, again = (
        reader.wait(reader.start(image))[0] for image in (*pictures, pictures[0].copy())
    )
    assert first is again
    assert first is not None and second is not None
    assert [line.text for line in (*first, *second)] == ["One", "Two"]


def test_text_that_does_not_fit_is_left_out_and_counted(tmp_path: Path) -> None:
    files = build(tmp_path, chain("<p>", "<|im_end|>"), hints="always", context=700)
    image = Image.new("RGB", (400, 560), "white")
    draw = ImageDraw.Draw(image)
    for row in range(20):
        draw.text((12, 8 + 27 * row), f"Line number {row}", fill="black", font_size=20)
    out = io.BytesIO()
    image.save(out, "PNG")
    with EngineClient(files) as engine:
        events = list(engine.convert(ConvertRequest(out.getvalue(), target="html")))
    done = events[-1]
    assert isinstance(done, Done)
    lines = next(event.lines for event in events if isinstance(event, TextRead))
    assert len(lines) >= 19
    assert done.stats["hints_left_out"] > 0
    assert done.stats["hint_lines"] + done.stats["hints_left_out"] == len(lines)


def test_text_alone_needs_no_model() -> None:
    with EngineClient() as engine:
        events = list(engine.convert(ConvertRequest(picture("Hello"), target="text")))
        assert [type(event) for event in events] == [TextRead, Done]
        image = Image.open(io.BytesIO(picture("World")))
        assert [line.text for line in engine.read_text(image)] == ["World"]
        with pytest.raises(VisCodexError) as caught:
            engine.read_text(b"no picture")
        assert caught.value.code is ErrorCode.unsupported_image


def test_bad_pictures_are_errors_and_the_worker_lives(client: EngineClient, tmp_path: Path) -> None:
    list(client.start())
    pid = client.pid
    for image, code in (
        (tmp_path / "none.png", ErrorCode.bad_input),
        (b"no picture", ErrorCode.unsupported_image),
    ):
        error = last(list(client.convert(ConvertRequest(image, target="html"))), Error)
        assert isinstance(error, Error)
        assert error.code is code
    assert isinstance(list(client.convert(ConvertRequest(picture(), target="html")))[-1], Done)
    assert client.pid == pid


def test_a_broken_model_is_told(models: dict[str, ModelFiles], tmp_path: Path) -> None:
    good = models["page"]
    cut = tmp_path / "model.gguf"
    cut.write_bytes(good.model.read_bytes()[:5000])
    with EngineClient(ModelFiles(cut, good.mmproj, good.card)) as engine:
        error = last(list(engine.convert(LONG_REQUEST)), Error)
        assert isinstance(error, Error)
        assert error.code is ErrorCode.model_broken
        assert isinstance(list(engine.start(good))[-1], Ready)


def test_killed_while_idle(client: EngineClient) -> None:
    list(client.start())
    assert client.pid
    os.kill(client.pid, signal.SIGKILL)
    time.sleep(0.2)
    events = list(client.convert(ConvertRequest(picture(), target="html")))
    assert isinstance(events[-1], Done)


def test_cancel_from_another_thread_at_any_time(models: dict[str, ModelFiles]) -> None:
    with EngineClient(endless(models)) as engine:
        for delay in (0.0, 0.05, 0.2, 0.4):
            timer = threading.Timer(delay, engine.cancel)
            timer.start()
            request = ConvertRequest(picture("x"), temperature=1.0, max_tokens=200)
            events = list(engine.convert(request))
            timer.join()
            assert isinstance(events[-1], Done | Cancelled)
            engine.cancel()  # nothing runs: nothing happens
        assert isinstance(list(engine.convert(SHORT_REQUEST))[-1], Done)


def test_close_in_mid_stream(models: dict[str, ModelFiles]) -> None:
    engine = EngineClient(endless(models))
    events: list[Event] = []
    for event in engine.convert(LONG_REQUEST):
        events.append(event)
        if isinstance(event, Token) and len(events) == 30:
            engine.close()
    last(events, Cancelled)
    error = last(list(engine.convert(LONG_REQUEST)), Error)
    assert isinstance(error, Error)


class RawWorker:
    """The worker process without the client."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "engine.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
        )
        assert isinstance(self.read()[1], Hello)

    def write(self, line: bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def read(self) -> tuple[int | None, Event]:
        assert self.process.stdout
        return decode_event(self.process.stdout.readline())


@pytest.fixture
def raw() -> Iterator[RawWorker]:
    worker = RawWorker()
    yield worker
    worker.process.kill()
    worker.process.wait()
    for stream in (worker.process.stdin, worker.process.stdout):
        assert stream
        stream.close()


def test_corrupt_frames_and_unknown_requests_are_errors(raw: RawWorker) -> None:
    for line, number in (
        (b"\x00\xff\xfe", None),
        (b"{", None),
        (b"[1,2]", None),
        (json.dumps({"type": "dance", "id": 4}).encode(), 4),
        (json.dumps({"type": "convert", "id": 5}).encode(), 5),
        (b"x" * (MAX_FRAME_BYTES + 70_000), None),  # one error, however long
        (json.dumps({"type": "dance", "id": 6}).encode(), 6),
    ):
        raw.write(line)
        mine, event = raw.read()
        assert mine == number
        assert isinstance(event, Error)
        assert event.code is ErrorCode.bad_input


def test_converting_without_a_model_is_an_error(raw: RawWorker) -> None:
    body = ConvertRequest(picture(), target="html").to_json()
    raw.write(json.dumps({"type": "convert", "id": 7, **body}).encode())
    number, event = raw.read()
    assert number == 7
    assert isinstance(event, Error)
    assert event.code is ErrorCode.model_missing


@pytest.mark.parametrize("before", [b"", b'{"type":"shutd'], ids=["", "half a frame"])
def test_the_end_of_input_ends_the_worker(raw: RawWorker, before: bytes) -> None:
    assert raw.process.stdin
    raw.process.stdin.write(before)
    raw.process.stdin.close()
    assert raw.process.wait(5) == 0


def test_shutdown_ends_the_worker(raw: RawWorker) -> None:
    raw.write(b'{"type":"shutdown","id":1}')
    assert raw.process.wait(5) == 0


def test_stray_prints_do_not_reach_the_frames() -> None:
    code = (
        "import os, engine.worker as w\n"
        "real = w._take_stdout()\n"
        "os.write(1, b'native noise\\n'); print('python noise')\n"
        "w.EventWriter(real).write(w.protocol.Loading(0.5), 1)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True, timeout=60
    )
    assert decode_event(done.stdout)[1] == Loading(0.5)
    assert b"native noise" in done.stderr
