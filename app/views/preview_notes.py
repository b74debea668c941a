"""Below the preview: what the page said on its console and what it did not get from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.i18n import _, ngettext
from app.preview.console import LEVELS, ConsoleLog
from app.preview.refused import Refused, hosts_of
from app.views.allow_row import AllowRow
from app.views.dress import Dresser
from app.views.link_row import LinkRow

LINE = Qt.ItemDataRole.UserRole
LEAST_HEIGHT, HEIGHT = 40, 150
"""Of a list that is open, in pixels: less than it likes only where there is no room."""


class PreviewNotes(QWidget):
    """Two lists that open below the page. `line_chosen(line)` tells which message was picked."""

    line_chosen = Signal(int)

    def __init__(self, actions: Mapping[str, QAction], dresser: Dresser) -> None:
        super().__init__()
        self._dresser = dresser
        self._action = actions["console"]
        self.console = self._list(_("Console of the page"))
        self.console.itemActivated.connect(self._chosen)
        self.console.itemClicked.connect(self._chosen)
        self.refused = self._list(_("Resources that were blocked"))
        self.console_button = self._button(_("Console of the page"))
        self.console_button.setDefaultAction(self._action)
        self.console_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.refused_button = self._button(_("Resources that were blocked"))
        self.refused_button.setCheckable(True)
        self.refused_button.toggled.connect(self._show_refused)
        self._action.toggled.connect(self._show_console)
        dresser.icon(self.refused_button, "offline", "warn")
        self.refused_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.note = QLabel()
        self.note.setObjectName("muted")
        self.note.setTextFormat(Qt.TextFormat.PlainText)
        self.note.setWordWrap(True)
        self._said: dict[str, str] = {}
        self.allow = AllowRow(dresser)
        self.link = LinkRow(dresser)
        self._lists = QStackedWidget()
        self._lists.setMinimumHeight(LEAST_HEIGHT)
        self._lists.setMaximumHeight(HEIGHT)
        self._lists.addWidget(self.console)
        self._lists.addWidget(self.refused)
        self._lists.hide()
        self._bar = QWidget()
        row = QHBoxLayout(self._bar)
        row.setContentsMargins(8, 3, 8, 3)
        row.setSpacing(4)
        row.addWidget(self.console_button)
        row.addWidget(self.refused_button)
        row.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._bar)
        layout.addWidget(self.link)
        layout.addWidget(self.allow)
        layout.addWidget(self.note)
        self.note.setContentsMargins(12, 0, 12, 4)
        self.note.hide()
        layout.addWidget(self._lists)
        self.clear()

    def _list(self, name: str) -> QListWidget:
        made = QListWidget()
        made.setObjectName("notes")
        made.setAccessibleName(name)
        made.setWordWrap(True)
        made.setTextElideMode(Qt.TextElideMode.ElideNone)
        made.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        return made

    def _button(self, name: str) -> QToolButton:
        button = QToolButton()
        button.setObjectName("note")
        button.setAccessibleName(name)
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        return button

    def clear(self) -> None:
        """Nothing said, nothing blocked."""
        self.show_console(ConsoleLog())
        self.show_refused(0, [])

    def show_console(self, log: ConsoleLog) -> None:
        """The messages, the first of them, and how many there were."""
        self.console.clear()
        for message in log.messages:
            word, icon, token = LEVELS[message.level]
            # L10N: level is "Error", "Warning" or "Note"; line is a number.
            words = _("{level}, line {line}: {text}") if message.line else _("{level}: {text}")
            text = words.format(level=_(word), line=message.line, text=message.text)
            item = QListWidgetItem(self._dresser.make(icon, token), text)
            item.setData(LINE, message.line)
            self.console.addItem(item)
        if log.count > len(log.messages):
            more = log.count - len(log.messages)
            words = ngettext(
                "and {count} more, which is not kept", "and {count} more, which are not kept", more
            )
            self.console.addItem(words.format(count=more))
        elif not log.count:
            self.console.addItem(_("The page has said nothing."))
        text = _("Console: {count}").format(count=_at_most(log.count))
        if log.errors:
            words = ngettext(
                "Console: {count} ({errors} error)",
                "Console: {count} ({errors} errors)",
                log.errors,
            )
            text = words.format(count=_at_most(log.count), errors=_at_most(log.errors))
        self._action.setText(text)
        self._dresser.icon(self._action, "error" if log.errors else "console",
                           "bad" if log.errors else "muted")  # fmt: skip
        self.console_button.setAccessibleName(text)

    def show_refused(self, count: int, refused: Sequence[Refused]) -> None:
        """What was blocked; the button is there only where something was."""
        # L10N: the resources of a page (pictures, scripts) that the preview did not load.
        self.refused_button.setText(_("{count} blocked").format(count=count))
        self.refused_button.setAccessibleName(
            ngettext(
                "{count} resource was blocked: show the list",
                "{count} resources were blocked: show the list",
                count,
            ).format(count=count)
        )
        self.refused_button.setToolTip(
            ngettext(
                "{count} resource was blocked: the preview has no network. Press to see which.",
                "{count} resources were blocked: the preview has no network. Press to see which.",
                count,
            ).format(count=count)
        )
        self.refused_button.setVisible(count > 0)
        if not count:
            self.refused_button.setChecked(False)
        self.refused.clear()
        hosts = hosts_of(refused)
        if hosts:
            self.refused.addItem(_not_loaded(hosts))
        for one in refused:
            words = _("{kind} from {host}: {address}")
            self.refused.addItem(words.format(kind=one.kind, host=one.host, address=one.address))

    def show_note(self, text: str) -> None:
        """One line under the page, such as that scripts are off."""
        self._say("page", text)

    def show_ended(self, text: str) -> None:
        """One line on why the window with network is gone."""
        self._say("ended", text)

    def _say(self, key: str, text: str) -> None:
        self._said[key] = text
        self.note.setText("\n".join(one for one in self._said.values() if one))
        self.note.setVisible(bool(self.note.text()))

    def _show_console(self, on: bool) -> None:
        if on:
            self.refused_button.setChecked(False)
            self._lists.setCurrentWidget(self.console)
        self._lists.setVisible(on or self.refused_button.isChecked())

    def _show_refused(self, on: bool) -> None:
        if on:
            self._action.setChecked(False)
            self._lists.setCurrentWidget(self.refused)
        self._lists.setVisible(on or self._action.isChecked())

    def _chosen(self, item: QListWidgetItem) -> None:
        line = item.data(LINE)
        if isinstance(line, int) and line > 0:
            self.line_chosen.emit(line)


def _at_most(count: int) -> str:
    return "999+" if count > 999 else str(count)


def _not_loaded(hosts: Sequence[str]) -> str:
    names, more = ", ".join(hosts[:3]), len(hosts) - 3
    if more <= 0:
        return _("Not loaded, since the preview has no network: from {hosts}").format(hosts=names)
    return ngettext(
        "Not loaded, since the preview has no network: from {hosts} and {count} more",
        "Not loaded, since the preview has no network: from {hosts} and {count} more",
        more,
    ).format(hosts=names, count=more)
