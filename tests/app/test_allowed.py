"""A page that may load what was allowed: a real process, real servers, real listeners."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from PySide6.QtCore import QBuffer, QIODevice
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QApplication

from app.preview import policy
from app.preview.allowed_process import ENDED, AllowedPage
from app.preview.chart import default_runner
from app.preview.order import Order
from app.preview.permission import Permission
from app.preview.refused import refused_of
from app.theme import Theme
from app.views.main_window import MainWindow
from app.views.preview_pane import PreviewPane
from tests.app.panes import web_pane
from tests.app.scripted import ScriptedClient, answer, several
from tests.app.test_preview import HOSTILE, Listener
from tests.app.web_servers import Server
from tests.app.windows import Make, convert, load, request, trigger, type_at_end, wait_done

ROOT = Path(__file__).parents[2]
SECONDS = 60_000  # a watchdog: Chromium starts slowly on a busy machine


def square(colour: str) -> bytes:
    image = QImage(40, 40, QImage.Format.Format_RGB32)
    image.fill(QColor(colour))
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]
    return bytes(buffer.data().data())


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.close()


@pytest.fixture
def server(listener: Listener) -> Iterator[Server]:
    font = next(Path("/usr/share/fonts").rglob("*.ttf"), None) if os.name == "posix" else None
    made = Server(
        {
            "/a.png": ("image/png", square("#00ff00")),
            "/style.css": ("text/css", b"body { background: #ff00ff }"),
            "/font.ttf": ("font/ttf", font.read_bytes() if font else b""),
            "/away.png": f"http://127.0.0.1:{listener.port}/away.png",
        }
    )
    yield made
    made.close()


@pytest.fixture
def pane(qapp: QApplication, theme: Theme, qtbot: Any) -> Iterator[PreviewPane]:
    yield from web_pane(theme, default_runner, qtbot)


def page(host: str) -> str:
    return (
        f"<!DOCTYPE html><html><head><link rel=stylesheet href='http://{host}/style.css'><style>"
        f"@font-face {{ font-family: far; src: url(http://{host}/font.ttf) }} "
        f"p {{ font-family: far }}"
        f"</style></head><body><img width=200 height=200 src='http://{host}/a.png'><p>words</p>"
    )


def look_on(pane: PreviewPane, tmp_path: Path) -> Callable[[], QImage]:
    """Have the process put pictures of its window into a file; what it shows at present."""
    picture = tmp_path / "window.png"
    script = str(Path(__file__).with_name("drive_allowed.py"))
    pane.allowing.page._command = [sys.executable, script, str(picture)]
    return lambda: QImage(str(picture))


def colours(image: QImage) -> set[str]:
    return {
        image.pixelColor(x, y).name()
        for x in range(0, image.width(), 7)
        for y in range(0, image.height(), 7)
    }


def offered(pane: PreviewPane, qtbot: Any, html: str) -> None:
    """Show a page and wait until the permission is offered."""
    pane.show_code(html, "html", True)
    qtbot.waitUntil(pane.notes.allow.isVisible, timeout=SECONDS)
    qtbot.wait(300)  # the last of the reports


def allow(pane: PreviewPane, qtbot: Any) -> int:
    """Press the button and wait for the window; the number of its process."""
    with qtbot.waitSignal(pane.allowing.page.opened, timeout=SECONDS):
        pane.notes.allow.button.click()
    assert pane.allowing.page.pid
    return pane.allowing.page.pid


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.fixture(autouse=True)
def import_from_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.mark.slow
def test_blocked_first_then_exactly_what_was_allowed_is_loaded(
    pane: PreviewPane, server: Server, qtbot: Any, tmp_path: Path
) -> None:
    window = look_on(pane, tmp_path)
    before = os.environ.get(policy.FLAGS_VARIABLE)
    offered(pane, qtbot, page(server.host))
    assert server.connections == 0
    words = pane.notes.allow.button.accessibleDescription()
    assert words == f"Loads from {server.host}, in a window of its own"
    assert "Everything else stays blocked." in pane.notes.allow.button.toolTip()
    allow(pane, qtbot)
    qtbot.waitUntil(lambda: "#00ff00" in colours(window()), timeout=SECONDS)
    qtbot.waitUntil(lambda: "GET /font.ttf" in server.asked, timeout=SECONDS)
    assert sorted(server.asked) == ["GET /a.png", "GET /font.ttf", "GET /style.css"]
    assert "#ff00ff" in colours(window())
    assert not any("cookie" in one or "preview" in one.get("referer", "") for one in server.headers)
    # The page beside it is still blocked, and so is the whole process.
    seen = len(server.asked)
    assert pane.web is not None
    with qtbot.waitSignal(pane.web.shown, timeout=SECONDS):
        pane.redraw()
    qtbot.wait(1000)
    assert len(server.asked) == seen
    assert os.environ.get(policy.FLAGS_VARIABLE) == before
    assert server.host not in (before or "")
    assert pane.notes.allow.button.text() == "End the permission"


@pytest.mark.slow
def test_hosts_and_page_are_on_no_command_line(
    pane: PreviewPane, server: Server, qtbot: Any
) -> None:
    offered(pane, qtbot, page(server.host))
    process = psutil.Process(allow(pane, qtbot))
    for one in (process, *process.children(recursive=True)):
        assert not any(server.host in word or "<img" in word for word in one.cmdline())


@pytest.mark.slow
def test_other_hosts_get_nothing_by_any_way(
    pane: PreviewPane, server: Server, listener: Listener, qtbot: Any, tmp_path: Path
) -> None:
    """The page wants far more than was listed when it was allowed: another port, on all ways."""
    window = look_on(pane, tmp_path)
    more = HOSTILE.format(a=f"127.0.0.1:{listener.port}")
    away = f"<img src='http://{server.host}/away.png'>"
    reach = (
        f"<img width=200 height=200 src='http://{server.host}/a.png'>{away}"
        f"<script>fetch('http://{server.host}/x', {{method: 'POST', body: 'x', mode: 'no-cors'}});"
        "</script>"
    )
    listed = refused_of(
        [{"kind": kind, "uri": f"http://{server.host}/"} for kind in ("img-src", "connect-src")]
    )
    html = more.replace("<body>", f"<body>{reach}")
    order = Order(html, Permission.of(listed, True), True, False, 600, (600, 500))
    refused: list[str] = []
    pane.allowing.page.refused.connect(lambda found: refused.extend(one.host for one in found))
    with qtbot.waitSignal(pane.allowing.page.opened, timeout=SECONDS):
        pane.allowing.page.start(order)
    qtbot.waitUntil(lambda: "#00ff00" in colours(window()), timeout=SECONDS)
    qtbot.wait(3000)
    assert listener.hits == []
    assert set(server.asked) == {"GET /a.png", "GET /away.png"}
    assert set(refused) == {f"127.0.0.1:{listener.port}"}


@pytest.mark.slow
def test_allowed_host_is_reached_by_pages_requests_alone(
    pane: PreviewPane, listener: Listener, qtbot: Any
) -> None:
    """Even an allowed host gets no WebRTC, no WebTransport: nothing that cannot be seen."""
    place = f"127.0.0.1:{listener.port}"
    html = f"""<p>x<script>
    const reach = (window) => {{
      const attempt = (call) => {{ try {{ call(); }} catch (error) {{}} }};
      attempt(() => new window.WebTransport("https://{place}/t"));
      for (const url of ["stun:{place}", "turn:{place}", "turn:{place}?transport=tcp"])
        attempt(() => {{
          const peer = new window.RTCPeerConnection(
            {{iceServers: [{{urls: url, username: "u", credential: "c"}}]}});
          peer.createDataChannel("x");
          peer.createOffer().then((offer) => peer.setLocalDescription(offer));
        }});
    }};
    reach(window);
    const frame = document.createElement("iframe");
    document.body.append(frame);
    try {{ reach(frame.contentWindow); }} catch (error) {{}}
    const inner = document.createElement("iframe");
    inner.srcdoc = "<script>(" + reach + ")(window)</" + "script>";
    document.body.append(inner);
    </script>"""
    listed = refused_of([{"kind": "connect-src", "uri": f"https://{place}/"}])
    order = Order(html, Permission.of(listed, True), True, False, 600, (600, 500))
    with qtbot.waitSignal(pane.allowing.page.opened, timeout=SECONDS):
        pane.allowing.page.start(order)
    qtbot.wait(3000)
    assert listener.hits == []


@pytest.mark.slow
def test_hosts_are_reached_by_name(pane: PreviewPane, server: Server, qtbot: Any) -> None:
    offered(pane, qtbot, f"<img src='http://localhost:{server.port}/a.png'><p>x")
    assert server.connections == 0
    allow(pane, qtbot)
    qtbot.waitUntil(lambda: server.asked == ["GET /a.png"], timeout=SECONDS)


@pytest.mark.slow
def test_https_is_reached_on_its_own_port_alone(
    pane: PreviewPane, listener: Listener, qtbot: Any
) -> None:
    other = Listener()
    offered(
        pane, qtbot,
        f"<link rel=preconnect href='https://127.0.0.1:{other.port}'>"
        f"<img src='https://127.0.0.1:{listener.port}/a.png'><p>x",
    )  # fmt: skip
    assert listener.hits == []
    allow(pane, qtbot)
    qtbot.waitUntil(lambda: "tcp" in listener.hits, timeout=SECONDS)
    qtbot.wait(1000)
    assert "udp" not in listener.hits
    assert other.hits == []
    other.close()


@pytest.mark.slow
def test_what_an_allowed_style_sheet_wants_is_offered_next(
    pane: PreviewPane, server: Server, qtbot: Any
) -> None:
    sheet = f"body {{ background: url(http://{server.host}/a.png) }}".encode()
    other = Server({"/sheet.css": ("text/css", sheet)})
    offered(pane, qtbot, f"<link rel=stylesheet href='http://{other.host}/sheet.css'><p>x")
    allow(pane, qtbot)
    qtbot.waitUntil(lambda: server.host in pane.allowing.permission.hosts, timeout=SECONDS)
    assert server.connections == 0
    pane.notes.allow.button.click()
    assert not pane.allowing.page.running
    hosts = sorted([other.host, server.host])
    words = pane.notes.allow.button.accessibleDescription()
    assert words == f"Loads from {hosts[0]} and 1 more, in a window of its own"
    allow(pane, qtbot)
    qtbot.waitUntil(lambda: server.asked == ["GET /a.png"], timeout=SECONDS)
    other.close()


# Its end --------------------------------------------------------------------


def test_closing_the_window_ends_the_permission_without_a_word(
    pane: PreviewPane, server: Server, qtbot: Any
) -> None:
    script = "from app.preview.allowed import main; from PySide6.QtCore import QTimer; "
    script += (
        "main(look=lambda window: window.drawn.connect(lambda: QTimer.singleShot(0, window.close)))"
    )
    pane.allowing.page._command = [sys.executable, "-c", script]
    offered(pane, qtbot, page(server.host))
    with qtbot.waitSignal(pane.allowing.page.ended, timeout=SECONDS) as told:
        pane.notes.allow.button.click()
    assert told.args == [""]
    assert not pane.notes.note.isVisible()
    assert pane.notes.allow.button.text() == "Allow for this page"


def test_killed_process_is_told_and_the_page_stays(
    pane: PreviewPane, server: Server, qtbot: Any
) -> None:
    offered(pane, qtbot, page(server.host))
    pid = allow(pane, qtbot)
    with qtbot.waitSignal(pane.allowing.page.ended, timeout=SECONDS):
        os.kill(pid, signal.SIGKILL)
    assert pane.notes.note.text() == ENDED
    assert pane.notes.note.isVisible()
    assert pane.web is not None
    qtbot.waitUntil(pane.web.isVisible, timeout=SECONDS)
    assert pane.notes.allow.button.text() == "Allow for this page"
    assert allow(pane, qtbot) != pid
    assert not pane.notes.note.isVisible()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["/nowhere/program"], "could not be started"),
        ([sys.executable, "-c", "raise SystemExit(3)"], "ended by itself"),
    ],
)
def test_process_that_does_not_start_is_told(
    pane: PreviewPane, server: Server, qtbot: Any, command: list[str], words: str
) -> None:
    pane.allowing.page._command = command
    offered(pane, qtbot, page(server.host))
    with qtbot.waitSignal(pane.allowing.page.ended, timeout=SECONDS) as told:
        pane.notes.allow.button.click()
    assert words in told.args[0]
    assert "\n" not in told.args[0]
    assert pane.notes.note.text() == told.args[0]
    assert not pane.allowing.page.running


def test_process_that_never_opens_is_given_up(qapp: QApplication, qtbot: Any) -> None:
    made = AllowedPage(qapp, [sys.executable, "-c", "import time; time.sleep(600)"])
    made._limit.setInterval(500)
    with qtbot.waitSignal(made.ended, timeout=SECONDS) as told:
        made.start(Order("", Permission(), True, False, 0, (400, 300)))
    assert "in time" in told.args[0]
    made.deleteLater()


@pytest.mark.parametrize("start", [["app.preview.allowed"], ["app.cli", "--allowed-page"]])
def test_without_an_order_the_process_says_why(start: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *start], input=b"x\n", capture_output=True, cwd=ROOT, timeout=120
    )
    assert done.returncode == 2
    assert done.stderr.decode().count("\n") == 1
    assert done.stdout == b""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kills with SIGKILL")
def test_nothing_is_left_when_the_application_is_killed(server: Server) -> None:
    script = (
        "import sys; from app import bootstrap; app = bootstrap.make_application(['x'])\n"
        "from app.preview.allowed_process import AllowedPage\n"
        "from app.preview.order import Order; from app.preview.permission import Permission\n"
        "from app.preview.refused import refused_of\n"
        f"listed = refused_of([{{'kind': 'img-src', 'uri': 'http://{server.host}/'}}])\n"
        "page = AllowedPage(app)\n"
        "page.opened.connect(lambda: print(page.pid, flush=True))\n"
        f"html = '<img src=http://{server.host}/a.png>'\n"
        "page.start(Order(html, Permission.of(listed, True), True, False, 0, (400, 300)))\n"
        "app.exec()\n"
    )
    application = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT
    )
    assert application.stdout is not None
    child = psutil.Process(int(application.stdout.readline()))
    family = [child, *child.children(recursive=True)]
    assert len(family) > 1  # Chromium's own processes
    application.kill()
    application.wait(30)
    until = time.monotonic() + 30
    while time.monotonic() < until and not all(gone(one.pid) for one in family):
        time.sleep(0.1)
    assert [one.pid for one in family if not gone(one.pid)] == []
    application.stdout.close()


def edit(window: MainWindow, qtbot: Any) -> None:
    type_at_end(window, qtbot, "<b>more</b>")


def refine(window: MainWindow, qtbot: Any) -> None:
    window.features.refining.bar.wanted.emit("Bluer")
    wait_done(window, qtbot)


def again(window: MainWindow, qtbot: Any) -> None:
    convert(window, qtbot)


def candidate(window: MainWindow, qtbot: Any) -> None:
    trigger(window, "candidate_after")


def version(window: MainWindow, qtbot: Any) -> None:
    trigger(window, "version_back")


def picture(window: MainWindow, qtbot: Any) -> None:
    load(window, qtbot, ROOT / "assets" / "samples" / "chart.png")


def scripts(window: MainWindow, qtbot: Any) -> None:
    window.actions_by_name["scripts"].setChecked(False)


def close(window: MainWindow, qtbot: Any) -> None:
    window.quit()


@pytest.mark.slow
@pytest.mark.parametrize(
    "happens", [edit, refine, again, candidate, version, picture, scripts, close]
)
def test_permission_ends_with_the_page(
    make_window: Make, qtbot: Any, sample: Path, server: Server, happens: Callable[..., None]
) -> None:
    first, second = page(server.host), page(server.host) + "<p>other</p>"
    client = ScriptedClient(
        answer("<p>first</p>"),
        several((first, 0.9), (second, 0.5), best=first),
        answer(first),
    )
    window = make_window(lambda: client, request, web=True)
    load(window, qtbot, sample)
    convert(window, qtbot)
    convert(window, qtbot)
    qtbot.waitUntil(window.preview.notes.allow.isVisible, timeout=SECONDS)
    qtbot.wait(300)
    pid = allow(window.preview, qtbot)
    qtbot.waitUntil(lambda: len(server.asked) == 3, timeout=SECONDS)
    happens(window, qtbot)
    qtbot.waitUntil(lambda: not window.preview.allowing.page.running, timeout=SECONDS)
    qtbot.waitUntil(lambda: gone(pid), timeout=SECONDS)
    qtbot.wait(500)
    assert len(server.asked) == 3
    assert not window.preview.notes.note.isVisible() or happens is scripts
