"""The bar above the code that finds and replaces."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QEvent, Qt, QTimer
from PySide6.QtGui import QAction, QKeyEvent, QResizeEvent, QTextCursor
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QToolButton,
    QWidget,
)

from app import search
from app.i18n import _, ngettext
from app.search import Match
from app.views.code_edit import CodeEdit
from app.views.dress import ICON, Dresser, announce, flat_button

SEARCH_INTERVAL_MS = 120
"""A text that changes is searched again at most so often."""


class FindBar(QWidget):
    """Finds in one editor. Only matches that are visible are marked there."""

    def __init__(self, edit: CodeEdit, actions: Mapping[str, QAction], dresser: Dresser) -> None:
        super().__init__()
        self.setObjectName("findBar")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName(_("Find in the code"))
        self._edit = edit
        self._case = actions["match_case"]
        self.matches: list[Match] = []
        self.needle = _field(_("Find"), _("Text to find"))
        self.count = QLabel()
        self.count.setAccessibleName(_("Matches"))
        self.replacement = _field(_("Replace with"), _("Text to put in its place"))
        self.replace_one = _button(_("Replace"), self.replace)
        self.replace_every = _button(_("Replace all"), self.replace_all)
        self._close = QToolButton()
        self._close.setObjectName("flat")
        self._close.setIconSize(ICON)
        self._close.setAccessibleName(_("Close the search"))
        self._close.setToolTip(_("Close (Esc)"))
        self._close.clicked.connect(self.leave)
        dresser.icon(self._close, "close", "muted")
        self._lay_out(actions)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(SEARCH_INTERVAL_MS)
        self._timer.timeout.connect(self._search)
        self.needle.textChanged.connect(lambda: self._search_and_go())
        self._case.toggled.connect(lambda: self._search_and_go())
        edit.code_changed.connect(self._text_changed)
        edit.moved.connect(self._mark)
        edit.selectionChanged.connect(self._tell)
        self.hide()

    def _lay_out(self, actions: Mapping[str, QAction]) -> None:
        layout = QGridLayout(self)
        layout.setContentsMargins(12, 6, 8, 6)
        layout.setHorizontalSpacing(6)
        layout.setVerticalSpacing(6)
        layout.setColumnStretch(0, 1)
        tools = QHBoxLayout()
        tools.setSpacing(2)
        tools.addWidget(self.count)
        for name in ("match_case", "find_previous", "find_next"):
            tools.addWidget(flat_button(actions[name]))
        tools.addWidget(self._close)
        self._replacing = QWidget()
        self._rows = QGridLayout(self._replacing)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setSpacing(6)
        self._rows.setColumnStretch(0, 1)
        self._rows.addWidget(self.replacement, 0, 0)
        buttons = QHBoxLayout()
        buttons.setSpacing(6)
        buttons.addWidget(self.replace_one)
        buttons.addWidget(self.replace_every)
        self._buttons = buttons
        self._rows.addLayout(buttons, 0, 1)
        layout.addWidget(self.needle, 0, 0)
        layout.addLayout(tools, 0, 1)
        layout.addWidget(self._replacing, 1, 0, 1, 2)

    # Coming and going -------------------------------------------------------

    def open(self, replace: bool) -> None:
        """Show the bar, with what is selected as the text to find."""
        selected = self._edit.textCursor().selectedText()
        if selected and "\u2029" not in selected:
            self.needle.setText(selected)
        self._replacing.setVisible(replace)
        self.show()
        self._search()
        self.set_editable(not self._edit.isReadOnly())
        self.needle.selectAll()
        self.needle.setFocus()

    def leave(self) -> None:
        """Hide the bar and go back to the code."""
        self.hide()
        self.matches = []
        self._edit.mark_matches(())
        self._edit.setFocus()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        narrow = (
            self.width() < self.replacement.minimumWidth() * 2 + self._buttons.sizeHint().width()
        )
        self._rows.removeItem(self._buttons)
        self._rows.addLayout(self._buttons, *((1, 0, 1, 2) if narrow else (0, 1, 1, 1)))

    def set_editable(self, on: bool) -> None:
        """Whether the code can be changed now."""
        self.replace_one.setEnabled(on)
        self.replace_every.setEnabled(on)

    def event(self, event: QEvent) -> bool:
        # Esc is also the window's key that cancels; while the focus is here it closes the bar.
        if isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape:
            if event.type() == QEvent.Type.ShortcutOverride:
                event.accept()
                return True
            if event.type() == QEvent.Type.KeyPress:
                self.leave()
                return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            if self.replacement.hasFocus():
                self.replace()
            elif event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
                self.go_back()
            else:
                self.go_on()
        else:
            super().keyPressEvent(event)

    # Finding ----------------------------------------------------------------

    def go_on(self) -> None:
        """Go to the next match, from the last one to the first."""
        self._refresh()
        self._go(search.next_match(self.matches, self._edit.textCursor().selectionEnd()))

    def go_back(self) -> None:
        """Go to the match before, from the first one to the last."""
        self._refresh()
        self._go(search.previous_match(self.matches, self._edit.textCursor().selectionStart()))

    @property
    def present(self) -> int:
        """Number (from 0) of the match that is selected in the code, -1 if none is."""
        cursor = self._edit.textCursor()
        here = (cursor.selectionStart(), cursor.selectionEnd())
        number = search.next_match(self.matches, here[0])
        return number if number >= 0 and self.matches[number] == here else -1

    def _go(self, number: int) -> None:
        if number >= 0:
            self._edit.setTextCursor(self._cursor(self.matches[number]))
            self._edit.ensureCursorVisible()
        self._tell()
        announce(self, self.count.text())

    def _cursor(self, match: Match) -> QTextCursor:
        cursor = QTextCursor(self._edit.document())
        cursor.setPosition(match[0])
        cursor.setPosition(match[1], QTextCursor.MoveMode.KeepAnchor)
        return cursor

    def _text_changed(self) -> None:
        if self.isVisible() and not self._timer.isActive():
            self._timer.start()

    def _refresh(self) -> None:
        """Bring the matches up to date; with the bar closed the last text is searched again."""
        if self._timer.isActive() or not self.isVisible():
            self._search()

    def _search_and_go(self) -> None:
        """Search, and go to the first match at or behind the cursor."""
        self._search()
        self._go(search.next_match(self.matches, self._edit.textCursor().selectionStart()))

    def _search(self) -> None:
        self._timer.stop()
        self.matches = search.find_all(self._edit.code, self.needle.text(), self._case.isChecked())
        self._mark()
        self._tell()

    def _mark(self) -> None:
        if self.isVisible():
            self._edit.mark_matches(search.within(self.matches, *self._edit.visible_range()))

    def _tell(self) -> None:
        number, total = self.present, len(self.matches)
        sought = bool(self.needle.text())
        if not sought:
            text = ""
        elif not total:
            text = _("No match")
        else:
            text = (
                _("{number} of {total}").format(number=number + 1, total=total)
                if number >= 0
                else f"{total}"
            )
        found = "false" if sought and not total else "true"
        self.count.setText(text)
        if self.count.property("found") != found:
            self.count.setProperty("found", found)
            self.count.style().unpolish(self.count)
            self.count.style().polish(self.count)

    # Replacing --------------------------------------------------------------

    def replace(self) -> None:
        """Replace the match that is selected, and go to the next."""
        self._refresh()
        if self._edit.isReadOnly():
            return
        number = self.present
        if number >= 0:
            cursor = self._cursor(self.matches[number])
            cursor.insertText(self.replacement.text())
            self._edit.setTextCursor(cursor)
            self._search()
        self._go(search.next_match(self.matches, self._edit.textCursor().selectionEnd()))

    def replace_all(self) -> None:
        """Replace every match; one step of undo."""
        self._search()
        if self._edit.isReadOnly() or not self.matches:
            return
        edit, number = self._edit, len(self.matches)
        cursor = edit.textCursor()
        line, column = cursor.blockNumber(), cursor.positionInBlock()
        # One large replacement costs a fraction of thousands of small ones.
        edit.replace_code(
            search.replace_all(
                edit.code, self.needle.text(), self._case.isChecked(), self.replacement.text()
            )
        )
        block = edit.document().findBlockByNumber(line)
        if block.isValid():
            cursor.setPosition(block.position() + min(column, block.length() - 1))
            edit.setTextCursor(cursor)
        self._search()
        words = ngettext("{count} match replaced", "{count} matches replaced", number)
        announce(self, words.format(count=number))


def _field(name: str, tip: str) -> QLineEdit:
    field = QLineEdit()
    field.setAccessibleName(name)
    field.setPlaceholderText(name)
    field.setToolTip(tip)
    field.setMinimumWidth(60)
    return field


def _button(text: str, slot: object) -> QPushButton:
    button = QPushButton(text)
    button.setAccessibleName(text)
    button.setAutoDefault(False)
    button.clicked.connect(slot)
    return button
