"""The status bar: what happens, how far, how fast, on what."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction, QPainter, QPaintEvent
from PySide6.QtWidgets import QLabel, QProgressBar, QStatusBar, QWidget

from app.i18n import _, ngettext
from app.messages import COMPUTES, STATES, TARGET_NAMES, state_text
from app.phrases import translated
from app.session import EngineState, Session, State
from app.views.dress import Chip, Dresser, IconLabel, flat_button

_TONES = {"neutral": "muted", "busy": "accent", "good": "good", "warn": "warn", "bad": "bad"}


class _State(QLabel):
    """Ends in an ellipsis where there is no room for it; reads out the whole."""

    def minimumSizeHint(self) -> QSize:
        return QSize(60, super().minimumSizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        short = self.fontMetrics().elidedText(
            self.text(), Qt.TextElideMode.ElideRight, self.width()
        )
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawText(self.rect(), self.alignment(), short)
        painter.end()


class StatusBar(QStatusBar):
    """Shows a session. `refresh` is called after each change and a few times a second."""

    def __init__(self, dresser: Dresser, cancel: QAction) -> None:
        """`cancel` is shown while a model is loaded that no conversion waits for."""
        super().__init__()
        self.setSizeGripEnabled(False)
        self.setContentsMargins(12, 0, 12, 4)
        self._dresser = dresser
        self._icon = IconLabel(16)
        self._shown: tuple[str, str] = ("", "")
        self._compact = False
        self.state = _State()
        self.state.setAccessibleName(_("State"))
        self.progress = QProgressBar()
        self.progress.setAccessibleName(_("Progress"))
        self.progress.setTextVisible(False)
        self.progress.setFixedWidth(140)
        self.speed = QLabel()
        self.speed.setAccessibleName(_("Speed"))
        self.device = Chip(_("Device"))
        self.offline = Chip(_("Network"))
        self.show_server("")
        self.stop = flat_button(cancel)
        self.stop.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.stop.hide()
        for shown in (self._icon, self.state, self.progress, self.stop):
            self.addWidget(shown)
        for widget in (self.speed, self.device, self.offline):
            self.addPermanentWidget(widget)

    def add_first(self, widget: QWidget) -> None:
        """Put a widget before the others at the right, where it stays in sight longest."""
        self.insertPermanentWidget(4, widget)

    def set_compact(self, compact: bool) -> None:
        """Leave out what is always the same and what is only of interest, for a small window."""
        self._compact = compact
        self.offline.setVisible(not compact)
        self.speed.setVisible(not compact)

    def show_server(self, name: str) -> None:
        """Say where pictures go: to the server `name`, or nowhere for ""."""
        if name:
            words = _("Server: {name}").format(name=name)
            self.offline.show_text(words, _("Pictures are converted on this server."))
        else:
            self.offline.show_text(_("Offline"), _("Pictures stay on this computer."))
        self.offline.setVisible(not self._compact)

    def refresh(self, session: Session) -> None:
        """Show the present facts."""
        entry = state_text(session)
        key = (entry.icon, _TONES[entry.tone])
        if key != self._shown:
            self._shown = key
            self._dresser.icon(self._icon, *key)
        self.state.setText(_state_text(session))
        self.progress.setVisible(session.busy or session.can_stop_loading)
        self.stop.setVisible(session.can_stop_loading)
        progress = session.progress if session.busy else session.load_progress
        if progress is None:
            self.progress.setRange(0, 0)
        else:
            self.progress.setRange(0, 1000)
            self.progress.setValue(round(1000 * progress))
        self.speed.setText(_speed_text(session))
        model = _("Model: {name}").format(name=session.model) if session.model else ""
        told = (model, translated(session.device_note))
        self.device.show_text(translated(session.device), "\n".join(filter(None, told)))


def _state_text(session: Session) -> str:
    entry, result = state_text(session), session.result
    text = _(entry.text)
    if entry is not STATES[session.state]:
        return _with_share(text, session.load_progress)
    if session.state is State.LOADING:
        text = _with_share(text, session.progress)
    if session.state in {State.EMPTY, State.READY} and session.engine is EngineState.READY:
        return _(COMPUTES).format(device=_computes(session))
    if session.state is State.COMPARING:
        number, total = session.compared
        text = _("Comparing {number} of {total}").format(number=number, total=total)
    if session.busy:
        text = result.note or text
        return " · ".join((text, _seconds(session.elapsed)))
    if session.state is State.DONE and not result.seconds:  # a version that was there
        return " · ".join(filter(None, (text, result.note)))
    if session.state in {State.DONE, State.TRUNCATED}:
        parts = [text, _seconds(result.seconds)]
        if result.target and session.target == "auto":
            name = _(TARGET_NAMES.get(result.target, result.target))
            words = _("recognised as {kind}")
            if result.confidence is not None:
                words = _("recognised as {kind} ({percent} %)")
            percent = round(100 * (result.confidence or 0.0))
            parts.append(words.format(kind=name, percent=percent))
        return " · ".join(parts)
    return text


def _with_share(text: str, share: float | None) -> str:
    return text if share is None else f"{text} · {round(100 * share)} %"


def _computes(session: Session) -> str:
    """In a word what conversions are computed on: a server by its name."""
    if session.graphics:
        return "GPU"
    return "CPU" if session.device.startswith("CPU") else session.device


def _speed_text(session: Session) -> str:
    result = session.result
    if not result.tokens:
        return ""
    words = ngettext("{count} token", "{count} tokens", result.tokens)
    parts = [words.format(count=result.tokens)]
    if result.tokens_per_second >= 0.05:
        parts.append(_("{number} tokens/s").format(number=f"{result.tokens_per_second:.0f}"))
    return " · ".join(parts)


def _seconds(number: float) -> str:
    return _("{number} s").format(number=f"{number:.1f}")
