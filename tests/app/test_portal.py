"""Screens through the desktop portal: a mock portal as a process on a private bus."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QSettings
from PySide6.QtGui import QColor, QGuiApplication, QImage
from PySide6.QtWidgets import QApplication, QWidget

from app.capture import main as capture
from app.capture.flow import SnipFlow
from app.capture.handlers.mss_grab import MssHandler
from app.capture.handlers.portal import NO_PORTAL, PortalHandler
from app.capture.handlers.qt_screen import QtScreenHandler
from app.capture.models import DENIED, TIMEOUT, UNAVAILABLE, CaptureError, present_screens
from app.capture.session_kind import SessionKind, session_kind
from app.portal import on_bus
from app.tasks import TaskRunner
from tests.app.desktop import portal, session_bus


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with session_bus() as address:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
        yield address


@pytest.fixture
def picture(tmp_path: Path, qapp: QApplication) -> Path:
    """A picture in the shape of the screen, at twice its size, with one red quarter."""
    size = QGuiApplication.primaryScreen().geometry().size() * 2
    image = QImage(size, QImage.Format.Format_RGB32)
    image.fill(QColor("#204060"))
    for x in range(100):
        for y in range(100):
            image.setPixelColor(x, y, QColor("#ff0000"))
    path = tmp_path / "shot with ä.png"
    assert image.save(str(path))
    return path


def test_picture_is_cut_and_its_file_deleted(bus: str, picture: Path) -> None:
    with portal(bus, "ok", picture):
        assert on_bus()
        (shot,) = PortalHandler().grab(present_screens())
    screen = QGuiApplication.primaryScreen().geometry()
    assert (shot.image.width(), shot.image.height()) == (2 * screen.width(), 2 * screen.height())
    assert shot.image.pixelColor(50, 50).name() == "#ff0000"
    assert not picture.exists()


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("refused", DENIED),
        ("denied", DENIED),
        ("no_uri", UNAVAILABLE),
        ("remote", UNAVAILABLE),
        ("no_file", UNAVAILABLE),
        ("silent", TIMEOUT),
    ],
)
def test_every_failure_has_its_code(bus: str, picture: Path, answer: str, code: str) -> None:
    with portal(bus, answer, picture), pytest.raises(CaptureError) as caught:
        PortalHandler(seconds=1.0).grab(present_screens())
    assert caught.value.code == code
    assert caught.value.advice
    assert picture.exists()


def test_a_slow_portal_is_waited_for(bus: str, picture: Path) -> None:
    with portal(bus, "slow", picture):
        assert len(PortalHandler().grab(present_screens())) == 1


def test_rubbish_in_the_file_is_told(bus: str, tmp_path: Path, qapp: QApplication) -> None:
    rubbish = tmp_path / "rubbish.png"
    rubbish.write_bytes(b"not a picture")
    with portal(bus, "ok", rubbish), pytest.raises(CaptureError, match="cannot be read"):
        PortalHandler().grab(present_screens())


def test_a_picture_of_another_shape_is_told(bus: str, tmp_path: Path, qapp: QApplication) -> None:
    odd = tmp_path / "odd.png"
    QImage(300, 200, QImage.Format.Format_RGB32).save(str(odd))
    with portal(bus, "ok", odd), pytest.raises(CaptureError, match="another shape"):
        PortalHandler().grab(present_screens())


def test_a_portal_that_dies_is_told(bus: str, picture: Path) -> None:
    with ExitStack() as stack:
        process = stack.enter_context(portal(bus, "silent", picture))
        process.kill()
        process.wait(10)
        with pytest.raises(CaptureError) as caught:
            PortalHandler(seconds=2.0).grab(present_screens())
    assert caught.value.code == UNAVAILABLE


def test_without_portal_or_bus_there_is_a_reason(
    bus: str, monkeypatch: pytest.MonkeyPatch, qapp: QApplication
) -> None:
    assert not on_bus()
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere/bus")
    assert not on_bus()
    with pytest.raises(CaptureError, match="session bus"):
        PortalHandler(seconds=1.0).grab(present_screens())


@pytest.mark.parametrize(
    ("qt", "variables", "platform", "kind"),
    [
        ("offscreen", {"WAYLAND_DISPLAY": "w"}, "linux", SessionKind.NONE),
        ("wayland", {}, "linux", SessionKind.WAYLAND),
        ("wayland-egl", {}, "linux", SessionKind.WAYLAND),
        ("xcb", {"DISPLAY": ":0"}, "linux", SessionKind.X11),
        ("xcb", {"DISPLAY": ":0", "WAYLAND_DISPLAY": "w"}, "linux", SessionKind.WAYLAND),
        ("xcb", {}, "linux", SessionKind.NONE),
        ("windows", {}, "win32", SessionKind.WINDOWS),
        ("cocoa", {"DISPLAY": ":0"}, "darwin", SessionKind.MACOS),
    ],
)
def test_kind_of_session(qt: str, variables: dict[str, str], platform: str, kind: Any) -> None:
    assert session_kind(qt, variables, platform) is kind


def test_on_wayland_only_the_portal_is_used(
    bus: str, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wayland(*_: object) -> SessionKind:
        return SessionKind.WAYLAND

    for module in ("mss_grab", "portal", "qt_screen"):
        monkeypatch.setattr(f"app.capture.handlers.{module}.session_kind", wayland)
    handlers = (MssHandler(), PortalHandler(), QtScreenHandler())
    answer = capture.availability(handlers)
    assert (answer.ok, answer.reason) == (False, NO_PORTAL)
    with pytest.raises(CaptureError, match="no screenshot portal"):
        capture.usable(handlers)
    with portal(bus, "ok", picture):
        assert [one.name for one in capture.usable(handlers)] == ["portal"]


class _Always(PortalHandler):
    """The real handler where Qt itself runs offscreen."""

    def available(self) -> Any:
        return QtScreenHandler().available()


@pytest.mark.parametrize(("answer", "told"), [("ok", "snip"), ("left", "left"), ("refused", "no")])
def test_flow_stays_alive_while_the_portal_thinks(
    bus: str, picture: Path, tmp_path: Path, qtbot: Any, answer: str, told: str
) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    window.show()
    state = QSettings(str(tmp_path / "state.ini"), QSettings.Format.IniFormat)
    tasks = TaskRunner(window)
    flow = SnipFlow(window, (_Always(),), tasks, state)
    heard: list[str] = []
    flow.left.connect(lambda: heard.append("left"))
    flow.failed.connect(lambda error: heard.append("no"))
    with portal(bus, answer, picture):
        flow.start()
        qtbot.waitUntil(lambda: not window.isVisible())
        qtbot.waitUntil(lambda: bool(heard) or flow.snip is not None, timeout=10_000)
    assert heard == ([] if told == "snip" else [told])
    assert flow.active is (told == "snip")
    assert window.isVisible() is (told != "snip")
    flow.close()
    tasks.close()
