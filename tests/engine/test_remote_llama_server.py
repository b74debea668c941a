"""The client against a real llama-server with the bundled model.

VISCODEX_LLAMA_SERVER names the executable; without it these tests are skipped.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from engine import protocol
from engine.errors import ErrorCode, VisCodexError
from engine.models.store import ModelFiles, find_model
from engine.protocol import ConvertRequest, Event, TextRead, Token
from engine.remote.client import RemoteClient, probe
from engine.remote.server import Server
from tests.fixtures.remote import done, error, text_of

EXECUTABLE = os.environ.get("VISCODEX_LLAMA_SERVER", "")
KEY = "key-of-this-test"

pytestmark = pytest.mark.skipif(
    not EXECUTABLE, reason="VISCODEX_LLAMA_SERVER names no llama-server executable"
)


@dataclass
class Running:
    server: Server
    process: subprocess.Popen[bytes]


def start(folder: Path, key: str = "") -> Running:
    """A llama-server on a port of its own, ready to answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    files = find_model()
    command = [EXECUTABLE, "-m", str(files.model), "--mmproj", str(files.mmproj)]
    command += ["--host", "127.0.0.1", "--port", str(port), "--threads", "1", "--parallel", "2"]
    command += ["--api-key", key] if key else []
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    for _ in range(600):
        assert process.poll() is None, (folder / "log.txt").read_text(errors="replace")[-2000:]
        try:
            if httpx.get(f"{url}/health", trust_env=False).status_code == 200:
                return Running(Server.at(url, key), process)
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    process.kill()
    raise TimeoutError("llama-server does not become ready")


def stop(running: Running) -> None:
    running.process.kill()
    running.process.wait(20)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = start(tmp_path_factory.mktemp("llama"))
    yield running.server
    stop(running)


@pytest.fixture(scope="module")
def files() -> ModelFiles:
    return find_model()


@pytest.fixture
def client(llama: Server, files: ModelFiles) -> Iterator[RemoteClient]:
    with RemoteClient(llama, card=files.card) as one:
        yield one


@pytest.fixture(scope="module")
def picture(samples: Path) -> Path:
    return samples / "login.png"


def convert(client: RemoteClient, picture: Path, **wanted: object) -> list[Event]:
    fields = {"target": "html", "hints": "never", "max_tokens": 60, **wanted}
    return list(client.convert(ConvertRequest(picture, **fields)))  # type: ignore[arg-type]


def test_it_names_its_model_and_its_context(llama: Server, files: ModelFiles) -> None:
    facts = probe(llama)
    assert len(facts.models) == 1
    assert facts.models[0].endswith(files.model.name)
    assert facts.contexts[0] > 0
    with RemoteClient(llama) as client:
        ready = list(client.start())[-1]
        assert ready == protocol.Ready(facts.models[0], llama.host, facts.contexts[0])


def test_a_page_from_a_picture(client: RemoteClient, picture: Path) -> None:
    events = convert(client, picture, hints="always", max_tokens=900)
    assert any(isinstance(event, TextRead) and event.lines for event in events)
    assert done(events).reason == "fence"
    answer = text_of(events)
    assert answer.startswith("```html\n<!DOCTYPE html>") and answer.endswith("\n```")
    assert "Welcome back" in answer
    stats = done(events).stats
    assert stats["prompt_tokens"] > 100  # counted by the server, also though the fence ended it
    assert 50 < stats["tokens"] < 900
    assert stats["tokens_per_second"] > 0


def test_an_answer_that_is_too_long_and_its_exact_count(
    client: RemoteClient, picture: Path
) -> None:
    events = convert(client, picture, max_tokens=40)
    assert done(events).reason == "length"
    assert done(events).stats["tokens"] == 40


def test_a_refinement(client: RemoteClient, picture: Path) -> None:
    code = '<!DOCTYPE html>\n<html lang="en">\n<body>\n<p>Hello</p>\n</body>\n</html>\n'
    events = convert(client, picture, refine=("Make it blue", code))
    assert done(events).stats["prompt_tokens"] > 100
    assert text_of(events).startswith("```html\n")


def test_several_answers_at_once(client: RemoteClient, picture: Path) -> None:
    events = convert(client, picture, candidates=3, max_tokens=30)
    numbers = {event.candidate for event in events if isinstance(event, Token)}
    ended = {event.candidate for event in events if isinstance(event, protocol.CandidateDone)}
    assert numbers == ended == {0, 1, 2}
    assert done(events).stats["tokens"] == 90


def test_cancelled_in_the_middle_it_goes_on_answering(
    client: RemoteClient, llama: Server, picture: Path
) -> None:
    events = []
    for event in client.convert(ConvertRequest(picture, "html", "never", max_tokens=3000)):
        events.append(event)
        if len(text_of(events)) > 40:
            client.cancel()
    assert events[-1] == protocol.Cancelled()
    assert done(convert(client, picture, max_tokens=20)).reason == "length"
    end = time.monotonic() + 20
    while any(slot["is_processing"] for slot in slots(llama)):
        assert time.monotonic() < end, "the server still writes the answer that was cancelled"
        time.sleep(0.2)


def slots(server: Server) -> list[dict[str, bool]]:
    found = httpx.get(server.base.removesuffix("/v1") + "/slots", trust_env=False).json()
    assert isinstance(found, list)
    return found


def test_a_wrong_name_of_a_model(llama: Server, files: ModelFiles, picture: Path) -> None:
    """With one model llama-server takes any name; either way it ends in one clear event."""
    with RemoteClient(llama, "no-such-model", card=files.card) as client:
        last = convert(client, picture, max_tokens=20)[-1]
    if isinstance(last, protocol.Error):
        assert last.code is ErrorCode.server_address
    else:
        assert isinstance(last, protocol.Done)


def test_a_key_is_required(tmp_path: Path, files: ModelFiles, picture: Path) -> None:
    running = start(tmp_path, KEY)
    try:
        for key in ("", "another"):
            stranger = Server.at(running.server.base, key)
            with RemoteClient(stranger, "m", card=files.card) as client:
                refused = error(convert(client, picture))
            assert refused.code is ErrorCode.server_denied
            assert "VISCODEX_API_KEY" in refused.advice
            with pytest.raises(VisCodexError) as caught:
                probe(stranger)
            assert caught.value.code is ErrorCode.server_denied
        assert probe(running.server).models
        with RemoteClient(running.server, card=files.card) as client:
            assert done(convert(client, picture, max_tokens=20)).reason == "length"
    finally:
        stop(running)


def test_killed_in_the_middle(tmp_path: Path, files: ModelFiles, picture: Path) -> None:
    running = start(tmp_path)
    try:
        with RemoteClient(running.server, card=files.card) as client:
            events = []
            for event in client.convert(ConvertRequest(picture, "html", "never", max_tokens=3000)):
                events.append(event)
                if isinstance(event, Token):
                    running.process.kill()
            assert error(events).code is ErrorCode.server_garbled
            again = error(convert(client, picture))
            assert again.code is ErrorCode.server_unreachable
    finally:
        stop(running)
