"""`viscodex` and the application's engine thread with a model on a server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.bridge import EngineBridge
from engine import protocol
from engine.protocol import ConvertRequest
from engine.remote.client import RemoteClient
from engine.remote.server import Server
from tests.app.command import ROOT, assert_one_line, viscodex
from tests.fixtures.chat_server import ChatServer, Hang, message, stream, whole

KEY = "sk-very-secret-0123456789"
PAGE = "<!DOCTYPE html>\n<body><p>Sign in</p></body>\n"
CHART = "import matplotlib.pyplot as plt\nplt.bar([1, 2], [3, 4])\nplt.show()\n"


class TestConvert:
    def test_to_code_preview_and_figures(
        self, samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("VISCODEX_API_KEY", KEY)
        preview = tmp_path / "p.png"
        answer = stream("Here you are:\n```ht", f"ml\n{PAGE}", "```", tokens=40)
        with ChatServer([answer]) as server:
            arguments = ("convert", samples / "login.png", "--server", server.url)
            ended = viscodex(*arguments, "--preview", preview, "--json")
        assert ended.status == 0, ended.err
        told = json.loads(ended.out)
        assert (told["code"], told["target"], told["model"]) == (PAGE, "html", "see-7b")
        assert told["finish_reason"] == "fence"
        assert told["confidence"] is None
        assert told["warnings"] == []
        for name in ("load", "encode", "first_token", "total", "tokens"):
            assert told["timings"][name] > 0, name
        assert 0.0 < told["similarity"]["total"] < 0.9
        assert Image.open(preview).size == Image.open(samples / "login.png").size
        assert [asked.headers["authorization"] for asked in server.asked] == [f"Bearer {KEY}"] * 2
        assert KEY not in ended.out + ended.err

    def test_the_best_of_several_answers(self, samples: Path) -> None:
        source = (samples / "sources" / "login.html").read_text()
        pages = [stream(f"```html\n{code}```") for code in (PAGE, source, "<p>no</p>\n")]
        with ChatServer(pages) as server:
            arguments = ("convert", samples / "login.png", "--to", "html", "--json", "--best-of", 3)
            ended = viscodex(*arguments, "--server", server.url)
        assert ended.status == 0, ended.err
        told = json.loads(ended.out)
        assert told["code"].strip() == source.strip()
        assert sorted(one["chosen"] for one in told["tried"]) == [False, False, True]
        assert len({json.dumps(asked.json.get("seed")) for asked in server.chats}) == 3

    def test_a_chart_that_fails_is_repaired_with_its_error(self, samples: Path) -> None:
        broken = CHART.replace("[3, 4]", "[3, 4, 5]")
        charts = [stream(f"```python\n{code}```") for code in (broken, CHART)]
        with ChatServer(charts) as server:
            arguments = ("convert", samples / "chart.png", "--to", "matplotlib", "--json")
            ended = viscodex(*arguments, "--server", server.url)
        assert ended.status == 0, ended.err
        told = json.loads(ended.out)
        assert told["code"] == CHART
        assert "ValueError" in told["tried"][0]["problem"]
        assert len(server.chats) == 2
        assert "ValueError" in json.dumps(server.chats[1].json)

    def test_a_named_model_is_not_asked_for(self, samples: Path, tmp_path: Path) -> None:
        with ChatServer([stream(f"```python\n{CHART}```")]) as server:
            arguments = ("convert", samples / "chart.png", "--hints", "never", "--out", tmp_path)
            ended = viscodex(*arguments, "--server", server.url, "--model", "big")
        assert ended.status == 0, ended.err
        assert (tmp_path / "chart.py").read_text() == CHART
        assert [asked.json["model"] for asked in server.asked] == ["big"]

    @pytest.mark.parametrize(
        ("answer", "status", "words"),
        [
            (whole(401, b""), 1, ("VISCODEX_API_KEY",)),
            (whole(404, b""), 2, ("--model", "models list --server")),
            (whole(500, b"<p>oops", {}), 1, ("failed (500).",)),
            (stream("I cannot."), 1, ("no code",)),
        ],
    )
    def test_failures_are_one_line(
        self, samples: Path, tmp_path: Path, answer: Any, status: int, words: tuple[str, ...]
    ) -> None:
        with ChatServer([answer]) as server:
            arguments = ("convert", samples / "login.png", "--hints", "never", "--model", "m")
            ended = viscodex(*arguments, "--server", server.url, "--out", tmp_path / "x.html")
        assert_one_line(ended, status, *words)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("--server", "example.org"), ("https://",)),
            (("--server", ""), ("https://",)),
            (("--server", "http://a:secret@b.example"), ("VISCODEX_API_KEY",)),
            (("--server", "http://127.0.0.1:1", "--mmproj", "x.gguf"), ("--mmproj",)),
        ],
    )
    def test_bad_input(
        self, samples: Path, arguments: tuple[str, ...], words: tuple[str, ...]
    ) -> None:
        ended = viscodex("convert", samples / "login.png", *arguments)
        assert_one_line(ended, 2, *words)
        assert "secret" not in ended.err

    @pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to one process there")
    def test_ctrl_c(self, samples: Path, tmp_path: Path) -> None:
        hang = Hang(chunks=(message("```html\n<p>"),))
        with ChatServer([hang]) as server:
            arguments = ["convert", str(samples / "login.png"), "--hints", "never"]
            arguments += ["--server", server.url, "--out", str(tmp_path / "x.html")]
            process = subprocess.Popen(
                [sys.executable, "-m", "app.cli", *arguments],
                cwd=ROOT,
                env=dict(os.environ),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            assert hang.reached.wait(60)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
            assert hang.gone.wait(5)
        assert (process.returncode, out, err.strip()) == (130, "", "viscodex: cancelled")
        assert list(tmp_path.iterdir()) == []


class TestModels:
    def test_those_of_a_server(self) -> None:
        with ChatServer([], ("one", "two")) as server:
            ended = viscodex("models", "list", "--server", server.url)
            told = json.loads(viscodex("models", "list", "--server", server.url, "--json").out)
        assert ended.status == 0, ended.err
        assert [line.split() for line in ended.out.splitlines()] == [
            ["one", "4096", "tokens"],
            ["two", "4096", "tokens"],
        ]
        assert ended.err.strip().endswith("ms")
        assert told["models"] == ["one", "two"]

    def test_a_server_that_is_not_there(self) -> None:
        ended = viscodex("models", "list", "--server", "http://127.0.0.1:1")
        assert_one_line(ended, 1, "127.0.0.1:1", "cannot be reached")


def test_the_application_can_hold_a_server(qtbot: Any, samples: Path) -> None:
    """The thread of the application's engine, with events from a server and a cancel."""
    hang = Hang(chunks=(message("```html\n<p>"),))
    with ChatServer([stream(f"```html\n{PAGE}```"), hang]) as server:
        bridge = EngineBridge(lambda: RemoteClient(Server.at(server.url)))
        arrived: list[tuple[int, Any]] = []
        bridge.events.connect(arrived.extend)
        request = ConvertRequest(samples / "login.png", "html", hints="never")
        bridge.convert(1, request)
        qtbot.waitUntil(lambda: (1, None) in arrived, timeout=20_000)
        assert any(run == 0 and isinstance(event, protocol.Ready) for run, event in arrived)
        events = [event for run, event in arrived if run == 1 and event is not None]
        assert isinstance(events[-1], protocol.Done)
        bridge.convert(2, request)
        qtbot.waitUntil(hang.reached.is_set, timeout=20_000)
        bridge.cancel(2)
        qtbot.waitUntil(lambda: (2, None) in arrived, timeout=5_000)
        assert (2, protocol.Cancelled()) in arrived
        assert hang.gone.wait(2)
        bridge.close()
