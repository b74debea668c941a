"""The row where people say what to change: versions, instruction, quick actions."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QAction, QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QMenu, QPushButton, QToolButton, QWidget

from app.i18n import _
from app.incoming import Region
from app.refining import NO_INSTRUCTIONS, QUICK_ACTIONS, InstructionHistory
from app.session import Session
from app.versions import title
from app.views.dress import ICON, ActionButton, Chip, Dresser, flat_button

ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


class InstructionEdit(QLineEdit):
    """One line with a past: up and down walk what was said before, Enter sends."""

    sent = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName(_("Instruction"))
        self.setClearButtonEnabled(False)
        self.setMinimumWidth(80)
        self.history = InstructionHistory()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        if key in ENTER:
            self.sent.emit()
        elif key == Qt.Key.Key_Up:
            self.setText(self.history.up(self.text()))
        elif key == Qt.Key.Key_Down:
            self.setText(self.history.down(self.text()))
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        # Ctrl+Enter is the shortcut of Generate: with an instruction it sends that.
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            control = event.modifiers() & Qt.KeyboardModifier.ControlModifier
            if control and Qt.Key(event.key()) in ENTER and self.text().strip():
                event.accept()
                return True
        return super().event(event)


class RefineBar(QWidget):
    """`wanted(instruction)` when the model is to change something, `measured(key)` of a quick
    action that needs none, `unmarked()` for no part any more."""

    wanted = Signal(str)
    measured = Signal(str)
    unmarked = Signal()

    def __init__(self, actions: Mapping[str, QAction], dresser: Dresser) -> None:
        super().__init__()
        self._actions = actions
        self.edit = InstructionEdit()
        self.edit.sent.connect(self.send)
        self.edit.textChanged.connect(self._follow)
        self.place = Chip(_("Version"))
        self.part = QPushButton()
        self.part.setObjectName("chipButton")
        self.part.setAutoDefault(False)
        self.part.setAccessibleName(_("No marked part"))
        self.part.clicked.connect(self.unmarked.emit)
        dresser.icon(self.part, "close", "muted")
        self.part.hide()
        self.quick = QToolButton()
        self.quick.setText(_("Quick"))
        self.quick.setAccessibleName(_("Quick actions"))
        self.quick.setToolTip(_("Changes that are often wanted"))
        self.quick.setIconSize(ICON)
        self.quick.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.quick.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.quick.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        dresser.icon(self.quick, "auto")
        self.menu = QMenu(self)
        self.menu.setAccessibleName(_("Quick actions"))
        self.menu.setToolTipsVisible(True)
        self.quick_actions = {one.key: self._quick(one.key, actions) for one in QUICK_ACTIONS}
        self.quick.setMenu(self.menu)
        self.button = ActionButton(actions["refine"])
        actions["refine"].triggered.connect(self.send)
        self._ready = False
        self._instructions: bool | None = None
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(flat_button(actions["version_back"]))
        layout.addWidget(self.place)
        layout.addWidget(flat_button(actions["version_forward"]))
        layout.addWidget(flat_button(actions["versions"]))
        layout.addSpacing(4)
        layout.addWidget(self.part)
        layout.addWidget(self.edit, 1)
        layout.addWidget(self.quick)
        layout.addWidget(self.button)

    def minimumSizeHint(self) -> QSize:
        return QSize(200, super().minimumSizeHint().height())

    def set_compact(self, compact: bool) -> None:
        """Icons instead of words in a small window."""
        style = Qt.ToolButtonStyle
        self.quick.setToolButtonStyle(
            style.ToolButtonIconOnly if compact else style.ToolButtonTextBesideIcon
        )
        self.button.setText("" if compact else self._actions["refine"].text())

    def show_session(self, session: Session) -> None:
        """Enable what the session and its model allow, and say why not."""
        tree = session.versions
        current = tree.current
        self._instructions = session.takes_instructions
        self._ready = session.can_generate and bool(session.result.code.strip())
        self.edit.setEnabled(self._instructions is not False)
        reason = _(NO_INSTRUCTIONS) if self._instructions is False else ""
        self.edit.setPlaceholderText(reason or _("What should be different?"))
        self.edit.setToolTip(reason or _("Say what to change. Enter sends, ↑ brings earlier ones"))
        for one in QUICK_ACTIONS:
            action = self.quick_actions[one.key]
            if one.instruction:
                able = one.measured or self._instructions is not False
                action.setEnabled(self._ready and able)
                action.setToolTip(_(one.instruction) if able else reason)
        self._actions["again"].setEnabled(session.can_generate)
        rows = [version.id for version, _ in tree.rows()]
        number = rows.index(current.id) + 1 if current is not None else 0
        self.place.show_text(
            _("{number} of {total}").format(number=number, total=len(rows))
            if len(rows) > 1
            else "",
            title(current) if current is not None else "",
        )
        self._actions["version_back"].setEnabled(not session.busy and tree.back() is not None)
        self._actions["version_forward"].setEnabled(not session.busy and tree.forward() is not None)
        self._follow()

    def show_region(self, region: Region | None) -> None:
        """Which part the instruction is about."""
        self.part.setVisible(region is not None and self._instructions is not False)
        if region is not None:
            x0, y0, x1, y1 = region
            self.part.setText(f"{x1 - x0} × {y1 - y0}")
            name = _("Only about the part from {x0}, {y0} to {x1}, {y1}").format(
                x0=x0, y0=y0, x1=x1, y1=y1
            )
            self.part.setAccessibleName(name)
            tip = _(
                "Only about the part from {x0}, {y0} to {x1}, {y1}. Click to take the mark away"
            )
            self.part.setToolTip(tip.format(x0=x0, y0=y0, x1=x1, y1=y1))

    def send(self) -> None:
        """Ask for what stands in the line."""
        text = self.edit.text().strip()
        if text and self._ready and self._instructions is not False:
            self.edit.history.add(text)
            self.edit.clear()
            self.wanted.emit(text)

    def _follow(self) -> None:
        allowed = self._ready and self._instructions is not False
        self._actions["refine"].setEnabled(allowed and bool(self.edit.text().strip()))

    def _quick(self, key: str, actions: Mapping[str, QAction]) -> QAction:
        one = next(action for action in QUICK_ACTIONS if action.key == key)
        if not one.instruction:
            self.menu.addAction(actions["again"])
            self.menu.addSeparator()
            return actions["again"]
        action = self.menu.addAction(_(one.text))
        if one.measured:
            action.triggered.connect(lambda: self.measured.emit(key))
        else:
            action.triggered.connect(lambda: self.wanted.emit(one.instruction))
        return action
