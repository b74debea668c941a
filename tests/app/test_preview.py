"""The in-app page: shows, follows, survives, and lets nothing out."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication

from app.preview.web import WebPreview


@pytest.fixture
def preview(qapp: QApplication, qtbot: Any) -> Iterator[WebPreview]:
    view = WebPreview()
    view.resize(400, 300)
    view.show()
    yield view
    view.shut()
    view.close()
    view.deleteLater()
    qtbot.wait(50)


def show(preview: WebPreview, qtbot: Any, html: str) -> None:
    with qtbot.waitSignal(preview.shown, timeout=20_000):
        preview.show_html(html)
    qtbot.wait(60)


def colour_at(preview: WebPreview, x: int, y: int) -> QColor:
    return preview.grab().toImage().pixelColor(x, y)


def frame_value(preview: WebPreview, qtbot: Any, script: str) -> Any:
    """What `script` says in the frame in front, asked in our own world."""
    got: list[Any] = []
    for frame in preview.page.mainFrame().children():
        frame.runJavaScript(
            f"innerHeight > 0 && document.body && document.body.id == 'now' ? ({script}) : null",
            1,
            lambda value: got.append(value) if value not in (None, "") else None,
        )
    qtbot.waitUntil(lambda: bool(got), timeout=10_000)
    return got[0]


def test_page_is_shown_and_replaced(preview: WebPreview, qtbot: Any) -> None:
    show(preview, qtbot, "<body style='background:#ff0000'>")
    assert colour_at(preview, 50, 50).name() == "#ff0000"
    show(preview, qtbot, "<body style='background:#0000ff'>")
    assert colour_at(preview, 50, 50).name() == "#0000ff"


def test_page_has_the_wanted_width_and_the_rest_is_ground(preview: WebPreview, qtbot: Any) -> None:
    preview.set_ground(QColor(10, 20, 30))
    preview.set_page_width(200)
    show(preview, qtbot, "<body id='now' style='background:#ff0000'>")
    assert colour_at(preview, 20, 50) == QColor(10, 20, 30)
    assert colour_at(preview, 200, 50).name() == "#ff0000"
    preview.set_page_width(800)
    qtbot.wait(200)
    assert frame_value(preview, qtbot, "innerWidth") == 800
    assert colour_at(preview, 20, 50).name() == "#ff0000"


def test_of_many_pages_the_newest_wins_and_none_flickers(preview: WebPreview, qtbot: Any) -> None:
    show(preview, qtbot, "<body style='background:#00ff00'>")
    shown: list[int] = []
    preview.shown.connect(shown.append)
    colours = set()
    for step in range(12):
        preview.show_html(f"<body style='background:#00ff00'><p>{step}</p>" + "<i></i>" * 2000)
        qtbot.wait(15)
        colours.add(colour_at(preview, 300, 250).name())
    qtbot.waitUntil(lambda: bool(shown) and shown[-1] == 13, timeout=20_000)
    assert colours == {"#00ff00"}
    assert len(shown) < 12


def test_scroll_position_is_kept(preview: WebPreview, qtbot: Any) -> None:
    rows = "<p>row</p>" * 100
    show(preview, qtbot, f"<body id='now'>{rows}")
    frame_value(preview, qtbot, "(document.scrollingElement.scrollTop = 900, 1)")
    qtbot.wait(300)
    show(preview, qtbot, f"<body id='next'>{rows}<p>more</p>")
    got: list[Any] = []
    for frame in preview.page.mainFrame().children():
        frame.runJavaScript(
            "document.body.id == 'next' ? document.scrollingElement.scrollTop : null",
            1,
            lambda value: got.append(value) if value not in (None, "") else None,
        )
    qtbot.waitUntil(lambda: bool(got))
    assert got[0] > 700


def test_scripts_run_unless_switched_off(preview: WebPreview, qtbot: Any) -> None:
    page = (
        "<body style='background:#ff0000'><script>document.body.style.background='#0000ff'</script>"
    )
    show(preview, qtbot, page)
    assert colour_at(preview, 50, 50).name() == "#0000ff"
    preview.scripts = False
    show(preview, qtbot, page)
    assert colour_at(preview, 50, 50).name() == "#ff0000"


@pytest.mark.slow
def test_endless_script_ends_only_its_own_page(
    preview: WebPreview, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    preview._watchdog.setInterval(1500)
    show(preview, qtbot, "<p>first</p>")
    with qtbot.waitSignal(preview.broke, timeout=20_000):
        preview.show_html("<script>while (1);</script>")
    preview.reload()
    show(preview, qtbot, "<body style='background:#ff0000'>")
    assert colour_at(preview, 50, 50).name() == "#ff0000"


class Listener:
    """A TCP and a UDP port that count whatever arrives."""

    def __init__(self) -> None:
        self.hits: list[str] = []
        self._tcp = socket.create_server(("127.0.0.1", 0))
        self.port = self._tcp.getsockname()[1]
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", self.port))
        for watch in (self._watch_tcp, self._watch_udp):
            threading.Thread(target=watch, daemon=True).start()

    def _watch_tcp(self) -> None:
        while True:
            try:
                connection, _ = self._tcp.accept()
            except OSError:
                return
            self.hits.append("tcp")
            connection.close()

    def _watch_udp(self) -> None:
        while True:
            try:
                self._udp.recvfrom(2048)
            except OSError:
                return
            self.hits.append("udp")

    def close(self) -> None:
        for one in (self._tcp, self._udp):
            one.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.close()


HOSTILE = """<!DOCTYPE html><html><head>
<link rel="preconnect" href="http://{a}"><link rel="dns-prefetch" href="http://{a}">
<link rel="prefetch" href="http://{a}/prefetch"><link rel="stylesheet" href="http://{a}/s.css">
<meta http-equiv="refresh" content="1; url=http://{a}/refresh">
<style>@import "http://{a}/import.css"; @font-face {{ font-family: f; src: url(http://{a}/f) }}
body {{ background: url(http://{a}/bg.png); font-family: f; }}</style></head><body>
<img src="http://{a}/img.png"><iframe src="http://{a}/frame"></iframe>
<iframe src="file:///etc/passwd"></iframe><object data="http://{a}/object"></object>
<embed src="http://{a}/embed"><video src="http://{a}/video" autoplay></video>
<form id="f" action="http://{a}/form" method="post" target="_blank"><input name="x"></form>
<a id="link" href="http://{a}/link" download>x</a>
<script>
const attempt = (call) => {{ try {{ const r = call(); if (r && r.catch) r.catch(() => 0); }}
                             catch (error) {{}} }};
attempt(() => fetch("http://{a}/fetch", {{mode: "no-cors"}}));
attempt(() => {{ const x = new XMLHttpRequest(); x.open("GET", "http://{a}/xhr"); x.send(); }});
attempt(() => new WebSocket("ws://{a}/socket"));
attempt(() => new EventSource("http://{a}/events"));
attempt(() => navigator.sendBeacon("http://{a}/beacon", "x"));
attempt(() => import("http://{a}/module.js"));
attempt(() => window.open("http://{a}/open"));
attempt(() => document.getElementById("f").submit());
attempt(() => document.getElementById("link").click());
attempt(() => alert("blocked?"));
attempt(() => new WebTransport("https://{a}/transport"));
attempt(() => {{
  const peer = new RTCPeerConnection({{iceServers: [{{urls: "stun:{a}"}}]}});
  peer.createDataChannel("x");
  peer.createOffer().then((offer) => peer.setLocalDescription(offer));
}});
attempt(() => new Worker(URL.createObjectURL(new Blob(["fetch('http://{a}/worker')"]))));
setTimeout(() => attempt(() => {{ location.href = "http://{a}/late"; }}), 300);
setTimeout(() => attempt(() => {{ top.location.href = "http://{a}/top"; }}), 400);
</script></body></html>"""


@pytest.mark.slow
def test_hostile_page_sends_nothing(preview: WebPreview, qtbot: Any, listener: Listener) -> None:
    counts: list[int] = []
    preview.blocked.connect(counts.append)
    show(preview, qtbot, HOSTILE.format(a=f"127.0.0.1:{listener.port}"))
    qtbot.wait(3000)
    assert listener.hits == []
    assert counts
    assert counts[-1] >= 3
    show(preview, qtbot, "<body style='background:#ff0000'>")
    assert colour_at(preview, 50, 50).name() == "#ff0000"


def test_listener_has_teeth(listener: Listener, qtbot: Any) -> None:
    socket.create_connection(("127.0.0.1", listener.port)).close()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", ("127.0.0.1", listener.port))
    qtbot.waitUntil(lambda: sorted(listener.hits) == ["tcp", "udp"])
