"""Diagnostics: what runs on what and why, a check of every part, the log, and the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QShowEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from app.controller import Controller, failure_of
from app.examination import Examination
from app.files import write_whole
from app.finding import Finding
from app.i18n import N_, _
from app.log import last_lines
from app.phrases import translated
from app.preview.sandbox_state import NAME as PAGES
from app.preview.sandbox_state import SandboxState
from app.shelf import Owner
from app.store.settings import Settings
from app.theme import code_font
from app.views.dress import Dresser, IconLabel, announce
from app.views.fields import Page, Window, button, heading, text_label

SHOWN_LINES = 200  # of the log
CHECKS: Mapping[str, str] = {
    "python": "Python",
    "engine": "llama.cpp",
    "devices": N_("Devices"),
    "model": N_("Bundled model"),
    "text reader": N_("Text reader"),
    "html preview": N_("Drawing pages"),
    "chart preview": N_("Drawing charts"),
    "isolation": N_("Isolation of charts"),
    PAGES: N_("Isolation of pages"),
    "capture": N_("Snipping"),
}
"""Names of the checks for people, in their order. That of pages is of this process and told by its
own Chromium; all others are those of `app.doctor`."""


class DiagnosticsWindow(Window):
    """Looks when it is opened; nothing here waits on the GUI thread."""

    def __init__(
        self,
        parent: QWidget,
        owner: Owner,
        controller: Controller,
        dresser: Dresser,
        preview: Callable[[], str],
        log_folder: Path | None = None,
        pages: SandboxState | None = None,
    ) -> None:
        """`pages` is None where there is no such check."""
        super().__init__(parent, _("Diagnostics"), 720, 640)
        self._owner = owner
        self._controller = controller
        self._preview = preview
        self._log_folder = log_folder
        self.examination = Examination(self)
        self._pages = pages
        self._page_finding: Finding | None = None
        self._names = [name for name in CHECKS if name != PAGES or pages is not None]
        self.engine = _Table(dresser)
        self.checks = _Table(dresser)
        self.log = QPlainTextEdit()
        self.log.setObjectName("log")
        self.log.setReadOnly(True)
        self.log.setAccessibleName(_("Log"))
        self.log.setFont(code_font())
        self.log.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.log.setTabChangesFocus(True)
        self.log.setMinimumHeight(140)
        self.log.setPlaceholderText(_("Nothing has been written yet."))
        self.again = button(_("Run the checks again"), self.examine)
        self.copy = button(_("Copy report"), self._copy, "primary")
        self.save = button(_("Save report…"), self._choose)
        self.note = text_label("", "muted")
        self.note.setAccessibleName(_("What became of the report"))
        page = Page(_("Diagnostics"))
        for title, widget in (
            (_("What converts"), self.engine), (_("Checks"), self.checks), (_("Log"), self.log),
        ):  # fmt: skip
            page.column.addWidget(heading(title))
            page.column.addWidget(widget)
        page.column.addStretch(1)
        foot = QVBoxLayout()
        foot.setContentsMargins(20, 8, 20, 14)
        foot.setSpacing(6)
        foot.addWidget(self.note)
        row = QHBoxLayout()
        row.setSpacing(8)
        for one in (self.copy, self.save, self.again):
            row.addWidget(one)
        row.addStretch(1)
        foot.addLayout(row)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(page, 1)
        layout.addLayout(foot)
        self.examination.found.connect(self._found)
        if pages is not None:
            pages.told.connect(self._pages_found)
        self.examination.done.connect(self._examined)
        controller.changed.connect(self._refresh)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._refresh()
        self._controller.tasks.run(
            partial(last_lines, SHOWN_LINES, self._log_folder), self._show_log, self._failed
        )
        if not self.examination.findings:
            self.examine()

    def close_down(self) -> None:
        """End what still runs."""
        self.examination.close()
        if self._pages is not None:
            self._pages.close()

    # What is shown --------------------------------------------------------------------------------

    def examine(self) -> None:
        """Run all checks again."""
        self.again.setEnabled(False)
        for name in self._names:
            self.checks.put(name, _(CHECKS[name]), _("checking…"), "busy")
        self._page_finding = None
        if self._pages is not None:
            self._pages.start()
        self.examination.start()

    def _found(self, finding: Finding) -> None:
        state = "good" if finding.ok else ("bad" if finding.needed else "warn")
        title = _(CHECKS.get(finding.name, finding.name))
        self.checks.put(finding.name, title, translated(finding.detail), state)

    def _pages_found(self, finding: Finding) -> None:
        self._page_finding = finding
        self._found(finding)

    @property
    def findings(self) -> list[Finding]:
        """What is known so far."""
        pages = [] if self._page_finding is None else [self._page_finding]
        return [*self.examination.findings, *pages]

    def _examined(self) -> None:
        self.again.setEnabled(True)
        findings = self.findings
        found = {one.name for one in findings}
        for name in self._names:
            if name not in found and name != PAGES:
                self.checks.put(name, _(CHECKS[name]), _("not checked"), "warn")
        bad = [_(CHECKS.get(one.name, one.name)) for one in findings if not one.ok]
        if bad:
            said = _("Checks done, not in order: {names}").format(names=", ".join(bad))
        else:
            said = _("Checks done, everything is in order")
        announce(self, said)

    def _refresh(self) -> None:
        if not self.isVisible():
            return
        for name, text in self._engine_facts().items():
            self.engine.put(
                name, _(name), translated(text) or _("known once a model is loaded"), ""
            )

    def _engine_facts(self) -> dict[str, str]:
        """In English, for the report."""
        session = self._controller.session
        return {
            N_("Model"): session.model,
            N_("Device"): session.device,
            N_("Why"): session.device_note,
            N_("Preview"): self._preview(),
        }

    def _show_log(self, lines: list[str]) -> None:
        self.log.setPlainText("\n".join(lines))
        bar = self.log.verticalScrollBar()
        bar.setValue(bar.maximum())

    # The report -----------------------------------------------------------------------------------

    def _copy(self) -> None:
        self._make("report.txt", self._copied)

    def _copied(self, text: str) -> None:
        QGuiApplication.clipboard().setText(text)
        self._say(_("The report is on the clipboard. There is nothing private in it."))

    def _choose(self) -> None:
        filters = _("Text (*.txt);;JSON (*.json)")
        name = QFileDialog.getSaveFileName(
            self, _("Save the report"), "viscodex-report.txt", filters
        )[0]
        if name:
            self.save_to(Path(name))

    def save_to(self, path: Path) -> None:
        """Write the report to a file: JSON for a name in .json, else text."""
        self._make(path.name, lambda text: self._write(path, text))

    def _write(self, path: Path, text: str) -> None:
        self._controller.tasks.run(
            partial(write_whole, path, text.encode()),
            lambda done: self._say(
                _("Saved {name}. There is nothing private in it.").format(name=path.name)
            ),
            self._failed,
        )

    def _make(self, name: str, then: Callable[[str], None]) -> None:
        settings, findings = self._owner.settings, self.findings
        if self.examination.running:
            self._say(_("The checks still run: the report has those that are done."))
        self._controller.tasks.run(
            partial(_report, name, settings, findings, self._engine_facts(), self._log_folder),
            then,
            self._failed,
        )

    def _failed(self, error: Exception) -> None:
        failure = failure_of(error)
        reason = getattr(error, "strerror", None) or failure.message
        self._say(_("That did not work: {reason}. Choose another place.").format(reason=reason))

    def _say(self, text: str) -> None:
        self.note.setText(text)
        announce(self, text)


def _report(
    name: str,
    settings: Settings,
    findings: list[Finding],
    engine: dict[str, str],
    log_folder: Path | None,
) -> str:
    from app.report import make_report

    report = make_report(findings, settings, log_folder, engine)
    return report.for_file(Path(name))


_STATES: Mapping[str, str] = {
    "good": N_("in order"),
    "warn": N_("attention"),
    "bad": N_("not in order"),
    "busy": N_("being checked"),
}
"""What the icon of a row says to screen readers."""


class _Table(QFrame):
    """Rows of a name and a text, with an icon for their state."""

    _ICONS: Mapping[str, tuple[str, str]] = {
        "good": ("done", "good"),
        "warn": ("warning", "warn"),
        "bad": ("error", "bad"),
        "busy": ("busy", "muted"),
    }

    def __init__(self, dresser: Dresser) -> None:
        super().__init__()
        self.setObjectName("box")
        self._dresser = dresser
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(14, 10, 14, 10)
        self._grid.setHorizontalSpacing(10)
        self._grid.setVerticalSpacing(6)
        self._grid.setColumnStretch(2, 1)
        self.rows: dict[str, tuple[IconLabel, QLabel]] = {}

    def put(self, key: str, name: str, text: str, state: str) -> None:
        """Show a row, in the place of the one with its key."""
        if key not in self.rows:
            self._add(key, name, state)
        icon, label = self.rows[key]
        if state:
            self._dresser.icon(icon, *self._ICONS[state])
            icon.setAccessibleName(_(_STATES[state]))
        label.setText(text)
        label.setAccessibleName(f"{name}: {text}")

    def text(self, key: str) -> str:
        """What stands in a row."""
        return self.rows[key][1].text()

    def _add(self, key: str, name: str, state: str) -> None:
        at = self._grid.rowCount()
        icon, title, label = IconLabel(16), QLabel(name), text_label("", "muted")
        label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        top = Qt.AlignmentFlag.AlignTop
        if state:
            self._grid.addWidget(icon, at, 0, top)
        self._grid.addWidget(title, at, 1, top)
        self._grid.addWidget(label, at, 2)
        self.rows[key] = (icon, label)
