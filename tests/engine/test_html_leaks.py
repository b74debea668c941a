"""A hostile page tries every way out that a browser knows; nothing may arrive at local ears."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from engine.render.html import HtmlRenderer

# What the markup alone asks for.
MARKUP = """<!DOCTYPE html><html><head>
<meta http-equiv="refresh" content="0.3; url={http}/refresh">
<meta http-equiv="Content-Security-Policy" content="media-src 'none'; report-uri {http}/report">
<link rel=preconnect href="{http}"><link rel=preconnect href="{https}" crossorigin>
<link rel=dns-prefetch href="//leak.example.test:{tcp}"><link rel=prefetch href="{http}/prefetch">
<link rel=preload as=image href="{http}/preload"><link rel=modulepreload href="{http}/module">
<link rel=prerender href="{http}/prerender"><link rel=icon href="{http}/icon">
<link rel=manifest href="{http}/manifest"><link rel=stylesheet href="{http}/sheet">
<script type=speculationrules>
{{"prefetch": [{{"source": "list", "urls": ["{http}/rule"]}}]}}</script>
<script src="{http}/script"></script><script type=module src="{http}/module"></script>
<style>@import url("{http}/import");
@font-face {{ font-family: leak; src: url("{http}/font"); }}
body {{ font-family: leak; background: url("{http}/background");
  cursor: url("{http}/cursor"), auto }}
li {{ list-style-image: url("{http}/list") }} p {{ mask-image: url("{http}/mask") }}
p::after {{ content: url("{http}/content") }} #f {{ filter: url("{http}/filter#a") }}</style>
<base href="{http}/base/"></head><body><p id=f>Still here</p><ul><li>a</li></ul>
<img src="relative"><img srcset="{http}/srcset 2x"><img src="//127.0.0.1:{tcp}/no-scheme">
<picture><source srcset="{http}/source"><img alt=""></picture><input type=image src="{http}/input">
<svg><image href="{http}/svg"/><use href="{http}/use#a"/>
<filter><feImage href="{http}/fe"/></filter></svg>
<iframe src="{http}/frame"></iframe><iframe src="file:///etc/passwd" id=local></iframe>
<iframe srcdoc="<img src='{http}/inner'>"></iframe><frame src="{http}/old">
<object data="{http}/object"></object><embed src="{http}/embed">
<video src="{http}/video" poster="{http}/poster" autoplay muted></video><audio src="{http}/audio">
<track src="{http}/track" default></audio><table background="{http}/table"><tr><td></table>
<form id=form action="{http}/form" target=_blank method=post><input name=a value=b></form>
<a id=link href="{http}/link" ping="{http}/ping">a</a><a id=save href="{http}/save" download>b</a>
<a id=blank href="{http}/blank" target=_blank>c</a>
"""
# What scripts ask for. `got` writes into the page what should have been out of reach.
SCRIPT = """<script>
const got = (what) => document.body.append(Object.assign(document.createElement("p"),
  {{textContent: "GOT " + what}}));
const attempt = (name, action) => {{
  try {{ Promise.resolve(action()).then(v => v !== undefined && got(name)).catch(() => 0); }}
  catch (error) {{}}
}};
document.querySelector("p").textContent = "Scripts ran";
const say = (r) => r.text();
attempt("fetch", () => fetch("{http}/fetch", {{mode: "no-cors"}}));
attempt("file", () => fetch("file:///etc/passwd").then(say));
attempt("xhr", () => {{
  const x = new XMLHttpRequest(); x.open("POST", "{http}/xhr"); x.send("a"); }});
attempt("beacon", () => {{ navigator.sendBeacon("{http}/beacon", "a"); }});
attempt("socket", () => {{ new WebSocket("ws://127.0.0.1:{tcp}/socket"); }});
attempt("events", () => {{ new EventSource("{http}/events"); }});
attempt("image", () => {{ new Image().src = "{http}/image"; }});
attempt("audio", () => {{ new Audio("{http}/sound").play(); }});
attempt("font", () => {{ new FontFace("a", "url({http}/face)").load(); }});
attempt("import", () => import("{http}/module.js"));
for (const udp of ["stun:127.0.0.1:{udp}", "turn:127.0.0.1:{udp}?transport=udp",
                   "turn:127.0.0.1:{tcp}?transport=tcp"])
  attempt("webrtc", () => {{
    const server = {{urls: udp, username: "a", credential: "b"}};
    const c = new RTCPeerConnection({{iceServers: [server]}});
    c.createDataChannel("a");
    c.onicecandidate = e => e.candidate && /[0-9]+[.][0-9]+[.]/.test(e.candidate.candidate)
      && got("address");
    return c.createOffer().then(o => c.setLocalDescription(o)).then(() => undefined);
  }});
attempt("transport", () => {{
  new WebTransport("https://127.0.0.1:{udp}/t").ready.catch(() => 0); }});
