"""Choosing the hotkey and trying it: a box for a dialog or a page of settings."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import QHideEvent, QKeySequence
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QKeySequenceEdit,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.hotkeys.main import Hotkey, HotkeyState
from app.i18n import N_, _
from app.views.dress import announce

_TRY = N_("Press {keys} now to test it.")
_HEARD = N_("It works: the key was heard.")


class HotkeyBox(QWidget):
    """Shows and changes a `Hotkey`. `chosen(text)` carries the portable text of a new one.

    While "Test" is down a press of the hotkey is shown here and starts no snip.
    """

    chosen = Signal(str)

    def __init__(self, hotkey: Hotkey, text: str) -> None:
        super().__init__()
        self._hotkey = hotkey
        self._keys = QKeySequenceEdit(QKeySequence(text))
        self._keys.setMaximumSequenceLength(1)
        self._keys.setAccessibleName(_("Hotkey"))
        for line in self._keys.findChildren(QLineEdit):
            line.setAccessibleName(_("Hotkey"))
        self._clear = QPushButton(_("None"))
        self._clear.setAccessibleName(_("No hotkey"))
        self._clear.setToolTip(_("Use no hotkey"))
        self._clear.setAutoDefault(False)
        self._clear.clicked.connect(self._none)
        self._test = QPushButton(_("Test"))
        self._test.setAccessibleName(_("Test the hotkey"))
        self._test.setCheckable(True)
        self._test.setAutoDefault(False)
        self._status = QLabel()
        self._status.setWordWrap(True)
        self._method = QLabel(hotkey.method)
        self._method.setObjectName("muted")
        self._method.setWordWrap(True)
        self._method.setVisible(bool(hotkey.method))
        label = QLabel(_("&Snip from anywhere"))
        label.setBuddy(self._keys)
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setHorizontalSpacing(10)
        layout.addWidget(label, 0, 0)
        layout.addWidget(self._keys, 0, 1)
        layout.addWidget(self._clear, 0, 2)
        layout.addWidget(self._test, 0, 3)
        layout.addWidget(self._status, 1, 0, 1, 4)
        layout.addWidget(self._method, 2, 0, 1, 4)
        layout.setColumnStretch(1, 1)
        self._keys.editingFinished.connect(self._choose)
        self._test.toggled.connect(self._toggle)
        hotkey.changed.connect(self._show)
        hotkey.tested.connect(self._heard)
        self._kept = QKeySequence(text)
        self._show()

    @property
    def status(self) -> str:
        """The line under the key."""
        return self._status.text()

    def hideEvent(self, event: QHideEvent) -> None:
        """A test does not outlive the box."""
        self._test.setChecked(False)
        super().hideEvent(event)

    def _choose(self) -> None:
        sequence = self._keys.keySequence()
        if sequence == self._kept:
            return
        self._kept = sequence
        self.chosen.emit(sequence.toString(QKeySequence.SequenceFormat.PortableText))

    def _none(self) -> None:
        self._keys.clear()
        self._choose()

    def _toggle(self, on: bool) -> None:
        self._test.setText(_("Stop") if on else _("Test"))
        self._test.setAccessibleName(_("Stop the test") if on else _("Test the hotkey"))
        (self._hotkey.begin_test if on else self._hotkey.end_test)()
        self._show()

    def _show(self) -> None:
        active = self._hotkey.state is HotkeyState.ACTIVE
        self._test.setEnabled(active)
        if not active:
            self._test.setChecked(False)
        combination = self._hotkey.combination
        if self._test.isChecked() and combination is not None:
            self._say(_(_TRY).format(keys=combination.text))
        else:
            self._say(self._hotkey.text)

    def _heard(self) -> None:
        self._say(_(_HEARD))

    def _say(self, text: str) -> None:
        if text != self._status.text():
            self._status.setText(text)
            announce(self, text)


def hotkey_dialog(parent: QWidget, hotkey: Hotkey, text: str) -> tuple[QDialog, HotkeyBox]:
    """A dialog around the box; it closes by its button and changes at once."""
    dialog = QDialog(parent)
    dialog.setWindowTitle(_("Hotkey"))
    box = HotkeyBox(hotkey, text)
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.rejected.connect(dialog.reject)
    for button in buttons.buttons():
        button.setAccessibleName(button.text().replace("&", ""))
    layout = QVBoxLayout(dialog)
    layout.setSpacing(16)
    layout.addWidget(box)
    layout.addStretch(1)
    layout.addWidget(buttons)
    dialog.resize(460, 170)
    return dialog, box
