"""Widths, zoom, light and dark, console, blocked resources: the preview with its real page."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from PySide6.QtCore import QObject, QPoint, QPointF, QRect, Qt, QUrl, Slot
from PySide6.QtGui import QDesktopServices, QWheelEvent
from PySide6.QtWidgets import QApplication

from app.actions import ACTIONS, make_actions
from app.preview.chart import default_runner
from app.preview.colour_scheme import knows_dark, with_scheme
from app.preview.console import MAX_LENGTH, MAX_MESSAGES
from app.preview.refused import MAX_HOST, refused_of
from app.preview.web import CRASHED, ENDLESS
from app.preview_actions import COMPARE_ACTIONS, PREVIEW_ACTIONS
from app.session import Picture
from app.theme import Theme
from app.views.dress import Dresser
from app.views.preview_pane import PreviewPane

RED = "<body style='background:#ff0000'>"


@pytest.fixture
def pane(qapp: QApplication, theme: Theme, qtbot: Any) -> Iterator[PreviewPane]:
    window_actions = make_actions(theme)
    window_actions["scripts"].setChecked(True)
    dresser = Dresser(theme)
    dresser.icon(window_actions["refresh"], "refresh")
    made = PreviewPane(window_actions, dresser, default_runner, True)
    window_actions["scripts"].toggled.connect(lambda on: (made.set_scripts(on), made.redraw()))
    made.resize(500, 460)
    made.show()
    made.create_web()
    made.set_source(Picture(b"", 300, 200, "x"))
    yield made
    made.shut()
    made.close()
    made.deleteLater()
    qtbot.wait(50)


def show(pane: PreviewPane, qtbot: Any, html: str, final: bool = True) -> None:
    with qtbot.waitSignal(pane.drawn, timeout=20_000):
        pane.show_code(html, "html", final)
    qtbot.wait(150)


def red_columns(pane: PreviewPane) -> int:
    assert pane.web is not None
    image = pane.web.grab().toImage()
    return sum(image.pixelColor(x, 40).name() == "#ff0000" for x in range(image.width()))


def press(pane: PreviewPane, name: str) -> None:
    pane.actions_by_name[name].trigger()


# Width and zoom -------------------------------------------------------------


def test_each_width_lays_the_page_out_so_wide(pane: PreviewPane, qtbot: Any) -> None:
    told: list[str] = []
    pane.width_chosen.connect(told.append)
    show(pane, qtbot, RED)
    for key, width in (("390", 390), ("768", 768), ("1280", 1280), ("source", 300)):
        press(pane, f"width_{key}")
        qtbot.waitUntil(lambda width=width: pane.tools.read_out.text() == f"{width} px")
        qtbot.wait(150)
        assert abs(red_columns(pane) - min(width, 498)) <= 3
        assert pane.tools.widths.choice == key
        assert pane.actions_by_name[f"width_{key}"].isChecked()
    press(pane, "width_fit")
    assert pane.web is not None
    across = pane.web.width()
    qtbot.waitUntil(lambda: pane.tools.read_out.text() == f"{across} px")
    assert told == ["390", "768", "1280", "source", "fit"]


def test_a_width_of_old_settings_means_the_picture_s(pane: PreviewPane) -> None:
    pane.set_width_choice("1366")
    assert pane.tools.widths.choice == "source"


def test_zoom_goes_in_steps_and_back_to_fit(pane: PreviewPane, qtbot: Any) -> None:
    show(pane, qtbot, RED)
    qtbot.waitUntil(lambda: pane.tools.read_out.text() == "300 px")
    press(pane, "zoom_in")
    assert pane.tools.fit.text() == "110%"
    qtbot.wait(200)
    assert abs(red_columns(pane) - 330) <= 1
    for _ in range(12):
        press(pane, "zoom_out")
    assert pane.tools.fit.text() == "50%"
    assert not pane.actions_by_name["zoom_out"].isEnabled()
    qtbot.wait(200)
    assert abs(red_columns(pane) - 150) <= 1
    for _ in range(12):
        press(pane, "zoom_in")
    assert pane.tools.zoom == 2.0
    press(pane, "zoom_fit")
    qtbot.wait(200)
    assert abs(red_columns(pane) - 300) <= 1


def test_ctrl_and_wheel_zoom_and_the_wheel_alone_does_not(pane: PreviewPane, qtbot: Any) -> None:
    show(pane, qtbot, RED)
    qtbot.waitUntil(lambda: pane.tools.read_out.text() == "300 px")
    assert pane.web is not None
    target = pane.web._view.focusProxy()

    def turn(delta: int, modifier: Qt.KeyboardModifier) -> None:
        place = QPointF(50, 50)
        event = QWheelEvent(
            place, target.mapToGlobal(place), QPoint(), QPoint(0, delta), Qt.MouseButton.NoButton,
            modifier, Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(target, event)

    turn(120, Qt.KeyboardModifier.NoModifier)
    assert pane.tools.zoom == 0.0
    turn(120, Qt.KeyboardModifier.ControlModifier)
    assert pane.tools.zoom == 1.1
    turn(-120, Qt.KeyboardModifier.ControlModifier)
    turn(-120, Qt.KeyboardModifier.ControlModifier)
    assert pane.tools.zoom == 0.9


def test_narrow_tools_still_fit(pane: PreviewPane, qtbot: Any) -> None:
    pane.resize(300, 460)
    qtbot.waitUntil(lambda: not pane.tools._steps[0].isVisible())
    assert pane.width() == 300
    for button in (*pane.tools.widths.buttons.values(), pane.tools.fit, pane.tools.dark):
        right = button.mapTo(pane, button.rect().topRight()).x()
        assert 0 < right < 300


def test_keys_work_while_the_page_has_the_focus(pane: PreviewPane, qtbot: Any) -> None:
    show(pane, qtbot, RED)
    pane.activateWindow()
    pane.focus_pane()
    target = QApplication.focusWidget()
    assert target is not None
    qtbot.keyClick(target, Qt.Key.Key_2, Qt.KeyboardModifier.AltModifier)
    assert pane.tools.widths.choice == "390"
    qtbot.keyClick(target, Qt.Key.Key_Minus, Qt.KeyboardModifier.ControlModifier)
    assert pane.tools.zoom == 0.9
    qtbot.keyClick(target, Qt.Key.Key_0, Qt.KeyboardModifier.ControlModifier)
    assert pane.tools.zoom == 0.0


def test_no_key_is_given_twice() -> None:
    keys = [
        (spec.scope, key)
        for spec in (*ACTIONS, *PREVIEW_ACTIONS, *COMPARE_ACTIONS)
        for key in spec.keys
    ]
    assert len(keys) == len(set(keys))


# Light and dark -------------------------------------------------------------

DARK_PAGE = """<!DOCTYPE html><html><head><style>body { background: #ff0000; }
@media (prefers-color-scheme:
  dark) { body { background: #0000ff; } }
</style></head><body><p id="now">ask (prefers-color-scheme: dark)</p>
<script>if (matchMedia("(prefers-color-scheme: light)").matches) document.title = "light";</script>
"""


def test_dark_page_shows_its_dark_colours(pane: PreviewPane, qtbot: Any) -> None:
    show(pane, qtbot, DARK_PAGE)
    assert pane.web is not None
    assert pane.actions_by_name["page_dark"].isEnabled()
    assert pane.web.grab().toImage().pixelColor(249, 150).name() == "#ff0000"
    with qtbot.waitSignal(pane.drawn, timeout=20_000):
        press(pane, "page_dark")
    qtbot.wait(150)
    assert pane.web.grab().toImage().pixelColor(249, 150).name() == "#0000ff"
    press(pane, "page_dark")
    show(pane, qtbot, RED)
    assert not pane.actions_by_name["page_dark"].isEnabled()


def test_scheme_changes_code_and_neither_words_nor_lines() -> None:
    for dark in (False, True):
        made = with_scheme(DARK_PAGE, dark)
        assert made.count("\n") == DARK_PAGE.count("\n")
        assert '<p id="now">ask (prefers-color-scheme: dark)</p>' in made
        assert made.count("prefers-color-scheme") == 1
    assert with_scheme(RED, True) == RED
    assert not knows_dark(RED)
    assert not knows_dark("<p>(prefers-color-scheme: dark)</p>")
    meta = '<meta name="color-scheme" content="light dark"><style>:root{color-scheme: light dark}'
    assert with_scheme(meta, True) == (
        '<meta name="color-scheme" content="dark"><style>:root{color-scheme: dark}'
    )
    link = "<link media='(prefers-color-scheme: dark)' href=x>"
    assert "min-width" in with_scheme(link, True)
    assert "max-width" in with_scheme(link, False)


def test_colour_scheme_of_controls_follows(pane: PreviewPane, qtbot: Any) -> None:
    show(pane, qtbot, "<style>:root { color-scheme: light dark; }</style><p>x")
    assert pane.web is not None
    light = pane.web.grab().toImage().pixelColor(249, 200).lightness()
    with qtbot.waitSignal(pane.drawn, timeout=20_000):
        press(pane, "page_dark")
    qtbot.wait(150)
    assert light > 240
    assert pane.web.grab().toImage().pixelColor(249, 200).lightness() < 60


# Console --------------------------------------------------------------------


def rows(pane: PreviewPane) -> list[str]:
    return [pane.notes.console.item(i).text() for i in range(pane.notes.console.count())]


def test_console_tells_level_line_and_text(pane: PreviewPane, qtbot: Any) -> None:
    page = (
        "<p>x\n<script>\nconsole.log('<b>plain</b>\\u202e text');\nconsole.warn('w');\nnothing();\n"
        "</script>"
    )
    show(pane, qtbot, page)
    qtbot.waitUntil(lambda: len(rows(pane)) == 3, timeout=5000)
    assert rows(pane)[0] == "Note, line 3: <b>plain</b>  text"
    assert rows(pane)[1] == "Warning, line 4: w"
    assert rows(pane)[2].startswith("Error, line 5: Uncaught ReferenceError")
    assert pane.actions_by_name["console"].text() == "Console: 3 (1 error)"
    with qtbot.waitSignal(pane.line_chosen) as told:
        pane.notes.console.itemActivated.emit(pane.notes.console.item(2))
    assert told.args == [5]
    press(pane, "console")
    assert pane.notes.console.isVisible()
    show(pane, qtbot, "<p>silent")
    qtbot.waitUntil(lambda: pane.actions_by_name["console"].text() == "Console: 0")


def test_console_is_bounded(pane: PreviewPane, qtbot: Any) -> None:
    show(
        pane, qtbot, "<script>for (let i = 0; i < 1500; i++) console.log('y'.repeat(9e3))</script>"
    )
    assert pane.web is not None
    log = pane.web.console
    qtbot.waitUntil(lambda: log.count == 1500, timeout=10_000)
    qtbot.waitUntil(lambda: "999+" in pane.actions_by_name["console"].text())
    assert len(log.messages) == MAX_MESSAGES
    assert all(len(message.text) == MAX_LENGTH for message in log.messages)
    assert rows(pane)[-1] == "and 1300 more, which are not kept"


def test_half_written_scripts_do_not_complain(pane: PreviewPane, qtbot: Any) -> None:
    show(pane, qtbot, "<p>x<script>let a = {", final=False)
    qtbot.wait(300)
    assert pane.actions_by_name["console"].text() == "Console: 0"


# Blocked resources ----------------------------------------------------------


def test_blocked_resources_are_listed_with_their_hosts(pane: PreviewPane, qtbot: Any) -> None:
    host = "a" * 60 + ".example.org"
    show(
        pane, qtbot,
        f"<img src='http://{host}/<b>.png'><link rel=stylesheet href='https://fonts.example/c.css'>"
        "<script src='https://cdn.example/x.js'></script><script>1</script>",
    )  # fmt: skip
    qtbot.waitUntil(lambda: pane.notes.refused.count() == 4, timeout=10_000)
    assert pane.notes.refused_button.text() == "3 blocked"
    lines = [pane.notes.refused.item(i).text() for i in range(4)]
    assert any(line.startswith("Style sheet from fonts.example: /c.css") for line in lines)
    assert any(line.startswith("Script from cdn.example") for line in lines)
    picture = next(line for line in lines if line.startswith("Picture from"))
    assert "example.org" in picture
    assert host not in picture
    pane.notes.refused_button.click()
    assert pane.notes.refused.isVisible()
    press(pane, "console")
    assert pane.notes.console.isVisible()
    assert not pane.notes.refused_button.isChecked()
    show(pane, qtbot, "<p>nothing wanted")
    assert not pane.notes.refused_button.isVisible()


def test_reports_are_not_believed() -> None:
    assert refused_of("x") == []
    assert refused_of([1, {}, {"uri": 3, "kind": "img-src"}]) == []
    many = [{"uri": f"https://h{i}.example/", "kind": "x"} for i in range(900)]
    assert len(refused_of(many)) == 200
    hostile = {"uri": "https://user:word@" + "b" * 200 + "\u202e.example/" + "c" * 900, "kind": "x"}
    one = refused_of([hostile])[0]
    assert len(one.host) <= MAX_HOST
    assert len(one.address) <= 160
    assert "word" not in one.host
    assert "\u202e" not in one.host + one.address
    assert refused_of([{"uri": "http://[bad", "kind": "img-src"}])[0].kind == "Picture"


# Links ----------------------------------------------------------------------


class Browser(QObject):
    """What the system would open an address with."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []

    @Slot(QUrl)
    def open(self, url: QUrl) -> None:
        self.opened.append(url.toString())


@pytest.fixture
def browser() -> Iterator[Browser]:
    made = Browser()
    QDesktopServices.setUrlHandler("https", made, "open")
    yield made
    QDesktopServices.unsetUrlHandler("https")


def click_page(pane: PreviewPane, qtbot: Any, x: int, y: int) -> None:
    assert pane.web is not None
    drawn = pane.web._view.focusProxy()
    assert drawn is not None
    qtbot.mouseClick(drawn, Qt.MouseButton.LeftButton, pos=QPoint(x, y))


def test_link_is_opened_outside_and_only_after_a_second_press(
    pane: PreviewPane, qtbot: Any, browser: Browser
) -> None:
    bar = "display:block;height:60px;background:red"
    show(
        pane, qtbot,
        f"<body style='margin:0'><a href='https://word@a.example/x?y=1' style='{bar}'>a</a>"
        f"<a target=_blank href='https://b.example/' style='{bar}'>b</a>"
        f"<a href='file:///etc/passwd' style='{bar}'>c</a>",
    )  # fmt: skip
    link = pane.notes.link
    assert not link.isVisible()
    click_page(pane, qtbot, 250, 90)
    qtbot.waitUntil(link.isVisible, timeout=10_000)
    assert link.button.accessibleDescription() == "Leads to b.example/"
    click_page(pane, qtbot, 250, 30)
    qtbot.waitUntil(lambda: "a.example" in link.button.accessibleDescription(), timeout=10_000)
    assert link.button.accessibleDescription() == "Leads to a.example/x?y=1"
    click_page(pane, qtbot, 250, 150)
    qtbot.wait(500)
    assert "a.example" in link.button.accessibleDescription()
    assert browser.opened == []
    link.button.click()
    assert browser.opened == ["https://word@a.example/x?y=1"]
    assert not link.isVisible()


def test_scripts_cannot_click_and_another_page_takes_the_offer_away(
    pane: PreviewPane, qtbot: Any, browser: Browser
) -> None:
    show(
        pane, qtbot,
        "<body style='margin:0'><a id=a href='https://a.example/' "
        "style='display:block;height:60px'>a</a>"
        "<script>setInterval(() => document.getElementById('a').click(), 50)</script>",
    )  # fmt: skip
    qtbot.wait(700)
    assert not pane.notes.link.isVisible()
    click_page(pane, qtbot, 250, 30)
    qtbot.waitUntil(pane.notes.link.isVisible, timeout=10_000)
    show(pane, qtbot, "<p>another")
    assert not pane.notes.link.isVisible()
    assert browser.opened == []


# A low window ---------------------------------------------------------------


@pytest.mark.parametrize("height", [180, 240, 400])
@pytest.mark.parametrize("console", [False, True])
def test_nothing_lies_on_the_page_in_a_low_window(
    pane: PreviewPane, qtbot: Any, height: int, console: bool
) -> None:
    show(pane, qtbot, RED)
    pane.setMinimumHeight(180)  # as in the main window
    if console:
        press(pane, "console")
    pane.resize(300, height)
    qtbot.wait(100)
    assert pane.height() == height
    assert pane.web is not None
    rows = [pane.tools, pane.web, pane.notes]
    places = [QRect(one.mapTo(pane, QPoint(0, 0)), one.size()) for one in rows]
    for above, below in pairwise(places):
        assert above.bottom() < below.top(), places
    if not console or height > 240:
        assert places[-1].bottom() <= height
    if height == 400 and console:
        assert pane.notes.console.height() == 150


# Pages that end badly -------------------------------------------------------


def buttons(pane: PreviewPane) -> list[str]:
    return [button.text() for button in pane.card.buttons]


@pytest.mark.slow
def test_script_that_begins_late_and_never_ends_is_noticed(pane: PreviewPane, qtbot: Any) -> None:
    assert pane.web is not None
    pane.web._pulse.setInterval(300)
    show(pane, qtbot, "<body style='background:#ff0000'><p>x")
    with qtbot.waitSignal(pane.failed, timeout=30_000) as told:
        pane.show_code("<script>setTimeout(() => { while (1); }, 900)</script>", "html", True)
    assert told.args == [ENDLESS, 0]
    assert pane.card.isVisible()
    assert buttons(pane) == ["Load again", "Load without scripts"]
    with qtbot.waitSignal(pane.drawn, timeout=20_000):
        pane.card.buttons[1].click()
    qtbot.wait(1500)
    assert pane.web.isVisible()
    assert pane.notes.note.isVisible()
    assert "Scripts are off" in pane.notes.note.text()


def crash(pane: PreviewPane, qtbot: Any) -> None:
    assert pane.web is not None
    with qtbot.waitSignal(pane.failed, timeout=20_000) as told:
        os.kill(pane.web.page.renderProcessPid(), signal.SIGKILL)
    assert told.args == [CRASHED, 0]


def test_other_code_is_drawn_after_a_page_that_was_given_up(pane: PreviewPane, qtbot: Any) -> None:
    show(pane, qtbot, "<p>one")
    crash(pane, qtbot)
    pane.show_code("<p>one", "html", True)  # the same: that has just crashed
    qtbot.wait(700)
    assert pane.card.isVisible()
    pane.show_code(RED, "html", False)  # the next half may crash as well
    qtbot.wait(700)
    assert pane.card.isVisible()
    show(pane, qtbot, RED)
    assert not pane.card.isVisible() and red_columns(pane) == 300


def test_crash_leaves_a_card_that_loads_again(pane: PreviewPane, qtbot: Any) -> None:
    show(pane, qtbot, RED)
    crash(pane, qtbot)
    with qtbot.waitSignal(pane.drawn, timeout=20_000):
        pane.card.buttons[0].click()
    qtbot.wait(200)
    assert red_columns(pane) == 300
