"""The code: editor, find bar, changes against the version before, and what can be done with it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QFont, QKeyEvent, QKeySequence, QResizeEvent
from PySide6.QtWidgets import QMenu, QStackedWidget, QToolButton, QWidget

from app.changes import Row, compare_lines
from app.i18n import _
from app.messages import TARGET_NAMES
from app.tasks import TaskRunner
from app.views.changes_view import ChangesView
from app.views.code_edit import CodeEdit
from app.views.dress import ICON, Chip, Dresser, Pane, announce, flat_button
from app.views.find_bar import FindBar

LANGUAGES = {"html": "html", "matplotlib": "python"}
SETTLE_MS = {"html": 300, "matplotlib": 800}
"""Target -> so long nothing is typed before the code is drawn; a chart costs more than a page."""

NOTE_MS = 1500
NOTE_MARGIN = 140
"""Room in the header, in pixels, that a note leaves to copying and the menu."""

_MENU = (
    ("find", "replace", "changes"),
    ("copy_selection", "save", "open_editor"),
    ("export_folder", "export_page"),
    ("wrap", "zoom_in", "zoom_out", "zoom_reset"),
)


class CodePane(Pane):
    """`edited` tells that the user changed the code; streaming code does not count.

    `settled` follows when the typing has paused. Keys of actions with the scope "code" hold
    while the focus is in this pane, and there come before keys of the window.
    """

    edited = Signal()
    settled = Signal()

    def __init__(self, actions: Mapping[str, QAction], dresser: Dresser) -> None:
        super().__init__(_("Code"))
        self.busy = False
        self._actions = actions
        self._target = "html"
        self._arrived = ""  # the code before the user changed it
        self._previous: tuple[str, str] | None = None
        self._tasks = TaskRunner(self)
        self._comparison = 0
        self.target = Chip(_("Kind of code"))
        self.state = Chip(_("State of the code"))
        self.note = Chip(_("Note"))
        self.edit = CodeEdit(dresser.theme)
        self.finder = FindBar(self.edit, actions, dresser)
        self.changes = ChangesView(dresser.theme)
        self.changes.take_font(self.edit.font())
        self.stack = QStackedWidget()
        self.stack.addWidget(self.edit)
        self.stack.addWidget(self.changes)
        self._fill_header(dresser)
        self.body.setSpacing(0)
        self.body.addWidget(self.finder)
        self.body.addWidget(self.stack, 1)
        self._settle = _timer(self, SETTLE_MS["html"], self.settled.emit)
        self._note_timer = _timer(self, NOTE_MS, lambda: self._say(""))
        self._compare_timer = _timer(self, SETTLE_MS["html"], self._compare)
        self.edit.edited.connect(self._edited)
        self.edit.code_changed.connect(self._compare_soon)
        self.edit.zoomed.connect(lambda: self.changes.take_font(QFont(self.edit.font())))
        self.edit.copyAvailable.connect(actions["copy_selection"].setEnabled)
        actions["copy_selection"].setEnabled(False)
        actions["changes"].toggled.connect(self.show_changes)

    def _fill_header(self, dresser: Dresser) -> None:
        self.more = QToolButton()
        self.more.setObjectName("flat")
        self.more.setAccessibleName(_("More for the code"))
        self.more.setToolTip(_("More for the code"))
        self.more.setIconSize(ICON)
        self.more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self)
        menu.setAccessibleName(_("More for the code"))
        for group in _MENU:
            menu.addActions([self._actions[name] for name in group])
            menu.addSeparator()
        self.more.setMenu(menu)
        dresser.icon(self.more, "more")
        buttons = [flat_button(self._actions[name]) for name in ("changes", "copy", "save")]
        self.header.setSpacing(6)
        for chip in (self.target, self.state):
            self.header.addWidget(chip)
        self.header.addStretch(1)
        for widget in (self.note, *buttons, self.more):
            self.header.addWidget(widget)
        # What gives way in a narrow pane, first to last; everything of it is in the menu, too.
        self._yielding: list[QWidget] = [
            self.title, self.target, buttons[2], self.state, buttons[0],
        ]  # fmt: skip
        parent = self.header.parentWidget()
        if parent is not None:
            parent.setMinimumWidth(146)

    # The code ---------------------------------------------------------------

    def show_code(self, code: str, target: str) -> None:
        """Bring the editor to `code`, by inserting what is new."""
        self._target = target if target in LANGUAGES else "html"
        self._settle.stop()
        self.edit.highlighter.set_language(LANGUAGES[self._target])
        self.edit.stream(code)
        self._arrived = self.edit.code
        self._show_state(False)

    def clear(self) -> None:
        """Another picture: no code, and none before it."""
        self.set_previous(None)
        self.edit.mark_error(0)
        self.show_code("", "html")

    def set_busy(self, busy: bool) -> None:
        """Whether code arrives. What was there before is then the version to compare with."""
        if busy == self.busy:
            return
        if busy:
            self._settle.stop()
            if self.edit.code.strip():
                self.set_previous(self.edit.code)
        self.busy = busy
        self.edit.set_streaming(busy)
        self.finder.set_editable(not busy)

    def set_previous(self, code: str | None, name: str = "") -> None:
        """The version that "changes" compares with, and what people call it.

        None compares with the code as it came, before it was edited.
        """
        self._previous = None if code is None else (code, name or _("the version before"))
        self._compare_soon()

    def take(self, code: str) -> None:
        """Take a text from outside as an edit of the user's: drawn, and one step of undo."""
        self.edit.replace_code(code)

    @property
    def was_edited(self) -> bool:
        """Whether the user changed the code since it came."""
        return self.edit.code != self._arrived

    def _edited(self) -> None:
        self._show_state(self.was_edited)
        self.edited.emit()
        self._settle.start(SETTLE_MS[self._target])

    # Changes ----------------------------------------------------------------

    def show_changes(self, on: bool) -> None:
        """Show what differs from the version before, or the code."""
        here = self.stack.currentWidget()
        had_focus = here is not None and here.isAncestorOf(self.focusWidget() or self)
        self._actions["changes"].setChecked(on)
        if on:
            self.finder.hide()
            self._compare()
        self.stack.setCurrentWidget(self.changes if on else self.edit)
        if had_focus:
            self.focus_pane()

    def _compare_soon(self) -> None:
        if self.stack.currentWidget() is self.changes and not self._compare_timer.isActive():
            self._compare_timer.start()

    def _compare(self) -> None:
        before, name = self._previous or (self._arrived, _("the code as it came"))
        self._comparison += 1
        number = self._comparison

        def show(rows: list[Row]) -> None:
            if number == self._comparison:
                self.changes.show_rows(rows, name)

        def failed(error: Exception) -> None:
            raise error

        self._tasks.run(partial(compare_lines, before, self.edit.code), show, failed)

    # Header and keys --------------------------------------------------------

    def show_target(self, target: str) -> None:
        self.target.show_text(_(TARGET_NAMES.get(target, "")))
        self._fit()

    def _show_state(self, edited: bool) -> None:
        self.state.show_text(_("Edited") if edited else "", _("Changed by hand since it came"))
        self._fit()

    def tell(self, text: str, spoken: str = "") -> None:
        """Say something in the header for a moment."""
        self._say(text)
        self._note_timer.start()
        announce(self, spoken or text)

    def _say(self, text: str) -> None:
        # Names of files may be long; what is always there keeps its room.
        most = max(self.width() - NOTE_MARGIN, NOTE_MARGIN)
        short = self.note.fontMetrics().elidedText(text, Qt.TextElideMode.ElideMiddle, most)
        self.note.show_text(short, text)
        self._fit()

    def focus_pane(self) -> None:
        (self.stack.currentWidget() or self.edit).setFocus()

    def show_line(self, line: int) -> None:
        """Lead the reader to a line of the code (from 1)."""
        self.show_changes(False)
        self.edit.go_to(line)
        self.edit.setFocus()

    def open_find(self, replace: bool) -> None:
        """Show the find bar, with or without replacing."""
        self.show_changes(False)
        self.finder.open(replace)

    def shut(self) -> None:
        """Stop everything that runs behind this pane."""
        self._settle.stop()
        self._compare_timer.stop()
        self._tasks.close()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """Hide what has no room in the header, the least needed first."""
        wanted: list[QWidget] = []
        for position in range(self.header.count()):
            item = self.header.itemAt(position)
            widget = item.widget() if item is not None else None
            if widget is not None and not (isinstance(widget, Chip) and not widget.text()):
                wanted.append(widget)
        margins = self.header.contentsMargins()
        room = self.width() - margins.left() - margins.right() - self.header.spacing() - 2
        need = sum(widget.sizeHint().width() + self.header.spacing() for widget in wanted)
        for widget in self._yielding:
            if widget in wanted:
                fits = need <= room
                widget.setVisible(fits)
                need -= 0 if fits else widget.sizeHint().width() + self.header.spacing()

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent):
            action = self._action_of(event)
            if action is not None and event.type() == QEvent.Type.ShortcutOverride:
                event.accept()
                return True
            if action is not None and event.type() == QEvent.Type.KeyPress:
                action.trigger()
                return True
        return super().event(event)

    def _action_of(self, event: QKeyEvent) -> QAction | None:
        """The action of this pane that has the key.

        Those with Alt are left to Qt: a field would take their letter as typed.
        """
        if event.modifiers() & Qt.KeyboardModifier.AltModifier:
            return None
        keys = QKeySequence(event.keyCombination())
        for action in self.actions():
            if action.isEnabled() and keys in action.shortcuts():
                return action
        return None


def _timer(parent: CodePane, interval: int, slot: object) -> QTimer:
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setInterval(interval)
    timer.timeout.connect(slot)
    return timer
