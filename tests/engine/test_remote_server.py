"""Addresses, keys and where they may travel; answers and lines cut anywhere."""

from __future__ import annotations

import io
import itertools
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import types
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from engine import protocol
from engine.errors import ErrorCode, VisCodexError
from engine.protocol import ConvertRequest
from engine.remote.answer import RemoteAnswer
from engine.remote.client import RemoteClient, probe
from engine.remote.server import Server, find_key
from engine.remote.sse import LONGEST_LINE, DataLines, LineTooLong
from engine.tasks import TASKS
from tests.fixtures.chat_server import ChatServer, stream, whole

KEY = "sk-very-secret-0123456789"


class TestAddress:
    @pytest.mark.parametrize(
        ("url", "base", "host"),
        [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/v1", "127.0.0.1:8080"),
            ("http://127.0.0.1:8080/v1/", "http://127.0.0.1:8080/v1", "127.0.0.1:8080"),
            (" https://a.example/x/v1/chat/completions", "https://a.example/x/v1", "a.example"),
            ("https://a.example/v1/models", "https://a.example/v1", "a.example"),
            ("https://a.example/v1beta", "https://a.example/v1beta", "a.example"),
            ("https://A.example/openai", "https://a.example/openai/v1", "a.example"),
            ("http://[::1]:11434", "http://[::1]:11434/v1", "[::1]:11434"),
        ],
    )
    def test_the_base_is_found(self, url: str, base: str, host: str) -> None:
        server = Server.at(url)
        assert (server.base, server.host) == (base, host)

    @pytest.mark.parametrize(
        "url",
        [
            *("", "example.org", "ftp://a.example", "http://", "http://a:b@c.example"),
            *("http://a.example:99999", "http://a.example/?key=1", "http://[::1", "file:///etc"),
            *("http://a.example/#x", "http://a b.example", "http://a.example/x\ny"),
        ],
    )
    def test_no_address(self, url: str) -> None:
        with pytest.raises(VisCodexError) as caught:
            Server.at(url)
        assert caught.value.code is ErrorCode.server_address
        assert caught.value.exit_code == 2
        assert "a:b" not in caught.value.message

    @pytest.mark.parametrize("key", ["two words", "line\nbreak", "schlüssel"])
    def test_a_key_that_is_none_is_not_quoted(self, key: str) -> None:
        with pytest.raises(VisCodexError) as caught:
            Server.at("https://a.example", key)
        assert caught.value.code is ErrorCode.bad_input
        assert key not in caught.value.message + caught.value.advice

    @pytest.mark.parametrize(
        ("url", "travels", "warned"),
        [
            ("https://a.example", True, False),
            ("http://a.example", False, True),
            ("http://192.168.1.7:8000", False, True),
            ("http://127.0.0.1.a.example", False, True),
            ("http://localhost.a.example", False, True),
            ("http://127.8.9.1", True, False),
            ("http://localhost:8000", True, False),
            ("http://[::1]:8000", True, False),
        ],
    )
    def test_where_the_key_may_travel(self, url: str, travels: bool, warned: bool) -> None:
        server = Server.at(url, KEY)
        assert server.key_travels is travels
        assert server.headers == ({"Authorization": f"Bearer {KEY}"} if travels else {})
        assert bool(server.notice) is warned
        assert ("key is not sent" in server.notice) is warned
        assert KEY not in repr(server) + str(server) + server.notice


