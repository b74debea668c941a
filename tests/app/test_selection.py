"""The selection of one screen as mouse and keys make it, and what is kept of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QSettings

from app.capture import geometry, last_region, permissions
from app.capture.geometry import NativeRect, Rect, ScreenPlace, Size
from app.capture.selection import Selection
from app.capture.windows import on_screen

FRONT, BACK = NativeRect(300, 150, 300, 300), NativeRect(150, 75, 600, 450)


def made(scale: float = 1.5) -> Selection:
    """A screen of 800 x 600 widget pixels with two windows, one over the other."""
    one = Selection(Size(800 * scale, 600 * scale), (FRONT, BACK, NativeRect(5, 5, 10, 10)))
    one.widget = Size(800, 600)
    return one


def test_drag_in_any_direction_and_off_the_screen() -> None:
    one = made()
    one.press(200, 200)
    one.move(-50, 100)
    assert one.native == NativeRect(0, 150, 300, 150)
    assert one.release(-50, 100)
    assert not one.release(-50, 100)


def test_space_moves_the_whole_and_the_drag_goes_on() -> None:
    one = made(1.0)
    one.press(100, 100)
    one.move(200, 180)
    one.moving = True
    one.move(230, 190)
    assert one.native == NativeRect(130, 110, 100, 80)
    one.moving = False
    one.move(240, 200)
    assert one.native == NativeRect(130, 110, 110, 90)


def test_hover_and_click_take_the_topmost_window() -> None:
    one = made()
    one.move(250, 150)  # on both
    assert one.hovered == FRONT
    one.move(110, 60)  # on the one behind
    assert one.hovered == BACK
    one.move(10, 10)  # the tiny window there cannot be taken
    assert one.hovered is None
    one.press(250, 150)
    assert one.hovered == FRONT
    assert one.release(252, 151)
    assert one.native == FRONT


def test_a_drag_on_a_window_is_a_drag() -> None:
    one = made()
    one.press(250, 150)
    one.move(290, 190)
    assert one.hovered is None
    one.release(290, 190)
    assert one.native == NativeRect(375, 225, 60, 60)


def test_windows_are_walked_by_key_and_cut_at_the_screen() -> None:
    one = Selection(Size(800, 600), (FRONT, NativeRect(-100, 500, 400, 400)))
    one.widget = Size(800, 600)
    wanted = [FRONT, NativeRect(0, 500, 300, 100)]
    walked = []
    for step in (1, 1, 1, -1):
        assert one.take_window(step)
        walked.append(one.native)
    assert walked == [wanted[0], wanted[1], wanted[0], wanted[1]]
    assert not Selection(Size(800, 600)).take_window(1)


@pytest.mark.parametrize("scale", [1.0, 1.25, 1.5, 2.0])
def test_keys_step_by_picture_pixels(scale: float) -> None:
    one = made(scale)
    one.pointer = (0.0, 0.0)
    one.nudge(1, 0, grow=False)  # begins one, whole on screen although the pointer is in a corner
    start = one.native
    assert start is not None
    assert (start.x, start.y, start.width, start.height) == (0, 0, 96, 96)
    one.nudge(3, 10, grow=False)
    one.nudge(-5, 1, grow=True)
    assert one.native == NativeRect(3, 10, 91, 97)


def test_a_region_is_kept_over_restarts(tmp_path: Path) -> None:
    state = QSettings(str(tmp_path / "state.ini"), QSettings.Format.IniFormat)
    assert last_region.load(state) is None
    kept = ("DP-1|odd name", NativeRect(3, 4, 500, 60))
    last_region.save(state, *kept)
    state.sync()
    again = QSettings(str(tmp_path / "state.ini"), QSettings.Format.IniFormat)
    assert last_region.load(again) == kept
    for rubbish in ("", "x", "a|1,2,3", "a|1,2,3,4", "a|-5,0,100,100", 7, "a|1,2,three,4"):
        again.setValue(last_region.KEY, rubbish)
        assert last_region.load(again) is None


# Places ---------------------------------------------------------------------

BOUNDS = Size(400, 300)
LENS = Size(138, 162)


@pytest.mark.parametrize("pointer", [(0, 0), (399, 0), (0, 299), (399, 299), (200, 150)])
@pytest.mark.parametrize("anchor", [None, (50.0, 50.0), (350.0, 250.0)])
def test_magnifier_is_on_screen_and_off_the_pointer(
    pointer: tuple[float, float], anchor: tuple[float, float] | None
) -> None:
    box = geometry.beside_pointer(pointer, LENS, BOUNDS, anchor)
    assert 0 <= box.x <= box.right <= BOUNDS.width
    assert 0 <= box.y <= box.bottom <= BOUNDS.height
    spot = Rect(pointer[0], pointer[1], 1, 1)
    assert not geometry.overlaps(box, spot)


def test_magnifier_keeps_off_the_selection() -> None:
    for pointer, anchor in (((250, 200), (150, 100)), ((150, 200), (250, 100))):
        wide = Size(1000, 800)
        box = geometry.beside_pointer(pointer, LENS, wide, anchor)
        assert not geometry.overlaps(box, geometry.from_corners(*pointer, *anchor))


@pytest.mark.parametrize(
    "rect",
    [
        Rect(100, 100, 100, 80), Rect(0, 0, 400, 300), Rect(0, 0, 30, 30), Rect(370, 0, 30, 300),
        Rect(0, 270, 30, 30), Rect(390, 290, 10, 10),
    ],
)  # fmt: skip
def test_read_out_is_on_screen_and_off_the_magnifier(rect: Rect) -> None:
    lens = geometry.beside_pointer((rect.right, rect.bottom), LENS, BOUNDS, (rect.x, rect.y))
    label = Size(90, 24)
    x, y = geometry.label_position(rect, label, BOUNDS, avoid=lens)
    assert 0 <= x <= BOUNDS.width - label.width
    assert 0 <= y <= BOUNDS.height - label.height
    assert not geometry.overlaps(Rect(x, y, label.width, label.height), lens)


LEFT, MAIN = Rect(-1920, 200, 1920, 1080), Rect(0, 0, 2560, 1440)


@pytest.mark.parametrize(
    ("logical", "ratios", "picture", "wanted"),
    [
        # One screen, at any scale.
        ([MAIN], [1.5], Size(3840, 2160), [NativeRect(0, 0, 3840, 2160)]),
        # Two screens drawn at one scale of 2, the left one lower than the other.
        (
            [LEFT, MAIN],
            [1.0, 2.0],
            Size(8960, 2880),
            [NativeRect(0, 400, 3840, 2160), NativeRect(3840, 0, 5120, 2880)],
        ),
        # The same at scale 1, and one screen above the other.
        (
            [Rect(0, 0, 1000, 500), Rect(100, -400, 800, 400)],
            [1.0, 1.0],
            Size(1000, 900),
            [NativeRect(0, 400, 1000, 500), NativeRect(100, 0, 800, 400)],
        ),
        # Each screen at its own native size, side by side.
        (
            [Rect(0, 0, 1000, 800), Rect(2000, 0, 1000, 800)],
            [2.0, 1.0],
            Size(3000, 1600),
            [NativeRect(0, 0, 2000, 1600), NativeRect(2000, 0, 1000, 800)],
        ),
    ],
)
def test_desktop_picture_is_split_into_screens(
    logical: list[Rect], ratios: list[float], picture: Size, wanted: list[NativeRect]
) -> None:
    assert geometry.split_desktop(logical, ratios, picture) == wanted


def test_desktop_picture_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="another shape"):
        geometry.split_desktop([LEFT, MAIN], [1.0, 1.0], Size(1000, 1000))


def test_windows_of_a_screen_left_of_the_first() -> None:
    windows = [NativeRect(-1900, 250, 400, 300), NativeRect(10, 10, 400, 300)]
    left = ScreenPlace(-1920, 200, 1920, 1080)
    assert on_screen(windows, left) == (NativeRect(20, 50, 400, 300),)
    across = [NativeRect(-100, 300, 200, 100)]
    assert on_screen(across, left) == (NativeRect(1820, 100, 200, 100),)
    assert on_screen(across, ScreenPlace(0, 0, 800, 600)) == (NativeRect(-100, 300, 200, 100),)


# Permission of macOS --------------------------------------------------------


@pytest.mark.parametrize(
    ("looks", "request_says", "granted", "questions"),
    [
        ([True, True], False, [True, True], 0),
        ([False, False, False], False, [False, False, False], 1),
        ([False, True], False, [False, True], 1),
        ([False], True, [True], 1),
        ([False, False, True], False, [False, False, True], 1),
    ],
)
def test_permission_is_asked_for_once(
    looks: list[bool], request_says: bool, granted: list[bool], questions: int
) -> None:
    asked: list[bool] = []
    answers = iter(looks)

    def request() -> bool:
        asked.append(True)
        return request_says

    access = permissions.ScreenAccess(lambda: next(answers), request)
    given = [access.ask() for _ in looks]
    assert [one.granted for one in given] == granted
    assert len(asked) == questions
    assert all(one.granted or (one.message and "reopen" in one.advice) for one in given)
    assert next(answers, None) is None  # one look for one snip


def test_other_systems_want_no_permission() -> None:
    assert permissions.system_access("linux").ask().granted
    assert permissions.system_access("win32").ask().granted
