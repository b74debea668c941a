"""The main window: lays out the panes and shows what the controller tells."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from PySide6.QtCore import QByteArray, QTimer, QUrl, Signal
from PySide6.QtGui import (
    QAction,
    QDesktopServices,
    QDragEnterEvent,
    QDropEvent,
    QGuiApplication,
    QPaintEvent,
    QResizeEvent,
    QShowEvent,
)
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from app import messages
from app.actions import ACTIONS, make_actions
from app.bootstrap import asset
from app.capture import main as capture
from app.capture.flow import SnipFlow
from app.capture.permissions import SETTINGS_ADDRESS
from app.controller import Controller, failure_of
from app.features import Features
from app.i18n import _, ngettext
from app.intake import may_hold_picture
from app.session import Failure, Picture, State
from app.store.settings import Settings
from app.theme import Theme
from app.views import dialogs, surface
from app.views.banner import Banner
from app.views.code_actions import CodeActions
from app.views.code_pane import CodePane
from app.views.desk import Desk
from app.views.dress import Dresser, announce
from app.views.kept_window import KeptWindow
from app.views.parts import Parts
from app.views.preview_pane import PreviewPane
from app.views.source_pane import SourcePane, decode
from app.views.start_page import StartPage
from app.views.status import StatusBar
from app.views.tool_bar import ToolBar
from app.views.workspace import Workspace

NARROW = 900
"""Below this width the picture stands above code and preview instead of beside them."""


class MainWindow(KeptWindow):
    """`painted` comes once, after the first paint: heavy parts start then.

    `kept(Settings)` comes after each change of a setting.
    """

    painted = Signal()
    reopen = Signal()
    hotkey_wanted = Signal()
    kept = Signal(object)

    def __init__(
        self, controller: Controller, theme: Theme, settings: Settings, parts: Parts
    ) -> None:
        super().__init__()
        self.setWindowTitle("VisCodex")
        self.setMinimumSize(520, 420)
        self.setAcceptDrops(True)
        self.controller = controller
        self.theme = theme
        self.settings = settings
        self.parts = parts
        self.dresser = Dresser(theme)
        self.actions_by_name: Mapping[str, QAction] = make_actions(self)
        for spec in ACTIONS:
            action = self.actions_by_name[spec.name]
            if spec.scope == "window":
                self.addAction(action)
            if spec.icon:
                self.dresser.icon(action, spec.icon)
        self._build()
        self._connect()
        self._restore()
        self._tick = QTimer(self)
        self._tick.setInterval(100)
        self._tick.timeout.connect(lambda: self.status.refresh(self.controller.session))
        self._said = ""
        self._first_paint = True
        self._refresh()

    # Set-up -----------------------------------------------------------------

    def _build(self) -> None:
        actions = self.actions_by_name
        self.bar = ToolBar(actions, self.dresser)
        self.banner = Banner(self.dresser)
        self.start = StartPage(actions, self.dresser)
        self.source = SourcePane(actions, self.dresser)
        self.code = CodePane(actions, self.dresser)
        self.preview = PreviewPane(
            actions, self.dresser, self.parts.make_runner, self.parts.web_allowed
        )
        self.outer = Workspace(self.source, self.code, self.preview)
        self.pages = QStackedWidget()
        self.pages.addWidget(self.start)
        self.pages.addWidget(self.outer)
        middle = QWidget()
        layout = QVBoxLayout(middle)
        layout.setContentsMargins(12, 10, 12, 4)
        layout.setSpacing(10)
        layout.addWidget(self.bar)
        layout.addWidget(self.banner)
        self.desk = Desk(self.pages)
        layout.addWidget(self.desk, 1)
        self.setCentralWidget(middle)
        self.status = StatusBar(self.dresser, actions["cancel"])
        self.setStatusBar(self.status)
        self.flow = SnipFlow(self, self.parts.handlers, self.controller.tasks, self.parts.state)
        self._surface = surface.prepare(self) if self.parts.web_allowed else None

    def _connect(self) -> None:
        slots: dict[str, Callable[[], object]] = {
            "snip": self.flow.start,
            "snip_later": lambda: self.flow.start(self.settings.capture_delay),
            "capture_settings": lambda: QDesktopServices.openUrl(QUrl(SETTINGS_ADDRESS)),
            "reopen": self.reopen.emit,
            "open": self._open,
            "paste": self.paste,
            "sample": self._sample,
            "generate": self.controller.generate,
            "cancel": self.controller.cancel,
            "refresh": self.preview.redraw,
            "theme_toggle": self.theme.toggle,
            "pane_source": self.source.focus_pane,
            "pane_code": self.code.focus_pane,
            "pane_preview": self.preview.focus_pane,
            "pane_next": lambda: self.outer.step_pane(self.focusWidget(), 1),
            "pane_previous": lambda: self.outer.step_pane(self.focusWidget(), -1),
            "shortcuts": lambda: dialogs.show_shortcuts(self),
            "hotkey": self.hotkey_wanted.emit,
            "quit": self.quit,
        }
        for name, slot in slots.items():
            self.actions_by_name[name].triggered.connect(lambda *_, call=slot: call())
        for choice in ("system", "light", "dark"):
            self.actions_by_name[f"theme_{choice}"].triggered.connect(
                lambda *_, key=choice: self.theme.set_choice(key)
            )
        self.actions_by_name["scripts"].toggled.connect(self._set_scripts)
        self.actions_by_name["unwalled"].toggled.connect(self._set_unwalled)
        self.actions_by_name["auto_start"].toggled.connect(self._set_auto_start)
        for name in ("tray", "notifications"):
            self.actions_by_name[name].toggled.connect(
                lambda on, field=name: self.keep(**{field: on})
            )
        self.theme.changed.connect(self._theme_changed)
        self.kept.connect(self._follow_settings)
        self.bar.targets.chosen.connect(self._set_target)
        self.preview.width_chosen.connect(lambda key: self.keep(preview_width=key))
        self.preview.error_line.connect(self.code.edit.mark_error)
        self.controller.text_read.connect(self.preview.compare.set_lines)
        self.code.edit.picture_pasted.connect(
            lambda mime: self.controller.offer_mime(mime, _("Pasted picture"))
        )
        self.flow.taken.connect(lambda image: self.controller.offer_image(image, _("Snip")))
        self.controller.changed.connect(self._refresh)
        self.controller.picture_changed.connect(self._picture_changed)
        self.controller.code_changed.connect(self._code_changed)
        self.code_actions = CodeActions(self)
        self.features = Features(self)

    def _restore(self) -> None:
        settings, actions = self.settings, self.actions_by_name
        self.preview.set_scripts(settings.scripts)
        self.controller.auto_start = settings.auto_start
        self.controller.session.target = settings.target
        self.preview.set_width_choice(settings.preview_width)
        actions[f"theme_{self.theme.choice}"].setChecked(True)
        self._show_settings(settings)
        actions["sample"].setVisible(asset("samples/login.png") is not None)
        answer = capture.availability(self.parts.handlers)
        for name in ("snip", "snip_later"):
            actions[name].setEnabled(answer.ok)
            if not answer.ok:
                actions[name].setToolTip(
                    _("Not possible here: {reason}").format(reason=answer.reason)
                )
        # Only macOS wants a permission that counts from the next start.
        for name in ("capture_settings", "reopen"):
            actions[name].setEnabled(sys.platform == "darwin")
        self.resize(1200, 760)
        for name, restore in (
            ("geometry", self.restoreGeometry),
            ("outer", self.outer.restoreState),
            ("inner", self.outer.inner.restoreState),
        ):
            value = self.parts.state.value(f"window/{name}")
            if isinstance(value, QByteArray):
                restore(value)

    def _show_settings(self, settings: Settings) -> None:
        """Show settings, whoever has changed them."""
        for name in ("scripts", "unwalled", "auto_start", "tray", "notifications"):
            self.actions_by_name[name].setChecked(getattr(settings, name))
        self.bar.targets.set_choice(settings.target)
        if self.controller.session.target != settings.target:
            self.controller.set_target(settings.target)
        server = settings.remote.name if settings.remote is not None else ""
        self.status.show_server(server)
        self.start.show_server(server)

    def _follow_settings(self, settings: Settings) -> None:
        self._show_settings(settings)
        if self.theme.choice != settings.theme:
            self.theme.set_choice(settings.theme)

    # Events of the window ---------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._first_paint:
            self.setFocus()  # no control is preselected; Tab goes to the first

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self._first_paint:
            self._first_paint = False
            # By the time this timer fires the painted window has been flushed to the screen.
            QTimer.singleShot(0, self.painted.emit)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.outer.set_narrow(self.width() < NARROW)
        self.desk.set_narrow(self.width() < NARROW)
        self.features.fit(self.size())
        self.status.set_compact(self.width() < 640)

    def remember(self) -> None:
        state = self.parts.state
        state.setValue("window/geometry", self.saveGeometry())
        if self.width() >= NARROW:
            state.setValue("window/outer", self.outer.saveState())
        state.setValue("window/inner", self.outer.inner.saveState())

    def shut(self) -> None:
        self._tick.stop()
        self.flow.close()
        self.code_actions.close()
        self.preview.shut()
        self.controller.close()
        self.features.close()

    def tell(self, tone: str, title: str, text: str) -> None:
        """Show a notice that belongs to no conversion."""
        self.banner.present(tone, title, text)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if may_hold_picture(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        event.acceptProposedAction()
        self.controller.offer_mime(event.mimeData(), _("Dropped picture"))

    # What the controller tells ----------------------------------------------

    def _refresh(self) -> None:
        session, actions = self.controller.session, self.actions_by_name
        actions["generate"].setEnabled(session.can_generate)
        actions["cancel"].setEnabled(session.can_cancel or session.can_stop_loading)
        self.bar.show_busy(session.busy)
        if session.busy != self._tick.isActive():
            (self._tick.start if session.busy else self._tick.stop)()
        self.code.set_busy(session.busy)
        self.code.show_target(session.result.target)
        self.code_actions.refresh()
        self.status.refresh(session)
        self._speak()

    def _speak(self) -> None:
        session = self.controller.session
        entry = messages.state_text(session)
        said = _(entry.text)
        if entry is messages.STATES[State.DONE]:
            tokens = session.result.tokens
            said = ngettext("Done, {count} token", "Done, {count} tokens", tokens)
            said = said.format(count=tokens)
        silent = (messages.STATES[State.EMPTY], messages.STATES[State.FAILED])
        if said != self._said and entry not in silent:
            self._said = said
            announce(self, said)

    def _picture_changed(self) -> None:
        picture = self.controller.session.picture
        if picture is None:
            return
        self.banner.dismiss()
        self.source.announce_picture(picture)
        self.controller.tasks.run(
            partial(decode, picture.png),
            lambda image: self.source.show_image(image) if picture is self._picture() else None,
            lambda error: self.show_failure(failure_of(error)),
        )
        self.preview.set_source(picture)
        self.code.clear()
        self.code_actions.forget()
        self.preview.clear()
        self.pages.setCurrentWidget(self.outer)
        if not self.outer.isAncestorOf(self.focusWidget() or self):
            self.code.focus_pane()

    def _picture(self) -> Picture | None:
        return self.controller.session.picture

    def _code_changed(self, code: str, final: bool) -> None:
        session = self.controller.session
        if not code and session.busy:
            self.banner.dismiss()
            self.code.edit.mark_error(0)
            self.preview.clear()
        target = session.result.target or "html"
        self.code.show_code(code, target)
        if code.strip():
            self.preview.show_code(code, target, final)
        self._refresh()

    def show_failure(self, failure: Failure) -> None:
        """Show an error with its advice and the actions that help."""
        self.features.failing.show(failure)

    # Actions ----------------------------------------------------------------

    def paste(self) -> None:
        """Take the picture on the clipboard."""
        self.controller.offer_mime(QGuiApplication.clipboard().mimeData(), _("Pasted picture"))

    def _open(self) -> None:
        if (path := dialogs.open_picture(self)) is not None:
            self.controller.offer_path(path)

    def _sample(self) -> None:
        path = asset("samples/login.png")
        if path is not None:
            self.controller.offer_path(path)

    def _set_target(self, target: str) -> None:
        self.controller.set_target(target)
        self.keep(target=target)

    def _set_scripts(self, on: bool) -> None:
        self.preview.set_scripts(on)
        self.preview.redraw()
        self.keep(scripts=on)

    def _set_unwalled(self, on: bool) -> None:
        self.preview.set_unwalled(on)
        self.preview.redraw()
        self.keep(unwalled=on)

    def _set_auto_start(self, on: bool) -> None:
        self.controller.auto_start = on
        self.keep(auto_start=on)

    def _theme_changed(self) -> None:
        for choice in ("system", "light", "dark"):
            self.actions_by_name[f"theme_{choice}"].setChecked(choice == self.theme.choice)
        self.keep(theme=self.theme.choice)

    def keep(self, **changes: Any) -> None:
        """Change settings and keep them."""
        settings = replace(self.settings, **changes)
        if settings != self.settings:
            self.settings = settings
            self.parts.save_settings(settings)
            self.kept.emit(settings)
