"""Settings, single instance, capture choice, background work."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QSettings, QThread
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QWidget

from app import bootstrap, instance
from app.capture import main as capture
from app.capture.flow import SnipFlow
from app.capture.handlers.mss_grab import MssHandler
from app.capture.handlers.qt_screen import QtScreenHandler
from app.capture.models import Availability, CaptureError, ScreenInfo, Shot, present_screens
from app.preview import policy
from app.tasks import TaskRunner


def test_second_start_is_forwarded(qtbot: Any, tmp_path: Path) -> None:
    name = instance.server_name(str(tmp_path))
    assert not instance.forward(name, {})
    server = instance.InstanceServer(name)
    assert server.listening
    got: list[dict[str, Any]] = []
    server.requested.connect(got.append)
    assert instance.forward(name, {"image": "/x/ä.png", "capture": False})
    qtbot.waitUntil(lambda: bool(got))
    assert got == [{"image": "/x/ä.png", "capture": False}]
    server.close()
    assert not instance.forward(name, {})


def test_results_come_back_on_the_gui_thread(qtbot: Any) -> None:
    runner = TaskRunner()
    here = QThread.currentThread()
    seen: list[Any] = []
    runner.run(lambda: threading.current_thread().name, seen.append, seen.append)
    runner.run(
        lambda: 1 // 0, seen.append, lambda e: seen.append((type(e), QThread.currentThread()))
    )
    qtbot.waitUntil(lambda: len(seen) == 2)
    assert any(isinstance(one, str) and one.startswith("task") for one in seen)
    assert (ZeroDivisionError, here) in seen
    runner.close()


def test_flags_are_added_once_and_keep_what_is_there() -> None:
    environment = {"QTWEBENGINE_CHROMIUM_FLAGS": "--disable-gpu"}
    policy.set_chromium_flags(environment)
    once = environment["QTWEBENGINE_CHROMIUM_FLAGS"]
    policy.set_chromium_flags(environment)
    assert environment["QTWEBENGINE_CHROMIUM_FLAGS"] == once
    assert once.startswith("--disable-gpu ")
    assert "--no-sandbox" not in once
    for flag in policy.CHROMIUM_FLAGS:
        assert flag in once


def test_root_without_the_switch_has_no_live_preview(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv(policy.NO_SANDBOX_VARIABLE, raising=False)
    assert not bootstrap.preview_allowed()
    monkeypatch.setenv(policy.NO_SANDBOX_VARIABLE, "1")
    assert bootstrap.preview_allowed()


class Broken:
    """A handler that claims to work and does not."""

    name = "broken"
    waits = False

    def available(self) -> Availability:
        return Availability(True)

    def grab(self, screens: Sequence[ScreenInfo]) -> list[Shot]:
        raise CaptureError("The server said no.")


class Absent(Broken):
    """A handler that cannot work here; grabbing with it would be a fault."""

    name = "absent"

    def available(self) -> Availability:
        return Availability(False, "there is no screen")

    def grab(self, screens: Sequence[ScreenInfo]) -> list[Shot]:
        raise AssertionError("never to be called")


@pytest.fixture
def tasks(qapp: Any) -> Iterator[TaskRunner]:
    runner = TaskRunner()
    yield runner
    runner.close()


@pytest.fixture
def state(tmp_path: Path) -> QSettings:
    return QSettings(str(tmp_path / "state.ini"), QSettings.Format.IniFormat)


def test_next_handler_takes_over(qapp: Any) -> None:
    screens = present_screens()
    working = capture.usable((Absent(), Broken(), QtScreenHandler()))
    assert [handler.name for handler in working] == ["broken", "qt"]
    assert len(capture.grab(working, screens)) == len(screens)
    with pytest.raises(CaptureError, match="server said no"):
        capture.grab((Broken(),), screens)
    with pytest.raises(CaptureError, match="there is no screen"):
        capture.usable((Absent(),))
    assert capture.availability((Absent(),)).reason == "there is no screen"


def test_mss_is_never_used_on_wayland(qapp: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("PySide6.QtGui.QGuiApplication.platformName", lambda: "xcb")
    monkeypatch.setenv("DISPLAY", ":9")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert MssHandler().available().ok
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert not MssHandler().available().ok
    assert not QtScreenHandler().available().ok


def test_snip_hides_the_window_and_brings_it_back(
    qtbot: Any, tasks: TaskRunner, state: QSettings
) -> None:
    window = QWidget()
    window.resize(300, 200)
    with qtbot.waitExposed(window):
        window.show()
    flow = SnipFlow(window, (QtScreenHandler(),), tasks, state)
    left: list[bool] = []
    flow.left.connect(lambda: left.append(True))
    taken: list[QImage] = []
    flow.taken.connect(taken.append)
    began = time.monotonic()
    flow.start()
    flow.start()  # a second wish changes nothing
    assert not window.isVisible()
    qtbot.waitUntil(lambda: flow.snip is not None)
    assert flow.snip is not None
    qtbot.keyClick(flow.snip.overlays[0], "\x1b")
    assert left == [True]
    assert window.isVisible()
    assert not flow.active
    flow.start()
    qtbot.waitUntil(lambda: flow.snip is not None)
    assert flow.snip is not None
    overlay = flow.snip.overlays[0]
    qtbot.keyClick(overlay, "a")
    qtbot.keyClick(overlay, "\r")
    assert taken[0].width() == QtScreenHandler().grab(present_screens())[0].image.width()
    assert window.isVisible()
    assert time.monotonic() - began < 10
    window.close()


def test_snip_that_fails_restores_the_window(
    qtbot: Any, tasks: TaskRunner, state: QSettings
) -> None:
    window = QWidget()
    with qtbot.waitExposed(window):
        window.show()
    flow = SnipFlow(window, (Broken(),), tasks, state)
    reasons: list[str] = []
    flow.failed.connect(lambda error: reasons.append(str(error)))
    flow.start()
    qtbot.waitUntil(lambda: bool(reasons))
    assert reasons == ["The server said no."]
    assert window.isVisible()
    window.close()


def test_logo_is_drawn(qapp: Any) -> None:
    logo = bootstrap.asset("icons/viscodex.svg")
    assert logo is not None
    image = QImage(str(logo))
    assert not image.isNull()
    assert image.pixelColor(0, 0).alpha() == 0
    assert image.pixelColor(image.width() // 2, 20) != QColor("black")
