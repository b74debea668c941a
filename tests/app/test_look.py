"""Themes, icons, highlighting: what is seen."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QEvent, QObject, QSize
from PySide6.QtGui import QColor, QTextCursor, QTextDocument
from PySide6.QtWidgets import QApplication, QFrame, QPushButton, QVBoxLayout, QWidget

from app import icons
from app.actions import ACTIONS, make_actions
from app.highlight import Highlighter, spans_by_line, spans_of_end
from app.theme import DARK, LIGHT, Theme, Tokens, palette, style_sheet
from app.views.main_window import MainWindow
from tests.app.scripted import ScriptedClient, answer
from tests.app.windows import Make, convert, load, request

TEXT_ON_GROUND = [
    ("text", "window"),
    ("text", "surface"),
    ("text", "raised"),
    ("text", "accent_soft"),
    ("text", "bad_soft"),
    ("text", "warn_soft"),
    ("text", "selection"),
    ("text", "good_soft"),
    ("text", "match"),
    ("muted", "window"),
    ("muted", "surface"),
    ("muted", "raised"),
    ("muted", "bad_soft"),
    ("muted", "warn_soft"),
    ("on_accent", "accent"),
    ("on_accent", "accent_hover"),
    ("on_accent", "accent_pressed"),
    ("accent", "window"),
    ("good", "window"),
    ("warn", "window"),
    ("bad", "window"),
    *[(name, "surface") for name in asdict(LIGHT) if name.startswith("code_")],
    *[(name, "raised") for name in asdict(LIGHT) if name.startswith("code_")],
    *[(name, "bad_soft") for name in ("code_name", "code_string", "code_punctuation")],
]


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    channels = [
        c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4
        for c in QColor(colour).getRgbF()[:3]
    ]
    return 0.2126 * channels[0] + 0.7152 * channels[1] + 0.0722 * channels[2]


@pytest.mark.parametrize("tokens", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), TEXT_ON_GROUND)
def test_contrast(tokens: Tokens, text: str, ground: str) -> None:
    values = sorted([luminance(getattr(tokens, text)), luminance(getattr(tokens, ground))])
    assert (values[1] + 0.05) / (values[0] + 0.05) >= 4.5


def test_style_sheet_fills_every_token(qapp: QApplication) -> None:
    for tokens in (LIGHT, DARK):
        assert "$" not in style_sheet(tokens)
        assert palette(tokens).window().color() == QColor(tokens.window)


def test_no_colour_is_written_outside_the_theme() -> None:
    import re

    import app

    folder = Path(app.__file__).parent
    for path in folder.rglob("*.py"):
        if path.name == "theme.py":
            continue
        assert not re.search(r"[\"'#]#?[0-9a-fA-F]{6}[\"']", path.read_text()), path


def test_theme_switch(theme: Theme, qapp: QApplication) -> None:
    told: list[bool] = []
    theme.changed.connect(lambda: told.append(theme.dark))
    theme.set_choice("dark")
    assert qapp.palette().window().color() == QColor(DARK.window)
    theme.toggle()
    assert qapp.palette().window().color() == QColor(LIGHT.window)
    assert told == [True, False]
    with pytest.raises(ValueError, match="unknown theme"):
        theme.set_choice("mauve")


@pytest.mark.parametrize("ratio", [1.0, 1.5, 2.0])
@pytest.mark.parametrize("colour", ["#ff0000", "#00ff00"])
def test_icon_has_its_colour_at_each_ratio(qapp: QApplication, ratio: float, colour: str) -> None:
    pixmap = icons.icon("cancel", QColor(colour)).pixmap(QSize(24, 24), ratio)
    assert pixmap.size() == QSize(24, 24) * ratio
    image = pixmap.toImage()
    middle = image.pixelColor(image.width() // 2, image.height() // 2)
    assert middle.name() == colour
    assert middle.alpha() == 255
    assert image.pixelColor(0, 0).alpha() == 0


def test_every_icon_exists_and_draws_something(qapp: QApplication) -> None:
    for name in icons.GLYPHS:
        image = icons.icon(name, QColor("black")).pixmap(32, 32).toImage()
        assert any(image.pixelColor(x, y).alpha() > 100 for x in range(32) for y in range(32)), name
    for spec in ACTIONS:
        assert not spec.icon or spec.icon in icons.GLYPHS


def test_one_icon_font_and_none_of_the_others(qapp: QApplication) -> None:
    code = (
        "import os; os.environ['QT_QPA_PLATFORM'] = 'offscreen'\n"
        "from PySide6.QtWidgets import QApplication; from PySide6.QtGui import QColor\n"
        "app = QApplication(['x']); import app.icons as icons\n"
        "icons.icon('snip', QColor('red')).pixmap(16, 16)\n"
        "font = icons._font(); import qtawesome\n"
        "assert list(font.fontname) == ['ph'], font.fontname\n"
        "assert qtawesome._resource['iconic'] is None\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_no_two_actions_share_a_shortcut(qapp: QApplication) -> None:
    made = make_actions(qapp)
    keys = [(spec.scope, key) for spec in ACTIONS for key in made[spec.name].shortcuts()]
    texts = [(scope, key.toString()) for scope, key in keys]
    assert all(text for _, text in texts)
    assert len(texts) == len(set(texts))


HTML = '<!DOCTYPE html>\n<style>\nbody { color: red; }\n</style>\n<p class="a">x &amp; y</p>\n'


def token_at(lines: list[list[tuple[int, int, str]]], line: int, column: int) -> str:
    return next(
        (token for start, length, token in lines[line] if start <= column < start + length), ""
    )


def test_spans_of_a_page() -> None:
    lines = spans_by_line(HTML, "html")
    assert len(lines) == HTML.count("\n") + 1
    assert token_at(lines, 1, 1) == "code_name"
    assert token_at(lines, 2, 7) == "code_keyword"
    assert token_at(lines, 4, 3) == "code_attribute"
    assert token_at(lines, 4, 10) == "code_string"


def test_open_style_is_coloured_while_it_arrives() -> None:
    whole = spans_by_line(HTML, "html")
    part = spans_by_line(HTML[: HTML.index("</style>")], "html")
    assert part[2] == whole[2]
    assert len(part) == 4


def test_columns_count_as_qt_counts() -> None:
    lines = spans_by_line("x = '\U0001f600'  # a\n", "python")
    comment = next(span for span in lines[0] if span[2] == "code_comment")
    assert comment[0] == len("x = '") + 2 + len("'  ")


def test_highlighter_paints_and_comes_to_rest(theme: Theme, qtbot: object) -> None:
    document = QTextDocument()
    highlighter = Highlighter(document)
    highlighter.set_colours({"code_comment": QColor("#123456")})
    document.setPlainText("<!-- a -->\n<p>b</p>\n")
    highlighter.refresh()
    formats = document.firstBlock().layout().formats()
    assert formats[0].format.foreground().color().name() == "#123456"
    assert not highlighter._timer.isActive()


def test_long_text_is_lexed_off_the_thread(theme: Theme, qtbot: object) -> None:
    document = QTextDocument()
    highlighter = Highlighter(document)
    highlighter.set_colours({"code_comment": QColor("#123456")})
    document.setPlainText("<!-- a -->\n" + "<p>b</p>\n" * 5000)
    highlighter.refresh()
    assert not document.firstBlock().layout().formats()
    qtbot.waitUntil(lambda: bool(document.firstBlock().layout().formats()), timeout=10_000)  # type: ignore[attr-defined]


@pytest.mark.parametrize("language", ["html", "python"])
def test_end_of_growing_text_is_lexed_like_the_whole(language: str) -> None:
    part = "body { color: red; }\n" if language == "html" else "x = [1, 'a']  # b\n"
    text = ("<style>\n" if language == "html" else "import a\n") + part * 60
    whole = spans_by_line(text, language)
    assert spans_of_end(text, 40, language) == whole[40:]


def test_growing_text_is_painted_and_settles(theme: Theme, qtbot: object) -> None:
    document = QTextDocument()
    highlighter = Highlighter(document)
    highlighter.set_colours({"code_comment": QColor("#123456")})
    text = "x = 1\n" * 60
    document.setPlainText(text)
    highlighter.refresh()
    cursor = QTextCursor(document)
    cursor.movePosition(QTextCursor.MoveOperation.End)
    cursor.insertText("# note\n")
    highlighter.set_language("python")
    highlighter.refresh()
    cursor.insertText("y = 2  # more\n")
    highlighter.schedule()

    def painted() -> bool:
        formats = document.findBlockByNumber(61).layout().formats()
        return bool(formats) and formats[-1].start == 7

    qtbot.waitUntil(painted, timeout=5000)  # type: ignore[attr-defined]
    assert highlighter._settle.isActive()
    qtbot.waitUntil(lambda: not highlighter._settle.isActive(), timeout=5000)  # type: ignore[attr-defined]
    assert painted()
    assert not highlighter._timer.isActive()


class Counting(QObject):
    """Counts how often a widget is told of a new style."""

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        self.count = 0
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        self.count += event.type() == QEvent.Type.StyleChange
        return False


def test_a_switch_dresses_each_widget_once_however_deep_it_lies(
    theme: Theme, qapp: QApplication, qtbot: Any
) -> None:
    outer = QWidget()
    qtbot.addWidget(outer)
    inner, depth = outer, 30
    for _ in range(depth):
        layout = QVBoxLayout(inner)
        inner = QFrame()
        layout.addWidget(inner)
    deepest = QPushButton("deep")
    QVBoxLayout(inner).addWidget(deepest)
    outer.show()
    counted = Counting(deepest)
    theme.set_choice("dark")
    assert 1 <= counted.count <= 3  # out of the old one, into the new one
    deepest.resize(80, 30)
    assert deepest.grab().toImage().pixelColor(40, 4).name() == DARK.surface
    theme.set_choice("light")


def test_after_a_switch_everything_looks_as_if_it_had_begun_so(
    make_window: Make, theme: Theme, qtbot: Any, sample: Path
) -> None:
    def made() -> MainWindow:
        window = make_window(lambda: ScriptedClient(answer()), request)
        load(window, qtbot, sample)
        convert(window, qtbot)
        window.preview.setFocus()
        qtbot.wait(300)
        return window

    switched = made()
    theme.set_choice("dark")
    theme.set_choice("light")
    theme.set_choice("dark")
    qtbot.wait(200)
    after = switched.grab().toImage()
    assert after.pixelColor(3, 3).name() == DARK.window
    switched.hide()
    fresh = made().grab().toImage()
    assert after.size() == fresh.size()
    differ = [
        (x, y)
        for y in range(0, fresh.height() - 40, 3)  # the status tells how long it took
        for x in range(0, fresh.width(), 3)
        if after.pixel(x, y) != fresh.pixel(x, y)
    ]
    assert differ == []
    theme.set_choice("light")
