"""What the settings say reaches the engine: model, server, wishes; from the next request on."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.bridge import EngineBridge
from app.main import make_window
from app.session import Picture, State
from app.store import settings as store
from app.store.settings import RemoteServer, Settings
from app.wiring import Engine
from engine.client import EngineClient
from engine.improver import Wishes
from engine.remote.client import RemoteClient
from tests.app.scripted import WAIT, ScriptedClient, answer
from tests.app.windows import load
from tests.fixtures.chat_server import ChatServer, stream
from tests.fixtures.remote import KEY, PAGE, PIECES

OFFICE = RemoteServer("Office", "http://127.0.0.1:1", "big")


class TestEngine:
    @pytest.mark.parametrize(
        ("before", "after", "changes"),
        [
            ({}, {"theme": "dark", "best_of": 4, "unwalled": True}, False),
            ({}, {"model": "mine"}, True),
            ({}, {"server": "Office"}, True),
            ({"server": "Office"}, {"model": "mine"}, False),
            ({"server": "Office"}, {"servers": (replace(OFFICE, model="small"),)}, True),
            ({"server": "Office"}, {"server": ""}, True),
            ({"server": "Office"}, {"server": "gone"}, True),
        ],
    )
    def test_when_another_client_is_wanted(
        self, before: dict[str, Any], after: dict[str, Any], changes: bool
    ) -> None:
        settings = Settings(servers=(OFFICE,), **before)
        engine = Engine(settings)
        assert engine.follow(replace(settings, **after)) is changes
        assert not engine.follow(engine.settings)

    def test_wishes_and_requests_are_those_of_the_moment(self) -> None:
        engine = Engine(Settings())
        assert engine.wishes(4) == Wishes(best_of=4, draw=True)
        engine.follow(Settings(best_of=2, repair=False, split=False, unwalled=True, hints="never"))
        assert engine.wishes(4) == Wishes(2, 0, False, draw=True, allow_unwalled=True)
        engine.follow(Settings(correct=False, hints="never"))
        assert engine.wishes(4) == Wishes(4, correct=False, draw=True)
        assert engine.make_request(Picture(b"x", 1, 1, ""), "html").hints == "never"

    def test_the_client_is_that_of_the_settings(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("VISCODEX_API_KEY", KEY)
        client = Engine(Settings()).make_client()._client
        assert isinstance(client, EngineClient) and client.model_name == "viscodex-nano"
        client = Engine(Settings(servers=(OFFICE,), server="Office")).make_client()._client
        assert isinstance(client, RemoteClient)
        assert client.server.key == KEY and client.model_name == "big"

    def test_changed_wishes_reach_the_client_that_is_there(self) -> None:
        engine = Engine(Settings())
        client = engine.make_client()
        first = client._present()
        assert client._present() is first
        engine.follow(Settings(best_of=1))
        assert client._present() is not first
        client.close()


class TestBridge:
    def test_a_conversion_that_runs_comes_to_its_end(self, qtbot: Any) -> None:
        old, new = ScriptedClient([WAIT, *answer()]), ScriptedClient(answer(), answer())
        bridge = EngineBridge(lambda: old)
        got: list[tuple[int, Any]] = []
        bridge.events.connect(got.extend)
        bridge.convert(1, "one")
        qtbot.waitUntil(lambda: old.requests == ["one"])
        bridge.change_client(lambda: new)
        assert not old.closed
        old.go.set()
        qtbot.waitUntil(lambda: (1, None) in got)
        kinds = [event.event for run, event in got if run == 1 and event is not None]
        assert kinds[-1] == "done"
        bridge.convert(2, "two")
        qtbot.waitUntil(lambda: (2, None) in got)
        assert new.requests == ["two"] and old.requests == ["one"]
        qtbot.waitUntil(lambda: old.closed)
        bridge.close()
        assert new.closed

    def test_it_can_still_be_cancelled(self, qtbot: Any) -> None:
        old = ScriptedClient([WAIT, *answer()])
        bridge = EngineBridge(lambda: old)
        got: list[tuple[int, Any]] = []
        bridge.events.connect(got.extend)
        bridge.convert(1, "one")
        qtbot.waitUntil(lambda: old.requests == ["one"])
        bridge.change_client(ScriptedClient)
        bridge.cancel(1)
        qtbot.waitUntil(lambda: (1, None) in got)
        assert [e.event for run, e in got if run == 1 and e is not None] == ["cancelled"]
        bridge.close()

    def test_a_model_given_up_while_it_loads_is_not_heard_of(self, qtbot: Any) -> None:
        class Slow(ScriptedClient):
            def warm_up(self) -> Any:
                yield from super().warm_up()
                started.set()
                self.cancelled.wait(20)
                raise RuntimeError("closed")

        started = threading.Event()
        old, new = Slow(), ScriptedClient()
        bridge = EngineBridge(lambda: old)
        got: list[tuple[int, Any]] = []
        bridge.events.connect(got.extend)
        bridge.start()
        assert started.wait(20)
        bridge.change_client(lambda: new)
        qtbot.waitUntil(lambda: sum(1 for _, event in got if event is None) == 2)
        assert old.closed
        assert not [event for _, event in got if isinstance(event, Exception)]
        bridge.close()

    def test_one_that_was_being_made_is_not_used(self, qtbot: Any) -> None:
        go, asked = threading.Event(), threading.Event()
        old, new = ScriptedClient(), ScriptedClient(answer())

        def slowly() -> ScriptedClient:
            asked.set()
            go.wait(20)
            return old

        bridge = EngineBridge(slowly)
        got: list[tuple[int, Any]] = []
        bridge.events.connect(got.extend)
        bridge.convert(1, "one")
        assert asked.wait(20)
        bridge.change_client(lambda: new)
        go.set()
        qtbot.waitUntil(lambda: (1, None) in got)
        assert new.requests == ["one"] and old.requests == [] and old.closed
        bridge.close()


@pytest.mark.slow
def test_the_application_converts_on_the_server_that_is_chosen(
    qapp: Any, qtbot: Any, tmp_path: Path, sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VISCODEX_API_KEY", raising=False)
    path = tmp_path / "settings.json"
    store.save(Settings(first_run_done=True, hints="never", target="html", theme="light"), path)
    with ChatServer([stream(*PIECES)]) as server:
        window = make_window(qapp, path)
        try:
            with qtbot.waitExposed(window):
                window.show()
            session = window.controller.session
            qtbot.waitUntil(lambda: session.model == "viscodex-nano", timeout=60_000)
            window.keep(servers=(RemoteServer("Lab", server.url),), server="Lab")
            qtbot.waitUntil(lambda: session.model == "see-7b", timeout=60_000)
            assert session.device.startswith("127.0.0.1")
            assert window.status.offline.text() == "Server: Lab"
            load(window, qtbot, sample)
            qtbot.waitUntil(lambda: session.state is State.DONE, timeout=120_000)
            assert window.code.edit.code.strip() == PAGE.strip()
            assert server.chats
            assert store.load(path).settings.server == "Lab"
            window.keep(server="")
            qtbot.waitUntil(lambda: session.model == "viscodex-nano", timeout=60_000)
        finally:
            window.quit()
            window.deleteLater()
