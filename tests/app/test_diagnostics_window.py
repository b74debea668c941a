"""Diagnostics: the real checks in their own process, the report, the log; nothing private."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication

from app.examination import Examination
from app.finding import Finding
from app.log import FILE_NAME
from app.store.settings import RemoteServer
from app.views.diagnostics_window import CHECKS, PAGES, DiagnosticsWindow
from app.views.main_window import MainWindow
from app.views.windows import Windows
from tests.app.looks import clipped, lengthen, nameless
from tests.app.scripted import ScriptedClient
from tests.app.windows import Make, request

LINE = "2026-01-01 10:00:00 INFO app.main: started"


@pytest.fixture
def main(make_window: Make) -> MainWindow:
    window = make_window(ScriptedClient, request)
    window.controller._bridge.start()
    return window


@pytest.fixture
def window(main: MainWindow, tmp_path: Path, qtbot: Any) -> Iterator[DiagnosticsWindow]:
    """With findings already, so that the checks do not run for every test."""
    (tmp_path / FILE_NAME).write_text(LINE + "\n")
    made = DiagnosticsWindow(
        main, main, main.controller, main.dresser, lambda: "Qt WebEngine", tmp_path
    )
    for name in CHECKS:
        made.examination._take(Finding(name, name != "model", f"said of {name}", name != "capture"))
    qtbot.waitUntil(lambda: bool(main.controller.session.model))
    made.show()
    yield made
    made.close_down()
    made.close()


def test_checks_are_named_as_the_doctor_names_them() -> None:
    from app.doctor import CHECKS as DONE

    assert [name for name in CHECKS if name != PAGES] == [name for name, _, _ in DONE]


def test_it_tells_what_converts_and_why(window: DiagnosticsWindow, main: MainWindow) -> None:
    main.controller.session.engine_ready("nano", "CUDA0", "RTX: the whole model")
    assert window.engine.text("Model") == "nano"
    assert window.engine.text("Device") == "CUDA0"
    assert window.engine.text("Why") == "RTX: the whole model"
    assert window.engine.text("Preview") == "Qt WebEngine"


def test_findings_and_log(window: DiagnosticsWindow, qtbot: Any) -> None:
    assert window.checks.text("isolation") == "said of isolation"
    assert window.checks.rows["model"][0].accessibleName() == "not in order"
    assert window.checks.rows["python"][0].accessibleName() == "in order"
    qtbot.waitUntil(lambda: window.log.toPlainText() == LINE)


@pytest.mark.slow
def test_the_real_checks_run_beside_the_window(
    main: MainWindow, qtbot: Any, tmp_path: Path
) -> None:
    windows = Windows(main)
    main.actions_by_name["diagnostics"].trigger()
    window = windows.window("diagnostics")
    assert isinstance(window, DiagnosticsWindow)
    assert not window.again.isEnabled() and window.examination.running
    qtbot.waitUntil(lambda: window.checks.text("python").startswith("Python 3"), timeout=60_000)
    qtbot.waitUntil(window.again.isEnabled, timeout=180_000)
    assert {one.name for one in window.findings} == set(window.checks.rows)
    assert "llama-cpp-python" in window.checks.text("engine")
    assert "CPU" in window.checks.text("devices")
    assert "whole" in window.checks.text("model")
    window.again.click()
    assert window.checks.text("python") == "checking…"
    window.copy.click()  # with what is known so far
    qtbot.waitUntil(lambda: "clipboard" in window.note.text(), timeout=20_000)
    main.quit()
    assert not window.examination.running


def test_checks_that_die_are_told(qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHOME", "/nowhere")  # then no Python starts
    examination = Examination()
    with qtbot.waitSignal(examination.done, timeout=20_000):
        examination.start()
    (found,) = examination.findings
    assert not found.ok and "ended early" in found.detail
    assert not examination.running


def test_the_report_is_copied_and_saved_without_anything_private(
    window: DiagnosticsWindow, main: MainWindow, tmp_path: Path, qtbot: Any
) -> None:
    main.keep(
        model="/home/jane/planted.gguf",
        servers=(RemoteServer("planted", "https://planted.example", "planted-7b"),),
    )
    main.controller.session.engine_ready("planted", "CPU", "of /home/jane/planted.gguf")
    window.copy.click()
    qtbot.waitUntil(lambda: "clipboard" in window.note.text(), timeout=20_000)
    text = QGuiApplication.clipboard().text()
    assert "said of devices" in text and "Engine" in text and "Device: CPU" in text
    assert "planted" not in text and "jane" not in text
    window.save_to(tmp_path / "report.json")
    qtbot.waitUntil(lambda: window.note.text().startswith("Saved report.json"))
    saved = json.loads((tmp_path / "report.json").read_text())
    assert saved["Engine"]["Model"] == "one of their own"
    assert LINE in saved["Log"]


@pytest.mark.skipif(os.name == "nt", reason="folders of POSIX")
def test_a_place_that_cannot_be_written_is_told(
    window: DiagnosticsWindow, tmp_path: Path, qtbot: Any
) -> None:
    window.save_to(tmp_path / "no such folder" / "report.txt")
    qtbot.waitUntil(lambda: window.note.text().startswith("That did not work: No such file"))


@pytest.mark.parametrize("size", [(720, 640), (440, 420)])
def test_names_long_words_and_esc(
    window: DiagnosticsWindow, qtbot: Any, size: tuple[int, int]
) -> None:
    assert nameless(window) == []
    window.resize(*size)
    lengthen(window.checks)
    assert clipped(window.checks) == []
    qtbot.keyClick(window.copy, Qt.Key.Key_Escape)
    assert not window.isVisible()
