"""Downloads that go on while the main window is used: how far, how fast, Pause and Cancel."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QPushButton, QWidget

from app.i18n import _
from app.jobs import Job
from app.shelf import Shelf
from app.views.dress import Dresser, IconLabel, ShortLabel
from app.views.model_content import Content, of_job

BAR_WIDTH = 140


class DownloadStrip(QFrame):
    """One row for the download that was begun last; hidden while there is none."""

    def __init__(self, shelf: Shelf, dresser: Dresser) -> None:
        super().__init__()
        self.setObjectName("banner")
        self._shelf = shelf
        self._name = ""
        icon = IconLabel(18)
        dresser.icon(icon, "model", "accent")
        self.title = QLabel()
        self.title.setObjectName("bannerTitle")
        self.title.setTextFormat(Qt.TextFormat.PlainText)
        self.status = ShortLabel()
        self.status.setObjectName("bannerText")
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setFixedWidth(BAR_WIDTH)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(14, 5, 8, 5)
        layout.setSpacing(8)
        self.buttons: dict[str, QPushButton] = {}
        jobs = shelf.jobs
        for widget in (icon, self.title):
            layout.addWidget(widget)
        layout.addWidget(self.status, 1)
        layout.addWidget(self.progress)
        for key, text, call in (
            ("pause", _("Pause"), jobs.pause),
            ("resume", _("Resume"), jobs.resume),
            ("cancel", _("Cancel"), jobs.cancel),
        ):
            button = QPushButton(text)
            button.setAccessibleName(text)
            button.setAutoDefault(False)
            button.clicked.connect(partial(self._press, call))
            self.buttons[key] = button
            layout.addWidget(button)
        shelf.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show what is true now."""
        going_on = [job for job in self._shelf.jobs.all() if job.kind == "pull" and not job.over]
        self.setVisible(bool(going_on))
        if going_on:
            self._show(going_on[-1], len(going_on))

    def _show(self, job: Job, count: int) -> None:
        self._name = job.name
        content = of_job(job)
        more = _(" (and {count} more)").format(count=count - 1) if count > 1 else ""
        self.title.setText(f"{job.title}{more}")
        self.status.show_text(content.status)
        self._show_progress(content)
        shown = {key: words for key, words, _kind in content.buttons}
        for key, button in self.buttons.items():
            words = shown.get(key, "")
            _follow(button, words, f"{words}: {job.title}")

    def _show_progress(self, content: Content) -> None:
        share = -1.0 if content.progress is None else content.progress
        self.progress.setAccessibleName(_("Progress of {title}").format(title=content.title))
        self.progress.setRange(0, 0 if share < 0 else 1000)
        self.progress.setValue(round(1000 * share))

    def _press(self, call: Callable[[str], None], *_ignored: object) -> None:
        call(self._name)


def _follow(button: QPushButton, words: str, name: str) -> None:
    """Words and name of a button; one without words gives way, and hands the focus on."""
    had_focus = button.hasFocus()
    button.setVisible(bool(words))
    if words:
        button.setText(words)
        button.setAccessibleName(name)
    elif had_focus:
        around: QWidget | None = button.parentWidget()
        if around is not None:
            around.focusNextChild()
