"""One control for each kind of row; each shows a setting and keeps what the user makes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from PySide6.QtCore import QObject, QPointF, QSignalBlocker
from PySide6.QtGui import (
    QAction,
    QKeySequence,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
    QWheelEvent,
)
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from app.i18n import _
from app.shelf import Owner
from app.store.settings import Settings
from app.views.fields import button, text_label
from app.views.settings_rows import ACTION_SWITCH, BUTTON, CHOICE, NUMBER, SWITCH, Row
from app.views.switch import Switch

Keep = Callable[..., None]
Actions = Mapping[str, QAction]
Show = Callable[[Settings], None]


class _Choice(QComboBox):
    """Does not change when the page is scrolled over it; shows that it opens."""

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self.palette().color(QPalette.ColorRole.Text), 1.4))
        x, y = self.width() - 14.0, self.height() / 2.0
        painter.drawPolyline([QPointF(x - 4, y - 2), QPointF(x, y + 2), QPointF(x + 4, y - 2)])
        painter.end()

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()


class _Number(QSpinBox):
    """Does not change when the page is scrolled over it; its frame is seen on dark grounds."""

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        role = QPalette.ColorRole.Highlight if self.hasFocus() else QPalette.ColorRole.Dark
        painter = QPainter(self)
        painter.setPen(self.palette().color(role))
        painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        painter.end()

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()


def _switch(row: Row, keep: Keep, actions: Actions) -> tuple[QWidget, Show]:
    box = Switch()
    box.toggled.connect(lambda on: keep(**{row.field: on}))
    return box, lambda settings: _quietly(box, box.setChecked, getattr(settings, row.field))


def _choice(row: Row, keep: Keep, actions: Actions) -> tuple[QWidget, Show]:
    box = _Choice()
    for value, text in row.choices:
        box.addItem(_(text), value)
    box.currentIndexChanged.connect(lambda: keep(**{row.field: box.currentData()}))

    def show(settings: Settings) -> None:
        _quietly(box, box.setCurrentIndex, max(0, box.findData(getattr(settings, row.field))))

    return box, show


def _number(row: Row, keep: Keep, actions: Actions) -> tuple[QWidget, Show]:
    box = _Number()
    box.setRange(*row.range)
    box.setSpecialValueText(_(row.zero))
    unit = _(row.unit) if row.unit else "{number}"
    before, _number, after = unit.partition("{number}")
    box.setPrefix(before)
    box.setSuffix(after)
    box.setMinimumHeight(30)
    box.setKeyboardTracking(False)  # half-typed numbers are nobody's wish
    box.valueChanged.connect(lambda value: keep(**{row.field: value}))
    return box, lambda settings: _quietly(box, box.setValue, getattr(settings, row.field))


def _action_switch(row: Row, keep: Keep, actions: Actions) -> tuple[QWidget, Show]:
    action, box = actions[row.action], Switch()
    box.clicked.connect(lambda on: action.setChecked(on))

    def follow() -> None:
        box.setChecked(action.isChecked())
        box.setEnabled(action.isEnabled())

    action.changed.connect(follow)
    # Whoever answers the switch may put it back without a signal: look again after that.
    box.clicked.connect(follow)
    follow()
    return box, lambda settings: follow()


def _button(row: Row, keep: Keep, actions: Actions) -> tuple[QWidget, Show]:
    action = actions[row.action]
    made = button(_("Open…") if not row.field else _("Change…"), action.trigger, name=_(row.label))
    made.setToolTip(action.toolTip())
    if not row.field:
        return made, lambda settings: None
    both, value = QWidget(), QLabel()
    layout = QHBoxLayout(both)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(10)
    layout.addWidget(value)
    layout.addWidget(made)
    both.setFocusProxy(made)

    def show(settings: Settings) -> None:
        keys = QKeySequence(getattr(settings, row.field))
        value.setText(keys.toString(QKeySequence.SequenceFormat.NativeText) or _("None"))
        made.setAccessibleDescription(value.text())

    return both, show


_MAKERS: Mapping[str, Callable[[Row, Keep, Actions], tuple[QWidget, Show]]] = {
    SWITCH: _switch,
    CHOICE: _choice,
    NUMBER: _number,
    ACTION_SWITCH: _action_switch,
    BUTTON: _button,
}


class RowView(QWidget):
    """A row: label and note on the left, the control on the right."""

    def __init__(self, row: Row, owner: Owner, actions: Actions) -> None:
        super().__init__()
        self.row = row
        self.control, self._show = _MAKERS[row.kind](row, owner.keep, actions)
        target = self.control.focusProxy() or self.control
        if not target.accessibleName():
            target.setAccessibleName(_(row.label))
        target.setAccessibleDescription(_(row.note) or target.accessibleDescription())
        label = text_label(_(row.label))
        label.setBuddy(target)
        words = QWidget()
        column = _column(words)
        column.addWidget(label)
        if row.note:
            column.addWidget(text_label(_(row.note), "muted"))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 4)
        layout.setSpacing(16)
        layout.addWidget(words, 1)
        layout.addWidget(self.control)
        self.show_settings(owner.settings)

    def show_settings(self, settings: Settings) -> None:
        """Show what is chosen, without telling anybody."""
        self._show(settings)


def _column(parent: QWidget) -> QVBoxLayout:
    column = QVBoxLayout(parent)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(2)
    return column


def _quietly(widget: QObject, change: Callable[[Any], Any], value: Any) -> None:
    blocker = QSignalBlocker(widget)
    change(value)
    blocker.unblock()
