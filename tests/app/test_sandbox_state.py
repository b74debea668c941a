"""What Chromium says of its sandbox: asked for real, with the sandbox and without it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.finding import Finding
from app.preview.policy import FLAGS_VARIABLE
from app.preview.sandbox_state import NAME, SandboxState, finding_of
from app.views.diagnostics_window import PAGES, DiagnosticsWindow
from app.views.main_window import MainWindow
from app.views.windows import Windows
from tests.app.scripted import ScriptedClient
from tests.app.windows import Make, request

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Chromium has the page on Linux")

PAGE = """Sandbox Status
Layer 1 Sandbox\t{layer}
PID namespaces\tYes
Network namespaces\tYes
Seccomp-BPF sandbox\t{seccomp}
Seccomp-BPF sandbox supports TSYNC\tYes

You are {verdict} sandboxed."""


@pytest.mark.parametrize(
    ("layer", "seccomp", "verdict", "ok", "detail"),
    [
        ("Namespace", "Yes", "adequately", True, "namespaces, seccomp-BPF: adequately"),
        ("SUID", "Yes", "adequately", True, "SUID helper, seccomp-BPF: adequately"),
        ("None", "No", "NOT adequately", False, "no namespaces, no seccomp-BPF: NOT adequately"),
        ("Namespace", "No", "NOT adequately", False, "namespaces, no seccomp-BPF: NOT adequately"),
        ("Magic", "Yes", "adequately", False, "could not be told"),
        ("Namespace", "Perhaps", "adequately", False, "could not be told"),
        ("Namespace", "Yes", "hardly", False, "could not be told"),
    ],
)
def test_what_the_page_says(layer: str, seccomp: str, verdict: str, ok: bool, detail: str) -> None:
    found = finding_of(PAGE.format(layer=layer, seccomp=seccomp, verdict=verdict))
    assert found.ok is ok and found.detail.startswith(detail)
    assert found.name == NAME == PAGES and not found.needed


def test_an_empty_page_says_nothing() -> None:
    assert finding_of("").detail.startswith("could not be told")


def asked(state: SandboxState, qtbot: Any) -> Finding:
    with qtbot.waitSignal(state.told, timeout=60_000) as caught:
        state.start()
    (finding,) = caught.args
    return finding


def test_it_is_asked_for_real_again_and_again(qapp: Any, qtbot: Any) -> None:
    state = SandboxState(lambda: True)
    for _ in range(2):
        finding = asked(state, qtbot)
        off = os.environ.get("VISCODEX_RENDER_NO_SANDBOX") == "1"
        assert finding.ok is not off
        assert finding.detail.endswith("sandboxed, says Chromium")
    qtbot.waitUntil(lambda: state._page is None)
    state.close()


def test_with_its_sandbox_on_it_agrees_with_the_kernel() -> None:
    """As somebody who is not root, in a namespace of users: Chromium then starts its sandbox."""
    command = [sys.executable, "-m", "tests.app.drive_sandbox"]
    if os.geteuid() == 0:
        if shutil.which("unshare") is None:
            pytest.skip("unshare is not installed")
        user = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
        if subprocess.run([*user, "true"], capture_output=True, check=False).returncode:
            pytest.skip("no user namespaces here")
        command = [*user, *command]
    off = ("VISCODEX_RENDER_NO_SANDBOX", "QTWEBENGINE_DISABLE_SANDBOX", FLAGS_VARIABLE)
    environment = {name: value for name, value in os.environ.items() if name not in off}
    ended = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    if "No usable sandbox" in ended.stderr:
        pytest.skip("this system lets Chromium make no sandbox")
    told = json.loads(ended.stdout)
    assert told["ok"] is True, told
    assert "seccomp-BPF: adequately sandboxed, says Chromium" in told["detail"]
    assert told["seccomp"] == 2  # SECCOMP_MODE_FILTER


def test_a_page_that_is_not_there_or_dies_is_told_honestly(qapp: Any, qtbot: Any) -> None:
    state = SandboxState(lambda: True)
    state.address = "chrome://none-of-that/"
    assert asked(state, qtbot).detail.startswith("could not be told")
    state = SandboxState(lambda: False)
    assert asked(state, qtbot).detail == "could not be told: the preview is off"


def test_a_hidden_page_that_crashes_is_told(qapp: Any, qtbot: Any) -> None:
    state = SandboxState(lambda: True)
    state.start()
    page = state._page
    assert page is not None
    page.loadFinished.disconnect(state._loaded)  # else it may have answered already
    qtbot.waitUntil(lambda: page.renderProcessPid() > 0, timeout=30_000)
    with qtbot.waitSignal(state.told, timeout=30_000) as caught:
        os.kill(page.renderProcessPid(), signal.SIGKILL)
    (finding,) = caught.args
    assert finding.detail == "could not be told: Chromium's page on it crashed"
    state.close()


def diagnostics(window: MainWindow) -> DiagnosticsWindow:
    Windows(window)
    (windows,) = window.findChildren(Windows)
    window.actions_by_name["diagnostics"].trigger()
    opened = windows.window("diagnostics")
    assert isinstance(opened, DiagnosticsWindow)
    return opened


def test_it_is_a_line_of_the_diagnostics_and_of_the_report(
    make_window: Make, qtbot: Any, tmp_path: Path
) -> None:
    window = diagnostics(make_window(ScriptedClient, request, web=True))
    names = list(window.checks.rows)
    assert names[names.index("isolation") + 1] == PAGES
    qtbot.waitUntil(lambda: "says Chromium" in window.checks.text(PAGES), timeout=60_000)
    window.save_to(tmp_path / "report.txt")
    qtbot.waitUntil((tmp_path / "report.txt").exists, timeout=30_000)
    report = (tmp_path / "report.txt").read_text()
    assert PAGES in report and "sandboxed, says Chromium" in report


def test_without_a_preview_nothing_is_claimed(make_window: Make, qtbot: Any) -> None:
    window = diagnostics(make_window(ScriptedClient, request, web=False))
    assert window.checks.text(PAGES) == "could not be told: the preview is off"
    assert window.checks.rows[PAGES][0].accessibleName() == "attention"
