"""Run by test_snip_x11 on a real X server: a real window is snipped through the real overlay.

Prints one JSON object. Environment: DISPLAY; argument 1: a folder for settings and pictures.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from PySide6.QtCore import QPoint, QSettings, Qt
from PySide6.QtGui import QColor, QGuiApplication, QImage, QPainter, QPaintEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from app import bootstrap
from app.bridge import EngineBridge
from app.capture.main import default_handlers
from app.controller import Controller
from app.preview.chart import default_runner
from app.session import State
from app.store.settings import Settings
from app.theme import Theme
from app.views.main_window import MainWindow
from app.views.parts import Parts
from app.wiring import Engine

COLOURS = ("#d01010", "#10a010", "#1030d0", "#f0c000")


class Target(QWidget):
    """The window to be snipped: four fields of known colour."""

    def __init__(self) -> None:
        super().__init__(None, Qt.WindowType.Window)
        self.setWindowTitle("target")
        self.setGeometry(220, 160, 400, 300)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        for number, colour in enumerate(COLOURS):
            painter.fillRect(200 * (number % 2), 150 * (number // 2), 200, 150, QColor(colour))
        painter.end()


class NoEngine:
    """No conversion is started here."""

    def warm_up(self) -> list[object]:
        return []


def until(application: QApplication, condition: object, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        if time.monotonic() > end:
            raise SystemExit(f"not in time: {condition}")
        application.processEvents()
        time.sleep(0.005)


def window_of(application: QApplication, folder: Path) -> MainWindow:
    controller = Controller(EngineBridge(NoEngine), Engine(Settings()).make_request)  # type: ignore[arg-type]
    parts = Parts(
        make_runner=default_runner,
        handlers=default_handlers(),
        web_allowed=False,
        state=QSettings(str(folder / "state.ini"), QSettings.Format.IniFormat),
        save_settings=lambda settings: None,
    )
    settings = Settings(auto_start=False)
    return MainWindow(controller, Theme(application, "light"), settings, parts)


def run(folder: Path) -> dict[str, object]:
    application = bootstrap.make_application(["snip"])
    target = Target()
    target.show()
    window = window_of(application, folder)
    window.move(150, 100)  # over the target: it has to be gone before the grab
    window.show()
    until(application, lambda: window.windowHandle().isExposed())
    until(application, lambda: target.windowHandle().isExposed())
    QTest.qWait(300)
    began = time.monotonic()
    window.actions_by_name["snip"].trigger()
    until(application, lambda: window.flow.snip is not None)
    assert window.flow.snip is not None
    overlay = window.flow.snip.overlays[0]
    until(application, lambda: overlay.windowHandle().isExposed())
    shown_ms = 1000 * (time.monotonic() - began)
    until(application, overlay.isActiveWindow)
    QTest.qWait(150)
    covered = [overlay.width(), overlay.height()]
    screen = QGuiApplication.primaryScreen()
    screen.grabWindow(0).save(str(folder / "overlay.png"))
    origin = target.mapToGlobal(QPoint(0, 0)) - overlay.mapToGlobal(QPoint(0, 0))
    QTest.mousePress(overlay, Qt.MouseButton.LeftButton, pos=origin + QPoint(100, 75))
    QTest.mouseMove(overlay, origin + QPoint(200, 150))
    QTest.mouseMove(overlay, origin + QPoint(300, 225))
    QTest.qWait(50)
    screen.grabWindow(0).save(str(folder / "selecting.png"))
    QTest.mouseRelease(overlay, Qt.MouseButton.LeftButton, pos=origin + QPoint(300, 225))
    until(application, lambda: window.controller.session.state is State.READY)
    until(application, window.isVisible)
    until(application, lambda: not window.source.view.image.isNull())
    QTest.qWait(200)
    screen.grabWindow(0).save(str(folder / "after.png"))
    image = window.source.view.image
    points = ((50, 35), (150, 35), (50, 110), (150, 110))
    facts = {
        "platform": QGuiApplication.platformName(),
        "overlay": covered,
        "screen": [screen.size().width(), screen.size().height()],
        "size": [image.width(), image.height()],
        "colours": [image.pixelColor(x, y).name() for x, y in points],
        "edges": [image.pixelColor(99, 10).name(), image.pixelColor(100, 10).name()],
        "shown_ms": round(shown_ms),
        "visible": window.isVisible(),
    }
    facts.update(take_by_click_and_key(application, window, target, folder))
    window.close()
    return facts


def take_by_click_and_key(
    application: QApplication, window: MainWindow, target: Target, folder: Path
) -> dict[str, object]:
    """Snip the target again by a click on it, then once more by the key of the last region."""
    sizes = []
    for way in ("click", "key"):
        before = window.controller.session.picture
        window.actions_by_name["snip"].trigger()
        until(application, lambda: window.flow.snip is not None)
        assert window.flow.snip is not None
        overlay = window.flow.snip.overlays[0]
        until(application, overlay.isActiveWindow)
        if way == "click":
            spot = target.mapToGlobal(QPoint(30, 280)) - overlay.mapToGlobal(QPoint(0, 0))
            QTest.mouseMove(overlay, spot)
            QTest.qWait(50)
            QGuiApplication.primaryScreen().grabWindow(0).save(str(folder / "hover.png"))
            QTest.mouseClick(overlay, Qt.MouseButton.LeftButton, pos=spot)
        else:
            QTest.keyClick(overlay, Qt.Key.Key_L)
            QTest.keyClick(overlay, Qt.Key.Key_Return)
        until(application, lambda old=before: window.controller.session.picture is not old)
        picture = window.controller.session.picture
        assert picture is not None
        until(application, window.isVisible)
        until(application, window.windowHandle().isExposed)
        image = QImage.fromData(picture.png)
        corners = [
            image.pixelColor(x, y).name()
            for y in (5, picture.height - 5)
            for x in (5, picture.width - 5)
        ]
        sizes.append([[picture.width, picture.height], corners])
    return {"windows": sizes}


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[1]))))
