"""Zoom, pan, marking and lines of text in the source picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PySide6.QtCore import QPoint, QPointF, QSize, QSizeF, Qt
from PySide6.QtGui import QColor, QImage, QWheelEvent
from PySide6.QtWidgets import QApplication

from app.theme import Theme
from app.views.source_view import SourceView
from app.views.zoom import LARGEST, Zoom
from engine.hints import TextLine

Key, Control = Qt.Key, Qt.KeyboardModifier.ControlModifier
Shift, No = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.NoModifier
Left, Right = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton


def line(text: str, *box: float) -> TextLine:
    x0, y0, x1, y1 = box
    return TextLine(text, (x0, y0, x1, y1), 0.9, (0, 0, 0), (255, 255, 255))


@pytest.fixture
def view(qapp: QApplication, theme: Theme, qtbot: Any) -> Iterator[SourceView]:
    """A view of 400 x 300 with a picture of 800 x 600, left half red, right half blue."""
    view = SourceView("Picture", theme)
    qtbot.addWidget(view)
    view.resize(400, 300)
    image = QImage(800, 600, QImage.Format.Format_RGB32)
    image.fill(QColor("red"))
    for x in range(400, 800):
        for y in range(600):
            image.setPixelColor(x, y, QColor("blue"))
    view.set_image(image)
    view.show()
    qtbot.waitExposed(view)
    view.setFocus()
    return view


def wheel(view: SourceView, turns: int, at: QPoint, keys: Any = Control) -> None:
    event = QWheelEvent(
        QPointF(at), QPointF(view.mapToGlobal(at)), QPoint(), QPoint(0, 120 * turns),
        Qt.MouseButton.NoButton, keys, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(view, event)


def drag(qtbot: Any, view: SourceView, start: QPoint, end: QPoint) -> None:
    qtbot.mousePress(view, Left, pos=start)
    for share in (0.3, 0.6, 1.0):
        step = start + QPoint(
            round((end.x() - start.x()) * share), round((end.y() - start.y()) * share)
        )
        qtbot.mouseMove(view, step)
    qtbot.mouseRelease(view, Left, pos=end)


def colour(view: SourceView, x: int, y: int) -> str:
    return view.grab().toImage().pixelColor(x, y).name()


# Zoom -----------------------------------------------------------------------


def test_zoom_keeps_the_pixel_under_the_pointer() -> None:
    zoom = Zoom(QSizeF(1000, 800), QSizeF(300, 200))
    at = QPointF(210, 140)
    pixel = zoom.to_picture(at)
    for steps in (3, 5, -2):
        zoom.step(steps, at)
        assert (zoom.to_picture(at) - pixel).manhattanLength() < 1e-6
    zoom.set_factor(1e9)
    assert zoom.factor == LARGEST


def test_a_picture_cannot_be_lost_by_panning() -> None:
    zoom = Zoom(QSizeF(1000, 800), QSizeF(300, 200))
    zoom.full()
    zoom.pan(1e6, -1e6)
    rect = zoom.rect()
    assert rect.left() <= 16
    assert rect.bottom() >= 200 - 16
    zoom.pan(-10, 0)
    assert zoom.rect().left() == rect.left() - 10  # at once, no way back to make up for


def test_hundred_percent_is_a_pixel_of_the_screen() -> None:
    zoom = Zoom(QSizeF(1000, 800), QSizeF(300, 200), ratio=2.0)
    zoom.full()
    assert zoom.factor == 0.5
    assert zoom.percent == 100


def test_fit_shows_all_and_never_enlarges(view: SourceView) -> None:
    assert colour(view, 60, 150) == "#ff0000"
    assert colour(view, 340, 150) == "#0000ff"
    view.set_image(view.image.scaled(40, 30))
    assert view.zoom.scale == 1.0


def test_zoom_by_wheel_and_keys(view: SourceView, qtbot: Any) -> None:
    told: list[int] = []
    view.zoomed.connect(told.append)
    wheel(view, 5, QPoint(100, 150))
    assert told[-1] > 100
    assert colour(view, 390, 150) == "#ff0000"  # the blue half has left
    qtbot.keyClick(view, Key.Key_0)
    assert view.zoom.factor is None
    qtbot.keyClick(view, Key.Key_1)
    assert told[-1] == 100
    qtbot.keyClick(view, Key.Key_Plus)
    assert told[-1] == 125
    qtbot.keyClick(view, Key.Key_Minus)
    assert told[-1] == 100
    before = view.zoom.rect().left()
    qtbot.keyClick(view, Key.Key_Right)
    assert view.zoom.rect().left() < before
    before = view.zoom.rect().top()
    wheel(view, 1, QPoint(100, 150), No)  # without Ctrl it pans
    assert view.zoom.rect().top() > before
    assert told[-1] == 100


def test_drag_pans(view: SourceView, qtbot: Any) -> None:
    view.zoom_full()
    before = view.zoom.rect().topLeft()
    drag(qtbot, view, QPoint(200, 150), QPoint(150, 120))
    assert view.zoom.rect().topLeft() == before + QPointF(-50, -30)


def test_all_pixels_are_asked_for_when_looked_at_closely(view: SourceView, qtbot: Any) -> None:
    small = view.image
    view.set_image(small, QSize(4000, 3000))
    asked: list[bool] = []
    view.full_wanted.connect(lambda: asked.append(True))
    view.zoom.step(1)
    view.zoom_by(0)
    assert not asked
    view.zoom_full()
    assert asked
    whole = QImage(4000, 3000, QImage.Format.Format_RGB32)
    whole.fill(QColor("green"))
    view.set_full(whole)
    assert colour(view, 200, 150) == "#008000"


# Marking --------------------------------------------------------------------


def test_rubber_band_gives_pixels_of_the_picture(view: SourceView, qtbot: Any) -> None:
    told: list[Any] = []
    view.region_changed.connect(told.append)
    view.start_marking()
    scale, origin = view.zoom.scale, view.zoom.rect().topLeft()
    start = (origin + QPointF(100, 50) * scale).toPoint()
    end = (origin + QPointF(500, 350) * scale).toPoint()
    drag(qtbot, view, end, start)  # from any corner
    assert view.region is not None
    wanted = (100, 50, 500, 350)
    assert all(abs(a - b) <= 2 for a, b in zip(view.region, wanted, strict=True))
    assert told[-1] == view.region
    assert not view.marking


def test_a_part_that_is_too_small_is_none_and_can_be_drawn_again(
    view: SourceView, qtbot: Any
) -> None:
    view.start_marking()
    drag(qtbot, view, QPoint(100, 100), QPoint(102, 101))
    assert view.region is None
    assert view.marking
    drag(qtbot, view, QPoint(-30, -40), QPoint(900, 900))
    assert view.region == (0, 0, 800, 600)


def test_marking_by_keyboard(view: SourceView, qtbot: Any) -> None:
    qtbot.keyClick(view, Key.Key_M)
    assert view.region == (200, 150, 600, 450)
    qtbot.keyClick(view, Key.Key_Right, Control)
    qtbot.keyClick(view, Key.Key_Up)
    assert view.region == (210, 149, 610, 449)
    qtbot.keyClick(view, Key.Key_Left, Shift)
    assert view.region == (210, 149, 609, 449)
    for _ in range(30):
        qtbot.keyClick(view, Key.Key_Right, Control)
    assert view.region == (401, 149, 800, 449)
    qtbot.keyClick(view, Key.Key_Escape)
    assert view.region is None


# Lines of text --------------------------------------------------------------


@pytest.fixture
def at(view: SourceView) -> Callable[[float, float], QPoint]:
    """A point of the picture in widget pixels."""

    def place(x: float, y: float) -> QPoint:
        return (view.zoom.rect().topLeft() + QPointF(x, y) * view.zoom.scale).toPoint()

    return place


def test_click_on_a_line(view: SourceView, qtbot: Any, at: Any) -> None:
    told: list[str] = []
    view.line_clicked.connect(told.append)
    view.set_lines([line("Sign in", 100, 100, 300, 140), line("Help", 500, 400, 600, 440)])
    qtbot.mouseMove(view, at(550, 420))
    assert view.cursor().shape() is Qt.CursorShape.PointingHandCursor
    assert "Help" in view.toolTip()
    qtbot.mouseClick(view, Left, pos=at(550, 420))
    qtbot.mouseClick(view, Left, pos=at(400, 300))
    qtbot.mouseClick(view, Right, pos=at(200, 120))
    assert told == ["Help"]
    qtbot.keyClick(view, Key.Key_PageDown)
    qtbot.keyClick(view, Key.Key_Return)
    assert told == ["Help", "Sign in"]
    view.show_boxes(False)
    qtbot.mouseClick(view, Left, pos=at(550, 420))
    assert len(told) == 2


def test_lines_that_the_render_lacks_are_marked(view: SourceView, theme: Theme, at: Any) -> None:
    there, lost = line("There", 100, 100, 300, 140), line("Lost", 100, 300, 300, 340)
    view.set_lines([there, lost])
    place = at(200, 320)
    before = colour(view, place.x(), place.y())
    view.mark_missing([lost, line("of another picture", 0, 0, 9, 9)])
    assert view.missing == [lost]
    assert colour(view, place.x(), place.y()) != before
    view.mark_missing([])
    assert view.missing == []
    assert colour(view, place.x(), place.y()) == before
    view.mark_missing([lost])
    view.set_lines([there, lost])
    assert view.missing == []
