"""Small helpers of all views: icons that follow the theme, panes, switches, announcements."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QAction, QIcon, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app import icons
from app.i18n import _
from app.theme import Theme

ICON = QSize(18, 18)


class Dresser:
    """Gives icons to widgets and actions, and again when the theme changes."""

    def __init__(self, theme: Theme) -> None:
        self.theme = theme
        self._bound: list[tuple[weakref.ref[Any], str, str]] = []
        theme.changed.connect(self._again)

    def icon(self, target: Any, name: str, token: str = "text") -> None:
        """Set the icon `name` on anything that has setIcon; a second call replaces the first."""
        self._bound = [one for one in self._bound if one[0]() not in (None, target)]
        self._bound.append((weakref.ref(target), name, token))
        target.setIcon(self.make(name, token))

    def make(self, name: str, token: str = "text") -> QIcon:
        """An icon in the present theme."""
        disabled = self.theme.colour("line_strong")
        return icons.icon(name, self.theme.colour(token), disabled)

    def _again(self) -> None:
        alive = []
        for reference, name, token in self._bound:
            target = reference()
            if target is None:
                continue
            try:
                target.setIcon(self.make(name, token))
            except RuntimeError:  # its C++ half is gone
                continue
            alive.append((reference, name, token))
        self._bound = alive


class IconLabel(QLabel):
    """A label that shows an icon; has setIcon so that the dresser can serve it."""

    def __init__(self, side: int = 16) -> None:
        super().__init__()
        self._side = side
        self.setFixedSize(side, side)

    def setIcon(self, icon: QIcon) -> None:
        self.setPixmap(icon.pixmap(QSize(self._side, self._side), self.devicePixelRatio()))


def flat_button(action: QAction, name: str | None = None) -> QToolButton:
    """A button without frame that shows only the icon of `action`."""
    button = QToolButton()
    button.setObjectName("flat")
    button.setDefaultAction(action)
    button.setIconSize(ICON)
    button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    button.setAccessibleName(name or action.text().rstrip("…"))
    return button


class ActionButton(QPushButton):
    """A push button that does what an action does and is enabled when the action is."""

    def __init__(
        self, action: QAction, text: str | None = None, kind: str = "", own_icon: bool = False
    ) -> None:
        super().__init__(text or action.text())
        self._own_icon = own_icon
        if kind:
            self.setObjectName(kind)
        self._action = action
        self._text = text
        self.setIconSize(ICON)
        self.setAutoDefault(False)
        self.clicked.connect(action.trigger)
        action.changed.connect(self._follow)
        self._follow()

    def _follow(self) -> None:
        self.setEnabled(self._action.isEnabled())
        if not self._own_icon:
            self.setIcon(self._action.icon())
        self.setToolTip(self._action.toolTip())
        self.setAccessibleName(self._action.text().rstrip("…"))


class YieldingRow(QWidget):
    """A row of controls. Where it is too narrow the first of the buttons in `words` lose their
    words and keep their icons."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[tuple[QPushButton, str]] = []

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.fit()

    def fit(self) -> None:
        """Give the words to as many as have room; also after a button came or went."""
        layout = self.layout()
        for button, text in self.words:
            button.setText(text)
        for button, _text in self.words:
            if layout is None or layout.sizeHint().width() <= self.width():
                return
            button.setText("")


class Pane(QFrame):
    """A framed pane: header with title and controls, body below."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self.setObjectName("pane")
        self.title = QLabel(title)
        self.title.setObjectName("paneTitle")
        header = QWidget()
        header.setObjectName("paneHeader")
        header.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        header.setFixedHeight(42)
        self.header = QHBoxLayout(header)
        self.header.setContentsMargins(14, 0, 8, 0)
        self.header.setSpacing(8)
        self.header.addWidget(self.title)
        self.body = QVBoxLayout()
        self.body.setContentsMargins(1, 0, 1, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(header)
        layout.addLayout(self.body, 1)

    def focus_pane(self) -> None:
        """Put the focus on what the pane is for."""
        raise NotImplementedError


class ShortLabel(QLabel):
    """A label that takes the room it gets and shortens its text to it."""

    def __init__(self, mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight) -> None:
        super().__init__()
        self._mode = mode
        self._whole = ""
        self.setTextFormat(Qt.TextFormat.PlainText)  # names may hold anything
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def show_text(self, text: str) -> None:
        self._whole = text
        self._shorten()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._shorten()

    def _shorten(self) -> None:
        self.setText(self.fontMetrics().elidedText(self._whole, self._mode, self.width()))


class Chip(QLabel):
    """A small rounded label; hidden while it has no text."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setObjectName("chip")
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.hide()

    def show_text(self, text: str, tip: str = "") -> None:
        self.setText(text)
        self.setToolTip(tip)
        self.setVisible(bool(text))


class Segments(QWidget):
    """A row of exclusive buttons. `chosen(key)` tells what the user picked.

    `choices` come from a table: key, text and tip, still to be translated.
    """

    chosen = Signal(str)

    def __init__(self, name: str, choices: Sequence[tuple[str, str, str]]) -> None:
        super().__init__()
        self.setObjectName("segments")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName(name)
        self._group = QButtonGroup(self)
        tab_to_chosen(self._group)
        self._buttons: dict[str, QPushButton] = {}
        layout = QHBoxLayout(self)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.setSpacing(0)
        for key, text, tip in choices:
            button = QPushButton(_(text))
            button.setCheckable(True)
            button.setToolTip(_(tip))
            button.setAccessibleName(f"{name}: {_(text)}")
            button.clicked.connect(self._told(key))
            self._group.addButton(button)
            self._buttons[key] = button
            layout.addWidget(button)

    def _told(self, key: str) -> Callable[[], None]:
        return lambda: self.chosen.emit(key)

    def set_choice(self, key: str) -> None:
        """Show `key` as chosen without telling anybody."""
        button = self._buttons.get(key)
        if button is not None:
            button.setChecked(True)

    @property
    def choice(self) -> str:
        return next((key for key, one in self._buttons.items() if one.isChecked()), "")


def tab_to_chosen(group: QButtonGroup) -> None:
    """Of buttons that exclude each other Tab goes to the chosen one, arrows to the others.

    Left to itself Qt lets Tab go to whichever comes first until one of them has had the focus.
    """

    def follow(chosen: QAbstractButton, on: bool) -> None:
        if not on:
            return
        policy = Qt.FocusPolicy
        for button in group.buttons():
            button.setFocusPolicy(policy.StrongFocus if button is chosen else policy.ClickFocus)

    group.buttonToggled.connect(follow)


def announce(widget: QWidget, text: str, urgent: bool = False) -> None:
    """Tell screen readers `text`."""
    event = QAccessibleAnnouncementEvent(widget, text)
    level = QAccessible.AnnouncementPoliteness
    event.setPoliteness(level.Assertive if urgent else level.Polite)
    QAccessible.updateAccessibility(event)
