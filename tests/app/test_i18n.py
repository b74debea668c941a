"""The language of the windows: how it is chosen, its catalogues, and that it goes away again."""

from __future__ import annotations

import ast
import gettext
import importlib.util
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from PySide6.QtCore import QLocale, QSettings, QTranslator
from PySide6.QtWidgets import QApplication, QDialogButtonBox

from app import i18n, language, phrases
from app.main import make_window
from app.store import settings as store
from app.views.settings_window import SettingsWindow

ROOT = Path(__file__).resolve().parents[2]
PLACE = re.compile(r"\{(\w*)[^}]*\}")


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    """packaging/translations.py"""
    path = ROOT / "packaging" / "translations.py"
    spec = importlib.util.spec_from_file_location("viscodex_translations", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# The choice ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "environment", "system", "chosen"),
    [
        ("", {}, ["en-GB"], "en"),
        ("", {}, ["zh-Hans-CN", "en-US"], "zh_CN"),
        ("", {}, ["zh"], "zh_CN"),
        ("", {}, ["zh-Hant-TW", "zh-TW"], "en"),
        ("", {}, ["de-DE", "zh-Hans-CN"], "zh_CN"),
        ("", {}, [], "en"),
        ("", {"LANG": "zh_CN.UTF-8"}, ["en-US"], "zh_CN"),
        ("", {"LANG": "zh_HK.UTF-8"}, ["zh-Hans-CN"], "en"),
        ("", {"LANG": "en_US.UTF-8", "LC_ALL": "zh_SG.UTF-8@x"}, [], "zh_CN"),
        ("", {"LANG": "zh_CN.UTF-8", "LC_MESSAGES": "en_US.UTF-8"}, [], "en"),
        ("", {"LANG": "de_DE.UTF-8", "LANGUAGE": "fr:zh_CN:en"}, [], "zh_CN"),
        ("", {"LANG": "C.UTF-8", "LANGUAGE": "zh_CN"}, [], "en"),
        ("", {"LC_ALL": "POSIX", "LANG": "zh_CN.UTF-8"}, ["zh-CN"], "en"),
        ("", {"LANGUAGE": "zh_CN"}, ["en-US"], "zh_CN"),
        ("zh_CN", {"LANG": "en_US.UTF-8"}, [], "zh_CN"),
        ("en", {"LANG": "zh_CN.UTF-8"}, [], "en"),
        ("xx", {"LANG": "zh_CN.UTF-8"}, [], "en"),
    ],
)
def test_choice(
    setting: str, environment: dict[str, str], system: Sequence[str], chosen: str
) -> None:
    assert language.choose(setting, environment, system) == chosen


def test_english_needs_no_catalogue_and_a_missing_one_is_english(tmp_path: Path) -> None:
    assert language.catalogue("en").gettext("Cancel") == "Cancel"
    assert language.catalogue("zh_CN", tmp_path).gettext("Cancel") == "Cancel"
    assert language.catalogue("zh_CN").gettext("Cancel") == "取消"


