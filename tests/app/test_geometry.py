"""Geometry of a selection, first as arithmetic, then with real screens of mixed scale."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.capture import geometry
from app.capture.geometry import NativeRect, Rect, ScreenPlace, Size

SCREENS = {
    "synchronousWindowSystemEvents": True,
    "windowFrameMargins": False,
    "screens": [
        {"name": "left", "x": -1920, "y": 200, "width": 1920, "height": 1080, "dpi": 96, "dpr": 1},
        {"name": "main", "x": 0, "y": 0, "width": 3840, "height": 2160, "dpi": 144, "dpr": 1},
        {"name": "quarter", "x": 0, "y": -1080, "width": 1600, "height": 1000, "dpi": 120,
         "dpr": 1},
        {"name": "retina", "x": 3840, "y": 0, "width": 1440, "height": 900, "dpi": 96, "dpr": 2},
    ],
}  # fmt: skip
DRIVER = Path(__file__).with_name("drive_overlays.py")


@pytest.mark.parametrize("scale", [1.0, 1.25, 1.5, 2.0])
def test_selection_to_native_pixels(scale: float) -> None:
    widget = Size(800, 600)
    picture = Size(800 * scale, 600 * scale)
    native = geometry.to_native(Rect(40, 80, 100, 60), widget, picture)
    assert native == NativeRect(
        round(40 * scale), round(80 * scale), round(100 * scale), round(60 * scale)
    )


def test_scale_may_differ_by_axis_and_is_measured_from_the_picture() -> None:
    assert geometry.scale_between(Size(100, 100), Size(150, 200)) == (1.5, 2.0)
    with pytest.raises(ValueError, match="no area"):
        geometry.scale_between(Size(0, 10), Size(10, 10))


sides = st.floats(0, 2000, allow_nan=False)


@given(sides, sides, sides, sides, st.sampled_from([1.0, 1.25, 1.5, 1.75, 2.0, 3.0]))
def test_native_rect_never_leaves_the_picture(
    x0: float, y0: float, x1: float, y1: float, scale: float
) -> None:
    widget = Size(1280, 720)
    picture = Size(round(1280 * scale), round(720 * scale))
    native = geometry.to_native(geometry.from_corners(x0, y0, x1, y1), widget, picture)
    assert 0 <= native.x <= native.x + native.width <= picture.width
    assert 0 <= native.y <= native.y + native.height <= picture.height


@given(st.floats(1, 799), st.sampled_from([1.25, 1.5, 1.75, 2.0]))
def test_neighbouring_selections_share_their_edge(cut: float, scale: float) -> None:
    widget, picture = Size(800, 600), Size(800 * scale, 600 * scale)
    left = geometry.to_native(Rect(0, 0, cut, 600), widget, picture)
    right = geometry.to_native(Rect(cut, 0, 800 - cut, 600), widget, picture)
    assert left.x + left.width == right.x
    assert right.x + right.width == picture.width


def test_moving_and_resizing_stay_inside() -> None:
    bounds = Size(100, 50)
    assert geometry.moved(Rect(10, 10, 30, 30), -50, 100, bounds) == Rect(0, 20, 30, 30)
    assert geometry.resized(Rect(10, 10, 30, 30), 500, -500, bounds) == Rect(10, 10, 90, 1)


def test_label_stays_on_screen() -> None:
    label, bounds = Size(80, 20), Size(400, 300)
    assert geometry.label_position(Rect(100, 100, 50, 50), label, bounds) == (100, 74)
    assert geometry.label_position(Rect(380, 5, 20, 20), label, bounds) == (320, 11)


def test_screens_are_matched_by_place_not_by_order() -> None:
    qt = [
        geometry.native_place(-1920, 200, 1920, 1080, 1.0),
        geometry.native_place(0, 0, 2560, 1440, 1.5),
    ]
    listed = [ScreenPlace(0, 0, 3840, 2160), ScreenPlace(-1920, 200, 1920, 1080)]
    assert geometry.match_screens(qt, listed) == [1, 0]
    assert geometry.match_screens(qt, listed[:1]) == [None, 0]


@pytest.fixture(scope="module")
def driven(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, object]]:
    """What drags through the real overlays gave on four screens, in a process of its own."""
    folder = tmp_path_factory.mktemp("screens")
    for screen in SCREENS["screens"]:  # type: ignore[attr-defined]
        screen["logicalDpi"] = screen.pop("dpi", 96)
        screen["logicalBaseDpi"] = 96
    (folder / "screens.json").write_text(json.dumps(SCREENS))
    environment = {
        **os.environ,
        # Qt splits the value at colons, so the path is relative to the working folder.
        "QT_QPA_PLATFORM": "offscreen:configfile=screens.json",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    done = subprocess.run(
        [sys.executable, str(DRIVER)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, dict[str, object]] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize(
    ("screen", "wanted"),
    [
        ("left", [10, 20, 100, 50]),
        ("main", [15, 30, 150, 75]),
        ("quarter", [13, 25, 125, 63]),
        ("retina", [20, 40, 200, 100]),
    ],
)
def test_drag_on_each_screen_gives_native_pixels(
    driven: dict[str, dict[str, object]], screen: str, wanted: list[int]
) -> None:
    assert driven[screen]["native"] == wanted
    assert driven[screen]["image"] == wanted[2:]


def test_pixels_come_from_the_right_place(driven: dict[str, dict[str, object]]) -> None:
    for name, facts in driven.items():
        assert facts["corner"] == facts["wanted_corner"], name
        assert facts["others_cleared"], name


def test_arrows_move_by_native_pixels(driven: dict[str, dict[str, object]]) -> None:
    for name, facts in driven.items():
        assert facts["nudged"] == [1, 10], name
        assert facts["grown"] == [1, 0], name


def test_tiny_selection_is_refused(driven: dict[str, dict[str, object]]) -> None:
    assert all(facts["tiny_refused"] for facts in driven.values())


def test_window_by_key_is_cut_at_the_edge_of_its_screen(
    driven: dict[str, dict[str, object]],
) -> None:
    for name, facts in driven.items():
        assert facts["window"] == facts["window_wanted"], name


def test_last_region_goes_to_its_own_screen(driven: dict[str, dict[str, object]]) -> None:
    for name, facts in driven.items():
        assert facts["last"] == [
            [30, 40, 500, 600] if screen["name"] == "quarter" else None
            for screen in SCREENS["screens"]  # type: ignore[attr-defined]
        ], name


def test_the_region_taken_is_known(driven: dict[str, dict[str, object]]) -> None:
    for name, facts in driven.items():
        assert facts["region"] == [name, *facts["native"]]  # type: ignore[misc]