attempt("worker", () => {{
  const code = new Blob(["fetch('{http}/worker'); importScripts('{http}/worker.js')"]);
  new Worker(URL.createObjectURL(code));
}});
attempt("service worker", () => navigator.serviceWorker.register("/page"));
attempt("storage", () => {{ localStorage.a = 1; return localStorage.a; }});
attempt("cookie", () => {{ document.cookie = "a=b"; return document.cookie || undefined; }});
attempt("database", () => new Promise((yes, no) => {{
  const r = indexedDB.open("a"); r.onsuccess = yes; r.onerror = no; }}));
attempt("cache", () => caches.open("a"));
attempt("clipboard", () => navigator.clipboard.readText());
attempt("place", () => new Promise((yes, no) => navigator.geolocation.getCurrentPosition(yes, no)));
attempt("camera", () => navigator.mediaDevices.getUserMedia({{video: true}}));
attempt("window", () => window.open("{http}/window") || undefined);
attempt("eval", () => eval("1"));
attempt("wasm", () => WebAssembly.instantiate(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])));
attempt("frame", () => document.getElementById("local").contentDocument.body.textContent);
attempt("parent", () => {{ top.location.href = "{http}/top"; }});
attempt("preconnect", () => {{
  const l = document.createElement("link"); l.rel = "preconnect"; l.href = "{http}";
  document.head.append(l); }});
attempt("late markup", () => {{ document.body.insertAdjacentHTML("beforeend",
  "<img src='{http}/late'><iframe src='{http}/late-frame'></iframe>"); }});
for (const id of ["link", "save", "blank"])
  attempt(id, () => {{ document.getElementById(id).click(); }});
attempt("form", () => {{ document.getElementById("form").submit(); }});
setTimeout(() => {{ location.href = "{http}/location"; }}, 30);
setTimeout(() => {{ location.replace("{https}/replace"); }}, 200);
addEventListener("pagehide", () => navigator.sendBeacon("{http}/goodbye", "a"));
</script>
"""


@dataclass
class Ears:
    """Ports of 127.0.0.1 and what arrived there: a word for each connection or datagram."""

    tcp: int
    udp: int
    heard: list[str] = field(default_factory=list)

    def wait(self, count: int, seconds: float) -> None:
        """Until `count` arrivals, at most `seconds`."""
        deadline = time.monotonic() + seconds
        while len(self.heard) < count and time.monotonic() < deadline:
            time.sleep(0.02)


@pytest.fixture
def ears() -> Iterator[Ears]:
    tcp = socket.create_server(("127.0.0.1", 0))
    udp = socket.socket(type=socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    found = Ears(tcp.getsockname()[1], udp.getsockname()[1])
    over = threading.Event()

    def listen_tcp() -> None:
        while not over.is_set():
            with contextlib.suppress(TimeoutError):
                connection, _ = tcp.accept()
                found.heard.append("tcp")
                connection.close()

    def listen_udp() -> None:
        while not over.is_set():
            with contextlib.suppress(TimeoutError):
                udp.recv(2048)
                found.heard.append("udp")

    threads = [threading.Thread(target=listen_tcp), threading.Thread(target=listen_udp)]
    for sock in (tcp, udp):
        sock.settimeout(0.1)
    for thread in threads:
        thread.start()
    yield found
    over.set()
    for thread in threads:
        thread.join()
    tcp.close()
    udp.close()


def contact(ears: Ears) -> None:
    """Make both ears hear: the control that they are not deaf."""
    before = len(ears.heard)
    socket.create_connection(("127.0.0.1", ears.tcp)).close()
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.sendto(b"a", ("127.0.0.1", ears.udp))
    ears.wait(before + 2, 5.0)
    assert sorted(ears.heard[before:]) == ["tcp", "udp"]


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts on", "scripts off"])
def test_nothing_of_a_hostile_page_reaches_the_network(
    renderer: HtmlRenderer, ears: Ears, scripts: bool
) -> None:
    contact(ears)
    ears.heard.clear()
    http, https = f"http://127.0.0.1:{ears.tcp}", f"https://127.0.0.1:{ears.tcp}"
    page = (MARKUP + SCRIPT).format(http=http, https=https, tcp=ears.tcp, udp=ears.udp)
    drawn = renderer.render(page, 300, describe=True, scripts=scripts)
    ears.wait(1, 1.5)  # the page stays open: time for late requests
    assert drawn.description is not None
    texts = [str(text["text"]) for text in drawn.description["texts"]]
    assert ("Scripts ran" in texts) is scripts
    assert ("Still here" in texts) is not scripts
    assert [text for text in texts if "GOT" in text or "root:" in text] == []
    # The next page drives out the last one and hears its goodbye.
    later = renderer.render("<p>Next</p>", 300, describe=True)
    assert later.description is not None
    assert [text["text"] for text in later.description["texts"]] == ["Next"]
    ears.wait(1, 0.5)
    assert ears.heard == []
    contact(ears)