def test_the_command_line_stays_english_and_knows_no_qt() -> None:
    import subprocess

    code = (
        "import sys, app.download_words, app.i18n, app.phrases\n"
        "print(app.download_words.span(120), 'PySide6' in sys.modules)"
    )
    environment = {"LANG": "zh_CN.UTF-8", "LANGUAGE": "zh_CN", "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.stdout.split() == ["2", "min", "False"], done.stderr


# Start of the application -------------------------------------------------------------------------


@pytest.fixture
def start(
    qapp: QApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: Any
) -> Iterator[Any]:
    """Makes windows as the program does, with the settings of one file."""
    monkeypatch.setenv("VISCODEX_MODELS", str(tmp_path / "models"))
    QSettings.setPath(QSettings.Format.NativeFormat, QSettings.Scope.UserScope, str(tmp_path))
    made: list[Any] = []

    def make() -> Any:
        made.append(make_window(qapp, tmp_path / "settings.json"))
        return made[-1]

    yield make
    for window in made:
        window.quit()
        window.deleteLater()
    qtbot.wait(50)


def closes() -> str:
    """What Qt writes on a standard button."""
    box = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    return box.buttons()[0].text()


def test_the_setting_survives_and_counts_from_the_next_start(start: Any, tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    first = start()
    assert first.bar.generate.text() == "Generate"
    first.keep(language="zh_CN")
    assert first.bar.generate.text() == "Generate"
    assert store.load(path).settings.language == "zh_CN"
    first.quit()
    second = start()
    assert second.bar.generate.text() == "生成"
    assert second.actions_by_name["snip"].text() == "截取屏幕"
    assert closes() == "关闭"  # Qt's own words
    assert QLocale().name() == "zh_CN"
    second.keep(language="en")
    second.quit()
    assert start().bar.generate.text() == "Generate"
    assert closes() == "Close"


def test_languages_are_offered_by_their_own_names(start: Any, tmp_path: Path) -> None:
    store.save(store.Settings(language="zh_CN", first_run_done=True), tmp_path / "settings.json")
    window = start()
    window.actions_by_name["settings"].trigger()
    settings = next(one for one in window.children() if isinstance(one, SettingsWindow))
    row = next(row for row in settings.rows if row.row.field == "language")
    box: Any = row.control
    assert [box.itemText(n) for n in range(box.count())] == ["跟随系统", "English", "简体中文"]
    assert [box.itemData(n) for n in range(box.count())] == ["", "en", "zh_CN"]
    assert box.currentText() == "简体中文"
    assert "下次启动" in box.accessibleDescription()


def test_no_language_is_left_over(qapp: QApplication) -> None:
    assert i18n._("Cancel") == "Cancel"
    assert type(i18n.present()) is gettext.NullTranslations
    assert not qapp.findChildren(QTranslator)
    assert QLocale() == QLocale.system()


# Catalogues ---------------------------------------------------------------------------------------


def forms(message: Any) -> list[str]:
    return [message.id] if isinstance(message.id, str) else list(message.id)


def translations(message: Any) -> list[str]:
    return [message.string] if isinstance(message.string, str) else list(message.string)


def test_template_and_compiled_files_are_up_to_date(tool: ModuleType) -> None:
    """Else: make translations."""
    template = (tool.LOCALE / "viscodex.pot").read_bytes()
    assert tool.text_of(tool.extract()) == template
    assert tool.languages() == [one for one in language.LANGUAGES if one != "en"]
    for name in tool.languages():
        assert tool.compiled(tool.read(name)) == tool.place(name, ".mo").read_bytes()


def test_every_text_is_translated_with_its_places(tool: ModuleType) -> None:
    wanted = {tuple(forms(one)) for one in tool.extract() if one.id}
    for name in tool.languages():
        catalogue = tool.read(name)
        assert {tuple(forms(one)) for one in catalogue if one.id} == wanted
        for message in catalogue:
            if not message.id:
                continue
            assert tool.is_complete(message), message.id
            assert not message.fuzzy, message.id
            places = set(PLACE.findall(forms(message)[-1]))
            for text in translations(message):
                assert set(PLACE.findall(text)) == places, message.id
                assert text.count("\n") == forms(message)[0].count("\n")
                assert text == text.strip() or not forms(message)[0].strip()


def test_places_have_names(tool: ModuleType) -> None:
    for message in tool.extract():
        for text in forms(message) if message.id else ():
            assert "" not in PLACE.findall(text), text
            assert "%s" not in text and "%d" not in text, text


def test_filters_of_file_dialogs_keep_their_patterns(tool: ModuleType) -> None:
    for name in tool.languages():
        for message in tool.read(name):
            for text in forms(message) if message.id else ():
                if "(*" in text:
                    found = re.findall(r"\(\*[^)]*\)|\(\*\)|;;", text)
                    assert re.findall(r"\(\*[^)]*\)|\(\*\)|;;", translations(message)[0]) == found


def test_plural_forms(qapp: QApplication) -> None:
    one, many = "{count} picture waits", "{count} pictures wait"
    assert [i18n.ngettext(one, many, n) for n in (0, 1, 2)] == [many, one, many]
    language.install(qapp, "zh_CN")
    assert {i18n.ngettext(one, many, n) for n in (0, 1, 2)} == {"{count} 张图片正在等待"}


def test_what_translates_is_never_hidden() -> None:
    """A name `_` for what nobody needs would hide the function in the whole of its function."""
    found = []
    for path in sorted((ROOT / "app").rglob("*.py")):
        for scope in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(scope, ast.FunctionDef | ast.Lambda):
                continue
            inside = list(ast.walk(scope))
            calls = any(
                isinstance(one, ast.Call) and isinstance(one.func, ast.Name) and one.func.id == "_"
                for one in inside
            )
            arguments = [one.arg for one in inside if isinstance(one, ast.arg)]
            if calls and isinstance(scope, ast.Lambda) and "_" in arguments:
                found.append(f"{path.name}:{scope.lineno}")
    assert found == []


# Phrases ------------------------------------------------------------------------------------------

COMPOSED = ("{what} (8-bit", "{what}: it needs", "Picture and code travel", "Qt WebEngine {")
"""Made of several pieces, or with a place that is filled from elsewhere."""


def texts_of_sources() -> set[str]:
    """Every text in the sources that phrases come from, with {} for what is filled in."""
    found = set(re.findall(r'": "([^"\n]+)"', (ROOT / "assets" / "models.json").read_text()))
    paths = [*(ROOT / "engine").rglob("*.py"), *(ROOT / "app").rglob("*.py")]
    for path in paths:
        if path.name == "phrases.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                found.add(
                    "".join(
                        str(one.value) if isinstance(one, ast.Constant) else "{}"
                        for one in node.values
                    )
                )
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found


def test_every_phrase_is_still_said_somewhere() -> None:
    said = texts_of_sources()
    for phrase in phrases.PHRASES:
        if not phrase.startswith(COMPOSED):
            assert re.sub(r"\{\w+\}", "{}", phrase) in said, phrase


def test_phrases_are_known_by_their_shape(qapp: QApplication) -> None:
    language.install(qapp, "zh_CN")
    told = phrases.translated
    assert told("RTX 4090: the whole model (8-bit cache)") == "RTX 4090：整个模型（8 位缓存）"
    both = told("RTX: only the vision part, but that failed; processor")
    assert both == "RTX：仅视觉部分，但失败了; 处理器"
    assert told("reads a printed word") == "能识别印刷文字"
    assert told("something nobody knows") == "something nobody knows"
    assert told("") == ""