class TestKey:
    def test_the_environment_comes_first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "keyring", keyring_of({("viscodex", "a.example"): "b"}))
        assert find_key("https://a.example/v1", {"VISCODEX_API_KEY": " a "}) == "a"
        assert find_key("https://a.example/v1", {}) == "b"
        assert find_key("https://c.example/v1", {}) == ""

    def test_no_keyring_is_no_trouble(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "keyring", None)
        assert find_key("https://a.example", {}) == ""
        monkeypatch.setitem(sys.modules, "keyring", keyring_of(None))
        assert find_key("https://a.example", {}) == ""

    def test_it_is_not_sent_in_clear(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A server elsewhere without https: asked without the key, after a warning."""
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.delenv(name, raising=False)
        buffer = io.BytesIO()
        Image.new("RGB", (64, 64)).save(buffer, "PNG")
        request = ConvertRequest(buffer.getvalue(), "html", hints="never")
        with ChatServer([stream("```html\n<p>x</p>\n```"), whole(401, b"")]) as chat:
            elsewhere = replace(Server.at(chat.url, KEY), loopback=False)
            with RemoteClient(elsewhere, "m") as client:
                events = list(client.convert(request))
                assert isinstance(events[-1], protocol.Done)
                (notice,) = [e for e in events if isinstance(e, protocol.Notice)]
                assert "unencrypted" in notice.message
                refused = list(client.convert(request))[-1]
            assert isinstance(refused, protocol.Error)
            assert "https" in refused.advice
            probe(elsewhere)
            assert len(chat.asked) == 3
            for asked in chat.asked:
                assert "authorization" not in asked.headers
                assert KEY.encode() not in asked.body


def keyring_of(keys: dict[tuple[str, str], str] | None) -> types.ModuleType:
    """A keyring with these keys, or one that is locked."""
    module = types.ModuleType("keyring")

    def get_password(service: str, name: str) -> str | None:
        if keys is None:
            raise RuntimeError("locked")
        return keys.get((service, name))

    module.get_password = get_password  # type: ignore[attr-defined]
    return module


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes the certificate")
class TestCertificate:
    @pytest.fixture
    def certificate(self, tmp_path: Path) -> Path:
        """A certificate nobody has signed, with its key in the same file."""
        path = tmp_path / "own.pem"
        command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
        names = ["-addext", "subjectAltName=DNS:localhost"]
        files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(path)]
        subprocess.run([*command.split(), *names, *files], check=True, capture_output=True)
        path.write_text(path.read_text() + (tmp_path / "key.pem").read_text())
        return path

    def test_it_must_be_trusted(self, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        heard: list[bytes] = []

        def serve() -> None:
            for _ in range(2):
                connection, _ = listener.accept()
                try:
                    with context.wrap_socket(connection, server_side=True) as secure:
                        heard.append(secure.recv(65536))
                        body = b'{"data": [{"id": "m"}]}'
                        secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 23\r\n\r\n" + body)
                except (ssl.SSLError, OSError):
                    pass

        with socket.create_server(("127.0.0.1", 0)) as listener:
            threading.Thread(target=serve, daemon=True).start()
            server = Server.at(f"https://localhost:{listener.getsockname()[1]}", KEY)
            with pytest.raises(VisCodexError) as caught:
                probe(server)
            assert caught.value.code is ErrorCode.server_untrusted
            assert "certificate" in caught.value.message
            assert heard == []
            monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
            assert probe(server).models == ("m",)
            assert KEY.encode() in heard[0]


ANSWERS = [
    ("html", "Sure:\n```html\n<p>`x`</p>\n  ```\nmore ```"),
    ("html", "<think>\n```html\nno\n```\n</think>\n```html\n<p>x</p>\n```"),
    ("html", "```css\np {}\n```\n```html\n<p>x</p>\n```\n```js\n1\n```"),
    ("html", "<!DOCTYPE html>\n<html><pre>\n```\n</pre></html>\nThat is it."),
    ("matplotlib", "```py\nimport x\n```"),
    ("matplotlib", "from x import y\ny()\n"),
    (None, "```\nimport x\n```"),
    (None, "Look:\n\n```\n\n<p>x</p>\n```"),
]


class TestPieces:
    @pytest.mark.parametrize(("target", "text"), ANSWERS)
    @settings(deadline=None)
    @given(data=st.data())
    def test_an_answer_is_the_same_however_it_is_cut(
        self, target: str | None, text: str, data: st.DataObject
    ) -> None:
        wanted = TASKS[target] if target else None
        at_once = RemoteAnswer(wanted)
        expected = at_once.take(text)
        expected += at_once.finish()
        cuts = sorted(data.draw(st.sets(st.integers(0, len(text)))) | {0, len(text)})
        piecewise = RemoteAnswer(wanted)
        got = "".join(piecewise.take(text[a:b]) for a, b in itertools.pairwise(cuts))
        got += piecewise.finish()
        assert got == expected
        assert piecewise.reason == at_once.reason
        assert piecewise.task is at_once.task is not None
        assert got.startswith(piecewise.task.prefill)

    def test_an_answer_without_end_is_ended(self) -> None:
        answer = RemoteAnswer(TASKS["html"])
        answer.take("```html\n")
        for number in range(2000):
            answer.take("".join(f"<p>word {100 * number + n}</p>\n" for n in range(100)))
            if answer.reason:
                break
        assert answer.reason == "length"

    @pytest.mark.parametrize("head", ["```html\n", "<!DOCTYPE html>\n", "I see: "])
    def test_an_answer_in_a_loop_is_ended(self, head: str) -> None:
        answer = RemoteAnswer(TASKS["html"])
        answer.take(head)
        for _ in range(100):
            answer.take("<p>word</p>\n")
        assert answer.reason == "loop"

    def test_a_line_without_end_is_refused(self) -> None:
        lines = DataLines()
        for _ in range(LONGEST_LINE // 100_000):
            assert list(lines.feed(b"x" * 100_000)) == []
        with pytest.raises(LineTooLong):
            list(lines.feed(b"x"))

    @settings(deadline=None)
    @given(st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]))))
    def test_lines_come_out_as_they_went_in(self, payloads: list[str]) -> None:
        data = b"".join(f"data: {text}\r\n\r\n".encode() for text in payloads)
        lines = DataLines()
        found = [out for i in range(len(data)) for out in lines.feed(data[i : i + 1])]
        found += lines.finish()
        assert found == [text.strip() for text in payloads]
